"""The error and the warnings that a user reads: what was wrong, the value seen, the next step."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake that its user can correct. Shown as its message alone, never with a traceback."""


class CellError(UserError):
    """A cell that can't be read. `reason` is the message without the number of its row and what to do."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@contextmanager
def reported_warnings() -> Iterator[list[str]]:
    """Print each `UserWarning` raised inside, and return all of them in a list that is complete when the block ends."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield messages
        finally:  # where an error follows, the warnings may explain it
            messages += [str(warning.message) for warning in caught if warning.category is UserWarning]
            for message in messages:
                print(f"warning: {message}")
