"""Make a new project of the same three tools: Hydra, DVC and MLflow joined, with a stage, a picture and a test.

    python -m pipeline new ../mine

It is docs/skeleton/, of about 300 lines, with the versions of packages that requirements.lock of this repository has.
"""

import argparse
import re
import shlex
import shutil
from pathlib import Path

from pipeline.errors import UserError

HERE = Path(__file__).parents[2]
SKELETON = HERE / "docs" / "skeleton"
PACKAGES = (
    *("dvc", "hydra-core", "matplotlib", "mlflow", "numpy", "pandas", "pyyaml", "scikit-learn"),
    *("pytest", "ruff"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="a folder that is not there yet, or is empty")


def main(folder: str) -> None:
    """Errors: `UserError` for a folder that has files."""
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{folder} is there already and is not empty. Name another folder.")
    for file in sorted(SKELETON.rglob("*")):
        name = file.relative_to(SKELETON).as_posix()
        if file.is_file() and "__pycache__" not in name:
            copy = target / re.sub(r"^dot(?=\.)", "", name).removesuffix(".in")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    (target / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(HERE / ".dvc" / name, target / ".dvc" / name)
    locked = (HERE / "requirements.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"(?m)^([\w.-]+)(?:\[[^\]]*\])?==([\w.]+)", locked))
    pins = "".join(f"{name}=={versions[name]}\n" for name in PACKAGES)
    (target / "requirements.txt").write_text(pins, encoding="utf-8")
    print(f"cd {shlex.quote(folder)} && git init && git add --all && git commit --message start && make run")
