"""The error and the warnings that a user reads: what was wrong, the value seen, the next step."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class UserError(Exception):
    """A mistake that its user can correct. Shown as its message alone, never with a traceback."""


class CellError(UserError):
    """A cell that can't be read.

    reason    the message without the number of its row and what to do
    step      what to do, with {} for each of the `settings`, by key and value

    Who uses a served model can't change settings, so these are not in its message, but in that of `advised`.
    """

    def __init__(self, problem: str, reason: str, step: str, settings: tuple[tuple[str, Any], ...] = ()) -> None:
        super().__init__(f"{problem}." if settings else f"{problem}. {step}.")
        self.problem, self.reason, self.step, self.settings = problem, reason, step, settings

    def advised(self, override: Callable[[str, Any], str]) -> str:
        """The message with the settings, each as `override` writes it."""
        step = self.step.format(*(override(*setting) for setting in self.settings)) if self.settings else self.step
        return f"{self.problem}. {step}."


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


@contextmanager
def warned_once() -> Iterator[None]:
    """Print each warning to standard error once, since standard output has the predictions."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if issubclass(category, UserWarning) and str(message) not in shown:
            print(f"warning: {message}", file=sys.stderr)
            shown.add(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield
