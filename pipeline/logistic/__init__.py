"""Logistic regression from scratch: NumPy in, NumPy out.

`LogisticRegression` is the only part that needs scikit-learn, which takes a second to import, so it is imported when it
is first asked for.
"""

from pipeline.logistic.divergence import DivergenceError

__all__ = ["DivergenceError", "LogisticRegression"]


def __getattr__(name):
    if name == "LogisticRegression":
        from pipeline.logistic.estimator import LogisticRegression

        return LogisticRegression
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
