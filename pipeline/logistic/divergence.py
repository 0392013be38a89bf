"""The error of a learning rate that is too large."""


class DivergenceError(ArithmeticError):
    """The cost rose without bound or is not finite. What the message says stands in the attributes too.

    learning_rate is None where no fixed one was set: the data holds numbers too large for finite margins.
    """

    def __init__(self, learning_rate: float | None, iteration: int, cost: float, safe_learning_rate: float):
        used = "" if learning_rate is None else f" with learning rate {learning_rate:g}"
        super().__init__(
            f"Training diverged{used}: the cost was {cost:g} at iteration {iteration}. A learning rate up to "
            f"{safe_learning_rate:.3g} is safe for this data and this l2 (one over the largest eigenvalue of "
            "X'X/(4n) + l2); scaled features allow a larger one."
        )
        self.learning_rate = learning_rate
        self.iteration = iteration
        self.cost = cost
        self.safe_learning_rate = safe_learning_rate

    def __reduce__(self):
        return type(self), (self.learning_rate, self.iteration, self.cost, self.safe_learning_rate)
