"""Robust standard errors: they hold where the model is not quite right, or where rows have weights.

    HC0           I^-1 M I^-1,           M = sum_i u_i u_i',  u_i = s_i (y_i - p_i) x_i
    HC1           n / (n - k) times HC0, k coefficients
    cluster       the same with a sum u_g over the rows of each of G groups, whose rows depend on each other, times
                  G / (G - 1) (n - 1) / (n - k)

I is the information, and X has a column of ones. White (1982), Econometrica 50; Liang and Zeger (1986), Biometrika 73.
"""

import math

import numpy as np
from numpy import ndarray

from pipeline.logistic.matrix import Matrix

MANY_CLUSTERS = 40  # Cameron and Miller (2015), Journal of Human Resources 50


def sandwich_errors(
    matrix: Matrix, residual: ndarray, root: ndarray, scale: ndarray, covariance: str, clusters: ndarray | None
) -> tuple[ndarray, str]:
    """The standard errors (n_parameters,), and in words what they are from.

    residual  (n_samples,), s (y - p)
    root      R (n_parameters, n_parameters), with R' R the inverse of the information of features over `scale`
    clusters  (n_samples,), the code of each row's group from 0, for covariance = "cluster"
    """
    clusters = clusters if covariance == "cluster" else None
    bread = root.T @ root  # of features per `scale`, so that no square is too large or too small
    meat, n_sums = _scores_squared(matrix, residual, scale, clusters)
    error = np.sqrt(np.diag(bread @ meat @ bread)) / scale
    error *= math.sqrt(_correction(covariance, len(matrix), len(scale), n_sums))
    if clusters is None:
        return error, f"the {covariance} sandwich"
    short = f" (fewer than {MANY_CLUSTERS}, so they are too short)" if n_sums < MANY_CLUSTERS else ""
    return error, f"{n_sums:,} clusters{short}"


def _scores_squared(matrix: Matrix, residual: ndarray, scale: ndarray, clusters: ndarray | None) -> tuple[ndarray, int]:
    """M (n_parameters, n_parameters), of features over `scale`, and the number of its terms."""
    n_clusters = 0 if clusters is None else int(clusters.max()) + 1
    if clusters is not None and n_clusters < 2:
        raise ValueError("covariance = 'cluster' needs clusters with at least two different codes.")
    meat, sums = np.zeros((len(scale), len(scale))), np.zeros((n_clusters, len(scale)))
    for block, rows in matrix.strips():
        features = np.column_stack([block.features(matrix.T), np.ones(len(block))])
        scores = features[:, : len(scale)] * residual[rows, None] / scale
        if clusters is None:
            meat += scores.T @ scores
        else:
            np.add.at(sums, clusters[rows], scores)
    return (meat, len(matrix)) if clusters is None else (sums.T @ sums, n_clusters)


def _correction(covariance: str, n_rows: int, n_parameters: int, n_clusters: int) -> float:
    """For the degrees of freedom of small samples."""
    if covariance == "HC0":
        return 1.0
    if covariance == "HC1":
        return n_rows / (n_rows - n_parameters)
    return n_clusters / (n_clusters - 1) * (n_rows - 1) / (n_rows - n_parameters)
