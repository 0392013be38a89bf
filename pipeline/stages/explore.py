"""A first look at the data: each column by class, the classes, the logistic curve and, where asked, t-SNE of the rows.

t-SNE puts each row on a plane so that neighbours among the features stay neighbours (van der Maaten and Hinton 2008).
Where its clusters are the classes, a simple model may do.
"""

import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import roles
from pipeline.columns.target import features_and_target
from pipeline.columns.terms import Settings, prepare
from pipeline.errors import reported_warnings
from pipeline.figures import data, drawing
from pipeline.files import formats, paths, stored
from pipeline.logistic.loss import sigmoid

CATEGORIES = 20  # of a column that t-SNE sees at most
WORDS = 200  # of a text
DIGITS = 5  # of the coordinates


def embed(table: stored.Table, params: config.Explore, tokens: dict[str, str] | None = None) -> pd.DataFrame:
    """Two coordinates, x and y, and the class for each row of `table`, or of a sample of `params.rows` of them."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n_rows = params.rows or len(table)
    if len(table) > n_rows:
        table = table.take(np.random.RandomState(params.seed).choice(len(table), n_rows, replace=False))
    table = stored.in_memory(table)
    perplexity = min(
        params.perplexity, max((len(table) - 1) // 3, 1)
    )  # with more, every row is a neighbour of every row
    if perplexity < params.perplexity:
        warnings.warn(
            f"explore.perplexity = {params.perplexity:g} is too much for {len(table)} rows; {perplexity} is used.",
            stacklevel=2,
        )
    X, y = features_and_target(table)
    Z = prepare(X, Settings(max_categories=CATEGORIES, tokens=tokens or {}, words=WORDS))[-1]
    tsne = TSNE(perplexity=perplexity, random_state=params.seed, init="random", max_iter=500)
    with threadpool_limits(1):  # its threads wait for each other so often that on a busy machine one is much faster
        positions = tsne.fit_transform(Z.toarray())
    return pd.DataFrame({"x": positions[:, 0], "y": positions[:, 1], "class": y})


def class_balance(table: stored.Table) -> pd.DataFrame:
    counts = table[table.columns[-1]].value_counts().sort_index()
    return counts.rename("rows").rename_axis("class").reset_index()


def logistic_curve() -> pd.DataFrame:
    r = np.linspace(-10, 10, 201)
    return pd.DataFrame({"r": r, "probability": sigmoid(r)})


def draw(
    title_of_data: str,
    report: pd.DataFrame,
    bars: dict[str, dict],
    balance: pd.DataFrame,
    curve: pd.DataFrame,
    folder: Path,
) -> None:
    drawing.save(data.columns, folder / "columns.png", title_of_data, bars=bars, report=report)
    title = f"{balance['rows'].sum():,} rows"
    drawing.save(data.class_balance, folder / "class_balance.png", title_of_data, counts=balance, title=title)
    drawing.save(data.logistic_curve, folder / "logistic_curve.png", curve=curve)


def main(root: Path) -> None:
    folder, params = root / paths.EXPLORE, config.read("explore")
    report = formats.load_columns(paths.ROOT / paths.COLUMNS)
    bars = formats.load_json(paths.ROOT / paths.DISTRIBUTIONS)
    table = stored.StoredTable(paths.ROOT / paths.TABLE)
    table = table[[*roles.features(report), table.columns[-1]]]
    balance, curve = class_balance(table), logistic_curve()
    with ProcessPoolExecutor(1) as pool:  # draws while t-SNE computes
        title_of_data = formats.load_json(paths.ROOT / paths.PROFILE)["data"]
        drawn = pool.submit(draw, title_of_data, report, bars, balance, curve, folder)
        if params.rows is not None:
            print(f"t-SNE of {min(params.rows, len(table)):,} rows; -S explore.rows=null leaves it out", flush=True)
            with reported_warnings():
                embedding = embed(table, params, roles.tokens(report))
            formats.save_csv(embedding, folder / "tsne.csv", DIGITS)
        drawn.result()
    formats.save_csv(balance, folder / "class_balance.csv")
    formats.save_csv(curve, folder / "logistic_curve.csv")
    if params.rows is not None:
        embedding = formats.load_csv(folder / "tsne.csv")
        title = f"t-SNE of {len(embedding):,} rows, {len(table.columns) - 1} features"
        drawing.save(data.points, folder / "tsne.png", title_of_data, table=embedding, title=title)
