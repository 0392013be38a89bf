"""What `auto` stands for in the section `train`: chosen by cross-validation within the training rows.

    lambda        one of `STRENGTHS` divided by the number of training rows (scikit-learn's C = 1/strength): the best
    features      straight lines, curves, or curves with steps, each with its best lambda
    words_penalty  a part of lambda, for words, and whether pairs of neighbours are features: `word_pairs`
    multiclass    of three classes or more: one model of each class against the rest, or one model of all (softmax)
    interactions  none, or the 1, 2, 5, 10 or 20 most promising pairs (`terms.pair`), found anew inside each fold,
    pair_strength  penalised as single columns are or ten times as much (`pair_search`)
    smoothness    a multiple of the penalty for each curve and each pair, by the likelihood of the rows (`smoothness`)

The simpler is kept unless the other is clearly better: the mean of the differences of their log-loss over folds is more
than its standard error. Of the numbers of pairs, the smallest is chosen that the best one does not clearly beat. Of
many rows a sample decides, in which rare classes are complete: what is best for a share of the rows, in these units of
lambda, is best for all of them but for chance.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import check_offset, features_and_target
from pipeline.columns.terms import Settings, prepare
from pipeline.errors import UserError
from pipeline.files.formats import significant
from pipeline.files.stored import Table, in_memory, progress
from pipeline.logistic.grid import Grid
from pipeline.logistic.loss import log_losses, probabilities
from pipeline.logistic.matrix import margins
from pipeline.logistic.regression import EndedEarlyWarning
from pipeline.overrides import assignment
from pipeline.training.cross_validation import Fold, cross_validate, prepared
from pipeline.training.cross_validation import Rows as FoldRows
from pipeline.training.fit import classifier, terms_of
from pipeline.training.pair_search import STRENGTHS as STRENGTHS_OF_PAIRS
from pipeline.training.pair_search import TOLERANCE, found_pairs, losses_of_pairs
from pipeline.training.smoothness import multiples as multiples_of_terms

STRENGTHS = (0.3, 1, 3, 10, 30, 100)
FOLDS, SEED = 5, 0
LARGEST_SAMPLE = 20_000
FAST = {"optimizer": "quasi_newton", "learning_rate": "auto", "class_weight": None, "max_iterations": 10_000}
ABSURD, WHOLE = 10, 0.9  # log-loss of a fold, times that of the class shares; a standard error, times the mean
CHOICES: dict[str, tuple[Any, ...]] = {  # the simplest first
    "words_penalty": (1.0, 0.1, 0.01),
    "word_pairs": (False, True),
    "features": ("linear", "curves", "steps"),
    "multiclass": ("one_vs_rest", "softmax"),
}
KEYS = (*CHOICES, "interactions", "pair_strength", "smoothness")  # besides lambda


class Rows(NamedTuple):
    """Features (n_samples, n_columns), classes and weights (n_samples,), or None where all rows weigh the same."""

    X: Table
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, rows: np.ndarray) -> "Rows":
        """Some of the rows, in memory."""
        return Rows(in_memory(self.X.take(rows)), self.y[rows], None if self.weight is None else self.weight[rows])


def has_auto(params: config.Train) -> bool:
    """Also of words, where the table has texts."""
    words = (params.words_penalty, params.word_pairs) if params.has_text else ()
    return "auto" in (params.l2, params.features, params.multiclass, params.interactions, *words) or (
        (params.pair_strength == "auto" and bool(params.pairs))
        or (params.smoothness == "auto" and (params.features != "linear" or bool(params.pairs)))
    )


def resolved(
    table: Table, params: config.Train, key: pd.Series | None = None, weight: np.ndarray | None = None
) -> tuple[config.Train, pd.DataFrame | None]:
    """`params` with what was chosen in place of `auto`, and the candidates with their log-loss (None without `auto`).

    The candidates are one row each: features, multiclass, pairs (their number), lambda, log_loss,
    log_loss_standard_error, chosen. `key` is the group or the time of each row, as for `splitting.folds`, `weight` its
    weight (n_samples,). Errors: `UserError` where no folds can be cut.
    """
    if not has_auto(params):
        return params.model_copy(update={"pair_strength": params.times_lambda}), None
    X, y = features_and_target(table)
    classes = np.unique(y)
    if len(classes) == 2 and params.multiclass == "auto":
        params = params.model_copy(update={"multiclass": "one_vs_rest"})
        if not has_auto(params):
            return params.model_copy(update={"pair_strength": params.times_lambda}), None
    check_offset(params.offset, classes)
    drawn = splitting.sample(y, LARGEST_SAMPLE, SEED)
    rows = Rows(in_memory(X.take(drawn.rows)), y[drawn.rows], drawn.weight(weight))
    key = None if key is None else key.iloc[drawn.rows].reset_index(drop=True)
    counted = drawn.weight(None)
    share = 1.0 if counted is None else len(counted) / counted.sum()  # of a strength, as the cost is a mean
    folds = splitting.folds(rows.y, FOLDS, SEED, key)
    strengths = np.array(STRENGTHS if params.l2 == "auto" else [params.l2 * len(table)])
    lambdas = [float(value) for value in significant(strengths / len(table), 3)]
    candidates: list[dict[str, Any]] = []
    losses: list[np.ndarray] = []

    def add(asked: config.Train, n_pairs: int, multiple: float, l2: float, loss: np.ndarray) -> None:
        chosen = {"features": asked.features, "multiclass": asked.multiclass}
        numbers = {"pairs": n_pairs, "pair_strength": multiple, "lambda": l2, "log_loss": loss.mean()}
        error = {"log_loss_standard_error": loss.std(ddof=1) / np.sqrt(len(loss))}
        words = {name: getattr(asked, name) for name in ("words_penalty", "word_pairs") if params.has_text}
        candidates.append({**chosen, **numbers, **error, **words})
        losses.append(loss)

    def lowest_of(asked: config.Train, places: Sequence[int]) -> tuple[_Tried, int]:
        first, terms = len(losses), terms_of(asked, X, classes)
        tried = _tried(rows, terms, strengths[places] * share, folds, asked)
        for place, loss in zip(places, tried.losses.T, strict=True):
            add(asked, 0, 1.0, lambdas[place], loss)
        return tried, first + int(np.argmin([loss.mean() for loss in losses[first:]]))

    choices = {key: values for key, values in CHOICES.items() if getattr(params, key) == "auto"}
    settled = params.model_copy(update={key: values[0] for key, values in choices.items()})
    all_places = list(range(len(lambdas)))
    tried, best = lowest_of(settled, all_places)
    of_tried = best  # its position among those that were tried together
    has_numbers = any(len(X.select_dtypes(kind).columns) for kind in ("number", "datetime"))
    applies = {"features": has_numbers, "multiclass": len(classes) > 2}
    for name, values in choices.items():
        for value in values[1:] if applies.get(name, params.has_text) else ():
            at_l2 = lambdas.index(candidates[best]["lambda"])
            places = all_places
            if (
                name == "multiclass" or params.has_text
            ):  # fits of words take longest; their own penalty is a smaller one
                places = all_places[max(at_l2 - 1, 0) : at_l2 + (4 if name == "words_penalty" else 2)]
            first, asked = len(losses), settled.model_copy(update={name: value})
            of_asked, lowest = lowest_of(asked, places)
            is_lower = losses[lowest].mean() < losses[best].mean()
            if is_lower if name == "words_penalty" else _better(best, lowest, losses) == lowest:
                best, tried, settled, of_tried = lowest, of_asked, asked, lowest - first
    l2 = candidates[best]["lambda"] if params.l2 == "auto" else params.l2
    settled = settled.model_copy(update={"l2": l2, "pair_strength": params.times_lambda})
    strength, first = share * l2 * len(table), len(losses)
    multiples = STRENGTHS_OF_PAIRS if params.pair_strength == "auto" else (settled.times_lambda,)
    settings = terms_of(settled, X, np.unique(y))
    of_pairs: dict[tuple[int, float], np.ndarray] = {}
    if params.interactions == "auto":
        of_pairs = losses_of_pairs(
            tried.folds if settings.has_bins else _folds(rows, replace(settings, bins=True), folds),
            tried.weights(of_tried),
            settled,
            strength,
            multiples,
            _log_loss,
            losses[best],
        )
    elif params.pairs and params.pair_strength == "auto":
        for multiple in multiples[1:]:
            again = _tried(rows, replace(settings, pair_strength=multiple), np.array([strength]), folds, settled)
            of_pairs[len(params.pairs), multiple] = again.losses[:, 0]
    for (n, multiple), loss in of_pairs.items():
        add(settled, n, multiple, l2, loss)
    if of_pairs:
        lowest = first + int(np.argmin([loss.mean() for loss in losses[first:]]))
        simplest = [best, *range(first, lowest + 1)]
        best = next(k for k in simplest if _better(k, lowest, losses) == k)
    if params.interactions == "auto":
        pairs = _top_pairs(rows, strength, settled, candidates[best]["pairs"])
        settled = settled.model_copy(update={"interactions": [list(pair) for pair in pairs]})
    settled = settled.model_copy(update={"pair_strength": candidates[best]["pair_strength"]})
    if params.smoothness == "auto":
        fast = settled.model_copy(update={**FAST, "tolerance": TOLERANCE, "l2": strength / len(rows.y)})
        _, features, Z = prepare(rows.X, terms_of(settled, rows.X, classes))
        found = multiples_of_terms(features, Z, np.unique(rows.y, return_inverse=True)[1], rows.weight, fast)
        settled = settled.model_copy(update={"smoothness": found or "auto"})
    _warn_of_absurd(candidates, losses, rows)
    return settled, pd.DataFrame(candidates).assign(chosen=np.arange(len(candidates)) == best)


def sentence(params: config.Train, candidates: pd.DataFrame) -> str:
    """What was chosen, and its log-loss beside the best of each other kind, for a reader of the result."""
    kinds = {"linear": "straight lines", "curves": "curves", "one_vs_rest": "each class against the rest"}
    kinds |= {"steps": "curves with steps", "softmax": "one model of all classes (softmax)"}
    chosen, losses = candidates[candidates["chosen"]].iloc[0], candidates["log_loss"]
    others: dict[str, float] = {}
    for key in ("features", "multiclass"):
        tried = candidates[key].unique()
        others |= {kinds[name]: losses[candidates[key] == name].min() for name in tried if name != chosen[key]}
    if chosen["pairs"]:
        others["no pairs"] = losses[candidates["pairs"] == 0].min()
    parts = [kinds[chosen["features"]], *([kinds[params.multiclass]] if len(set(candidates["multiclass"])) > 1 else [])]
    if "words_penalty" in candidates:
        parts += [
            f"words with {params.words_penalty:g} of the penalty{', and their neighbours' if params.word_pairs else ''}"
        ]
    times = f" with {params.times_lambda:g} times that" if params.times_lambda != 1 else ""
    parts += [f"lambda {params.l2:g}", f"{n} pair{'s' * (n > 1)}{times}" if (n := len(params.pairs)) else "no pairs"]
    if params.multiples:
        least, most = (each(params.multiples, key=params.multiples.__getitem__) for each in (min, max))
        ends = [f"{params.multiples[name]:g} times its penalty ({name})" for name in (least, most)]
        parts += [f"each curve and pair as smooth as the rows have it, from {ends[0]} to {ends[1]}"]
    beside = "; ".join(f"{name}: {value:.4f}" for name, value in others.items())
    return (
        f"Chosen by cross-validation within the training rows: {', '.join(parts)}; log-loss {chosen['log_loss']:.4f} "
        f"+- {chosen['log_loss_standard_error']:.4f}{f' ({beside})' if beside else ''}."
    )


def without_lambda(
    table: Table,
    params: config.Train,
    folds: Sequence[splitting.Fold],
    key: pd.Series | None = None,
    weight: np.ndarray | None = None,
) -> tuple[config.Train, list[config.Train], list[str]]:
    """For a grid of lambdas of its own, `params` with what was chosen at the best lambda.

    Returned are those of all rows, those of each fold (`in_folds`), and what was chosen as overrides.
    """
    keys = KEYS if params.has_text else [name for name in KEYS if "word" not in name]
    chosen = [name for name in keys if getattr(params, name) == "auto"]
    if not chosen:
        return params, [params] * len(folds), []
    asked = params.model_copy(update={"l2": "auto"})
    settled = resolved(table, asked, key, weight)[0]
    overrides = [assignment(f"train.{name}", getattr(settled, name)) for name in chosen]
    return settled, in_folds(table, asked, settled, folds, key, weight), overrides


def in_folds(
    table: Table,
    asked: config.Train,
    settled: config.Train,
    folds: Sequence[splitting.Fold],
    key: pd.Series | None,
    weight: np.ndarray | None,
) -> list[config.Train]:
    """`asked` with what `resolved` chooses from the training rows of each fold alone.

    Where these are too few to choose from: `settled`, what was chosen from all rows, but no pairs.
    """
    if not has_auto(asked):
        return [asked] * len(folds)
    choices, bar = [], progress(len(folds), "choose anew in each fold", " folds", delay=0)
    for rows, _ in folds:
        of_rows = None if key is None else key.iloc[rows].reset_index(drop=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of fewer folds
                choices.append(resolved(table.take(rows), asked, of_rows, None if weight is None else weight[rows])[0])
        except UserError:
            without_pairs: dict[str, Any] = {"interactions": []} if asked.interactions == "auto" else {}
            without_pairs["smoothness"] = asked.smoothness
            choices.append(settled.model_copy(update=without_pairs))
        bar.update()
    bar.close()
    return choices


def _warn_of_absurd(candidates: Sequence[dict[str, Any]], losses: Sequence[np.ndarray], rows: Rows) -> None:
    """Warn of candidates with a fold far worse than the class shares, or that makes up nearly the whole mean."""
    from scipy.stats import entropy

    shares = np.bincount(np.unique(rows.y, return_inverse=True)[1], rows.weight)
    prior = entropy(shares)
    wrong = [
        k
        for k, of_k in enumerate(candidates)
        if losses[k].max() > prior
        and (losses[k].max() > ABSURD * prior or of_k["log_loss_standard_error"] > WHOLE * of_k["log_loss"])
    ]
    if wrong:
        worst = max(wrong, key=lambda k: losses[k].max())
        of_worst = candidates[worst]
        warnings.warn(
            f"In one fold of cross-validation the log-loss of {len(wrong)} of {len(candidates)} candidates is absurd: "
            f"{losses[worst].max():.3g} with features {of_worst['features']} and lambda {of_worst['lambda']:g}; the "
            f"class shares alone have {prior:.3g}. So a few rows there are unlike all others: look for wrong cells "
            f"among the smallest and largest numbers (outputs/load/columns.csv has them).",
            stacklevel=3,
        )


def _better(simple: int, other: int, losses: Sequence[np.ndarray]) -> int:
    gain = losses[simple] - losses[other]
    return other if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)) else simple


class _Tried(NamedTuple):
    """One kind of features with every lambda, on each fold."""

    losses: np.ndarray  # (n_folds, n_strengths), the held-out log-loss
    folds: list[Fold]
    fit: Grid

    def weights(self, k: int) -> list[np.ndarray]:
        """Of each fold with one of the lambdas, (n_features + 1, n_columns)."""
        return [of_fold[k].T for of_fold in self.fit.weights]


def _tried(
    rows: Rows, settings: Settings, strengths: np.ndarray, cut: list[splitting.Fold], params: config.Train
) -> _Tried:
    folds = _folds(rows, settings, cut)
    fit, losses = cross_validate(
        folds,
        params.model_copy(update={**FAST, "tolerance": TOLERANCE}),
        strengths[:, None] / np.array([len(learnt) for learnt, _ in cut]),
        None,
        _log_loss,
        len(np.unique(rows.y)),
        from_zero=True,
        title="choose lambda of lines" if settings.smoothness is None else "choose lambda of curves",
    )
    if fit.interrupted:
        raise KeyboardInterrupt
    by_fold = [[losses[k, fold] for k in range(len(strengths))] for fold in range(len(folds))]
    return _Tried(np.array(by_fold), folds, fit)


def _folds(rows: Rows, settings: Settings, cut: list[splitting.Fold]) -> list[Fold]:
    return prepared(rows.X, np.unique(rows.y, return_inverse=True)[1], cut, [settings] * len(cut), rows.weight)


def _log_loss(margins: np.ndarray, held_out: FoldRows, multiclass: str) -> float:
    P = probabilities(margins, multiclass)
    return float(np.average(log_losses(P, held_out.codes), weights=held_out.weight))


def _top_pairs(rows: Rows, strength: float, params: config.Train, n: int) -> list[tuple[str, str]]:
    """At most `n` pairs, by the score tests of a model without pairs."""
    if n == 0:
        return []
    design, features, Z = prepare(rows.X, terms_of(params, rows.X, np.unique(rows.y), bins=True))
    fast = params.model_copy(update={**FAST, "tolerance": TOLERANCE, "l2": strength / len(rows.y)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EndedEarlyWarning)
        model = classifier(fast, init="zeros", signs=features.signs).fit(Z, rows.y, rows.weight)
    codes = np.unique(rows.y, return_inverse=True)[1]
    z = margins(Z, np.vstack([model.coef_.T, model.intercept_]))
    return found_pairs(design.terms, FoldRows(Z, codes, rows.weight, np.arange(len(codes))), z, params, n)
