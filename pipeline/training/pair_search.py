"""How many pairs, and how strongly penalised: tried beside a model without pairs, as its margins are known.

    z = o + sum over pairs,    o (n_samples, n_columns) the margins of the model without pairs

Only the features of pairs are fitted, the most promising pair first (`terms.pair`): each number of pairs starts from
the weights of the number before. All is found anew on the training rows of each fold. After two folds in which none of
it is better than no pairs, the search ends. Lou, Caruana, Gehrke and Hooker (2013).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline import config
from pipeline.columns.terms import Design, Features, Rows, Settings, Term
from pipeline.columns.terms.pair import Pair, promising_pairs
from pipeline.files.stored import progress
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.fitting import fit_columns
from pipeline.logistic.loss import probabilities
from pipeline.logistic.matrix import Block, Matrix, margins
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.softmax import loss_of
from pipeline.logistic.threads import workers
from pipeline.training.cross_validation import Fold, Judge
from pipeline.training.cross_validation import Rows as FoldRows

PAIRS = (1, 2, 5, 10, 20)
STRENGTHS = (1.0, 10.0)  # times lambda
TOLERANCE = 1e-4  # of the gradient norm: the log-loss is then exact to far more digits than its standard error
ENOUGH = 2  # folds that are asked whether any pairs help


def losses_of_pairs(
    folds: Sequence[Fold],
    weights: Sequence[np.ndarray],
    params: config.Train,
    strength: float,
    strengths: Sequence[float],
    judge: Judge,
    without: np.ndarray,
) -> dict[tuple[int, float], np.ndarray]:
    """What `judge` returned, (n_folds,), by the number of pairs and their multiple of lambda; empty if no pairs help.

    folds     with codes of all columns that can be paired
    weights   of each fold, (n_features + 1, n_columns), of the model without pairs
    strength  lambda times the number of training rows
    without   (n_folds,), the losses without pairs
    """

    def of_fold(k: int) -> dict[tuple[int, float], float]:
        fold, W = folds[k], weights[k]
        learnt, others = fold.training, fold.held_out
        offset, known = margins(learnt.Z, W), margins(others.Z, W)
        pairs = found_pairs(fold.features.design.terms, learnt, offset, params, max(PAIRS))
        stage = _Stage(fold, pairs, Settings.of(params, pair_strength=1.0))
        V, losses = np.zeros((1, len(strengths), W.shape[1])), {}
        for n in [n for n in PAIRS if n < len(pairs)] + [len(pairs)] * bool(pairs):
            V = stage.fit(n, V, offset, strength / len(learnt.codes) * np.array(strengths), params)
            for j, multiple in enumerate(strengths):
                z = known + margins(stage.matrix(others.Z, n), V[:, j])
                losses[n, multiple] = judge(z[:, 0] if z.shape[1] == 1 else z, others, params.multiclass)
        bar.update()
        return losses

    with workers() as run, progress(len(folds), "search pairs of columns", " folds", delay=0) as bar:
        of_folds = list(run(of_fold, range(min(ENOUGH, len(folds)))))
        keys = [key for key in of_folds[0] if all(key in losses for losses in of_folds)]
        if all(np.mean([losses[key] for losses in of_folds]) >= without[:ENOUGH].mean() for key in keys):
            return {}
        of_folds += run(of_fold, range(ENOUGH, len(folds)))
    return {key: np.array([losses[key] for losses in of_folds]) for key in keys if all(key in x for x in of_folds)}


def found_pairs(
    terms: Sequence[Term], rows: FoldRows, z: np.ndarray, params: config.Train, n: int
) -> list[tuple[str, str]]:
    """At most `n` pairs, by the score tests of a model without pairs; z (n_samples, n_columns) are its margins.

    Monotone columns are in none: a pair may fall where its columns rise.
    """
    terms = [term for term in terms if term.name not in params.monotone]
    P = probabilities(z[:, 0] if z.shape[1] == 1 else z, params.multiclass)[:, -z.shape[1] :]
    Y = rows.codes[:, None] == np.arange(P.shape[1]) + (z.shape[1] == 1)
    weight = np.array(1.0) if rows.weight is None else rows.weight[:, None]
    return promising_pairs(terms, rows.Z, weight * (Y - P), weight * P * (1 - P), n)


class _Stage:
    """The features of pairs alone, on the rows of a fold."""

    def __init__(self, fold: Fold, names: Sequence[tuple[str, str]], settings: Settings) -> None:
        self.fold, design, seen = fold, fold.features.design, Rows(fold.training.Z)
        self.pairs = Pair.named(names, design.terms, seen.counts)
        both = Design(design.columns, [*(term for term in design.terms if not term.n_counts), *self.pairs])
        self.first = both.n_sparse - sum(pair.n_codes for pair in self.pairs)
        rows = Matrix([Block(b.dense, np.hstack([b.codes, self._codes(b)]), both.n_sparse) for b in seen.matrix.blocks])
        features = Features(both, rows, settings, self.pairs)
        self.T = features.T[both.n_dense + self.first :].tocsc()
        self.widths = [len(span.positions) for span in features.spans]

    def matrix(self, rows: Matrix, n: int, offset: np.ndarray | None = None) -> Matrix:
        """The features of the first `n` pairs."""
        n_sparse = sum(pair.n_codes for pair in self.pairs[:n])
        codes = np.concatenate([self._codes(block, n) for block in rows.blocks]) - self.first
        kept = np.append(np.arange(sum(self.widths[:n])), self.T.shape[1] - 1)
        base = np.append(np.arange(n_sparse), self.T.shape[0] - 1)
        return Matrix([Block(np.empty((len(codes), 0)), codes, n_sparse, offset)], self.T[:, kept][base])

    def fit(self, n: int, V: np.ndarray, offset: np.ndarray, l2: np.ndarray, params: config.Train) -> np.ndarray:
        """Weights (n_features + 1, n_strengths, n_columns) of the first `n` pairs, from those V of fewer."""
        rows, n_columns = self.fold.training, V.shape[2]
        n_features = sum(self.widths[:n])
        start = np.zeros((n_features + 1, *V.shape[1:]))
        start[: len(V) - 1], start[-1] = V[:-1], V[-1]
        is_joint = params.multiclass == "softmax" and n_columns > 1
        all_of: Any = slice(None)
        for columns in [(k, all_of) for k in range(len(l2))] if is_joint else [(all_of, k) for k in range(n_columns)]:
            place = (all_of, *columns)
            positive = np.arange(n_columns) if is_joint else np.full(len(l2), columns[1] + (n_columns == 1))
            objective = FastObjective(
                self.matrix(rows.Z, n, offset if is_joint else offset[:, [columns[1]]]),
                rows.codes,
                positive,
                Ridge(np.broadcast_to(l2[columns[0]], len(positive))),
                rows.weight,
                loss=loss_of(params.multiclass, n_columns),
            )
            start[place] = fit_columns(
                objective, "quasi_newton", start=start[place], tol=TOLERANCE, models=np.arange(len(positive))
            ).weights
        return start

    def _codes(self, block: Block, n: int | None = None) -> np.ndarray:
        """(n_rows, n) sparse columns, each after those of the pair before it."""
        return np.column_stack(
            [np.empty((len(block), 0), np.int32), *(pair.in_block(block) for pair in self.pairs[:n])]
        )
