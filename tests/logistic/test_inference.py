import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from pipeline.logistic import LogisticRegression
from pipeline.logistic.inference import inference, refit
from pipeline.logistic.matrix import Block, Matrix
from tests.logistic.reference import BINARY


def unpenalised(name):
    X, y = BINARY[name]()
    model = LogisticRegression(0.0, optimizer="newton", tol=1e-10).fit(X, y)
    return inference(X, y, model.coef_[0], model.intercept_[0])


def test_admissions_match_the_published_table():
    table = unpenalised("ucla_admit")
    published = [0.002264, 0.804038, -0.675443, -1.340204, -1.551464, -3.989979]
    np.testing.assert_allclose(table.coefficient, published, atol=6e-7)
    errors = [0.001094, 0.331819, 0.316490, 0.345306, 0.417832, 1.139951]
    np.testing.assert_allclose(table.standard_error, errors, atol=6e-7)
    assert table.deviance == pytest.approx(458.517, abs=6e-4)
    assert table.aic == pytest.approx(470.517, abs=6e-4)
    # z, P>|z| and the 95 % interval as the page prints them.
    np.testing.assert_allclose(table.z_value[[0, 1, 5]], [2.07, 2.42, -3.50], atol=6e-3)
    np.testing.assert_allclose(table.p_value[[0, 1, 2]], [0.0385, 0.0154, 0.0328], atol=6e-5)
    np.testing.assert_allclose([table.lower[1], table.upper[1]], [0.1536841, 1.454391], atol=1e-6)


def test_challenger_matches_the_published_deviances():
    table = unpenalised("challenger23")
    assert table.deviance == pytest.approx(20.315, abs=6e-4)
    assert table.null_deviance == pytest.approx(28.267, abs=6e-4)
    assert table.mcfadden_r2 == pytest.approx(1 - 20.315 / 28.267, abs=1e-4)


def test_integer_weights_count_repetitions():
    X, y = BINARY["challenger23"]()
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    weighted = inference(X, y, np.array([-0.2]), 15.0, sample_weight=weight)
    repeated = inference(np.repeat(X, weight, axis=0), np.repeat(y, weight), np.array([-0.2]), 15.0)
    np.testing.assert_allclose(weighted.standard_error, repeated.standard_error, rtol=1e-10)
    assert weighted.deviance == pytest.approx(repeated.deviance)
    assert weighted.null_deviance == pytest.approx(repeated.null_deviance)


def with_categories(n=400):
    """Two numbers and two one-hot encoded columns, in mixed order; the groups; and y."""
    rng = np.random.default_rng(0)
    colour, size = rng.integers(0, 3, n), rng.integers(0, 4, n)
    colours, sizes, numbers = np.eye(3)[colour], np.eye(4)[size], rng.normal(size=(n, 2))
    X = np.column_stack([colours, numbers[:, 0], sizes, numbers[:, 1]])
    y = numbers @ [1, -0.5] + 0.4 * colour - 0.3 * size + rng.logistic(size=n) > 0
    return X, [[0, 1, 2], [4, 5, 6, 7]], y.astype(int)


@pytest.mark.parametrize("weighted", [False, True])
def test_groups_equal_a_fit_of_features_without_the_reference_categories(weighted):
    X, groups, y = with_categories()
    weight = np.random.default_rng(1).integers(1, 4, len(y)) if weighted else None
    full = LogisticRegression(0.0, optimizer="newton", tol=1e-10).fit(X, y, weight)
    ours = inference(X, y, full.coef_[0], full.intercept_[0], sample_weight=weight, groups=groups)
    assert ours.kept.tolist() == [1, 2, 3, 5, 6, 7, 8]
    coded = X[:, ours.kept]
    reduced = LogisticRegression(0.0, optimizer="newton", tol=1e-10).fit(coded, y, weight)
    theirs = inference(coded, y, reduced.coef_[0], reduced.intercept_[0], sample_weight=weight)
    np.testing.assert_allclose(ours.coefficient, np.append(reduced.coef_[0], reduced.intercept_), rtol=1e-6, atol=1e-8)
    for name, column in theirs.table().items():
        np.testing.assert_allclose(ours.table()[name], column, rtol=1e-6, atol=1e-8)
    assert ours.deviance == pytest.approx(theirs.deviance, rel=1e-12)
    assert ours.aic == pytest.approx(theirs.aic, rel=1e-12)
    # The covariance is the inverse of the information, written out.
    A = np.column_stack([coded, np.ones(len(y))])
    p = reduced.predict_proba(coded)[:, 1]
    squares = p * (1 - p) * (1 if weight is None else weight)
    errors = np.sqrt(np.diag(np.linalg.inv(A.T @ (A * squares[:, None]))))
    np.testing.assert_allclose(ours.standard_error, errors, rtol=1e-6)


def test_admissions_match_the_published_table_with_all_ranks_encoded():
    X, y = BINARY["ucla_admit"]()
    X = np.column_stack([X[:, :2], 1 - X[:, 2:].sum(axis=1), X[:, 2:]])
    model = LogisticRegression(0.0, optimizer="newton", tol=1e-10).fit(X, y)
    table = inference(X, y, model.coef_[0], model.intercept_[0], groups=[[2, 3, 4, 5]])
    assert table.kept.tolist() == [0, 1, 3, 4, 5]
    published = [0.002264, 0.804038, -0.675443, -1.340204, -1.551464, -3.989979]
    np.testing.assert_allclose(table.coefficient, published, atol=6e-7)
    errors = [0.001094, 0.331819, 0.316490, 0.345306, 0.417832, 1.139951]
    np.testing.assert_allclose(table.standard_error, errors, atol=6e-7)


def test_penalised_fits_keep_all_categories():
    X, groups, y = with_categories()
    model = LogisticRegression(0.1, optimizer="newton").fit(X, y)
    table = inference(X, y, model.coef_[0], model.intercept_[0], l2=0.1, groups=groups)
    np.testing.assert_array_equal(table.coefficient, np.append(model.coef_[0], model.intercept_))
    assert table.kept.tolist() == list(range(9))


def test_groups_need_an_intercept():
    X, groups, y = with_categories()
    with pytest.raises(ValueError, match="need an intercept"):
        inference(X, y, np.zeros(9), 0.0, fit_intercept=False, groups=groups)


def test_the_number_of_threads_does_not_change_a_bit():
    """In processes of their own: OpenBLAS reads its number of threads when it is loaded."""
    script = """if True:
        import numpy as np
        from pipeline.logistic.inference import inference
        rng = np.random.default_rng(0)
        X = rng.normal(size=(20_001, 8))
        y = (X.sum(axis=1) + rng.logistic(size=len(X)) > 0).astype(int)
        fit = inference(X, y, np.ones(8), 0.1, sample_weight=rng.uniform(size=len(X)))
        print(fit.deviance.hex(), fit.null_deviance.hex(), fit.standard_error.tobytes().hex())
    """
    answers = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for n in ("1", "2", "3")
    }
    assert len(answers) == 1


def test_penalised_fits_leave_out_what_is_not_defined():
    X, y = BINARY["heart_scale_lam1"]()
    model = LogisticRegression(0.1, optimizer="newton").fit(X, y)
    table = inference(X, y, model.coef_[0], model.intercept_[0], l2=0.1)
    assert list(table.table()) == ["coefficient"]
    assert table.aic is None
    assert "not defined for a penalised fit" in table.note
    assert 0 < table.deviance < table.null_deviance


def test_features_that_follow_from_others_have_no_standard_error():
    X, y = BINARY["challenger23"]()
    table = inference(np.column_stack([X, X]), y, np.array([-0.1, -0.1]), 15.0)
    assert table.standard_error is None
    assert "follows from others" in table.note


def test_more_features_than_rows_have_no_standard_errors():
    X = np.random.default_rng(0).normal(size=(20, 5_000))
    table = inference(X, np.arange(20) % 2, np.zeros(5_000), 0.0)
    assert table.standard_error is None
    assert "no maximum" in table.note
    repeated = inference(np.repeat(X, 2, axis=0), np.arange(40) % 2, np.zeros(5_000), 0.0)
    assert repeated.standard_error is None
    assert "follows from others" in repeated.note


def test_where_no_maximum_exists_there_are_no_standard_errors_and_the_features_are_named():
    X, groups, y = with_categories()
    y[X[:, 6] == 1] = 1  # one size has only one class
    with pytest.warns(ConvergenceWarning, match="without l2 the cost has no minimum"):
        full = LogisticRegression(0.0, optimizer="newton").fit(X, y)
    table = inference(X, y, full.coef_[0], full.intercept_[0], groups=groups)
    assert list(table.table()) == ["coefficient"]
    assert table.aic is None
    assert "no maximum of the likelihood exists" in table.note
    assert table.separating.tolist() == [6]
    y[np.flatnonzero(X[:, 6])[0]] = 0
    full = LogisticRegression(0.0, optimizer="newton").fit(X, y)
    assert inference(X, y, full.coef_[0], full.intercept_[0], groups=groups).standard_error is not None


# statsmodels 0.15.0, Logit(admit, gre + gpa + rank 2, 3, 4 + constant).fit(cov_type=..., tol=1e-12).bse of
# tests/data/ucla_binary.csv; the clusters are the 26 different values of gre.
STATSMODELS = {
    "HC0": [0.001101309, 0.344704182, 0.314075269, 0.344094820, 0.415533984, 1.136665475],
    "cluster": [0.001280891, 0.428043147, 0.320753324, 0.344298976, 0.383191815, 1.254185177],
}


@pytest.mark.parametrize("covariance", STATSMODELS)
def test_robust_and_clustered_standard_errors_are_those_of_statsmodels(covariance):
    X, y = BINARY["ucla_admit"]()
    clusters = np.unique(X[:, 0], return_inverse=True)[1]
    found = refit(X, y, covariance=covariance, clusters=clusters)
    np.testing.assert_allclose(found.standard_error, STATSMODELS[covariance], atol=1e-9)


def test_hc1_has_the_correction_for_degrees_of_freedom_and_clusters_of_one_row_are_robust():
    X, y = BINARY["ucla_admit"]()
    robust, corrected = (refit(X, y, covariance=name).standard_error for name in ("HC0", "HC1"))
    np.testing.assert_allclose(corrected, robust * np.sqrt(400 / 394), rtol=1e-12)
    single = refit(X, y, covariance="cluster", clusters=np.arange(400)).standard_error
    np.testing.assert_allclose(single, corrected, rtol=1e-9)  # 400/399 * 399/394


def test_one_cluster_is_refused():
    X, y = BINARY["ucla_admit"]()
    with pytest.raises(ValueError, match="at least two"):
        refit(X, y, covariance="cluster", clusters=np.zeros(400, int))


def test_a_refit_is_the_maximum_of_the_likelihood():
    X, groups, y = with_categories()
    full = LogisticRegression(0.0, optimizer="newton", tol=1e-10).fit(X, y)
    expected = inference(X, y, full.coef_[0], full.intercept_[0], groups=groups)
    found = refit(X, y, groups=groups)
    for name, column in expected.table().items():
        np.testing.assert_allclose(found.table()[name], column, rtol=1e-6, atol=1e-8)


def test_a_category_of_one_class_leaves_the_other_weights_of_a_refit_their_intervals():
    X, groups, y = with_categories()
    y[X[:, 6] == 1] = 1
    found = refit(X, y, groups=groups)
    assert found.separating.tolist() == [6]
    assert "that one feature alone puts into one class" in found.note
    others = X[:, 6] == 0
    columns = [0, 1, 2, 3, 4, 5, 7, 8]
    expected = refit(X[np.ix_(others, columns)], y[others], groups=[[0, 1, 2], [4, 5, 6]])
    np.testing.assert_allclose(found.upper, expected.upper)
    assert found.kept.tolist() == [1, 2, 3, 5, 7, 8]
    # The limit: with a huge weight of the category, all rows give the other weights the same likelihood.
    ridge = LogisticRegression(1e-9, optimizer="newton", tol=1e-12, max_iter=200).fit(X[:, [1, 2, 3, 5, 6, 7, 8]], y)
    np.testing.assert_allclose(ridge.coef_[0, [0, 1, 2, 3, 5, 6]], found.coefficient[:-1], rtol=1e-3, atol=1e-4)


def test_a_feature_that_follows_from_others_is_left_out_of_a_refit():
    X, y = BINARY["ucla_admit"]()
    found = refit(np.column_stack([X, X[:, 0] + X[:, 1]]), y)
    assert found.following.tolist() == [5]
    np.testing.assert_allclose(found.standard_error, refit(X, y).standard_error, rtol=1e-6)


def test_classes_that_a_number_separates_have_no_refit_and_neither_has_large_data():
    X = np.arange(20.0)[:, None]
    assert refit(X, X[:, 0] > 9).separating.tolist() == [0]
    wide = np.broadcast_to(np.float64(0), (1_000_000, 100))
    assert refit(wide, np.zeros(1_000_000)) is None


def test_few_rows_per_coefficient_are_noted():
    X, y = BINARY["challenger23"]()
    assert "3.5 rows per coefficient, fewer than 10" in refit(X, y).note
    X, y = BINARY["ucla_admit"]()
    assert "fewer" not in refit(X, y).note


@pytest.mark.parametrize("covariance", ["information", "HC1"])
def test_codes_have_the_standard_errors_of_the_matrix_written_out(covariance):
    rng, n = np.random.default_rng(0), 4_000
    numbers, codes = rng.normal(size=(n, 2)), rng.integers(0, 40, (n, 1)).astype(np.int32)
    X = np.column_stack([numbers, np.eye(40)[codes[:, 0]]])
    y = (numbers[:, 0] + rng.normal(size=40)[codes[:, 0]] + rng.logistic(size=n) > 0).astype(int)
    full = LogisticRegression(0.0, optimizer="newton", tol=1e-9).fit(X, y)
    found, expected = (
        inference(rows, y, full.coef_[0], full.intercept_[0], groups=[range(2, 42)], covariance=covariance)
        for rows in (Matrix([Block(numbers, codes, 40)]), X)
    )
    np.testing.assert_allclose(found.standard_error, expected.standard_error, rtol=1e-9)
    assert found.deviance == pytest.approx(expected.deviance)
