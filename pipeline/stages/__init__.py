"""One module a DVC stage, of the stage's name: read inputs, call pure functions, write outputs."""

import gc
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.errors import UserError


def run(main: Callable[[], None]) -> None:
    """Run a stage as a program: a `UserError` ends it with the message and exit status 1, Ctrl-C with 130.

    The imports are done, for which `pipeline` has put the garbage collector and Ctrl-C's handler aside.
    """
    gc.freeze()
    gc.enable()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except UserError as error:
        sys.exit(f"\nerror: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()


@contextmanager
def told() -> Iterator[list[str]]:
    """What the work inside warns of: printed, and in the list when it is done."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said += [str(warning.message) for warning in caught if warning.category is UserWarning]
    for line in said:
        print(f"warning: {line}")
