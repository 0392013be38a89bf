"""One module a DVC stage, of the stage's name: read inputs, call pure functions, write outputs."""

import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import UserError

OUTPUTS = Path("outputs")  # laid out by stage; what one stage writes is named by a constant of its module


def run(main: Callable[[], None]) -> None:
    """Run a stage as a program: a `UserError` ends it with the message and exit status 1."""
    try:
        main()
    except UserError as error:
        sys.exit(f"\nerror: {error}")
