"""Register a model under the name of the data, and make it the champion unless it is worse than the present one.

    python -m pipeline promote                  # the model of the last `dvc repro`
    python -m pipeline promote RUN_ID --margin 0.005

Both models predict the test rows of this repository. The new one becomes the champion if its log-loss is not larger by
more than the margin: the upper end of the interval of the difference, from a bootstrap of the rows which both models
share (95 %), is at most that. Else nothing changes, and the command fails, so a script can rely on it.
"""

import numpy as np
import pandas as pd

from pipeline import config, outputs
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.model import Model
from pipeline.scores import CONFIDENCE, RESAMPLES, SEED, log_losses

SHOWN = ("log-loss", "accuracy")


def main(run_id: str | None, margin: float) -> None:
    """Errors: `UserError` where there is no such run, or where the champion stays."""
    if margin < 0:
        raise UserError(f"--margin {margin:g} should be 0 or more: how much larger the log-loss may be.")
    from pipeline.tracking import records, registry  # MLflow takes seconds to import

    file = outputs.ROOT / outputs.TEST_ROWS
    if not file.exists():
        raise UserError(f"{file} doesn't exist: nothing has been split here. `dvc repro` makes it.")
    rows, settings = outputs.load_table(file), config.read("tracking")
    digest = None if run_id is not None else records.main_record(config.load()).digest
    found = registry.candidate(run_id, digest, settings)
    champion = registry.champion(found.name, settings)
    if champion is None:
        version = registry.promote(found, {}, settings)
        print(f"{found.name}: version {version} is the champion, the first one")
        return
    if champion.model_id == found.model_id:
        print(f"{found.name}: this model is the champion already (version {champion.version})")
        return
    compared = difference(found.model, champion.model, rows)
    print(shown(compared, f"new ({found.run_id})", f"champion (version {champion.version})"))
    lower, upper = compared.interval
    result = f"{compared.mean:+.4f} [{lower:+.4f}, {upper:+.4f}]"
    if upper > margin:
        raise UserError(
            f"the champion stays version {champion.version}: the log-loss of the new model may be larger by more than "
            f"--margin {margin:g} (difference {result}). If that is fine: --margin {upper + 5e-5:.4f}."
        )
    version = registry.promote(found, {"compared with": f"version {champion.version}", "log-loss": result}, settings)
    print(f"{found.name}: version {version} is the champion now")


class Difference:
    """How the log-losses of two models differ on the same rows, new minus old."""

    def __init__(self, new: np.ndarray, old: np.ndarray, accuracies: tuple[float, float]) -> None:
        self.losses, self.accuracies = (float(new.mean()), float(old.mean())), accuracies
        each = new - old
        rng = np.random.default_rng(SEED)
        means = [each[rng.integers(0, len(each), len(each))].mean() for _ in range(RESAMPLES)]
        self.mean = float(each.mean())
        ends = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        self.interval = float(ends[0]), float(ends[1])


def difference(new: Model, old: Model, rows: pd.DataFrame) -> Difference:
    """Of both models on `rows`, the target last. Errors: `UserError` for a model of another table or other classes."""
    X, y = features_and_target(rows)
    losses, accuracies = [], []
    for fitted, which in ((new, "the new model"), (old, "the champion")):
        if absent := [name for name in fitted.base.columns if name not in X]:
            raise UserError(
                f"{which} is of another table: it needs {', '.join(map(repr, absent[:5]))}, which the test rows have "
                f"not. They are those of params.yaml (data, split)."
            )
        if strange := sorted(set(y) - set(fitted.classes_.astype(str))):
            raise UserError(f"{which} does not know the class {strange[0]!r} of the test rows.")
        decided, P = fitted.decide(X)
        losses.append(log_losses(P, np.searchsorted(fitted.classes_, y)))
        accuracies.append(float((decided == y).mean()))
    return Difference(losses[0], losses[1], (accuracies[0], accuracies[1]))


def shown(compared: Difference, new: str, old: str) -> str:
    lines: list[tuple[str, ...]] = [("", new, old)]
    for name, values in zip(SHOWN, (compared.losses, compared.accuracies), strict=True):
        lines.append((name, *(f"{value:.4f}" for value in values)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
