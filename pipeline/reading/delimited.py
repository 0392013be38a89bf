"""How a delimited text (CSV and its relatives) is written, found out from its first lines.

What is looked for, in this order: the delimiter, the quote and what escapes it, the line with the names of the columns,
rows of units below it, row names, the decimal mark. The name of the target decides where it can: a line that holds it
between delimiters is the header, whatever stands above.

`csv.Sniffer` is not used: it takes `1,5;2,3` for comma-separated, and fails on a single column. Neither is DuckDB's
sniffer: it can't be given the name of a column to look for."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.errors import UserError
from pipeline.reading.decoding import SAMPLE, Text
from pipeline.reading.header import (
    BLANK,
    HEADER_LINES,
    ROW_NAMES,
    Layout,
    decimal_of,
    footer_of,
    is_value,
    laid_out,
    names_of,
    rows_above,
    rows_below,
    warn_of_lines_above,
)
from pipeline.reading.numbers import NUMBER
from pipeline.reading.options import Options

USUAL, RARE = "\t;|,", BLANK + ":~"  # delimiters: the rarer within cells, the earlier
SURE = 0.95  # share of rows of one width from which a rare delimiter is believed
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


def sniff(text: Text, path: Path, options: Options, expected: Sequence[str] = ()) -> Dialect:
    """How `text` is written, found out from its first lines as far as `options` leaves it open.

    `expected` are names that the header should hold, the target first. Warns of lines above and below the header that
    are left out. Errors: `UserError` for a text without rows, and for options that do not fit it.
    """
    delimiter = _delimiter(text, options)
    sample, first_line = _sample(text, options)
    if options.header is False or options.names:
        expected, lines = (), 0
    else:
        lines = HEADER_LINES if options.skip is None else 10**9
        expected = expected if options.skip is None else ()
    layout = _layout(sample, delimiter, options, expected, lines)
    rows, ends = layout.rows, layout.ends
    if not rows:
        where = f" after data.skip = {options.skip} lines" if options.skip else ""
        raise UserError(f"{path} has no row that can be read{where}. Give a file with a header and rows.")
    header_row = layout.header(expected, lines)
    if header_row is None and expected and delimiter is None and max(map(len, rows)) == 1:
        raise UserError(
            f"{path} has no column {expected[0]!r}, and the character between its cells could not be found out. The "
            f"first line is {first_line[:100]!r}. Set data.target to a name in it, or set the character: "
            f"-S 'data.delimiter=\";\"'."
        )
    first = header_row if header_row is not None else 0 if options.skip is not None else rows_above(rows)
    warn_of_lines_above(rows[:first], ends[first] - sum(cell.count("\n") for cell in rows[first]), path)
    names = names_of(rows[first])
    header = options.header
    if header is None:
        has_values = header_row is None and any(is_value(cell, options.missing_values) for cell in names)
        header = options.names is None and not has_values
    below = rows_below(rows[first + 1 :], options.missing_values) if header else 0
    body = rows[first + header + below :]
    if header and not body and text.size <= SAMPLE:
        raise UserError(f"{path} has a header but no rows. Give a table with at least two rows.")
    if below:
        _warn_of_units(path, below, layout.delimiter.join(rows[first + 1]), ends[first] + 1)
    some = body[:HEADER_LINES]
    wider = header and bool(some) and all(len(row) == len(names) + 1 for row in some)
    trailing = wider and not any(row[-1].strip() for row in some)
    has_row_names = wider and not trailing and len({row[0] for row in some}) == len(some)
    named = _named(names, path, options, header=header, has_row_names=has_row_names)
    cells = [(place, cell.strip()) for row in body for place, cell in enumerate(row[: len(named)])]
    mark = f"{layout.delimiter} {layout.quote}".encode()
    seen = {cell.strip() for row in body[:-1] for cell in row}
    last = first + header + below
    return Dialect(
        delimiter=layout.delimiter,
        quote=layout.quote,
        escape=None if layout.escape == layout.quote else layout.escape,
        comment=options.comment,
        decimal=options.decimal or decimal_of([cell for _, cell in cells]),
        names=named,
        header=ends[first] if header else 0,
        skip=ends[last - 1] if last else options.skip or 0,
        trailing=trailing,
        spaced=layout.delimiter != BLANK and text.contains(mark),
        padded={place: cell for place, cell in cells if re.fullmatch(r"0+[1-9]\d*", cell)},
        footer=footer_of(text, layout, options.comment, len(named), seen),
    )


def _named(names: list[str], path: Path, options: Options, *, header: bool, has_row_names: bool) -> list[str]:
    """The name of each column. Errors: `UserError` where `data.names` has another number of names than of columns."""
    named = list(options.names or (names if header else [""] * len(names)))
    if len(named) != len(names):
        raise UserError(
            f"{path} has {len(names)} columns, but data.names has {len(named)}. Give one name per column in data.names."
        )
    named = [name or f"column_{place}" for place, name in enumerate(named, start=1)]
    if has_row_names:
        named.insert(0, ROW_NAMES)
    return named


def _sample(text: Text, options: Options) -> tuple[str, str]:
    """The first lines, without those that options leave out, and the first of all."""
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
    return sample, first_line


def _warn_of_units(path: Path, n_rows: int, first: str, line: int) -> None:
    warnings.warn(
        f"{path}: rows left out below the names of the columns: {n_rows}, beginning in line {line} with "
        f"{first[:60]!r}. They have no number where all other rows have one, like rows of units. If they are rows of "
        f"the table, correct their cells in the file.",
        stacklevel=4,
    )


def unwrapped(text: Text, options: Options) -> Text:
    """The text, without the quotes of lines that are wholly in quotes, where their one cell holds a row: `"1,2,x"`.

    Some programs quote a row as if it were a cell; quotes inside are then written twice. The header may be without.
    """
    delimiters = _delimiter(text, options) or USUAL
    start = text.start(SAMPLE).decode("utf-8-sig", errors="ignore")
    lines = [line for line in re.split(LINE_END, start)[: HEADER_LINES + 1] if line.strip()][:HEADER_LINES]
    for quote in options.quote or "\"'":
        mark = re.escape(quote)
        whole = rf"{mark}((?:[^{mark}\r\n]|{mark}{mark})*){mark}[ \t]*"
        matches = [re.fullmatch(whole, line) for line in lines]
        inside = [match[1].replace(2 * quote, quote) for match in matches if match]
        first = next((place for place, match in enumerate(matches) if match), 0)
        if len(inside) < 2 or len(inside) < SURE * (len(lines) - first):
            continue
        for delimiter in {*delimiters} - {quote, options.escape}:
            widths = {len(row) for row in laid_out("\n".join(inside), delimiter, quote, options.escape).rows}
            if len(widths) == 1 and widths != {1}:
                line = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?%b(\r?)$" % whole.encode())
                return Text(line.sub(partial(_inside, quote.encode()), text.whole()))
    return text


def _inside(quote: bytes, line: re.Match[bytes]) -> bytes:
    return line[1].replace(2 * quote, quote) + line[2]


def _delimiter(text: Text, options: Options) -> str | None:
    delimiter = options.delimiter
    declared = re.match(rb"(?i)(?:\xef\xbb\xbf)?sep=(.)\r?\n", text.start(9))  # written by Excel
    if delimiter is None and declared:
        delimiter = declared[1].decode("latin-1")
    for key, value in {"delimiter": delimiter, "quote": options.quote, "escape": options.escape}.items():
        if value is not None and (len(value) != 1 or value in "\r\n" or (key == "delimiter" and value in "\"'")):
            raise UserError(
                f"data.{key} = {value!r} should be one character, such as ',' or ';', and not a quote."
                if key == "delimiter"
                else f"data.{key} = {value!r} should be one character."
            )
        if value == BLANK and key != "delimiter":
            raise UserError(f"data.{key} is a space, which no CSV reader takes. Set another character, or null.")
    if (options.quote or '"') == delimiter:
        raise UserError(f"data.delimiter and data.quote are both {delimiter!r}. Change one of them.")
    if delimiter is not None and options.escape == delimiter:
        raise UserError(f"data.delimiter and data.escape are both {delimiter!r}. Change one of them.")
    return delimiter


def _layout(sample: str, delimiter: str | None, options: Options, expected: Sequence[str], lines: int) -> Layout:
    """The delimiter, quote and escape with which most rows have as many cells as the header."""
    layouts = {
        mark: _quoted(sample, mark, options, expected, lines)
        for mark in delimiter or USUAL + RARE
        if mark not in (options.quote, options.escape)
    }

    def rank(mark: str) -> tuple[bool, bool, float]:
        layout = layouts[mark]
        header = layout.header(expected, lines)
        share = layout.agreement(header)
        share = share if delimiter or mark in USUAL or share >= SURE else 0
        return header is not None and share >= 0.5, mark in USUAL and share >= 0.5, share

    best = max(layouts, key=rank)
    if "," in layouts and rank(best)[2] == 0:
        best = ","
    if not delimiter and rank(BLANK)[2] and best != BLANK and rank(BLANK)[0] >= rank(best)[0]:
        body = layouts[best].rows[1:]
        if sum(any(map(_are_numbers, row)) for row in body) > 0.5 * len(body):
            best = BLANK
    return layouts[best]


def _are_numbers(cell: str) -> bool:
    """Whether a cell holds several numbers with blanks between them, and not one number in groups of three digits."""
    tokens = cell.replace(",", ".").split()
    grouped = re.fullmatch(r"[+-]?\d{1,3}([ \t]\d{3})+([.,]\d+)?", cell.strip())
    return len(tokens) > 1 and not grouped and all(re.fullmatch(NUMBER, token) for token in tokens)


def _quoted(sample: str, delimiter: str, options: Options, expected: Sequence[str], lines: int) -> Layout:
    """The rows with the usual quotes, unless other quotes or an escape fit better."""
    usual = laid_out(sample, delimiter, options.quote or '"', options.escape)
    others = []
    if options.quote is None and re.search(rf"(?m)(^|{re.escape(delimiter)}) *'", sample):
        others.append(laid_out(sample, delimiter, "'", options.escape))
    if options.escape is None and '\\"' in sample and options.quote in (None, '"'):
        others.append(laid_out(sample, delimiter, '"', "\\"))
    share = usual.agreement(usual.header(expected, lines))
    for layout in others:
        other = layout.agreement(layout.header(expected, lines))
        if (other > share and other >= SURE) or (other == share and _fits(layout, usual, sample)):
            return layout
    return usual


def _fits(layout: Layout, usual: Layout, sample: str) -> bool:
    """Whether a quote or escape that changes the number of no row's cells is one nevertheless."""
    if layout.escape:
        return re.search(rf'\\"(?!"|\s*({re.escape(layout.delimiter)}|[\r\n]|\Z))', sample) is not None
    width = max(map(len, usual.rows), default=0)
    columns = ([row[place].strip() for row in usual.rows[1:] if place < len(row)] for place in range(width))
    filled_columns = ([cell for cell in column if cell] for column in columns)
    return any(len(cells) > 1 and all(re.fullmatch("'.*'", cell) for cell in cells) for cells in filled_columns)
