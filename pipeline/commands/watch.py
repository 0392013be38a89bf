"""Compare new rows with those that a model was trained on: a table, a page, and a run in MLflow.

    python -m pipeline watch data/new.csv
    python -m pipeline watch data/new.csv --model models:/adult@champion --output report.html

For each column that changed: the population stability index, the share of missing cells, and categories that training
never had; the same for the predicted probabilities. Where the file has the target, its scores beside those of the test
rows. The page is outputs/watch/<name of the file>.html unless --output names another. In MLflow the run is below that
of the model, and its scores are also those of the model.

The exit status is for cron: 0 the same, 3 a column, the probability or a score changed, 4 one of them changed much
(1 an error).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.errors import UserError, warned_once
from pipeline.evaluation import report
from pipeline.evaluation.drift import Watch
from pipeline.files import formats, paths, stored
from pipeline.files.paths import refuse_to_replace
from pipeline.model import Model
from pipeline.reading import served, typed
from pipeline.reading.rows import chunks
from pipeline.tracking import named

LISTED, PANELS = 20, 9  # columns in the terminal, and in the picture
CHANGED, MUCH = 3, 4  # exit statuses
KNOWN = 0.5  # a share of rows that are training rows, from which on they are reported


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="the rows to compare: CSV, Excel, Parquet and others")
    parser.add_argument("--output", metavar="FILE", help="the page; default: below outputs/watch")
    parser.add_argument("--model", help=named.HELP)


def main(file: str, model: str | None, output: str | None) -> int:
    """The exit status is returned.

    Errors: `UserError` for a file or a model that can't be used, where no row can be read, and without a store.
    """
    from pipeline.tracking import records, registry  # MLflow takes seconds to import

    refuse_to_replace(file, output)
    path, settings = Path(file), config.read("tracking")
    fitted, options = named.model_of(model)
    if model is None:
        before = paths.ROOT / paths.REFERENCE
        if not before.exists():
            raise UserError(f"{before} doesn't exist: the model was not evaluated. `dvc repro` does that.")
        seen = formats.load_json(before)
    else:
        seen = registry.reference(model, settings)
    watch, n_wrong, n_unknown, n_known = Watch(fitted, seen), 0, 0, 0
    trained_on = _training_hashes(fitted) if model is None else np.array([], np.uint64)
    with warned_once():
        for chunk in chunks(path, [*fitted.raw_columns, seen["target"]], options):
            frame, reasons = fitted.read_each(chunk.rows)
            n_wrong += len(chunk.wrong) + len(reasons)
            if len(frame):
                y = _classes(fitted, chunk.rows.loc[frame.index], seen["target"])
                watch.add(frame, y)
                n_known += int(np.isin(stored.row_hashes(frame[fitted.columns]), trained_on).sum())
                n_unknown += 0 if y is None else int(pd.isna(y).sum())
    if not watch.n_rows:
        raise UserError(f"{file} has no row that can be read{f' ({n_wrong:,} that cannot)' if n_wrong else ''}.")
    changes, judged = watch.changes(), watch.judged()
    print(_page(changes, judged, watch.n_rows))
    if n_wrong:
        print(f"{n_wrong:,} rows can't be read: `python -m pipeline predict {file}` has the reasons", file=sys.stderr)
    if n_unknown:
        print(
            f"{n_unknown:,} rows have no class, or one that training never had: no score counts them", file=sys.stderr
        )
    if n_known > KNOWN * watch.n_rows:
        print(
            f"warning: {n_known:,} of the {watch.n_rows:,} rows are training rows: of rows that the model knows the "
            f"comparison says little, and the scores are too good. Give later rows.",
            file=sys.stderr,
        )
    page = Path(output or paths.ROOT / "watch" / f"{path.stem}.html")
    try:
        panels = watch.panels(changes["column"].head(PANELS))
        report.write_watch(page, path.name, seen["data"], watch.n_rows, changes, judged, panels)
    except OSError as error:
        raise UserError(f"{page} can't be written: {error.strerror or error}.") from None
    print(f"\nthe page is {page}")
    digest = None if model is not None else records.main_record(config.load()).digest
    print(registry.log_watch(model, digest, path.name, page, changes, judged, watch.n_rows, settings))
    return _status(changes, judged)


def _status(changes: pd.DataFrame, judged: pd.DataFrame | None) -> int:
    """The exit status: 0, CHANGED or MUCH."""
    is_worse = judged is not None and (judged["verdict"] == "worse than").any()
    much = (changes["verdict"] == "changed much").any()
    return MUCH if much else CHANGED if is_worse or (changes["verdict"] == "changed").any() else 0


def _training_hashes(fitted: Model) -> np.ndarray:
    """A number for each training row of the model in outputs/."""
    file = paths.ROOT / paths.TRAINING_ROWS
    return stored.row_hashes(stored.StoredTable(file)[fitted.columns]) if file.exists() else np.array([], np.uint64)


def _classes(fitted: Model, rows: pd.DataFrame, target: str) -> np.ndarray | None:
    """The class of each row, None for one that the model does not know; None where there is no such column."""
    if target not in rows:
        return None
    classes = [str(label) for label in fitted.classes_]
    as_strings = served.spelt(rows[target], classes)
    labels = typed.parse(as_strings, target, fitted.cell_format, "strings")[0].to_pandas()
    return labels.astype(object).where(labels.isin(classes), None).to_numpy()


def _page(changes: pd.DataFrame, judged: pd.DataFrame | None, n_rows: int) -> str:
    """Both tables, for the terminal."""
    is_news = (changes["verdict"] != "as before") | (changes["new_categories"] > 0)
    is_news |= changes["column"].str.startswith("probability of ")
    news, table = changes[is_news], changes[is_news].head(LISTED)
    lines = pd.DataFrame(
        {
            "": table["column"],
            "psi": [f"{value:.3f}" for value in table["psi"]],
            "by chance": [f"{value:.3f}" for value in table["by_chance"]],
            "missing": _pairs(table, "missing"),
            "new categories": [
                f"{share:.2%} ({names})" if share else ""
                for share, names in zip(table["new_categories"], table["new"], strict=True)
            ],
            "verdict": table["verdict"],
        }
    )
    paragraphs = [f"{n_rows:,} rows", lines.to_string(index=False, justify="left")]
    if len(news) > LISTED:
        paragraphs.append(f"and {len(news) - LISTED:,} columns that changed less")
    if len(changes) > len(news):
        paragraphs.append(f"as before: {len(changes) - len(news):,} columns")
    if judged is not None:
        cells = {
            "": judged["score"],
            "now": _intervals(judged, "now"),
            "test rows": _intervals(judged, "test"),
            "verdict": judged["verdict"],
        }
        paragraphs += ["", pd.DataFrame(cells).to_string(index=False, justify="left")]
    return "\n".join(paragraphs)


def _pairs(table: pd.DataFrame, name: str) -> list[str]:
    before, now = table[f"{name}_before"], table[f"{name}_now"]
    return [f"{a:.1%} to {b:.1%}" if a or b else "" for a, b in zip(before, now, strict=True)]


def _intervals(table: pd.DataFrame, name: str) -> list[str]:
    columns = table[[name, f"{name}_lower", f"{name}_upper"]].to_numpy()
    return [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in columns]
