"""How to read a table's file. An option that is `None` is found out from the file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

MISSING = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "Null", "null"),
    *("None", "NONE", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "-", "--", ".", "\N{EN DASH}", "\N{EM DASH}"),
    *("\\N", "n.a.", "N.A.", "#N/A N/A", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND", "1.#INF", "-1.#INF"),
)


@dataclass(frozen=True)
class CellFormat:
    """How cells are written: all that a model must know to read more of them."""

    missing_values: Collection[str] = MISSING
    decimal: str | None = None
    thousands: str | None = None  # None: where a column leaves no doubt; `1,234` alone may be a decimal
    date_format: str | Mapping[str, str] | None = None  # of all dates, or by column
    replace: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # cells by column: {"sex": {"f": "female"}}
    more_missing: Collection[str] = ()  # beside `missing_values`, to which they are added
    units: Mapping[str, str] = field(default_factory=dict)  # what the numbers of a column count: {"weight": "kg"}
    parts: Mapping[str, str] = field(default_factory=dict)  # of addresses, by column (`addresses`): {"email": "domain"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing_values", [*dict.fromkeys([*self.missing_values, *self.more_missing])])
        object.__setattr__(self, "more_missing", [])


@dataclass(frozen=True)
class Options(CellFormat):
    """How a file is written, and which of its columns to read."""

    columns: Collection[str] | None = None  # to keep; None keeps all
    drop: Collection[str] = ()
    names: Sequence[str] | None = None  # of the columns of a file without a header; None is column_1, column_2, ...
    header: bool | None = None
    skip: int | None = None  # lines above the header, or above the first row of a file without one
    comment: str | None = None  # lines that begin with it are left out; None leaves out none below the header
    delimiter: str | None = None  # " " is any number of spaces and tabs
    quote: str | None = None
    escape: str | None = None  # before a quote that is part of a quoted cell; None is the quote itself, written twice
    sheet: str | int | None = None  # of a spreadsheet, by name or by place from 0; None is the first
    encoding: str | None = None
    compression: str | None = None
