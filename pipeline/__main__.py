"""The one entry: `python -m pipeline <stage or command>`. `--help` lists them, and after a name explains it."""

import argparse
import ast
import gc
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from pipeline import outputs
from pipeline.errors import UserError

STAGES = ("configure", "load", "explore", "split", "train", "evaluate", "sweep", "one_vs_rest", "track")
COMMANDS = {"summary": "summary", "multirun": "sweeps/multirun", "queue": "sweeps/queue"}
OVERRIDES = {"multirun", "queue"}  # commands that take overrides of the configuration
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
    return top


def run(arguments: argparse.Namespace) -> None:
    """Run the stage or command. Its imports are part of it, since they take most of the time of a small stage."""
    if arguments.name in STAGES:
        stage = import_module(f"pipeline.stages.{arguments.name}")
        _imported()
        with outputs.replaced(arguments.name) as root:
            stage.main(root)
        return
    command = import_module(f"pipeline.{COMMANDS[arguments.name].replace('/', '.')}")
    _imported()
    if arguments.name == "multirun":
        from pipeline.tracking import log

        command.main(arguments.overrides, log.log_study)
    else:
        command.main(*([arguments.overrides] if arguments.name in OVERRIDES else []))


def _imported() -> None:
    gc.freeze()
    gc.enable()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    arguments = parser().parse_args()
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    # The garbage collector would walk the objects of scikit-learn, matplotlib or MLflow again and again while these are
    # imported, and once more at exit: a second for each stage. Ctrl-C ends imports without a traceback.
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        run(arguments)
    except UserError as error:
        sys.exit(f"\nerror: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
