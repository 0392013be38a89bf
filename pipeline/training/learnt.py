"""What a model learnt, as tables: costs, weights, curves, pairs, effects; and the record of how the training went."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import model
from pipeline.columns.terms import Rows
from pipeline.files import formats, paths
from pipeline.files.formats import WEIGHT_DIGITS
from pipeline.training.fit import Training
from pipeline.training.intervals import REACH, credible_covariances, inference_table, inferences, with_intervals


def costs(training: Training) -> pd.DataFrame:
    """The cost of every iteration, the random start first; for many classes their mean, then one column per class."""
    history = pd.DataFrame(training.fitted.cost_history_)
    if history.shape[1] == 1:
        history.columns = ["cost"]
    else:
        history.columns = [f"cost/{label}" for label in training.fitted.classes_]
        history.insert(0, "cost", history.ffill().mean(axis="columns"))  # a class that has converged keeps its cost
    return history.rename_axis("iteration").reset_index()


def weights(training: Training) -> pd.DataFrame:
    """One row per feature (and class): the weight per standard deviation and per unit, and their odds ratios.

    Of each class, the features of the largest effect (the weight per standard deviation, without its sign) come first.

    The column `curve` names the curve or pair of a weight. Without curves and pairs there is no such column.

    The unit of a category is 1: where the cell has it, against where not. An odds ratio is exp(weight): the factor by
    which the odds of the class grow when the feature grows by one standard deviation, or by one of its own units.
    """
    features = training.features
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "class": label,
                    "feature": features.names,
                    "weight_per_standard_deviation": coef * features.deviation,
                    "weight_per_unit": coef / features.scale,
                }
            ).iloc[np.argsort(-np.abs(coef * features.deviation), kind="stable")]
            for label, coef, _ in training.columns_of_weights
        ],
        ignore_index=True,
    )
    if drawn := features.drawn:  # none of these weights says how the odds change with the number
        names = {k: term.name for term, (_, pieces) in drawn for part, _ in pieces for k in features.positions([part])}
        table["curve"] = table["feature"].map({features.names[k]: name for k, name in names.items()})
    return with_odds_ratios(table)


def words(training: Training) -> pd.DataFrame:
    """What each word of a text, or value of a list, adds to the log-odds in a row that has it, on average.

    class, column, token, effect, rows. `rows` have the token. Of each class and column, the largest weights per
    standard deviation come first: a large effect of few rows changes little.
    """
    features, seen, tables = training.features, Rows(training.rows), []
    for label, coef, _ in training.columns_of_weights:
        for term in training.model.design.counted:
            positions = features.positions([term])
            names = features.names[positions].astype(str)
            effect, tallies = coef[positions] / features.scale[positions], seen.tallies(term)[0]
            rows = dict(zip((f"{term.name}: {name}" for name in term.labels), tallies.astype(int), strict=True))
            table = pd.DataFrame({"class": label, "column": term.name, "effect": effect})
            table.insert(2, "token", [name.removeprefix(f"{term.name}: ") for name in names])
            table["rows"] = [rows[name] for name in names]
            size = np.abs(coef[positions] * features.deviation[positions])
            tables.append(table.iloc[np.argsort(-size, kind="stable")])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


class Drawn(NamedTuple):
    """A term whose effect makes a picture: the cells that stand for all others, those that training rows have."""

    cells: pd.DataFrame  # `value`, or of a pair `first` and `second`, and `rows`
    positions: np.ndarray  # (n_positions,), of its features
    basis: np.ndarray  # (n_cells, n_positions), their values


def drawn_terms(training: Training) -> dict[str, Drawn]:
    """By name, curves (cells have a `value`) and pairs."""
    features, rows, terms = training.features, Rows(training.rows), {}
    for term, (cells, pieces) in features.drawn:
        counts = rows.near(*pieces[0])
        is_there = counts > 0
        positions = features.positions(part for part, _ in pieces)
        cells = cells.assign(rows=counts)[is_there].reset_index(drop=True)
        terms[term.name] = Drawn(cells, positions, features.of_pieces(pieces)[is_there])
    return terms


def effects_of_cells(training: Training, kind: str, covariances: dict[str, np.ndarray]) -> pd.DataFrame:
    """What terms add to the log-odds at the cells that stand for all others: of curves (`feature`) or pairs (`pair`).

    class, feature, value, effect, lower, upper, rows: the effect is relative to the mean of the training rows. The band
    is credible (`credible_covariances`), 95 % at each point, and NaN without covariances.

    class, pair, first, second, effect, rows: the effect is that beside the effects of the two columns alone.
    """
    tables = []
    for label, coef, _ in training.columns_of_weights:
        for name, (cells, positions, basis) in drawn_terms(training).items():
            if ("value" in cells) != (kind == "feature"):
                continue
            columns = cells.drop(columns="rows").assign(effect=basis @ coef[positions])
            if kind == "feature":
                reach = np.full(len(cells), np.nan)
                if label in covariances:
                    covariance = covariances[label][np.ix_(positions, positions)]
                    reach = REACH * np.sqrt(np.einsum("bi,ij,bj->b", basis, covariance, basis))
                columns = columns.assign(lower=columns["effect"] - reach, upper=columns["effect"] + reach)
            names = pd.DataFrame({"class": label, kind: name}, cells.index)
            tables.append(pd.concat([names, columns, cells["rows"]], axis="columns"))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def effects(
    training: Training, weights: pd.DataFrame, covariances: dict[str, np.ndarray], *bent: pd.DataFrame
) -> pd.DataFrame:
    """One row per number, category, curve and pair (and class), where `weights` has one per feature; the largest first.

    Categories of different columns that the same rows have are one row, with the sum of their weights. A curve has the
    deviation of its log-odds over the training rows in place of the weight per standard deviation, and its change from
    the first quartile of the number to the third (or from the least to the largest, where most numbers are the same) in
    place of that per unit; a pair has only the first of these. `bent` are `effects_of_cells`, where the model has some.

    The odds ratio per unit has a credible interval if there are `covariances`.
    """
    effect_table = weights if "curve" not in weights else weights[weights["curve"].isna()]
    effect_table = effect_table[["class", "feature", "weight_per_standard_deviation", "weight_per_unit"]]
    scale, names = training.features.scale, training.features.names
    contrasts = {str(name): (np.array([k]), 1 / scale[[k]]) for k, name in enumerate(names)}  # weights are multiplied
    for indicators, n_rows in same_rows(training):
        is_part = effect_table["feature"].isin(indicators)
        title = f"{' and '.join(indicators)} (the same {n_rows:,} rows)"
        joint = effect_table[is_part].drop(columns="feature").groupby("class", sort=False, as_index=False).sum()
        effect_table = pd.concat([effect_table[~is_part], joint.assign(feature=title)])
        contrasts[title] = np.flatnonzero(np.isin(names, indicators)), np.ones(len(indicators))
    drawn, rows = drawn_terms(training), []
    for table in bent:
        for (label, name), part in table.groupby(["class", "feature" if "value" in table else "pair"], sort=False):
            counts, effect = part["rows"].to_numpy(), part["effect"].to_numpy()
            deviation = np.sqrt(np.cov(effect, fweights=counts, ddof=0)) if len(part) > 1 else 0.0
            title, change = str(name), np.nan
            if "value" in part:
                low, high = np.searchsorted(np.cumsum(counts), np.array([0.25, 0.75]) * counts.sum())
                low, high = (low, high) if low < high else (0, len(part) - 1)
                title = f"{name}, from {part['value'].iloc[low]:.6g} to {part['value'].iloc[high]:.6g}"
                change, curve = effect[high] - effect[low], drawn[str(name)]
                contrasts[title] = curve.positions, curve.basis[high] - curve.basis[low]
            rows.append((label, title, -deviation if change < 0 else deviation, change))
    effect_table = pd.concat([effect_table, pd.DataFrame(rows, columns=effect_table.columns)]) if rows else effect_table
    classes = pd.Categorical(effect_table["class"], weights["class"].unique())
    order = np.lexsort((-effect_table["weight_per_standard_deviation"].abs(), classes.codes))
    effect_table = effect_table.iloc[order].reset_index(drop=True)
    return with_odds_ratios(effect_table, _reaches(effect_table, contrasts, covariances) if covariances else None)


def _reaches(
    effects: pd.DataFrame, contrasts: dict[str, tuple[np.ndarray, np.ndarray]], covariances: dict[str, np.ndarray]
) -> np.ndarray:
    """Half the length of the credible interval of each effect per unit, (n_effects,); NaN for one without contrast."""
    reaches = np.full(len(effects), np.nan)
    for k, (label, name) in enumerate(zip(effects["class"], effects["feature"], strict=True)):
        if name in contrasts:
            positions, factors = contrasts[name]
            reaches[k] = REACH * np.sqrt(factors @ covariances[label][np.ix_(positions, positions)] @ factors)
    return reaches


def same_rows(training: Training) -> list[tuple[list[str], int]]:
    """The names of indicators of different columns that are 1 in the same training rows, and how many rows these are.

    Whole numbers are drawn for the rows: equal sums of those of two indicators are no chance.
    """
    features = training.features
    drawn = features.positions(part for _, (_, pieces) in features.drawn for part, _ in pieces)
    is_alone = ~np.isin(np.arange(len(features.names)), drawn)
    positions = np.flatnonzero(is_alone & (features.centre == 0) & (features.scale == 1))
    rng, n = np.random.default_rng(0), len(training.rows)
    sums = np.zeros((training.rows.n_base + 1, 2))
    for block, _ in training.rows.strips():
        numbers = rng.integers(1, 2**52 // n, len(block)).astype(float)  # whose sums are exact
        sums += block.transposed(np.column_stack([numbers, np.ones(len(block))]))
    groups: dict[tuple[float, float], list[str]] = {}
    for name, key in zip(features.names[positions], (features.T.T @ sums)[positions].tolist(), strict=True):
        groups.setdefault((key[0], key[1]), []).append(str(name))
    return [(names, int(n_rows)) for (_, n_rows), names in groups.items() if len(names) > 1 and n_rows]


def with_odds_ratios(table: pd.DataFrame, reach: np.ndarray | None = None) -> pd.DataFrame:
    """With those of the ends of credible intervals per unit, too, which go `reach` (n_rows,) to both sides."""
    with np.errstate(over="ignore"):
        for name in ("per_standard_deviation", "per_unit"):
            table[f"odds_ratio_{name}"] = np.exp(table[f"weight_{name}"])
        if reach is not None:
            for end, sign in (("lower", -1), ("upper", 1)):
                table[f"odds_ratio_per_unit_credible_{end}"] = np.exp(table["weight_per_unit"] + sign * reach)
    return table


def summary(training: Training) -> dict[str, dict[str, Any]]:
    """For each column of weights: iterations used, how it stopped, its cost at the start and at the end."""
    classify = training.fitted
    history = np.asarray(classify.cost_history_).reshape(len(classify.cost_history_), -1)
    return {
        label: {
            "iterations": int(iterations),
            "stopped": stopped,
            "first_cost": float(column[0]),
            "last_cost": float(column[iterations]),
            "intercept": float(intercept),
        }
        for (label, _, intercept), iterations, stopped, column in zip(
            training.columns_of_weights, classify.n_iter_, classify.stop_reason_, history.T, strict=True
        )
    }


def write(
    training: Training,
    root: Path,
    warned: Sequence[str] = (),
    clusters: np.ndarray | None = None,
) -> None:
    """The models, costs, weights, inference, summary and warnings, below `root`."""
    covariances = credible_covariances(training)
    fits = inferences(training, covariances, clusters)
    names = training.features.names
    inferred = inference_table(names, fits)
    categories = [names[j] for group in training.features.partitions for j in group]
    record = summary(training)
    for label, (fit, _) in fits.items():
        record[label] |= {key: getattr(fit, key) for key in ("deviance", "null_deviance", "mcfadden_r2", "aic", "note")}
    model.save(training.start, root / paths.START)
    model.save(training.model, root / paths.MODEL)
    formats.save_csv(costs(training), root / paths.COSTS)
    table, drawn = weights(training), []
    formats.save_csv(with_intervals(table, inferred, categories), root / paths.WEIGHTS, WEIGHT_DIGITS)
    formats.save_csv(inferred, root / paths.INFERENCE)
    for kind, file in (("feature", paths.CURVES_OF_FEATURES), ("pair", paths.SURFACES)):
        cells = effects_of_cells(training, kind, covariances)
        if len(cells):
            drawn.append(cells)
            formats.save_csv(cells, root / file)
    if len(of_words := words(training)):
        formats.save_csv(of_words, root / paths.WORDS, WEIGHT_DIGITS)
    credible = covariances if "credible_lower" in inferred else {}
    formats.save_csv(effects(training, table, credible, *drawn), root / paths.EFFECTS, WEIGHT_DIGITS)
    formats.save_json(record, root / paths.TRAINING_SUMMARY, WEIGHT_DIGITS)
    formats.save_json({"warnings": list(warned)}, root / paths.TRAINING_WARNINGS)
