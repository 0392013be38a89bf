"""How a table's file is to be read. What is `None` is found out from the file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

MISSING = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "Null", "null"),
    *("None", "NONE", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "-", "--", "."),
)


@dataclass(frozen=True)
class CellFormat:
    """How cells are written: all that a model must know to read more of them."""

    missing_values: Collection[str] = MISSING
    decimal: str | None = None
    thousands: str | None = None  # never guessed: `1,234` may be a decimal
    date_format: str | Mapping[str, str] | None = None  # of all columns of dates, or by column
    replace: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # words by column: {"sex": {"f": "female"}}


@dataclass(frozen=True)
class Options(CellFormat):
    columns: Collection[str] | None = None  # to keep; all
    drop: Collection[str] = ()
    names: Sequence[str] | None = None  # of the columns of a file without a header; else column_1, column_2, ...
    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    compression: str | None = None
