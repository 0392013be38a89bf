"""Load a logged model and predict, with nothing to import but the distributions that its requirements.txt needs.

`python -I recorded_environment.py <model> <rows.csv>` prints as JSON the predictions, the files of the project's
modules that were imported, and the installed top-level modules that could not be imported.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(requirements: list[str]) -> set[str]:
    """The distributions that `requirements` need, directly or not."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        needed = waiting.pop()
        for extra in ("", *needed.extras):
            name = canonicalize_name(needed.name)
            if (name, extra) in found:
                continue
            found.add((name, extra))
            try:
                lines = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue  # optional on this platform
            parsed = [Requirement(line) for line in lines]
            waiting += [more for more in parsed if more.marker is None or more.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


class Blocker:
    """Refuses to import what belongs to a distribution outside the closure."""

    def __init__(self, allowed: set[str]) -> None:
        owners = importlib.metadata.packages_distributions()
        self.blocked = {top for top, names in owners.items() if not allowed & set(map(canonicalize_name, names))}

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"{name} is not in the recorded environment", name=name)


if __name__ == "__main__":
    folder, rows = map(Path, sys.argv[1:])
    lines = (folder / "requirements.txt").read_text().splitlines()
    blocker = Blocker(closure(lines))
    sys.meta_path.insert(0, blocker)

    import mlflow.pyfunc
    import pandas as pd

    predicted = mlflow.pyfunc.load_model(str(folder)).predict(pd.read_csv(rows))
    modules = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "pipeline"]
    print(json.dumps({"predicted": list(predicted), "modules": sorted(modules), "blocked": sorted(blocker.blocked)}))
