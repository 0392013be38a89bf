"""Write the model in another language: SQL, Python, JavaScript, a workbook, or one page that calculates.

    python -m pipeline export model.sql --dialect postgres --table patients --keep id
    python -m pipeline export model.html
    python -m pipeline export model.js --model models:/adult@champion
    python -m pipeline export card.html --points

The suffix decides. Each gives the probability, the class that is decided for, and the contribution of each column, as
`predict` does, of cells as the model reads them: numbers as numbers, missing cells empty (in SQL, NULL).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pipeline.errors import UserError
from pipeline.export import formula, page, program, sql
from pipeline.export.formula import Formula
from pipeline.files import formats, paths
from pipeline.model import Model
from pipeline.tracking import named


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="ends in .sql, .py, .js, .xlsx or .html")
    parser.add_argument("--model", help=named.HELP)
    parser.add_argument("--dialect", choices=sql.DIALECTS, default="duckdb", help="of SQL (default: duckdb)")
    parser.add_argument("--table", default="new_rows", help="the table of SQL (default: new_rows)")
    parser.add_argument("--keep", action="append", default=[], metavar="COLUMN", help="more columns of that table")
    parser.add_argument("--rows", type=int, default=1000, help="of the workbook's sheet for many rows (default: 1000)")
    parser.add_argument("--points", action="store_true", help="whole points to add by hand; model.html is a card then")


def main(file: str, model: str | None, dialect: str, table: str, keep: list[str], rows: int, points: bool) -> None:
    """Errors: `UserError` for a suffix that is none of these, and a model that can't be written so."""
    path = Path(file)
    writers: dict[str, Callable[[Formula, str], str | None]] = {
        ".sql": lambda written, title: sql.select(written, title, dialect, table, keep),
        ".py": program.python,
        ".js": program.javascript,
        ".html": lambda written, title: page.write(fitted, written, title, None if model else _predictions()),
        ".xlsx": lambda written, title: _sheet(written, title, path, rows),
    }
    if path.suffix not in writers:
        raise UserError(f"{file} should end in one of {', '.join(writers)}. JSON is the model itself: {paths.MODEL}.")
    fitted, _ = named.model_of(model)
    title, write = _title(fitted), writers[path.suffix]
    if points:
        from pipeline.export import points as rounded  # fits models

        if model is not None:
            raise UserError("points are fitted on the training rows of this repository. Leave out --model.")
        card, cost = rounded.of_training(fitted.threshold)
        note = _cost(cost)
        print(note)
        written = rounded.page(card, title, note) if path.suffix == ".html" else write(card.formula, title)
    else:
        written = write(formula.of(fitted), title)
    if written is not None:
        path.write_text(written, encoding="utf-8")
    print(path)


def _predictions() -> pd.DataFrame | None:
    """Those of the test rows, where this repository has them."""
    file = paths.ROOT / paths.PREDICTIONS
    return formats.load_csv(file) if file.exists() else None


def _sheet(written: Formula, title: str, path: Path, rows: int) -> None:
    try:
        from pipeline.export import sheet
    except ImportError:
        raise UserError(f"{path} takes the package openpyxl: pip install '.[tables]'") from None
    sheet.write(written, title, path, rows)


def _title(fitted: Model) -> str:
    classes = fitted.classes_.tolist()
    return f"How probable is {fitted.positive_class}?" if len(classes) == 2 else f"Which of {', '.join(classes)}?"


def _cost(cost: pd.DataFrame) -> str:
    (loss, rounded_loss), (area, rounded_area) = cost["log_loss"], cost["roc_auc"]
    return (
        f"Points cost {rounded_loss - loss:+.4f} log-loss ({loss:.4f} to {rounded_loss:.4f}) and "
        f"{rounded_area - area:+.4f} AUC ({area:.4f} to {rounded_area:.4f}), in cross-validation."
    )
