import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.isotonic import IsotonicRegression

from pipeline.logistic.calibration import calibrated, isotonic, temperature


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_probabilities_overconfident_is_found(n_classes: int, true: float) -> None:
    rng = np.random.default_rng(0)
    margins = 2 * rng.normal(size=(20_000, n_classes))
    honest = softmax(margins, axis=1)
    codes = np.array([rng.choice(n_classes, p=row) for row in honest])
    spoilt = softmax(margins * true, axis=1)
    found = temperature(spoilt, codes, np.ones(len(codes)))
    assert found["temperature"] == pytest.approx(true, rel=0.05)
    np.testing.assert_allclose(calibrated(spoilt, {"temperature": true}), honest, rtol=1e-9)


def test_isotonic_is_scikit_learns_and_never_certain() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=500)
    codes = (rng.uniform(size=500) < p**2).astype(int)
    P = np.column_stack([1 - p, p])
    found = calibrated(P, isotonic(P, codes, np.ones(len(codes))))
    oracle = IsotonicRegression(out_of_bounds="clip").fit(p, codes).predict(p)
    np.testing.assert_allclose(found[:, 1], np.clip(oracle, 1 / 502, 1 - 1 / 502), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_without_calibration_nothing_changes() -> None:
    P = np.column_stack([expit(-np.arange(3.0)), expit(np.arange(3.0))])
    assert calibrated(P, None) is P


@pytest.mark.parametrize("fit", [temperature, isotonic])
def test_a_row_of_weight_two_counts_as_two(fit) -> None:
    rng = np.random.default_rng(0)
    p, times = rng.random(300), rng.integers(0, 4, 300)
    P, codes = np.column_stack([1 - p, p]), (rng.random(300) < p**2).astype(int)
    again = np.repeat(np.arange(300), times)
    ours = calibrated(P, fit(P, codes, times.astype(float)))[again]
    np.testing.assert_allclose(ours, calibrated(P[again], fit(P[again], codes[again], np.ones(len(again)))), atol=0.002)
    assert np.abs(ours - calibrated(P[again], fit(P, codes, np.ones(300)))).max() > 0.005
