"""The one entry: `python -m pipeline <stage or command>`. `--help` lists them, and after a name explains it."""

import argparse
import ast
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.logistic.threads import thread_count

STAGES = ("configure", "load", "explore", "split", "train", "evaluate", "report", "sweep", "one_vs_rest", "track")
COMMANDS = {
    "summary": "summary",
    "predict": "predict",
    "promote": "promote",
    "serve": "serve",
    "watch": "watch",
    "reproduce": "reproduce",
    "table": "table",
    "ui": "tracking/ui",
    "multirun": "sweeps/multirun",
    "queue": "sweeps/queue",
    "experiments": "sweeps/experiments",
}
OVERRIDES = {"multirun", "queue"}  # commands that take overrides of the configuration
MODELS = {"predict", "watch"}  # commands that use a model on a file of rows
COMPUTING = {"train", "evaluate", "sweep", "predict"}  # what a cluster is for ...
HOLDING = COMPUTING | {"load", "split", "one_vs_rest"}  # ... and the limit of what may be in memory
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
# What the system answers when a file can't be written: no room, too large, over the quota, read-only, not allowed.
STORAGE = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None), errno.EROFS, errno.EACCES, errno.EPERM)
# Where a BLAS library cuts a sum depends on its number of threads. The fits bring threads of their own.
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def parser() -> argparse.ArgumentParser:
    """Every stage and command, described by the docstring of its module."""
    top = argparse.ArgumentParser("python -m pipeline", description="Run one stage of dvc.yaml, or one command.")
    entries = top.add_subparsers(dest="name", required=True, metavar="<stage or command>")
    for name, module in {**{stage: f"stages/{stage}" for stage in STAGES}, **COMMANDS}.items():
        source = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        text = ast.get_docstring(ast.parse(source)) or ""
        summary = text.split("\n\n")[0].replace("\n", " ")
        entry = entries.add_parser(
            name, help=summary, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name in OVERRIDES:
            entry.add_argument("overrides", nargs="+", metavar="KEY=VALUE,...", help="values of settings to combine")
        if name == "predict":
            entry.add_argument("file", help="the rows to predict: CSV, Excel, Parquet and others")
            entry.add_argument("--output", metavar="FILE", help="a .csv or .parquet file, instead of the terminal")
        if name == "watch":
            entry.add_argument("file", help="the rows to compare: CSV, Excel, Parquet and others")
            entry.add_argument("--output", metavar="FILE", help="the page; default: below outputs/watch")
        if name in MODELS:
            entry.add_argument(
                "--model", help="models:/<name>@champion, models:/<id> or the id of a run; default: outputs/train"
            )
        if name == "promote":
            entry.add_argument("run", nargs="?", metavar="RUN_ID", help="the run of the model; default: outputs/train")
            entry.add_argument("--margin", type=float, default=0.01, help="how much larger the log-loss may be")
        if name == "reproduce":
            entry.add_argument("run", metavar="RUN_ID", help="the id of a run in MLflow, which `make ui` shows")
        if name == "serve":
            entry.add_argument("--port", type=int, default=5001)
        if name == "table":
            entry.add_argument("file", help="the file of the table, or a folder of files")
            entry.add_argument("target", nargs="?", help="the column to predict")
            entry.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="further settings")
            entry.add_argument(
                "-S", action="append", default=[], metavar="KEY=VALUE", help="the same, as in dvc exp run"
            )
    return top


def run(arguments: argparse.Namespace) -> None:
    """Run the stage or command. Its imports are part of it, since they take most of the time of a small stage."""
    if arguments.name in STAGES:
        from pipeline import edits, outputs

        with outputs.replaced(arguments.name) as root, edits.refused(arguments.name):
            stage = import_module(f"pipeline.stages.{arguments.name}")
            with interruptible(), computing(arguments.name), live(arguments.name):
                stage.main(root)
        return
    command = import_module(f"pipeline.{COMMANDS[arguments.name].replace('/', '.')}")
    given = _given(arguments)
    with interruptible(), computing(arguments.name):
        command.main(*given)


def _given(arguments: argparse.Namespace) -> list[Any]:
    """The arguments of a command's `main`."""
    match arguments.name:
        case "multirun":
            from pipeline.tracking import log

            return [arguments.overrides, log.log_study]
        case "queue":
            return [arguments.overrides]
        case "predict" | "watch":
            return [arguments.file, arguments.model, arguments.output]
        case "promote":
            return [arguments.run, arguments.margin]
        case "reproduce":
            return [arguments.run]
        case "serve":
            return [arguments.port]
        case "table":
            return [arguments.file, arguments.target, [*arguments.overrides, *arguments.S]]
    return []


def computing(name: str) -> AbstractContextManager[None]:
    """Let tables, fits and predictions be where the section `compute` says.

    That changes no result, so no stage depends on it.
    """
    if name not in HOLDING:
        return nullcontext()
    from pipeline import config
    from pipeline.compute import cluster

    return cluster.used(config.read("compute"), name in COMPUTING)


def live(name: str) -> AbstractContextManager[None]:
    """Where `tracking.live` is set, MLflow shows the cost while the model is trained."""
    if name != "train":
        return nullcontext()
    from pipeline import config

    settings = config.read("tracking")
    if not settings.live:
        return nullcontext()
    from pipeline.tracking.live import shown

    return shown(config.read("data"), settings)


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
    arguments = parser().parse_args()
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    # The garbage collector would walk the objects of scikit-learn, matplotlib or MLflow again and again while these are
    # imported, and once more at exit: a second for each stage.
    gc.disable()
    try:
        checked_environment()
        run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # what reads the output, such as `head`, has ended
        discard_output()
        sys.exit(141)
    except UserError as error:
        sys.exit(f"\nerror: {error}{way_back()}")
    except OSError as error:
        sys.exit(f"\nerror: {explained(error, arguments.name)}")
    except KeyboardInterrupt:
        if hint := way_back():
            print(f"\ninterrupted.{hint}", file=sys.stderr)
        sys.exit(130)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
