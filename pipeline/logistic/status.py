"""How a fit ended, in one table, and the error of a learning rate that is too large."""

from enum import StrEnum


class Status(StrEnum):
    """A short name (the value, which tables store), and a `sentence`: what happened and what to do. Best to worst."""

    sentence: str

    CONVERGED = "converged", "the gradient norm is under the tolerance"
    STALLED = (
        "stalled",
        "the cost no longer falls: the gradient norm is as low as rounding allows; raise tol to end before",
    )
    RAN_OUT = (
        "ran out",
        "the iterations ran out before the gradient norm was under the tolerance: scale the features, raise max_iter "
        "or learning_rate, or choose optimizer='newton'",
    )
    STUCK = (
        "stuck",
        "no step lowers the cost any more, far from the optimum: scale the features, so that each has a mean near 0 "
        "and a standard deviation near 1",
    )
    SEPARATED = (
        "separated",
        "a plane separates the classes, or a part of one class from all other rows, so without l2 the cost has no "
        "minimum (weights grow forever): set l2 above 0",
    )
    DIVERGED = "diverged", "the cost rose without bound: lower the learning rate, or scale the features"
    UNFINISHED = "unfinished", "training was interrupted before the end: run it again"

    def __new__(cls, name: str, sentence: str = "") -> "Status":
        status = str.__new__(cls, name)
        status._value_, status.sentence = name, sentence
        return status


class DivergenceError(ArithmeticError):
    """The cost rose without bound or is not finite. The numbers of the message are attributes, too.

    learning_rate is None where none was set: then the data holds numbers that are too large for finite margins.
    """

    def __init__(self, learning_rate: float | None, iteration: int, cost: float, safe_learning_rate: float):
        used = "" if learning_rate is None else f" with learning rate {learning_rate:g}"
        super().__init__(
            f"Training diverged{used}: the cost was {cost:g} at iteration {iteration}. A learning rate up to "
            f"{safe_learning_rate:.3g} is safe for this data and this l2 (one over the largest curvature that the cost "
            "can have); scaled features allow a larger one."
        )
        self.learning_rate, self.iteration = learning_rate, iteration
        self.cost, self.safe_learning_rate = cost, safe_learning_rate

    def __reduce__(self) -> tuple[type, tuple]:  # exceptions with arguments of their own need it to be pickled
        return type(self), (self.learning_rate, self.iteration, self.cost, self.safe_learning_rate)
