"""A file's bytes to UTF-8 text: decompressed and decoded, however it was written.

The encoding is not guessed from the frequencies of letters: with the few accented letters of a table such a guess is
often wrong, without any sign of it. UTF-8 and byte order marks are certain. Most other old files are Windows-1252: that
is assumed, with a warning.
"""

import bz2
import codecs
import gzip
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from pipeline.errors import UserError

SAMPLE = 1 << 16  # bytes from which to find out how a file is written
COMPRESSIONS = {
    "gzip": rb"\x1f\x8b",
    "bz2": rb"BZh[1-9]1AY&SY",
    "xz": rb"\xfd7zXZ\x00",
    "zstd": rb"\x28\xb5\x2f\xfd",
    "zip": rb"PK\x03\x04",
}
MARKS = {  # the longer first: UTF-32's mark begins with UTF-16's
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def text(path: Path, compression: str | None = None, encoding: str | None = None) -> pa.Buffer:
    """The file's text as UTF-8. Errors: `UserError` if it is damaged, empty, no text, or in another encoding."""
    data = _decompressed(path, compression)
    if data.size == 0:
        raise UserError(f"{path} is empty. Give a table with a header and rows.")
    return _as_utf8(data, path, encoding)


def _decompressed(path: Path, compression: str | None) -> pa.Buffer:
    """The bytes of a file; one that is not compressed is mapped into memory, not read."""
    with path.open("rb") as file:
        start = file.read(10)
    kind = compression or next((name for name, magic in COMPRESSIONS.items() if re.match(magic, start)), "none")
    if kind == "none":
        return pa.memory_map(str(path)).read_buffer()
    openers: dict[str, Callable[[Path], Any]] = {
        "gzip": gzip.open,
        "bz2": bz2.open,
        "xz": lzma.open,
        "zstd": lambda file: pa.CompressedInputStream(str(file), "zstd"),
        "zip": _only_file,
    }
    damage = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
    try:
        with openers[kind](path) as stream:
            return pa.py_buffer(stream.read())
    except damage as error:
        step = "It is incomplete or damaged: copy it again"
        step += f", or set data.compression to something else than {kind}." if compression else "."
        raise UserError(f"{path} can't be decompressed as {kind}: {error}. {step}") from None


def _only_file(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist() if not name.startswith("__MACOSX/") and not name.endswith("/")]
    if any(name.startswith(("xl/", "[Content_Types]")) for name in names):
        raise UserError(f"{path} is a spreadsheet. Save the sheet as CSV and set data.path to that file.")
    if len(names) != 1:
        raise UserError(
            f"{path} holds {len(names)} files ({', '.join(names[:5])}), not one. Unpack the one with the table and set "
            f"data.path to it."
        )
    return archive.open(names[0])


def _as_utf8(data: pa.Buffer, path: Path, encoding: str | None) -> pa.Buffer:
    """The text as UTF-8 without a byte order mark. Warns when the encoding is assumed."""
    start = data[:SAMPLE].to_pybytes()
    known = encoding or next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    if known is None and b"\0" in start:
        raise UserError(
            f"{path} is not text: byte {start.index(0)} is zero. Give a CSV, Parquet or Feather file; if it is text in "
            f"UTF-16, -S data.encoding=utf-16."
        )
    try:
        wrong = _first_non_utf8(data) if codecs.lookup(known or "utf-8").name == "utf-8" else 0
        if wrong is None:
            return data
        if known is None:
            known = "cp1252"
            warnings.warn(
                f"{path} is not UTF-8 (line {_line(data, wrong)}), so it is read as Windows-1252. If letters look "
                f"wrong, set data.encoding to the file's encoding.",
                stacklevel=3,
            )
        return pa.py_buffer(data.to_pybytes().decode(known).encode())
    except LookupError:
        raise UserError(
            f"data.encoding = {encoding!r} is not a known encoding. The usual ones are utf-8, cp1252 and utf-16."
        ) from None
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        value = data[at : at + 1].to_pybytes()
        raise UserError(
            f"{path}, line {_line(data, at)}: the byte {value!r} is not {known}. Set data.encoding to the file's "
            f"encoding, or save the file as UTF-8."
        ) from None


def _first_non_utf8(data: pa.Buffer, step: int = 1 << 24) -> int | None:
    """Position of the first byte that is not UTF-8; None if all are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    for start in range(0, len(view), step):
        kept = len(decoder.getstate()[0])  # bytes of a letter that the last step cut in two
        try:
            decoder.decode(view[start : start + step], final=start + step >= len(view))
        except UnicodeDecodeError as error:
            return start - kept + error.start
    return None


def _line(data: pa.Buffer, at: int) -> int:
    return data[:at].to_pybytes().count(b"\n") + 1
