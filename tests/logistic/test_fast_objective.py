"""The fast path against the plain formulas of `objective`, for small data, large data and rows that fill no group."""

import numpy as np
import pytest

from pipeline.logistic import objective as plain
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.matrix import margins
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.threads import workers
from tests.logistic.reference import breast_cancer

SIZES = [200, 203, 30_000, 30_001]  # rows: one block with its column of ones; many blocks in place


def data(n, d=5, n_classes=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, (X @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)


def some_weights(*shape):
    return np.random.default_rng(2).normal(size=shape)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("positive", [[1], [0, 1, 2], [2, 0, 2]])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_equals_the_plain_formulas(n, positive, weighted):
    X, codes = data(n)
    weight = np.random.default_rng(1).integers(0, 4, n) if weighted else None
    Y, W, penalty = codes[:, None] == positive, some_weights(6, len(positive)), Ridge(np.arange(len(positive)) / 2)
    fast = FastObjective(X, codes, np.array(positive), penalty, weight)
    np.testing.assert_allclose(fast.cost(W), plain.cost(W, X, Y, penalty, weight), rtol=1e-12)
    np.testing.assert_allclose(fast.gradient(W), plain.gradient(W, X, Y, penalty, weight), atol=1e-13)
    np.testing.assert_allclose(fast.curvature(W), plain.curvature(W, X, penalty, weight), atol=1e-13)
    chosen = fast.select(np.arange(len(positive)) == 0)
    np.testing.assert_allclose(chosen.gradient(W[:, :1]), fast.gradient(W)[:, :1], atol=1e-13)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("columns", [1, 3])
def test_it_equals_the_plain_formulas_at_margins_of_a_thousand(n, columns):
    X, codes = data(n)
    Y, W = (codes == 1)[:, None], 1000 * some_weights(6, columns)
    fast = FastObjective(X, codes, np.ones(columns), Ridge(0))
    np.testing.assert_allclose(fast.cost(W), plain.cost(W, X, Y, Ridge(0)), rtol=1e-12)
    np.testing.assert_allclose(fast.gradient(W), plain.gradient(W, X, Y, Ridge(0)), atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_without_intercept_its_row_has_no_gradient(n):
    X, codes = data(n)
    W = np.append(some_weights(5), 0)[:, None]
    fast = FastObjective(X, codes, np.array([1]), Ridge(0), fit_intercept=False)
    expected = plain.gradient(W, X, (codes == 1)[:, None], Ridge(0))
    np.testing.assert_allclose(fast.cost(W), plain.cost(W, X, (codes == 1)[:, None], Ridge(0)), rtol=1e-12)
    np.testing.assert_allclose(fast.gradient(W)[:-1], expected[:-1], atol=1e-13)
    assert fast.gradient(W)[-1] == 0


@pytest.mark.parametrize("columns", [1, 10])
def test_the_number_of_threads_does_not_change_a_bit(columns, monkeypatch):
    X, codes = data(60_000, 12)
    W = some_weights(13, columns)
    answers = []
    for n_threads in "1", "2", "3":
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        with workers() as run:
            fast = FastObjective(X, codes, np.ones(columns), Ridge(0), run=run)
            answers.append((fast.cost(W), fast.gradient(W), fast.curvature(W), margins(X, W)))
    for answer in answers[1:]:
        for mine, first in zip(answer, answers[0], strict=True):
            np.testing.assert_array_equal(mine, first)


@pytest.mark.parametrize("n", SIZES)
def test_margins_are_a_product_and_the_intercept(n):
    X, W = data(n)[0], some_weights(6, 2)
    np.testing.assert_allclose(margins(X, W), X @ W[:-1] + W[-1], rtol=1e-12, atol=1e-14)


def test_single_precision_data_is_summed_in_double_precision():
    X, codes = data(60_000)
    X, W = X.astype(np.float32), some_weights(6, 1)
    single, double = (FastObjective(X.astype(t), codes, np.array([1]), Ridge(0)) for t in (np.float32, np.float64))
    np.testing.assert_array_equal(single.cost(W), double.cost(W))
    np.testing.assert_array_equal(single.gradient(W), double.gradient(W))


def test_safe_learning_rate_is_one_over_the_largest_eigenvalue_of_the_bound():
    X, y = breast_cancer()
    A = np.column_stack([X, np.ones(len(X))])
    largest = np.linalg.eigvalsh(A.T @ A / (4 * len(X)))[-1]
    fast = FastObjective(X, y, np.array([1]), Ridge(0.5))
    np.testing.assert_allclose(fast.safe_learning_rate()[:-1], 1 / (largest + 0.5), rtol=1e-12)
    assert fast.safe_learning_rate()[-1, 0] == pytest.approx(1 / largest, rel=1e-12)  # the intercept has no penalty


@pytest.mark.parametrize("ones", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_safe_learning_rate_of_more_features_than_rows_is_the_same(ones, weighted):
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(20, 60)), rng.integers(0, 2, 20)
    weight = rng.uniform(1, 2, 20) if weighted else np.ones(20)
    A = np.column_stack([X, ones * np.ones(20)]) * np.sqrt(weight / weight.sum())[:, None]
    fast = FastObjective(X, codes, np.array([1]), Ridge(0.5), weight if weighted else None, bool(ones))
    largest = np.linalg.eigvalsh(A.T @ A / 4)[-1]
    np.testing.assert_allclose(fast.safe_learning_rate()[:-1], 1 / (largest + 0.5), rtol=1e-12)
