"""The one entry: `python -m pipeline <stage or command>`. `--help` lists them, and after a name explains it."""

import argparse
import ast
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.logistic.threads import thread_count

HERE = Path(__file__).parent
STAGES, COMMANDS = (
    [file.stem for file in sorted((HERE / room).glob("*.py")) if file.stem != "__init__"]
    for room in ("stages", "commands")
)
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
# What the system answers when a file can't be written: no room, too large, over the quota, read-only, not allowed.
STORAGE = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None), errno.EROFS, errno.EACCES, errno.EPERM)
# Where a BLAS library cuts a sum depends on its number of threads. The fits bring threads of their own.
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def parser(name: str | None = None) -> argparse.ArgumentParser:
    """Every stage and command, described by the docstring of its module; `name` is the one whose arguments are known.

    A command declares them in `arguments`, under the names of the parameters of its `main`.
    """
    top = argparse.ArgumentParser("python -m pipeline", description="Run one stage of dvc.yaml, or one command.")
    entries = top.add_subparsers(dest="name", required=True, metavar="<stage or command>")
    for room, names in (("stages", STAGES), ("commands", COMMANDS)):
        for each in names:
            text = ast.get_docstring(ast.parse((HERE / room / f"{each}.py").read_text(encoding="utf-8"))) or ""
            summary = text.split("\n\n")[0].replace("\n", " ")
            shape = argparse.RawDescriptionHelpFormatter
            entry = entries.add_parser(each, help=summary, description=text, formatter_class=shape)
            if each == name and room == "commands":
                getattr(import_module(f"pipeline.commands.{each}"), "arguments", nothing)(entry)
    return top


def nothing(entry: argparse.ArgumentParser) -> None:
    """The arguments of a command that takes none."""


def run(name: str, values: dict[str, Any]) -> int:
    """Run the stage or command; the exit status is returned, 0 unless the `main` of a command returns another.

    Its imports are part of it, since they take most of the time of a small stage.
    """
    if name in COMMANDS:
        command = import_module(f"pipeline.commands.{name}")
        with interruptible(), computing(command):
            return command.main(**values) or 0
    from pipeline.config import inputs
    from pipeline.files import edits, paths

    with paths.replaced(name) as root, edits.refused(name, inputs.changed):
        stage = import_module(f"pipeline.stages.{name}")
        with interruptible(), computing(stage), listener(stage) as heard:
            stage.main(root, **heard)
    return 0


@contextmanager
def computing(module: Any) -> Iterator[None]:
    """Let tables, fits and predictions be where the section `compute` says, if the module declares what of it it needs.

    `COMPUTE` is "rows" for the limit of what may be in memory, and "fits" for a cluster, too. Settings in messages
    keep what the section `data` has. No result depends on either, so no stage does.
    """
    if needs := getattr(module, "COMPUTE", None):
        from pipeline import config
        from pipeline.compute import cluster
        from pipeline.overrides import beside

        settings, data = config.read("compute"), config.read("data").model_dump()
        with cluster.used(settings, needs == "fits"), beside("data", data):
            yield
    else:
        yield


@contextmanager
def listener(module: Any) -> Iterator[dict[str, Any]]:
    """Where `tracking.live` is set, what the training of the module is followed by: MLflow shows the cost."""
    if getattr(module, "HEARD", False):
        from pipeline import config

        settings = config.read("tracking")
        if settings.live:
            from pipeline.tracking.live import shown

            with shown(config.read("data"), settings) as hear:
                yield {"hear": hear}
            return
    yield {}


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals in while the block runs. Imports, and outputs that are replaced or restored, are not interrupted."""
    gc.freeze()
    gc.enable()
    try:
        block_interrupts(False)
        yield
    finally:
        block_interrupts(True)


def block_interrupts(block: bool) -> None:
    """Windows can't block signals: there an import, too, may be interrupted."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK if block else signal.SIG_UNBLOCK, INTERRUPTS)


def way_back() -> str:
    """What a user has to know after an experiment failed: DVC has written its settings to params.yaml. A copy
    (`--temp`, the queue) has a params.yaml of its own.
    """
    if "DVC_EXP_NAME" not in os.environ or Path(os.environ.get("DVC_ROOT", ".")).resolve() != Path.cwd():
        return ""
    return "\nparams.yaml has the settings of this experiment. Back to those of conf/: rm params.yaml && dvc repro"


def checked_environment() -> None:
    """Errors: `UserError` where OMP_NUM_THREADS is no number: before any work is done."""
    try:
        thread_count()
    except ValueError as error:
        raise UserError(str(error)) from None


def explained(error: OSError, name: str) -> str:
    """What the system refused, and the next step."""
    problem = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    try:
        sys.stdout.flush()
        is_output = name in COMMANDS and error.errno in STORAGE and not error.filename
    except OSError:
        is_output = True
    if is_output:
        discard_output()
        return f"the output can't be written: {problem}. Send it to a place with room that may be written."
    if isinstance(error, FileNotFoundError) and "outputs" in str(error):
        return f"{error.filename or error} is missing. `dvc repro` runs the stage that writes it."
    if error.errno in STORAGE:
        return (
            f"{problem}. The earlier outputs are as they were. Make room, or make the folder writable; `dvc repro` "
            "then goes on from here."
        )
    return f"{problem}. The earlier outputs are as they were. When that is mended, run the command again."


def discard_output() -> None:
    """Nothing can be written to standard output any more, and Python would try again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    block_interrupts(True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the stage as Ctrl-C does
    chosen = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    values = vars(parser(chosen).parse_args())
    name = values.pop("name")
    for variable in BLAS_THREADS:
        os.environ.setdefault(variable, "1")
    # The garbage collector would walk the objects of scikit-learn, matplotlib or MLflow again and again while these are
    # imported, and once more at exit: a second for each stage.
    gc.disable()
    try:
        checked_environment()
        status = run(name, values)
        sys.stdout.flush()
        sys.exit(status)
    except BrokenPipeError:  # what reads the output, such as `head`, has ended
        discard_output()
        sys.exit(141)
    except UserError as error:
        sys.exit(f"\nerror: {error}{way_back()}")
    except OSError as error:
        sys.exit(f"\nerror: {explained(error, name)}")
    except KeyboardInterrupt:
        if hint := way_back():
            print(f"\ninterrupted.{hint}", file=sys.stderr)
        sys.exit(130)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
