"""The one error that a person is meant to read: what was wrong, the value seen, the next step."""


class UserError(Exception):
    """A mistake that its user can mend. Shown as its message alone, never with a traceback."""
