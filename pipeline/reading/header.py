"""The header of a delimited text, and what stands above the rows and below them: titles, units, totals."""

import contextlib
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.overrides import override
from pipeline.reading.decoding import Text
from pipeline.reading.numbers import NUMBER

DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*"
BLANK = " "  # as a delimiter: any number of spaces and tabs
ONE_MORE = 0.99
HEADER_LINES = 100  # among which the header is looked for
ROW_NAMES = "row_names"
BELOW = 3  # rows of units and the like below a header, at most
TOTAL = r"(?i)\W*(grand |sub-?)?(totals?|sums?|averages?|mean|overall|summe|gesamt|insgesamt|итого|合計)\W*"


@dataclass(frozen=True)
class Layout:
    """The rows of the sample that are not blank, as one delimiter, quote and escape give them."""

    delimiter: str
    quote: str
    escape: str | None
    rows: list[list[str]]
    ends: list[int]  # number of lines up to the end of each row

    def header(self, expected: Sequence[str], lines: int) -> int | None:
        """Position of the row, within so many lines, that holds the first of `expected` and most of the others.

        Of equal ones, the first that has as many cells as most rows.
        """
        ranks = []
        width = Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0
        for place, row in enumerate(self.rows):
            if self.ends[place] > lines:
                break
            cells = set(names_of(row))
            if expected and expected[0] in cells:
                ranks.append((len(cells & set(expected)), len(row) in (width, width - 1), -place))
        return -max(ranks)[-1] if ranks else None

    def agreement(self, header: int | None) -> float:
        """Share of the rows that have as many cells as the header; without a header, as most rows have.

        0 if that number is one. One cell more than the header counts almost as much: row names, a trailing delimiter.
        """
        widths = Counter(map(len, self.rows if header is None else self.rows[header + 1 :]))
        count: float
        if header is None:
            width, count = widths.most_common(1)[0] if widths else (1, 0)
        else:
            width = len(self.rows[header])
            count = max(widths[width], ONE_MORE * widths[width + 1])
        return count / max(1, sum(widths.values())) if width > 1 else 0


def names_of(row: list[str]) -> list[str]:
    """The cells of a header, which some programs begin with a comment sign: `# time, height`."""
    names = [cell.strip() for cell in row]
    return [re.sub(r"^#+\s*", "", names[0]), *names[1:]] if re.match(r"#+\s*\w", names[0]) else names


def rows_above(rows: list[list[str]]) -> int:
    """Number of rows before the table that are a title, a date, a comment, or blank cells alone.

    A title has one cell, and may be filled with blank cells to the width of the table.
    """
    width = Counter(map(len, rows)).most_common(1)[0][0]
    for place, row in enumerate(rows):
        is_title = not any(cell.strip() for cell in row[1:])
        if not is_title and not row[0].startswith("#") and any(cell.strip() for cell in row):
            return place if width > 1 and len(row) in (width, width - 1) else 0
        if row[0].strip() == "" and len(row) == 1:
            return 0
    return 0


def warn_of_lines_above(above: list[list[str]], line: int, path: Path) -> None:
    remarks = [row for row in above if any(row) and not re.fullmatch("(?i)sep=.?", row[0])]
    if remarks:
        warnings.warn(
            f"{path}: the lines above the table are left out; the first is "
            f"{', '.join(filter(None, remarks[0]))[:60]!r}. The table begins in line {line}. If that is wrong, set the "
            f"number of lines above it, which is now {line - 1}: {override('data.skip', line - 1)}.",
            stacklevel=4,
        )


def rows_below(rows: list[list[str]], missing: Collection[str]) -> int:
    """Number of rows below the header that have no number where all others have one: units, kinds of averages."""
    for below in range(min(BELOW, len(rows) - 3), 0, -1):
        body = rows[below : below + HEADER_LINES]
        columns = zip(*(row for row in body if len(row) == len(rows[0])), strict=False)
        known_cells = [[cell for cell in column if cell.strip() not in missing] for column in columns]
        numeric = [place for place, cells in enumerate(known_cells) if cells and all(map(is_number, cells))]
        if len(numeric) < 2:
            continue
        strings = [
            sum(row[place].strip() not in missing for place in numeric if place < len(row)) for row in rows[:below]
        ]
        if any(is_number(row[place]) for row in rows[:below] for place in numeric if place < len(row)):
            continue
        if max(strings) >= 2 and strings[0] >= 1:
            return below
    return 0


def footer_of(text: Text, layout: Layout, comment: str | None, width: int, cells_above: set[str]) -> str | None:
    """A sentence on the last line of the text, if it looks like a total or a note."""
    end = text.end(4096).decode("utf-8", "ignore").rstrip()
    start, _, line = end.replace("\r", "\n").rpartition("\n")
    rows = laid_out(line, layout.delimiter, layout.quote, layout.escape).rows
    if not start or not rows or width < 3 or layout.quote in line or (comment and line.startswith(comment)):
        return None
    cells = [cell.strip() for cell in rows[0]]
    filled = [cell for cell in cells if cell]
    is_total = next((cell for cell in filled if re.fullmatch(TOTAL, cell) and cell not in cells_above), None)
    if len(filled) != 1 and not is_total:
        return None
    if not is_total and (is_number(filled[0]) or filled[0] in cells_above or not cells[0]):
        return None
    place = line.find(is_total or filled[0])
    prefix = line[: place + len(is_total or filled[0])][:30] if place >= 0 else line[:10]
    what = "a total of the rows above" if is_total else "a note"
    setting = override("data.comment", prefix)
    return f"The last line, {line[:60]!r}, looks like {what}, but it is read as a row. To leave it out: {setting}."


def is_number(cell: str) -> bool:
    return re.fullmatch(NUMBER, cell.strip().replace(",", ".", 1)) is not None


def is_value(cell: str, missing: Collection[str]) -> bool:
    return is_number(cell) or bool(re.fullmatch(DATE, cell) or (cell and cell in missing))


def decimal_of(cells: list[str]) -> str:
    """A comma if some cells have decimals after a comma and none after a point; groups of three may be thousands."""
    matches = [re.fullmatch(r"[+-]?(\d+)([.,])(\d+)", cell) for cell in cells]
    marks = {each[2] for each in matches if each and not re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", each[0].lstrip("+-"))}
    return "," if marks == {","} else "."


def laid_out(sample: str, delimiter: str, quote: str, escape: str | None) -> Layout:
    if delimiter == BLANK:
        sample = re.sub(r"(?m)^ +| +(?=\r?$)", "", sample.replace("\t", BLANK))
        sample = re.sub(r"(?m)^(#+) +", r"\1", sample)  # a comment sign before the header is no cell
    reader = csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=delimiter,
        quotechar=quote,
        escapechar=None if escape == quote else escape,
        skipinitialspace=True,
    )
    rows, ends = [], []
    with contextlib.suppress(csv.Error):  # a cell of more than 128 KiB, or a lone carriage return: use the rows before
        for row in reader:
            if row:
                rows.append(row)
                ends.append(reader.line_num)
    return Layout(delimiter, quote, escape, rows, ends)
