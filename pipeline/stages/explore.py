"""The data as a person first looks at it: t-SNE of the rows, each column by class, the classes, the logistic curve.

t-SNE puts each row on a plane so that neighbours among the features stay neighbours (van der Maaten and Hinton 2008).
Where its clusters are the classes, a simple model may do.
"""

import json
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from pipeline import config, figures, outputs, tables
from pipeline.logistic.objective import sigmoid
from pipeline.stages import run, told
from pipeline.stages.load import read_report
from pipeline.columns import roles

LEVELS = 20  # of a column of words that t-SNE sees


def embed(table: pd.DataFrame, params: config.Explore) -> pd.DataFrame:
    """Two coordinates, x and y, and the class for each row of `table`, or of a sample of `params.rows` of them."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    from pipeline.columns.features import preprocessing

    if len(table) > params.rows:
        table = table.sample(params.rows, random_state=params.seed)
    perplexity = min(params.perplexity, max((len(table) - 1) // 3, 1))  # more, and every row is every row's neighbour
    if perplexity < params.perplexity:
        warnings.warn(
            f"explore.perplexity = {params.perplexity:g} is too much for {len(table)} rows; {perplexity} is used.",
            stacklevel=2,
        )
    X, y = tables.features_and_target(table)
    tsne = TSNE(perplexity=perplexity, random_state=params.seed, init="random", max_iter=500)
    with threadpool_limits(1):  # its threads wait for each other so often that on a busy machine one is much faster
        positions = tsne.fit_transform(preprocessing(X, max_levels=LEVELS, min_rows=1).fit_transform(X))
    return pd.DataFrame({"x": positions[:, 0], "y": positions[:, 1], "class": y})


def class_balance(table: pd.DataFrame) -> pd.DataFrame:
    counts = table.iloc[:, -1].value_counts().sort_index()
    return counts.rename("rows").rename_axis("class").reset_index()


def logistic_curve() -> pd.DataFrame:
    r = np.linspace(-10, 10, 201)
    return pd.DataFrame({"r": r, "probability": sigmoid(r)})


def draw(report: pd.DataFrame, bars: dict[str, dict], balance: pd.DataFrame, curve: pd.DataFrame) -> None:
    title, folder = f"{balance['rows'].sum():,} rows", outputs.EXPLORE
    figures.save(figures.columns, folder / "columns.png", bars=bars, report=report)
    figures.save(figures.class_balance, folder / "class_balance.png", counts=balance, title=title)
    figures.save(figures.logistic_curve, folder / "logistic_curve.png", curve=curve)


def main() -> None:
    folder, params = outputs.EXPLORE, config.read("explore")
    report = read_report(outputs.ROOT / outputs.COLUMNS)
    bars = json.loads((outputs.ROOT / outputs.DISTRIBUTIONS).read_text())
    table = tables.load(outputs.ROOT / outputs.TABLE)
    table = table[[*roles.features(report), table.columns[-1]]]
    balance, curve = class_balance(table), logistic_curve()
    with ProcessPoolExecutor(1) as pool:  # draws while t-SNE computes
        drawn = pool.submit(draw, report, bars, balance, curve)
        with told():
            embedding = embed(table, params)
        drawn.result()
    embedding.to_csv(folder / "tsne.csv", index=False)
    balance.to_csv(folder / "class_balance.csv", index=False)
    curve.to_csv(folder / "logistic_curve.csv", index=False)
    title = f"t-SNE of {len(embedding):,} rows, {len(table.columns) - 1} features"
    figures.save(figures.points, folder / "tsne.png", table=embedding, title=title)


if __name__ == "__main__":
    run(main)
