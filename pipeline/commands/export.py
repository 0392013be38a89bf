"""Write the model in another language: SQL, Python, JavaScript, a workbook, or one page that calculates.

    python -m pipeline export model.sql --dialect postgres --table patients --keep id
    python -m pipeline export model.html
    python -m pipeline export model.js --model models:/adult@champion

The suffix decides. Each gives the probability, the class that is decided for, and the contribution of each column, as
`predict` does, of cells as the model reads them: numbers as numbers, missing cells empty (in SQL, NULL).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import UserError
from pipeline.export import formula, page, program, sheet, sql
from pipeline.files.paths import refuse_to_replace
from pipeline.tracking import named


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="ends in .sql, .py, .js, .xlsx or .html")
    parser.add_argument("--model", help=named.HELP)
    parser.add_argument("--dialect", choices=sql.DIALECTS, default="duckdb", help="of SQL (default: duckdb)")
    parser.add_argument("--table", default="new_rows", help="the table of SQL (default: new_rows)")
    parser.add_argument("--keep", action="append", default=[], metavar="COLUMN", help="more columns of that table")
    parser.add_argument("--rows", type=int, default=1000, help="of the workbook's sheet for many rows (default: 1000)")


def main(file: str, model: str | None, dialect: str, table: str, keep: list[str], rows: int) -> None:
    path = Path(file)
    writers: dict[str, Callable[[], str | None]] = {
        ".sql": lambda: sql.select(of_model, title, dialect, table, keep),
        ".py": lambda: program.python(of_model, title),
        ".js": lambda: program.javascript(of_model, title),
        ".html": lambda: page.write(fitted, of_model, title),
        ".xlsx": lambda: sheet.write(of_model, title, path, rows),
    }
    if path.suffix not in writers:
        raise UserError(f"{file} should end in {', '.join(writers)}.")
    fitted, _ = named.model_of(model)
    of_model = formula.of(fitted)
    title = f"The probability of {fitted.positive_class}"
    if (written := writers[path.suffix]()) is not None:
        path.write_text(written, encoding="utf-8")
    print(path)
