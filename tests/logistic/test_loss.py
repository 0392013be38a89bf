import numpy as np
import pytest
from scipy.special import expit

from pipeline.logistic.loss import log_loss, predicted, probabilities, sigmoid


def test_sigmoid_has_known_values():
    np.testing.assert_allclose(sigmoid([0, np.log(3), -np.log(3)]), [0.5, 0.75, 0.25], rtol=1e-15)


def test_sigmoid_and_log_loss_are_exact_far_out():
    np.testing.assert_array_equal(sigmoid([1000.0, -1000.0]), [1, 0])
    np.testing.assert_allclose(sigmoid(-40.0), np.exp(-40), rtol=1e-14)
    np.testing.assert_array_equal(log_loss([1000.0, -1000.0, 1000.0, -1000.0], [0, 1, 1, 0]), [1000, 1000, 0, 0])
    np.testing.assert_allclose(log_loss([40.0, -40.0], [1, 0]), np.exp(-40), rtol=1e-14)


@pytest.mark.parametrize("scale", [1, 1e3, 1e6])
def test_probabilities_add_up_however_far_the_margins(scale):
    margins = scale * np.random.default_rng(0).normal(size=(100, 3))
    P = probabilities(np.vstack([margins, np.full(3, -1e6)]))
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    assert (P >= 0).all()
    np.testing.assert_allclose(probabilities(margins[:, 0])[:, 1], expit(margins[:, 0]), rtol=1e-12, atol=1e-300)


def test_the_predicted_class_has_the_highest_margin_even_where_probabilities_are_equal():
    np.testing.assert_array_equal(predicted(np.array([-1.0, 0.0, 2.0])), [0, 0, 1])
    margins = np.array([[40.0, 50.0, -1.0], [3.0, 1.0, 2.0]])
    assert sigmoid(40.0) == sigmoid(50.0)
    np.testing.assert_array_equal(predicted(margins), [1, 0])
