"""Products with rows of numbers, codes and counts. The oracle is the matrix written out."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.logistic import LogisticRegression, objective
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.matrix import Block, Matrix, as_matrix, margins
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.threads import workers

N, DENSE, WIDTHS, COUNTED = 3_000, 4, (3, 40, 500), 60


def example(n=N, n_blocks=3):
    """A base matrix in blocks, a map with more than one number in rows and columns, and X written out."""
    rng = np.random.default_rng(0)
    dense, starts = rng.normal(size=(n, DENSE)), np.cumsum([0, *WIDTHS])
    codes = np.column_stack([rng.integers(0, width, n) for width in WIDTHS]).astype(np.int32)
    one_hot = np.concatenate([np.eye(width)[codes[:, j]] for j, width in enumerate(WIDTHS)], axis=1)
    counts = sparse.random(n, COUNTED, 0.1, format="csr", random_state=2)
    n_sparse = int(starts[-1]) + COUNTED
    n_base = DENSE + n_sparse
    T = sparse.random(n_base + 1, 301, 0.02, random_state=1, format="lil")
    T[:, -1] = 0
    T[-1, -1] = 1
    T[np.r_[:250, n_base - 50 : n_base], np.arange(300)] = 1
    X = (np.column_stack([dense, one_hot, counts.toarray(), np.ones(n)]) @ T.tocsr())[:, :-1]
    whole = Block(dense, codes + starts[:-1].astype(np.int32), n_sparse, counts=counts)
    return Matrix([whole[rows] for rows in np.array_split(np.arange(n), n_blocks)], T), X, rng


def test_margins_of_codes_are_those_of_the_matrix_written_out():
    matrix, X, rng = example()
    W = rng.normal(size=(301, 5))
    np.testing.assert_allclose(matrix.toarray(), X, atol=1e-12)
    np.testing.assert_allclose(margins(matrix, W), X @ W[:-1] + W[-1], atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_columns", [1, 6])
def test_cost_gradient_and_curvature_of_codes_are_those_of_the_formula(weighted, n_columns):
    matrix, X, rng = example()
    codes, positive = rng.integers(0, 3, N), np.arange(n_columns) % 3
    weight = rng.uniform(0, 2, N) if weighted else None
    W, penalty = rng.normal(size=(301, n_columns)) / 10, Ridge(np.linspace(0.1, 1, n_columns))
    Y = (codes[:, None] == positive).astype(float)
    ours = FastObjective(matrix, codes, positive, penalty, weight)
    np.testing.assert_allclose(ours.cost(W), objective.cost(W, X, Y, penalty, weight), rtol=1e-12)
    np.testing.assert_allclose(ours.gradient(W), objective.gradient(W, X, Y, penalty, weight), atol=1e-13)
    np.testing.assert_allclose(ours.curvature(W), objective.curvature(W, X, penalty, weight), atol=1e-13)
    few = np.array([3, 7, 200])
    part = ours.mean_curvature(W, few)
    whole = ours.mean_curvature(W)
    np.testing.assert_allclose(part, whole[np.ix_([3, 7, 200, 300], [3, 7, 200, 300])], atol=1e-13)


def test_sums_do_not_depend_on_blocks_or_threads():
    whole, _, rng = example(20_000, 1)
    cut = example(20_000, 7)[0]
    codes, W = rng.integers(0, 2, 20_000), rng.normal(size=(301, 1))
    one, many = (FastObjective(matrix, codes, np.array([1]), Ridge(0.1)) for matrix in (whole, cut))
    np.testing.assert_allclose(many.gradient(W), one.gradient(W), atol=1e-14)
    with workers() as run:
        threads = FastObjective(cut, codes, np.array([1]), Ridge(0.1), run=run)
        np.testing.assert_array_equal(threads.gradient(W), many.gradient(W))


def test_rows_that_are_taken_are_those_of_the_matrix_written_out():
    matrix, X, rng = example()
    rows = np.sort(rng.choice(N, 500, replace=False))
    np.testing.assert_allclose(matrix.take(rows).toarray(), X[rows], atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("optimizer", ["gradient_descent", "newton", "quasi_newton"])
def test_a_fit_on_codes_is_the_fit_on_the_matrix_written_out(optimizer):
    matrix, X, rng = example()
    y = (X @ rng.normal(size=300) + rng.logistic(size=N) > 0).astype(int)
    coded, plain = (
        LogisticRegression(0.1, optimizer=optimizer, tol=1e-9, max_iter=200).fit(rows, y) for rows in (matrix, X)
    )
    np.testing.assert_allclose(coded.coef_, plain.coef_, atol=1e-7)
    np.testing.assert_array_equal(coded.predict(matrix), plain.predict(X))


@pytest.mark.parametrize("optimizer", ["newton", "quasi_newton"])
def test_more_features_than_are_factorised_reach_the_same_optimum(optimizer, monkeypatch):
    matrix, X, rng = example()
    y = (X @ rng.normal(size=300) + rng.logistic(size=N) > 0).astype(int)
    exact = LogisticRegression(0.01, optimizer="newton", tol=1e-9).fit(X, y)
    for module in ("fast_objective", "fitting", "optimizers", "quasi_newton", "coordinates"):
        monkeypatch.setattr(f"pipeline.logistic.{module}.LARGEST_FACTOR", 20)
    rough = LogisticRegression(0.01, optimizer=optimizer, tol=1e-7).fit(matrix, y)
    assert rough.status_[0] == "converged"
    np.testing.assert_allclose(rough.coef_, exact.coef_, atol=1e-4)
    largest = np.linalg.eigvalsh(objective.curvature(np.zeros((301, 1)), X, Ridge(0.0))[0])[-1]
    safe = FastObjective(matrix, y, np.array([1]), Ridge(0.0)).safe_learning_rate()[0, 0]
    assert 0.9 / largest < safe < 1 / largest


def test_sparse_rows_are_a_matrix_of_any_numbers():
    X = sparse.random(5_000, 200, 0.3, random_state=0, format="csr")
    assert as_matrix(X).shape == (5_000, 200)
    y = (X.toarray() @ np.random.default_rng(0).normal(size=200) > 0).astype(int)
    for optimizer in ("newton", "quasi_newton"):
        ours, dense = (LogisticRegression(0.01, optimizer=optimizer).fit(rows, y) for rows in (X, X.toarray()))
        np.testing.assert_allclose(ours.coef_, dense.coef_, atol=1e-5)
        np.testing.assert_allclose(ours.predict_log_proba(X), np.log(dense.predict_proba(X.toarray())), atol=1e-4)


def test_many_categories_that_are_nested_in_others_reach_the_optimum():
    rng, n = np.random.default_rng(0), 40_000
    city = (4_000 * rng.random(n) ** 2).astype(int)
    state, number = city // 200, rng.normal(size=4_000)[city] + rng.normal(size=n) / 3
    codes = np.column_stack([state, city + 20]).astype(np.int32)
    y = (number + rng.normal(size=4_000)[city] + rng.logistic(size=n) > 0).astype(int)
    matrix = Matrix([Block(number[:, None] / number.std(), codes, 4_020)])
    fit = LogisticRegression(1e-5, optimizer="quasi_newton", tol=1e-7).fit(matrix, y)
    assert fit.status_[0] == "converged"
    assert fit.n_iter_[0] < 200
    objective = FastObjective(matrix, y, np.array([1]), Ridge(1e-5))
    assert np.linalg.norm(objective.gradient(np.append(fit.coef_, fit.intercept_)[:, None])) < 1e-7
