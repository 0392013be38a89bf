"""Logistic regression from scratch: NumPy in, NumPy out. Read in this order:

    loss.py            sigmoid, log-loss, probabilities, the predicted class: pointwise; what a loss is
    penalty.py         ridge and elastic net
    objective.py       cost, gradient and curvature, as the formula: the first rung of docs/ladder.md
    binomial.py        the loss of one class against the rest
    one_exp.py         the second rung: one exponential per margin, on one array
    matrix.py          rows as numbers and codes, features as a linear map of them: z = [B 1] (T W)
    blocks.py          the third rung: the same sums over blocks of numbers and codes
    threads.py         a function mapped over tasks, with the same bytes for any number of threads
    strips.py          the fourth rung: strips of blocks, which threads share
    fast_objective.py  loss x rows x penalty
    softmax.py         the loss of one model of all classes, in place of one per class
    search.py          how far to go, around a direction
    first_order.py     gradient descent, Nesterov, proximal steps
    newton.py          Newton's method, and with an l1 penalty coordinate by coordinate
    quasi_newton.py    limited-memory BFGS
    optimizers.py      what each of them needs, and what stands in for it
    coordinates.py     exact changes of variables: features far from zero, more features than rows
    separation.py      whether weights without penalty grow forever
    status.py          when training stops, and what to do then
    fitting.py         the loop around them
    regression.py      a fit with its settings: what the stages train
    estimator.py       the same with scikit-learn's interface
    inference.py       standard errors, tests, intervals
    sandwich.py        robust and clustered standard errors
    firth.py           Firth's penalty, for small or separated data
    calibration.py     probabilities corrected by what they were worth
    grid.py            many combinations of penalty and learning rate on many folds, trained together

`LogisticRegression` is the only part that needs scikit-learn, which takes a second to import, so it is imported when it
is first used.
"""

from importlib import import_module
from typing import Any

from pipeline.logistic.status import DivergenceError, Status

__all__ = ["DivergenceError", "LogisticRegression", "Status"]  # noqa: F822, the estimator is imported when it is used


def __getattr__(name: str) -> Any:
    if name == "LogisticRegression":
        return import_module(".estimator", __name__).LogisticRegression  # no import, so a model is shipped without it
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
