"""Which columns of a file are read, and what they are called."""

import difflib
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading import header
from pipeline.reading.options import Options


def unknown_column(name: str, available: Iterable[str], where: str) -> UserError:
    """The error for a column that does not exist, with the most similar name that does."""
    available = [str(column) for column in available]
    close = difflib.get_close_matches(name, available, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    columns = ", ".join(available[:30]) + (f" and {len(available) - 30} more" if len(available) > 30 else "")
    return UserError(f"{where} has no column {name!r}. {hint}The columns are {columns}.")


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, those that repeat with a number: d, d_2."""
    distinct_names: list[str] = []
    for name in names:
        number, unique = 2, name
        while unique in distinct_names or (unique != name and unique in names):
            number, unique = number + 1, f"{name}_{number}"
        distinct_names.append(unique)
    return distinct_names


def _without_header(name: str, names: Sequence[str], path: Path) -> UserError | None:
    """The error for a name that a file without a header can't have; None for a file with a header."""
    if list(names) != [f"column_{place}" for place in range(1, len(names) + 1)]:
        return None
    return UserError(
        f"{path} has no column {name!r}, because no header was seen: the first line is taken for a row. The columns "
        f"are {names[0]} to {names[-1]}. Use these names, as in {override('data.target', names[-1])}; or name all "
        f"columns, as in {override('data.names', [*names[:-1], name])}; or, if the first line is a header, "
        f"set data.header=true, and data.target to a name in it."
    )


def kept(
    names: Sequence[str], options: Options, required: Collection[str], path: Path, *, row_names: Collection[str] = ()
) -> list[int]:
    """The positions of the columns to read. A name stands for all columns that have it.

    Those in `row_names` are left out unless a setting names them. Warns of these and of repeated names.
    """
    unique = unique_names(names)
    all_names = {*names, *unique}
    for name in [*(options.columns or ()), *options.drop, *sorted(required)]:
        if name not in all_names:
            raise _without_header(name, names, path) or unknown_column(name, unique, str(path))
    for name in required:
        if name in options.drop:
            raise UserError(
                f"data.drop leaves out {name!r}, but data.target, data.roles or data.date_format needs it. Remove it "
                f"from one of the two."
            )
    wanted = {*(options.columns or ()), *required}
    left_out = {*options.drop, *(name for name in row_names if name not in wanted)}
    chosen = [
        place
        for place, pair in enumerate(zip(names, unique, strict=True))
        if not left_out.intersection(pair) and (options.columns is None or wanted.intersection(pair))
    ]
    if not chosen:
        raise UserError(
            f"{path}: data.columns and data.drop leave no column. Keep at least the target and one feature."
        )
    is_text = list(row_names) == [header.ROW_NAMES]
    for name in sorted(left_out.intersection(row_names) - set(options.drop)):
        why = "the header has one name less than the rows have cells" if is_text else "pandas saved it as the index"
        warnings.warn(
            f"{path}: the column {name!r} is left out, because it holds row names: {why}. To use it: "
            f"{override('data.roles', {name: 'categorical' if is_text else 'numeric'})}.",
            stacklevel=6,
        )
    counts = Counter(names[place] for place in chosen)
    if repeated := [name for name, count in counts.items() if count > 1]:
        name = repeated[0]
        numbered = (
            f"if the first line is not a header: -S data.header=false {override('data.target', f'column_{len(names)}')}"
        )
        if asked := next((name for name in repeated if name in required), None):
            raise UserError(
                f"{path} has more than one column named {asked!r}, so data.target, data.roles or data.date_format is "
                f"ambiguous. Rename them; {numbered}."
            )
        called = [unique[place] for place in chosen if names[place] == name]
        warnings.warn(
            f"{path} has more than one column named {', '.join(map(repr, repeated[:5]))}. They are called "
            f"{' and '.join(map(repr, called))}. To leave out all of them: "
            f"{override('data.drop', [name])}, one of them: {override('data.drop', called[-1:])}."
            + f" {numbered[0].upper()}{numbered[1:]}."
            * (not required),  # a line with the target's name is a header
            stacklevel=6,
        )
    return chosen
