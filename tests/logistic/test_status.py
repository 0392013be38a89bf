import pickle

import numpy as np

from pipeline.logistic import DivergenceError, Status


def test_a_status_is_its_short_name_and_has_a_sentence():
    assert [*Status] == ["converged", "stalled", "ran out", "stuck", "separated", "diverged", "unfinished"]
    stored = np.array([*Status])
    assert stored.dtype.kind == "U"
    for name in stored:
        assert Status(name) == name
        assert len(Status(name).sentence) > 30


def test_a_divergence_error_survives_pickling_as_it_must_between_processes():
    error = pickle.loads(pickle.dumps(DivergenceError(0.5, 3, 9.0, 0.1)))
    assert (error.learning_rate, error.iteration, error.cost, error.safe_learning_rate) == (0.5, 3, 9.0, 0.1)
    assert "learning rate 0.5: the cost was 9 at iteration 3. A learning rate up to 0.1 is safe" in str(error)
