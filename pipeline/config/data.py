"""The section `data`: a bundled data set, or a table with how to read it."""

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from pipeline.config.section import Name, Section

FORMAT = re.compile(  # the end of a file's name
    r"(?i)(?<=.)(\.(arff|arrow|csv|dat|data|db|dta|duckdb|feather|geojson|json|jsonl|libsvm|ndjson|ods|orc|parquet|pq|psv"
    r"|rda|rdata|rds|sas7bdat|sav|sqlite3?|svm|tab|tar|tsv|txt|vw|xls|xlsm|xlsx|xpt|zsav))?(\.(bz2|gz|tgz|xz|zip|zstd?))?$"
)


Bundled = Literal["breast_cancer", "iris", "wine", "digits"]


class BundledData(Section):
    name: Bundled

    @property
    def title(self) -> str:
        return self.name

    @property
    def source(self) -> str:
        return f"scikit-learn's {self.name}"


class Expectation(Section):
    """What must hold of a column; a rule that is not given is not checked."""

    type: Literal["number", "string", "date"] | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    allowed: list[float | str] | None = None
    unique: bool | None = None
    missing: bool | None = None


class TableData(Section):
    name: Literal["table"]
    path: Annotated[str, Field(min_length=1)]
    target: Annotated[Name, Field(min_length=1)]
    columns: list[Name] | None
    drop: list[Name]
    roles: dict[Name, Literal["numeric", "categorical", "boolean", "date", "text", "list", "drop"]]
    expectations: dict[Name, Expectation]
    replace: dict[Name, dict[Name, Name]]
    words: Annotated[int, Field(ge=1)]
    weight: Name | None
    offset: Name | None
    missing_values: list[Name]
    more_missing: list[Name]
    units: dict[Name, Annotated[Name, Field(min_length=1)]]
    parts: dict[Name, Literal["domain", "host", "network", "latitude", "longitude"]]
    date_format: str | dict[Name, str] | None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None
    decimal: Literal[".", ","] | None
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None
    quote: Annotated[str, Field(min_length=1, max_length=1)] | None
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None
    skip: Annotated[int, Field(ge=0)] | None
    comment: Annotated[str, Field(min_length=1)] | None
    sheet: Annotated[int, Field(ge=0)] | str | None
    encoding: str | None
    compression: Literal["none", "gzip", "bz2", "xz", "zstd", "zip"] | None
    header: bool | None
    names: list[Name] | None

    @property
    def title(self) -> str:
        """The folders below data/ and the file, without its format; `iris.csv` beside the bundled iris.

        It names the experiment and the registered model, so that of two tables each has its own.
        """
        path = Path(self.path)
        folders = path.parts[1:-1] if path.parts[:1] == ("data",) else ()
        file = path.name.strip(".")
        name = FORMAT.sub("", file)
        return "-".join([*folders, file if name in get_args(Bundled) and not folders else name])

    @property
    def source(self) -> str:
        return self.path


Data = Annotated[BundledData | TableData, Field(discriminator="name")]
