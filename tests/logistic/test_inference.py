import numpy as np
import pytest

from pipeline.logistic import LogisticRegression
from pipeline.logistic.inference import inference
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
