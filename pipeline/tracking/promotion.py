"""Make a model the champion unless it is worse than the present one.

Both models predict the test rows of this repository. The new one becomes the champion if its log-loss is not larger by
more than the margin: the upper end of the interval of the difference, from a bootstrap of the rows which both models
share (95 %), is at most that.
"""

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.files import paths, stored
from pipeline.logistic.loss import log_losses
from pipeline.model import Model
from pipeline.scores.bootstrap import interval, mean_draws


class RefusedError(UserError):
    """The champion stays."""


def promote(run_id: str | None, margin: float) -> None:
    """Errors: `RefusedError` where the champion stays, other `UserError` where there is no such run."""
    if margin < 0:
        raise UserError(f"--margin {margin:g} should be 0 or more: how much larger the log-loss may be.")
    from pipeline.tracking import records, registry  # MLflow takes seconds to import

    file = paths.ROOT / paths.TEST_ROWS
    if not file.exists():
        raise UserError(f"{file} doesn't exist: nothing has been split here. `dvc repro` makes it.")
    settings = config.read("tracking")
    digest = None if run_id is not None else records.main_record(config.load()).digest
    candidate = registry.candidate(run_id, digest, settings)
    champion = registry.champion(candidate.name, settings)
    if champion is None:
        version = registry.promote(candidate, {}, settings)
        print(f"{candidate.name}: version {version} is the champion, the first one")
        return
    if champion.digest == candidate.digest:
        print(f"{candidate.name}: this model is the champion already, version {champion.version}")
        return
    weight = stored.load_weights(paths.ROOT / paths.TEST_WEIGHTS)
    compared = difference(candidate.model, champion.model, stored.load_table(file), weight)
    print(compared.score_table(f"run {candidate.run_id[:8]}", f"champion, version {champion.version}"))
    lower, upper = compared.interval
    gap = f"{compared.mean:+.4f} [{lower:+.4f}, {upper:+.4f}]"
    if upper > margin:
        raise RefusedError(
            f"the champion stays version {champion.version}: the log-loss of the new model may be larger by more than "
            f"the margin, {margin:g} (difference {gap}). If that is fine: --margin {np.ceil(upper * 1e4) / 1e4:.4f}."
        )
    version = registry.promote(candidate, {"compared with": f"version {champion.version}", "log-loss": gap}, settings)
    print(f"{candidate.name}: version {version} is the champion now (log-loss {gap})")


class Difference:
    """How two models differ on the same rows, new minus old."""

    def __init__(self, losses: list[np.ndarray], correct: list[np.ndarray], weight: np.ndarray | None) -> None:
        """losses, correct: one array (n_samples,) of the new model and one of the old one."""
        weight = np.ones(len(losses[0])) if weight is None else weight
        counted = weight > 0
        losses, correct = [values[counted] for values in losses], [values[counted] for values in correct]
        weight = weight[counted]
        self.scores = {
            "log-loss": [float(np.average(values, weights=weight)) for values in losses],
            "accuracy": [float(np.average(values, weights=weight)) for values in correct],
        }
        each = losses[0] - losses[1]
        self.mean, self.interval = float(np.average(each, weights=weight)), interval(mean_draws(each, weight))

    def score_table(self, new: str, old: str) -> str:
        """A table of the scores of both."""
        names = pd.Index([new, old])
        return pd.DataFrame(self.scores, index=names).T.to_string(float_format="{:.4f}".format)


def difference(new: Model, old: Model, rows: pd.DataFrame, weight: np.ndarray | None = None) -> Difference:
    """Of both models on `rows`, the target last. Errors: `UserError` for a model of another table or other classes."""
    X, y = features_and_target(rows)
    losses, correct = [], []
    for fitted, which in ((new, "the new model"), (old, "the champion")):
        if absent := [name for name in fitted.columns if name not in X]:
            raise UserError(
                f"{which} is of another table: it needs {', '.join(map(repr, absent[:5]))}, which the test rows in "
                f"outputs/ have not. Make outputs/ those of its table, with the settings data and split, and try again."
            )
        if strange := sorted(set(y) - set(fitted.classes_.astype(str))):
            raise UserError(f"{which} does not know the class {str(strange[0])!r} of the test rows.")
        decided, P = fitted.decide(X)
        losses.append(log_losses(P, np.searchsorted(fitted.classes_, y)))
        correct.append(decided == y)
    return Difference(losses, correct, weight)
