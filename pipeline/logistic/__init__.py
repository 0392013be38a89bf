"""Logistic regression from scratch: NumPy in, NumPy out."""

from pipeline.logistic.divergence import DivergenceError
from pipeline.logistic.estimator import LogisticRegression

__all__ = ["DivergenceError", "LogisticRegression"]
