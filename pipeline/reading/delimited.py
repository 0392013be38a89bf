"""How a delimited text (CSV and its relatives) is written, found out from its first lines.

What is looked for, in this order: the delimiter, the quote and what escapes it, the line with the names of the columns,
rows of units below it, row names, the decimal mark. The name of the target decides where it can: a line that holds it
between delimiters is the header, whatever stands above.

`csv.Sniffer` is not used: it takes `1,5;2,3` for comma-separated, and fails on a single column. Neither is DuckDB's
sniffer: it can't be given the name of a column to look for.
"""

import contextlib
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading.decoding import SAMPLE, Text
from pipeline.reading.numbers import NUMBER
from pipeline.reading.options import Options

DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*"
BLANK = " "  # as a delimiter: any number of spaces and tabs
USUAL, RARE = "\t;|,", BLANK + ":~"  # delimiters: the rarer within cells, the earlier
ONE_MORE = 0.99
SURE = 0.95  # share of rows of one width from which a rare delimiter is believed
HEADER_LINES = 100  # among which the header is looked for
ROW_NAMES = "row_names"
BELOW = 3  # rows of units and the like below a header, at most
TOTAL = r"(?i)\W*(grand |sub-?)?(totals?|sums?|averages?|mean|overall|summe|gesamt|insgesamt|итого|合計)\W*"
LINE_END = r"\r\n|\n|\r"


@dataclass(frozen=True)
class Dialect:
    """How a text is written."""

    delimiter: str  # BLANK is any number of spaces and tabs
    quote: str
    escape: str | None  # before a quote inside quotes, if that is not the quote itself
    comment: str | None  # lines that begin with it are no rows
    decimal: str
    names: list[str]  # of the columns, as the file has them: some may be equal
    header: int  # the number of the line with the names; 0 if there is none
    skip: int  # lines before the first row
    trailing: bool  # a delimiter ends each row, but not the header: one more column, without cells
    spaced: bool  # there are spaces between a delimiter and a quote
    padded: dict[int, str]  # by position of the column, a number with leading zeros: a code, perhaps
    footer: str | None  # what looks like a total or a note in the last line, as a sentence for the user


@dataclass(frozen=True)
class _Layout:
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
        found = []
        width = Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0
        for place, row in enumerate(self.rows):
            if self.ends[place] > lines:
                break
            cells = set(_names(row))
            if expected and expected[0] in cells:
                found.append((len(cells & set(expected)), len(row) in (width, width - 1), -place))
        return -max(found)[-1] if found else None

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


def sniff(text: Text, path: Path, options: Options, expected: Sequence[str] = ()) -> Dialect:
    """How `text` is written, found out from its first lines as far as `options` leaves it open.

    `expected` are names that the header should hold, the target first. Warns of lines above and below the header that
    are left out. Errors: `UserError` for a text without rows, and for options that do not fit it.
    """
    given = _given_delimiter(text, options)
    start = text.start(SAMPLE)
    sample = start.decode("utf-8-sig", errors="ignore")
    first_line = re.split(LINE_END, sample.lstrip("\r\n"), maxsplit=1)[0]
    if len(start) < text.size and "\n" in sample:
        sample = sample[: sample.rindex("\n") + 1]
    if options.skip:
        lines_above = re.split(LINE_END, sample, maxsplit=options.skip)
        sample = "\n" * options.skip + (lines_above[-1] if len(lines_above) > options.skip else "")
    if options.comment:
        sample = re.sub(rf"(?m)^{re.escape(options.comment)}[^\r\n]*", "", sample)
    if options.header is False or options.names:
        expected, lines = (), 0
    else:
        lines = HEADER_LINES if options.skip is None else 10**9
        expected = expected if options.skip is None else ()
    layout = _layout(sample, given, options, expected, lines)
    rows, ends = layout.rows, layout.ends
    if not rows:
        where = f" after data.skip = {options.skip} lines" if options.skip else ""
        raise UserError(f"{path} has no row that can be read{where}. Give a file with a header and rows.")
    found = layout.header(expected, lines)
    if found is None and expected and given is None and max(map(len, rows)) == 1:
        raise UserError(
            f"{path} has no column {expected[0]!r}, and the character between its cells could not be found out. The "
            f"first line is {first_line[:100]!r}. Set data.target to a name in it, or set the character: "
            f"-S 'data.delimiter=\";\"'."
        )
    first = found if found is not None else 0 if options.skip is not None else _rows_above(rows)
    _warn_of_lines_above(rows[:first], ends[first] - sum(cell.count("\n") for cell in rows[first]), path)
    names = _names(rows[first])
    header = options.header
    if header is None:
        has_values = found is None and any(_is_value(cell, options.missing_values) for cell in names)
        header = options.names is None and not has_values
    below = _rows_below(rows[first + 1 :], options.missing_values) if header else 0
    body = rows[first + header + below :]
    if header and not body and text.size <= SAMPLE:
        raise UserError(f"{path} has a header but no rows. Give a table with at least two rows.")
    if below:
        warnings.warn(
            f"{path}: rows left out below the names of the columns: {below}, beginning in line {ends[first] + 1} with "
            f"{layout.delimiter.join(rows[first + 1])[:60]!r}. They have no number where all other rows have one, like "
            f"rows of units. If they are rows of the table, correct their cells in the file.",
            stacklevel=3,
        )
    some = body[:HEADER_LINES]
    wider = header and bool(some) and all(len(row) == len(names) + 1 for row in some)
    trailing = wider and not any(row[-1].strip() for row in some)
    has_row_names = wider and not trailing and len({row[0] for row in some}) == len(some)
    named = list(options.names or (names if header else [""] * len(names)))
    if len(named) != len(names):
        raise UserError(
            f"{path} has {len(names)} columns, but data.names has {len(named)}. Give one name per column in data.names."
        )
    named = [name or f"column_{place}" for place, name in enumerate(named, start=1)]
    if has_row_names:
        named.insert(0, ROW_NAMES)
    cells = [(place, cell.strip()) for row in body for place, cell in enumerate(row[: len(named)])]
    mark = f"{layout.delimiter} {layout.quote}".encode()
    last = first + header + below
    return Dialect(
        delimiter=layout.delimiter,
        quote=layout.quote,
        escape=None if layout.escape == layout.quote else layout.escape,
        comment=options.comment,
        decimal=options.decimal or _decimal([cell for _, cell in cells]),
        names=named,
        header=ends[first] if header else 0,
        skip=ends[last - 1] if last else options.skip or 0,
        trailing=trailing,
        spaced=layout.delimiter != BLANK and text.contains(mark),
        padded={place: cell for place, cell in cells if re.fullmatch(r"0+[1-9]\d*", cell)},
        footer=_footer(text, layout, options.comment, len(named), {cell.strip() for row in body[:-1] for cell in row}),
    )


def unwrapped(text: Text, options: Options) -> Text:
    """The text, without the quotes of lines that are wholly in quotes, where their one cell holds a row: `"1,2,x"`.

    Some programs quote a row as if it were a cell; quotes inside are then written twice. The header may be without.
    """
    given = _given_delimiter(text, options)
    start = text.start(SAMPLE).decode("utf-8-sig", errors="ignore")
    lines = [line for line in re.split(LINE_END, start)[: HEADER_LINES + 1] if line.strip()][:HEADER_LINES]
    for quote in options.quote or "\"'":
        mark = re.escape(quote)
        whole = rf"{mark}((?:[^{mark}\r\n]|{mark}{mark})*){mark}[ \t]*"
        found = [re.fullmatch(whole, line) for line in lines]
        inside = [match[1].replace(2 * quote, quote) for match in found if match]
        first = next((place for place, match in enumerate(found) if match), 0)
        if len(inside) < 2 or len(inside) < SURE * (len(lines) - first):
            continue
        for delimiter in {*(given or USUAL)} - {quote, options.escape}:
            widths = {len(row) for row in _rows("\n".join(inside), delimiter, quote, options.escape).rows}
            if len(widths) == 1 and widths != {1}:
                line = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?%b(\r?)$" % whole.encode())
                return Text(line.sub(partial(_inside, quote.encode()), text.whole()))
    return text


def _inside(quote: bytes, line: re.Match[bytes]) -> bytes:
    return line[1].replace(2 * quote, quote) + line[2]


def _given_delimiter(text: Text, options: Options) -> str | None:
    given = options.delimiter
    declared = re.match(rb"(?i)(?:\xef\xbb\xbf)?sep=(.)\r?\n", text.start(9))  # written by Excel
    if given is None and declared:
        given = declared[1].decode("latin-1")
    for key, value in {"delimiter": given, "quote": options.quote, "escape": options.escape}.items():
        if value is not None and (len(value) != 1 or value in "\r\n" or (key == "delimiter" and value in "\"'")):
            raise UserError(
                f"data.{key} = {value!r} should be one character, such as ',' or ';', and not a quote."
                if key == "delimiter"
                else f"data.{key} = {value!r} should be one character."
            )
        if value == BLANK and key != "delimiter":
            raise UserError(f"data.{key} is a space, which no CSV reader takes. Set another character, or null.")
    if (options.quote or '"') == given:
        raise UserError(f"data.delimiter and data.quote are both {given!r}. Change one of them.")
    if given is not None and options.escape == given:
        raise UserError(f"data.delimiter and data.escape are both {given!r}. Change one of them.")
    return given


def _layout(sample: str, given: str | None, options: Options, expected: Sequence[str], lines: int) -> _Layout:
    """The delimiter, quote and escape with which most rows have as many cells as the header."""
    layouts = {
        mark: _quoted(sample, mark, options, expected, lines)
        for mark in given or USUAL + RARE
        if mark not in (options.quote, options.escape)
    }

    def rank(mark: str) -> tuple[bool, bool, float]:
        layout = layouts[mark]
        header = layout.header(expected, lines)
        share = layout.agreement(header)
        share = share if given or mark in USUAL or share >= SURE else 0
        return header is not None and share >= 0.5, mark in USUAL and share >= 0.5, share

    best = max(layouts, key=rank)
    if "," in layouts and rank(best)[2] == 0:
        best = ","
    if not given and rank(BLANK)[2] and best != BLANK and rank(BLANK)[0] >= rank(best)[0]:
        body = layouts[best].rows[1:]
        if sum(any(map(_are_numbers, row)) for row in body) > 0.5 * len(body):
            best = BLANK
    return layouts[best]


def _are_numbers(cell: str) -> bool:
    """Whether a cell holds several numbers with blanks between them, and not one number in groups of three digits."""
    parts = cell.replace(",", ".").split()
    grouped = re.fullmatch(r"[+-]?\d{1,3}([ \t]\d{3})+([.,]\d+)?", cell.strip())
    return len(parts) > 1 and not grouped and all(re.fullmatch(NUMBER, part) for part in parts)


def _quoted(sample: str, delimiter: str, options: Options, expected: Sequence[str], lines: int) -> _Layout:
    """The rows with the usual quotes, unless other quotes or an escape fit better."""
    usual = _rows(sample, delimiter, options.quote or '"', options.escape)
    others = []
    if options.quote is None and re.search(rf"(?m)(^|{re.escape(delimiter)}) *'", sample):
        others.append(_rows(sample, delimiter, "'", options.escape))
    if options.escape is None and '\\"' in sample and options.quote in (None, '"'):
        others.append(_rows(sample, delimiter, '"', "\\"))
    share = usual.agreement(usual.header(expected, lines))
    for layout in others:
        other = layout.agreement(layout.header(expected, lines))
        if (other > share and other >= SURE) or (other == share and _fits(layout, usual, sample)):
            return layout
    return usual


def _fits(layout: _Layout, usual: _Layout, sample: str) -> bool:
    """Whether a quote or escape that changes the number of no row's cells is one nevertheless."""
    if layout.escape:
        return re.search(rf'\\"(?!"|\s*({re.escape(layout.delimiter)}|[\r\n]|\Z))', sample) is not None
    width = max(map(len, usual.rows), default=0)
    columns = ([row[place].strip() for row in usual.rows[1:] if place < len(row)] for place in range(width))
    known = ([cell for cell in column if cell] for column in columns)
    return any(len(cells) > 1 and all(re.fullmatch("'.*'", cell) for cell in cells) for cells in known)


def _rows(sample: str, delimiter: str, quote: str, escape: str | None) -> _Layout:
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
    return _Layout(delimiter, quote, escape, rows, ends)


def _names(row: list[str]) -> list[str]:
    """The cells of a header, which some programs begin with a comment sign: `# time, height`."""
    names = [cell.strip() for cell in row]
    return [re.sub(r"^#+\s*", "", names[0]), *names[1:]] if re.match(r"#+\s*\w", names[0]) else names


def _rows_above(rows: list[list[str]]) -> int:
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


def _warn_of_lines_above(above: list[list[str]], line: int, path: Path) -> None:
    remarks = [row for row in above if any(row) and not re.fullmatch("(?i)sep=.?", row[0])]
    if remarks:
        warnings.warn(
            f"{path}: the lines above the table are left out; the first is "
            f"{', '.join(filter(None, remarks[0]))[:60]!r}. The table begins in line {line}. If that is wrong, set the "
            f"number of lines above it, which is now {line - 1}: {override('data.skip', line - 1)}.",
            stacklevel=4,
        )


def _rows_below(rows: list[list[str]], missing: Collection[str]) -> int:
    """Number of rows below the header that have no number where all others have one: units, kinds of averages."""
    for below in range(min(BELOW, len(rows) - 3), 0, -1):
        body = rows[below : below + HEADER_LINES]
        columns = zip(*(row for row in body if len(row) == len(rows[0])), strict=False)
        known = [[cell for cell in column if cell.strip() not in missing] for column in columns]
        numeric = [place for place, cells in enumerate(known) if cells and all(map(_is_number, cells))]
        if len(numeric) < 2:
            continue
        strings = [
            sum(row[place].strip() not in missing for place in numeric if place < len(row)) for row in rows[:below]
        ]
        if any(_is_number(row[place]) for row in rows[:below] for place in numeric if place < len(row)):
            continue
        if max(strings) >= 2 and strings[0] >= 1:
            return below
    return 0


def _footer(text: Text, layout: _Layout, comment: str | None, width: int, known: set[str]) -> str | None:
    """A sentence on the last line of the text, if it looks like a total or a note."""
    end = text.end(4096).decode("utf-8", "ignore").rstrip()
    start, _, line = end.replace("\r", "\n").rpartition("\n")
    rows = _rows(line, layout.delimiter, layout.quote, layout.escape).rows
    if not start or not rows or width < 3 or layout.quote in line or (comment and line.startswith(comment)):
        return None
    cells = [cell.strip() for cell in rows[0]]
    filled = [cell for cell in cells if cell]
    is_total = next((cell for cell in filled if re.fullmatch(TOTAL, cell) and cell not in known), None)
    if len(filled) != 1 and not is_total:
        return None
    if not is_total and (_is_number(filled[0]) or filled[0] in known or not cells[0]):
        return None
    place = line.find(is_total or filled[0])
    prefix = line[: place + len(is_total or filled[0])][:30] if place >= 0 else line[:10]
    what = "a total of the rows above" if is_total else "a note"
    setting = override("data.comment", prefix)
    return f"The last line, {line[:60]!r}, looks like {what}, but it is read as a row. To leave it out: {setting}."


def _is_number(cell: str) -> bool:
    return re.fullmatch(NUMBER, cell.strip().replace(",", ".", 1)) is not None


def _is_value(cell: str, missing: Collection[str]) -> bool:
    return _is_number(cell) or bool(re.fullmatch(DATE, cell) or (cell and cell in missing))


def _decimal(cells: list[str]) -> str:
    """A comma if some cells have decimals after a comma and none after a point; groups of three may be thousands."""
    found = [re.fullmatch(r"[+-]?(\d+)([.,])(\d+)", cell) for cell in cells]
    marks = {match[2] for match in found if match and not re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", match[0].lstrip("+-"))}
    return "," if marks == {","} else "."
