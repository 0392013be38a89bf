"""A penalty is one class: the group lasso, whose groups of weights are zero together, through every solver it admits.

The oracle: where it is known which groups are zero, the cost of the others is smooth, and SciPy minimises it. The
optimum is the best of all choices of groups. Yuan and Lin (2006), Model selection with grouped variables.
"""

from itertools import combinations

import numpy as np
import pytest
from numpy import ndarray
from numpy.typing import ArrayLike
from scipy import optimize

from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.fitting import fit_columns
from pipeline.logistic.penalty import Penalty
from pipeline.logistic.softmax import Softmax


class GroupLasso(Penalty):
    """lambda sum_g sqrt(size of g) ||w_g||, for groups of features, lambda (n_columns,)."""

    def __init__(self, lambda_: ArrayLike, groups: list[list[int]]):
        self.lambda_, self.groups = np.asarray(lambda_, dtype=float), groups

    def value(self, W: ndarray) -> ndarray:
        norms = [np.sqrt(len(g)) * np.linalg.norm(W[..., g, :], axis=-2) for g in self.groups]
        return self.lambda_ * np.sum(norms, axis=0)

    def prox(self, W: ndarray, step: ArrayLike) -> ndarray:
        step = np.broadcast_to(step, W.shape)
        for g in self.groups:
            norm = np.linalg.norm(W[g], axis=0)
            limit = step[g[0]] * self.lambda_ * np.sqrt(len(g))
            W[g] *= np.maximum(1 - limit / np.where(norm > 0, norm, 1), 0)
        return W

    def select(self, columns: ndarray) -> "GroupLasso":
        return GroupLasso(self.lambda_[columns], self.groups)


GROUPS = [[0, 1], [2, 3, 4], [5]]


def table():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 6))
    return X, (X @ [1, -1, 0.1, 0, 0.1, 0.6] + rng.logistic(size=200) > 0).astype(int)


def optimum(X, y, lambda_):
    def cost(v, groups):
        w = np.zeros(6)
        w[np.concatenate(groups).astype(int)] = v[1:]
        z = X @ w + v[0]
        norms = sum(np.sqrt(len(g)) * np.linalg.norm(w[g]) for g in groups)
        return np.mean(np.logaddexp(0, z) - y * z) + lambda_ * norms, np.append(w, v[0])

    best = np.inf, np.zeros(7)
    for n in range(1, 4):
        for groups in combinations(GROUPS, n):
            start = np.full(1 + sum(map(len, groups)), 0.1)
            v = optimize.minimize(lambda v, g=groups: cost(v, g)[0], start, method="BFGS", options={"gtol": 1e-8}).x
            best = min(best, cost(v, groups), key=lambda pair: pair[0])
    return best


@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov"])
def test_proximal_steps_find_the_optimum_with_groups_that_are_zero(optimizer):
    X, y = table()
    lambdas = np.array([0.02, 0.1])
    problem = FastObjective(X, y, np.array([1, 1]), GroupLasso(lambdas, GROUPS))
    fit = fit_columns(problem, optimizer, tol=1e-9)
    assert fit.status.tolist() == ["converged"] * 2
    for k, lambda_ in enumerate(lambdas):
        cost, weights = optimum(X, y, lambda_)
        np.testing.assert_allclose(fit.weights[:, k], weights, atol=1e-5)
        assert fit.cost[k] == pytest.approx(cost, abs=1e-9)
    assert (fit.weights[[2, 3, 4]] == 0).all(axis=0).tolist() == [False, True]


def test_of_many_classes_in_one_model_it_converges_too():
    X, _ = table()
    y = np.random.default_rng(0).integers(0, 3, len(X))
    problem = FastObjective(X, y, np.arange(3), GroupLasso(np.full(3, 0.05), GROUPS), loss=Softmax(3))
    fits = [fit_columns(problem, optimizer, tol=1e-9) for optimizer in ("gradient_descent", "nesterov")]
    np.testing.assert_allclose(fits[0].weights, fits[1].weights, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["newton", "quasi_newton"])
def test_solvers_that_need_a_smooth_penalty_refuse_it_and_name_the_others(optimizer):
    X, y = table()
    problem = FastObjective(X, y, np.array([1]), GroupLasso([0.02], GROUPS))
    with pytest.raises(
        ValueError,
        match=f"{optimizer} needs a smooth penalty, which Binomial with GroupLasso does not have here. Choose "
        "gradient_descent or nesterov.",
    ):
        fit_columns(problem, optimizer)
