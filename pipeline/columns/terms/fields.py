"""The values of a document (JSON), each checked when it is taken: a damaged or foreign one is one message."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.reading import CellFormat


class Fields:
    """A section of a document. Every method returns the value of a key, or raises a `UserError` that names it.

    where  what the document is called in messages, and the way to the section in it
    """

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, Mapping):
            raise UserError(f"{where} is {_short(values)}, not a section of keys.")
        self._values, self._where = values, where

    @property
    def values(self) -> dict[str, Any]:
        """All of them, unchecked."""
        return dict(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(map(str, self._values))

    def text(self, key: str) -> str:
        return self._taken(key, "a string", lambda value: isinstance(value, str))

    def number(self, key: str) -> float:
        return float(self._taken(key, "a finite number", _is_number))

    def numbers(self, key: str, *shape: int | None) -> np.ndarray:
        """An array of finite numbers; None in `shape` is any length."""
        lengths = " x ".join("n" if n is None else str(n) for n in shape)
        value = self._taken(key, f"{lengths} finite numbers", lambda value: isinstance(value, list))
        try:
            array = np.array(value, dtype=np.float64).reshape(
                [0] if value == [] and len(shape) == 1 else np.shape(value)
            )
        except (TypeError, ValueError):
            array = np.empty((0, 0, 0))
        if len(shape) == 2 and value == []:
            array = np.empty((0, shape[1] or 0))
        fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
        if not fits or not np.isfinite(array).all():
            raise self._wrong(key, value, f"{lengths} finite numbers")
        return array

    def codes(self, key: str, n: int) -> np.ndarray:
        """Whole numbers from 0 up, (n,)."""
        array = self.numbers(key, n)
        if (array < 0).any() or (array != np.rint(array)).any() or (array >= 2**31).any():
            raise self._wrong(key, array.tolist(), "whole numbers from 0 up")
        return array.astype(np.int64)

    def text_or_null(self, key: str) -> str | None:
        return self._taken(key, "a string or null", lambda value: value is None or isinstance(value, str))

    def number_or_null(self, key: str) -> float | None:
        value = self._taken(key, "a finite number or null", lambda value: value is None or _is_number(value))
        return None if value is None else float(value)

    def texts(self, key: str) -> list[str]:
        return self._list(key, "a list of strings", str)

    def texts_or_null(self, key: str) -> list[str | None]:
        return self._list(key, "a list of strings and nulls", (str, type(None)))

    def section(self, key: str) -> "Fields":
        return Fields(self._taken(key, "a section", lambda value: isinstance(value, Mapping)), f"{self._where}, {key}")

    def sections(self, key: str) -> list["Fields"]:
        sections = self._list(key, "a list of sections", dict)
        return [Fields(values, f"{self._where}, {key}[{k}]") for k, values in enumerate(sections)]

    def value(self, key: str) -> Any:
        """Whatever it is; None where it is not there."""
        return self._values.get(key)

    def wrong(self, reason: str) -> UserError:
        """The error for values that do not fit each other."""
        return UserError(f"{self._where}: {reason}.")

    def _list(self, key: str, wanted: str, types: Any) -> Any:
        return self._taken(
            key, wanted, lambda value: isinstance(value, list) and all(isinstance(entry, types) for entry in value)
        )

    def _taken(self, key: str, wanted: str, is_right: Any) -> Any:
        if key not in self._values:
            raise UserError(f"{self._where} has no {key!r}.")
        if not is_right(value := self._values[key]):
            raise self._wrong(key, value, wanted)
        return value

    def _wrong(self, key: str, value: Any, wanted: str) -> UserError:
        return UserError(f"{self._where}, {key} is {_short(value)}, not {wanted}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _by_column(cells: Fields, key: str) -> dict[str, str]:
    """Older models have none."""
    return {name: cells.section(key).text(name) for name in cells.section(key)} if key in cells else {}


def cell_format_of(cells: Fields) -> CellFormat:
    """How the cells of the training table were written."""
    dates: Any = cells.value("date_format")
    if isinstance(dates, Mapping):
        by_column = cells.section("date_format")
        dates = {name: by_column.text(name) for name in by_column}
    elif dates is not None:
        dates = cells.text("date_format")
    replace = cells.section("replace")
    return CellFormat(
        missing_values=cells.texts("missing_values"),
        decimal=cells.text_or_null("decimal"),
        thousands=cells.text_or_null("thousands"),
        date_format=dates,
        units=_by_column(cells, "units"),
        parts=_by_column(cells, "parts"),
        replace={name: {old: replace.section(name).text(old) for old in replace.section(name)} for name in replace},
    )
