"""How the cells that a model is served were spelt in training: `True` for `yes`, the number 7 for `007`."""

import re
from collections import Counter
from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading.numbers import NUMBER
from pipeline.reading.typed import as_json

PAIRS = (("yes", "no"), ("true", "false"), ("y", "n"), ("t", "f"), ("on", "off"), ("1", "0"))


def spelt(column: pd.Series, categories: Collection[object] | None, decimal: str = ".") -> pa.ChunkedArray:
    """A column that a model is served, of any types, for `typed.parse`: categories are spelt as in training.

    `categories` are those that training had (missing is one that is no string), None for numbers and dates. `true`,
    `Yes` or 1 is understood if training had the same word, or if its categories are one of `PAIRS` and nothing else:
    then 1 means `yes`. The category `007` may arrive as the number 7, as other software reads it. In a column of
    numbers, True is 1; where numbers and strings are mixed, numbers get the `decimal` mark of the training table.
    Errors: `UserError` for true and false that can't be understood, which would count as an unseen category.
    """
    column = column.reset_index(drop=True).infer_objects()
    if categories is not None:
        column = column.dropna().astype(object).map(_in_training(column.name, categories)).reindex(column.index)
    elif column.dtype == object:

        def string(cell: object) -> str:
            written = _as_string(cell, "1", "0")
            return written if isinstance(cell, str) else written.replace(".", decimal)

        column = column[column.notna()].map(string).reindex(column.index)
    return pa.chunked_array([pa.array(column, from_pandas=True)])


def _in_training(name: object, categories: Collection[object]) -> Callable[[object], str]:
    """How a cell was spelt in training."""
    forms = {category.casefold(): category for category in categories if isinstance(category, str)}
    pair = next((pair for pair in PAIRS if forms and set(forms) <= set(pair)), None)
    spelt = {word: forms.get(pair[side]) for words in PAIRS for side, word in enumerate(words)} if pair else {}
    numbers = Counter(float(category) for category in forms if re.fullmatch(NUMBER, category))
    by_number = {float(word): forms[word] for word in forms if re.fullmatch(NUMBER, word) and numbers[float(word)] == 1}

    def spell(cell: object) -> str:
        string = _as_string(cell, "true", "false")
        word = string.strip().casefold()
        if string.strip() in forms.values():
            return string
        category = spelt.get(word) or (forms.get(word) if word in ("true", "false") else None)
        if category is None and not isinstance(cell, str | bool | np.bool_):
            category = by_number.get(float(word)) if re.fullmatch(NUMBER, word) else None
        if category is None and (word in ("true", "false") or word in spelt):
            examples = ", ".join(map(repr, list(forms.values())[:5])) + (", ..." if len(forms) > 5 else "")
            raise UserError(
                f"column {name!r}: {string!r} is a truth value, but the model was trained with {examples}. Use one of "
                f"these; leave the cell empty if it is not known."
            )
        return category or string

    return spell


def _as_string(value: object, true: str, false: str) -> str:
    if isinstance(value, bool | np.bool_):
        return true if value else false
    if isinstance(value, list | tuple | np.ndarray):
        return str(as_json(value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
