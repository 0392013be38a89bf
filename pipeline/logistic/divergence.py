"""The error of a learning rate that is too large."""


class DivergenceError(ArithmeticError):
    """The cost rose without bound or is not finite. What it says stands in its attributes too."""

    def __init__(self, learning_rate: float, iteration: int, cost: float, safe_learning_rate: float):
        super().__init__(
            f"Training diverged: with learning rate {learning_rate:g} the cost was {cost:g} at iteration {iteration}. "
            f"A learning rate up to {safe_learning_rate:.3g} is safe for this data and this l2 "
            "(one over the largest eigenvalue of X'X/(4n) + l2)."
        )
        self.learning_rate = learning_rate
        self.iteration = iteration
        self.cost = cost
        self.safe_learning_rate = safe_learning_rate

    def __reduce__(self):
        return type(self), (self.learning_rate, self.iteration, self.cost, self.safe_learning_rate)
