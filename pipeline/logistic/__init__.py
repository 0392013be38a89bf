"""Logistic regression from scratch: NumPy in, NumPy out. Read in this order:

    loss.py            sigmoid, log-loss, probabilities, the predicted class: pointwise
    penalty.py         ridge and elastic net
    objective.py       cost, gradient and curvature, as the formula
    matrix.py          rows as numbers and codes, features as a linear map of them: z = [B 1] (T W)
    fast_objective.py  the same three, fast
    softmax.py         one model of all classes, in place of one per class
    optimizers.py      gradient descent, Nesterov, Newton, quasi-Newton
    coordinates.py     exact changes of variables: features far from zero, more features than rows
    separation.py      whether weights without penalty grow forever
    fitting.py         the loop around them, and when it stops (status.py)
    estimator.py       scikit-learn's interface
    inference.py       standard errors, tests, intervals
    grid.py            many combinations of penalty and learning rate on many folds, trained together

`LogisticRegression` is the only part that needs scikit-learn, which takes a second to import, so it is imported when it
is first used.
"""

from typing import Any

from pipeline.logistic.status import DivergenceError, Status

__all__ = ["DivergenceError", "LogisticRegression", "Status"]  # noqa: F822, the estimator is imported when it is used


def __getattr__(name: str) -> Any:
    if name == "LogisticRegression":
        from pipeline.logistic.estimator import LogisticRegression

        return LogisticRegression
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
