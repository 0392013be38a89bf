"""Text with one row per line that names the features it has: LIBSVM (svmlight) and Vowpal Wabbit.

LIBSVM         `label [qid:n] index:value ...` gives the columns label, qid, x1, x2, ...; what is not named is 0
Vowpal Wabbit  `label [importance] ['tag]|namespace feature[:value] ...` gives label, importance, tag, a column for each
               feature that has a value somewhere, and for each namespace its words, those that never have one

Sources: https://www.csie.ntu.edu.tw/~cjlin/libsvm/, https://github.com/VowpalWabbit/vowpal_wabbit/wiki/Input-format
"""

import io
import re
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading import decoding
from pipeline.reading.decoding import Text

LINES = 200  # that show the format
CELL = 8  # bytes
FLOAT = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
LIBSVM = re.compile(rf"\s*{FLOAT}(,{FLOAT})*(\s+qid:\d+)?((?:\s+\d+:{FLOAT})*)\s*(#.*)?")
VW = re.compile(
    rf"(?P<label>{FLOAT})(?: +(?P<importance>{FLOAT}))?(?: +{FLOAT})?(?: *'?(?P<tag>[^|\s:]*))? *\|(?P<rest>.*)"
)


def table(text: Text, path: Path, needed: Collection[str] = ()) -> pa.Table | None:
    """The rows, with a column for each feature that any of them has, or that is `needed`; None for other text.

    Errors: `UserError` for several labels in a line, and for a table that is far larger than the file.
    """
    start = text.start(decoding.SAMPLE).decode("utf-8", "ignore")
    lines = [line for line in start.splitlines()[: LINES + 1] if line.strip() and line[0] != "#"]
    lines = lines[:-1] if len(start) == decoding.SAMPLE or len(lines) > LINES else lines
    matches = [LIBSVM.fullmatch(line) for line in lines]
    features = [re.findall(r"(\d+):", match[3]) for match in matches if match]
    if lines and all(matches) and 2 * sum(map(len, features)) > len(lines) and all(map(_ascend, features)):
        return _libsvm(text, path, needed)
    if lines and all(map(VW.fullmatch, lines)) and any(re.search(rf"\|.* \S+:{FLOAT}(\s|$)", line) for line in lines):
        return _vowpal_wabbit(text, path, needed)
    return None


def _ascend(indices: list[str]) -> bool:
    """Whether these are indices of features, and no times of day."""
    numbers = [*map(int, indices)]
    return numbers == sorted(set(numbers)) and not any(index != str(int(index)) for index in indices)


def _libsvm(text: Text, path: Path, needed: Collection[str]) -> pa.Table:
    from sklearn.datasets import load_svmlight_file  # takes a second to import

    try:
        X, y, qid = load_svmlight_file(io.BytesIO(text.whole()), zero_based=True, query_id=True)
    except ValueError as error:
        several = "A line may have one label. " if "," in text.start(decoding.SAMPLE).decode("utf-8", "ignore") else ""
        raise UserError(f"{path} is a LIBSVM file that can't be read: {error}. {several}Correct it.") from None
    width = max([X.shape[1], *(int(name[1:]) + 1 for name in needed if re.fullmatch(r"x\d+", name))])
    _check_size(path, len(y), width, text.size)
    columns = {"label": pa.array([f"{label:.15g}" for label in y])}
    if b"qid:" in text.start(decoding.SAMPLE):
        columns["qid"] = pa.array(qid)
    dense = X.tocsc()
    for place in range(0 if X[:, :1].nnz else 1, width):
        columns[f"x{place}"] = pa.array(
            dense[:, [place]].toarray().ravel() if place < X.shape[1] else [0.0] * len(y), pa.float64()
        )
    return pa.table(columns)


def _vowpal_wabbit(text: Text, path: Path, needed: Collection[str]) -> pa.Table:
    rows: list[tuple[re.Match[str], dict[str, float], dict[str, list[str]]]] = []
    for number, line in enumerate(text.whole().decode("utf-8-sig", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        if not (match := VW.fullmatch(line)):
            raise UserError(
                f"{path}, line {number} is not Vowpal Wabbit, as the first lines are: {line[:60]!r}. Correct it: one "
                f"label, then | and the features."
            )
        numbers: dict[str, float] = {}
        words: dict[str, list[str]] = {}
        for group in match["rest"].split("|"):
            space, scale = _feature(group.split()[0]) if group[:1].strip() else ("", None)
            for token in group.split()[bool(space) :]:
                name, value = _feature(token)
                if value is None:
                    words.setdefault(space or "words", []).append(name)
                else:
                    name = f"{space}_{name}" if space else name
                    numbers[name] = numbers.get(name, 0) + float(value) * float(scale or 1)
        rows.append((match, numbers, words))
    names = list(dict.fromkeys(name for _, numbers, _ in rows for name in numbers))
    spaces = dict.fromkeys(space for *_, words in rows for space in words)
    _check_size(path, len(rows), len(names), text.size)
    columns: dict[str, pa.Array] = {"label": pa.array([match["label"] for match, *_ in rows])}
    if any(match["importance"] for match, *_ in rows):
        columns["importance"] = pa.array([float(match["importance"] or 1) for match, *_ in rows])
    if any(match["tag"] for match, *_ in rows):
        columns["tag"] = pa.array([match["tag"] or None for match, *_ in rows])
    for name in names:
        columns[name] = pa.array([numbers.get(name, 0.0) for _, numbers, _ in rows])
    for space in spaces:
        columns[space if space not in columns else f"{space}_words"] = pa.array(
            [" ".join(words[space]) if space in words else None for *_, words in rows]
        )
    for name in needed:
        columns.setdefault(name, pa.array([0.0] * len(rows)))
    return pa.table(columns)


def _feature(token: str) -> tuple[str, str | None]:
    name, _, value = token.rpartition(":")
    return (name, value) if name and re.fullmatch(FLOAT, value) else (token, None)


def _check_size(path: Path, n_rows: int, n_columns: int, size: int) -> None:
    if CELL * n_rows * n_columns > max(decoding.SMALL, decoding.GROWTH * size):
        raise UserError(
            f"{path} has {n_rows:,} rows and {n_columns:,} features, nearly all of them 0: a table of "
            f"{CELL * n_rows * n_columns / 2**30:.1f} GB. Keep the features that most rows have, and write it again."
        )
