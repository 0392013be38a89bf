"""What is heavy to import is imported where it is used: ten stages start a process each."""

import os
import subprocess
import sys

from conftest import ROOT

HEAVY = ("distributed", "dvc", "hydra", "matplotlib", "mlflow", "scipy.stats", "sklearn")
# Stages in the order in which they are imported, one after the other, and what is loaded by then.
LOADED = {
    "configure": [],
    "load": [],
    "split": [],
    "train": [],
    "report": [],
    "explore": ["matplotlib"],
    "sweep": ["matplotlib"],
    "evaluate": ["matplotlib"],
    "one_vs_rest": ["matplotlib"],
    "track": ["matplotlib", "mlflow"],
}


def python(code: str) -> str:
    """What a new process prints that runs `code`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_stage_imports_only_what_it_always_uses() -> None:
    printed = python(
        "import sys\nfrom importlib import import_module\n"
        f"for stage in {list(LOADED)}:\n"
        "    import_module(f'pipeline.stages.{stage}')\n"
        f"    print(stage, *(name for name in {HEAVY} if name in sys.modules))"
    )
    loaded = {words[0]: words[1:] for words in map(str.split, printed.splitlines())}
    for stage, allowed in LOADED.items():
        assert set(loaded[stage]) <= set(allowed), stage


def test_the_entry_imports_no_library_before_it_knows_what_to_run() -> None:
    assert (
        python("import sys, pipeline.__main__; print('numpy' in sys.modules, 'yaml' in sys.modules)") == "False False"
    )


def test_a_model_is_trained_without_scikit_learn() -> None:
    printed = python(
        "import sys\nsys.modules['sklearn'] = None\n"
        "import numpy as np\nfrom pipeline.logistic.regression import Regression\n"
        "X = np.array([[0.0], [1.0], [2.0], [3.0]])\n"
        "print(*Regression(optimizer='newton').fit(X, np.array([0, 1, 0, 1])).classes_)"
    )
    assert printed == "0 1"
