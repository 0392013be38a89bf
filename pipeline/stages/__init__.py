"""One module a DVC stage, of the stage's name: read inputs, call pure functions, write outputs."""

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.errors import UserError

if sys.argv[0] == "-m":  # a stage is about to run as a program (`sys.argv` in Python's library reference)
    # The garbage collector would walk the objects of scikit-learn, matplotlib or MLflow time and again while these are
    # imported, and once more on the way out: a second for each stage.
    gc.disable()


def run(main: Callable[[], None]) -> None:
    """Run a stage as a program: a `UserError` ends it with the message and exit status 1, Ctrl-C with 130."""
    gc.freeze()
    gc.enable()
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
