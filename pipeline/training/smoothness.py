"""How smooth each curve and each pair is: a multiple of its penalty for each, by the likelihood of the training rows.

A ridge penalty is a prior: the weights w_j of term j are normal with the variance 1 / (m_j k), k = lambda times the
number of rows. The multiples m_j maximise the likelihood of the rows over all weights, which pays for weights that
noise would have as well (REML, with Laplace's approximation around the optimum). An update is

    m_j  <-  (n_j - m_j k trace V_jj + a) / (k ||w_j||^2 + a),     V = (H + k diag(m))^-1,     w = V r

H the curvature of the summed log-loss at the optimum (the mean over classes), n_j the number of features of the term,
and r = (H + k diag(m)) w there, so that w follows m on the quadratic. The multiples have a prior, too, a gamma
distribution around 1 that is worth a features: few rows say little about them, and pairs were chosen by the same rows.
Features with next to no curvature keep their prior and add nothing. Wood and Fasiolo (2017), A generalized Fellner-
Schall method, Biometrics 73.
"""

import warnings
from typing import cast

import numpy as np
from scipy import sparse

from pipeline import config
from pipeline.columns.terms import Features
from pipeline.files.formats import significant
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.matrix import Matrix
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.regression import EndedEarlyWarning
from pipeline.logistic.softmax import loss_of
from pipeline.logistic.threads import workers
from pipeline.training.fit import classifier

OPTIMA, UPDATES = 2, 10
PRIOR = 30_000  # divided by the number of rows: features as which the belief that a multiple is 1 counts
LOWEST, HIGHEST = 0.1, 1_000.0
NEGLIGIBLE = 0.01  # times k: the curvature of a feature that keeps its prior
MOST = 1_000  # features, those of the largest curvature: the time of an update grows with the cube of their number


def multiples(
    features: Features, Z: Matrix, codes: np.ndarray, weight: np.ndarray | None, params: config.Train
) -> dict[str, float]:
    """Of each curve and each pair along which nothing is monotone, by its name.

    features, Z, codes, weight  of rows (n_samples,), with the penalties that `params` have
    """
    spans = [span for span in features.spans if span.term.can_be_rough and span.term.name not in params.monotone]
    if not spans or not params.l2 or params.l1_ratio:
        return {}
    m = np.ones(len(spans))
    with workers():  # one thread for BLAS: the same bytes everywhere
        for _ in range(OPTIMA):
            scale = np.ones(features.T.shape[1])
            for span, multiple in zip(spans, m, strict=True):
                scale[span.positions] /= np.sqrt(multiple)
            scaled = Z.with_features(features.T @ sparse.diags(scale))
            m *= _updated(m, [span.positions for span in spans], scaled, codes, weight, params, features.signs)
    return {span.term.name: float(multiple) for span, multiple in zip(spans, significant(m, 2), strict=True)}


def _updated(
    before: np.ndarray,
    positions: list[np.ndarray],
    Z: Matrix,
    codes: np.ndarray,
    weight: np.ndarray | None,
    params: config.Train,
    signs: np.ndarray | None,
) -> np.ndarray:
    """The multiples, beside `before`, that maximise the likelihood on the quadratic at the optimum of `before`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EndedEarlyWarning)
        model = classifier(params, init="zeros", signs=signs).fit(Z, codes, weight)
    W, k = np.vstack([model.coef_.T, model.intercept_]), cast(float, params.l2) * len(codes)
    n_columns = W.shape[1]
    positive = np.arange(n_columns) + (n_columns == 1)
    loss = loss_of(params.multiclass, n_columns)
    objective = FastObjective(Z, codes, positive, Ridge(np.zeros(n_columns)), weight, loss=loss)
    squares = len(codes) * objective.mean_squares(W)[:-1]
    kept = np.sort(np.argsort(-squares, kind="stable")[:MOST])
    kept = kept[squares[kept] > NEGLIGIBLE * k]
    H = len(codes) * objective.mean_curvature(W, kept)
    W = W[np.append(kept, -1)]
    penalty = np.append(np.full(len(kept), k), 0.0)
    r = H @ W + penalty[:, None] * W
    own = [np.flatnonzero(np.isin(kept, of_term)) for of_term in positions]
    m, prior = np.ones(len(own)), PRIOR / len(codes)
    for _ in range(UPDATES):
        for j, multiple in zip(own, m, strict=True):
            penalty[j] = k * multiple
        V = np.linalg.inv(H + np.diag(penalty))
        w = V @ r
        for place, j in enumerate(own):
            known = n_columns * (len(j) - m[place] * k * np.trace(V[np.ix_(j, j)]))
            m[place] = (known + prior) / (k * (w[j] ** 2).sum() + prior * before[place])
        m = np.clip(before * m, LOWEST, HIGHEST) / before
    return m
