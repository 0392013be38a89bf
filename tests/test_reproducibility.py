"""The same bytes with any number of threads and on any processor, which OpenBLAS and NumPy can be made to act like."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, compose, copy_conf, shell_in

pytestmark = pytest.mark.slow

KERNELS = ("Nehalem", "Haswell")  # of OpenBLAS, by processor
STAGES = ("load", "split", "train", "evaluate", "sweep")


def processors() -> list[dict[str, str]]:
    """Environments in which the libraries use the code of other processors, as far as this one can run it."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    without_avx512 = ",".join(name for name in found if "AVX512" in name)
    kernels = [{"OPENBLAS_CORETYPE": name, "OMP_NUM_THREADS": str(1 + i)} for i, name in enumerate(KERNELS)]
    kernels[0] |= {"NPY_DISABLE_CPU_FEATURES": without_avx512} if without_avx512 else {}
    return kernels


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 20,001 rows, large enough for several threads, and its configuration."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_001, 6))
    X[:, 1] += X[:, 0]
    colour = rng.choice(["red", "green", "blue"], len(X), p=[0.6, 0.3, 0.1])
    z = X @ [1.0, -0.5, 0.3, 0.2, 0.1, 0.0] + (colour == "red")
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(6)]).mask(rng.random(X.shape) < 0.02)
    table = table.assign(colour=colour, y=np.where(rng.random(len(X)) < 1 / (1 + np.exp(-z)), "yes", "no"))
    (folder / "data").mkdir()
    table.to_csv(folder / "data/big.csv", index=False)
    copy_conf(folder)
    compose(
        *("data=table", "data.path=data/big.csv", "data.target=y", "optimizer=gradient_descent"),
        *("train.max_iterations=60", "sweep.folds=2", "sweep.lambda=[0.001,1]", "sweep.learning_rate=[0.3,auto]"),
        folder=folder,
    )
    return folder


def digests(project: Path, **environment: str) -> dict[str, str]:
    """The hash of every output of the stages, run in an environment."""
    shell = shell_in(project)
    for stage in STAGES:
        shell(f"python -m pipeline {stage}", PYTHONPATH=str(ROOT), **environment)
    files = [file for file in (project / "outputs").rglob("*") if file.is_file()]
    return {str(file.relative_to(project)): hashlib.md5(file.read_bytes()).hexdigest() for file in files}


def test_processors_and_threads_do_not_change_a_byte_of_the_outputs_of_a_large_table(project: Path) -> None:
    expected = digests(project, OMP_NUM_THREADS="2")
    assert len(expected) > 30
    for environment in processors():
        assert digests(project, **environment) == expected, environment
