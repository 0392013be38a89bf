"""A file's bytes to UTF-8 text: decompressed and decoded, however it was written.

UTF-8 and byte order marks are certain. Any other encoding is an assumption, reported with an example:

    most lines with foreign letters are UTF-8      UTF-8; the other lines are decoded one by one, and counted
    Japanese letters stand in groups as Shift-JIS  Shift-JIS
    foreign letters stand in groups, as words      Windows-1251 or KOI8-R (Cyrillic)
    foreign letters stand alone among others       Windows-1252 (Western European)

Libraries that guess from frequencies of letters were tried: with the few such letters of a table they take Russian for
Shift-JIS and French for Central European.
"""

import bz2
import codecs
import gzip
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import UserError

SAMPLE = 1 << 16  # bytes from which to find out how a file is written
BLOCK = 1 << 24  # bytes of a file that are checked at once
# Tables shrink to about a tenth when they are compressed. A file that becomes larger than LARGE, or larger than SMALL
# and than GROWTH times its size, is taken for a bomb.
SMALL, GROWTH, LARGE = 1 << 26, 200, 1 << 32
COMPRESSIONS = {
    "gzip": rb"\x1f\x8b",
    "bz2": rb"BZh[1-9]1AY&SY",
    "xz": rb"\xfd7zXZ\x00",
    "zstd": rb"\x28\xb5\x2f\xfd",
    "zip": rb"PK(\x03\x04|\x05\x06)",
}
OPENERS: dict[str, Callable[[Path], Any]] = {
    "gzip": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
    "zstd": lambda file: pa.CompressedInputStream(str(file), "zstd"),
}
DAMAGE = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
MARKS = {  # the longer first: UTF-32's mark begins with UTF-16's
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
NAMES = {"cp932": "Shift-JIS", "cp1251": "Windows-1251", "koi8-r": "KOI8-R", "cp1252": "Windows-1252"}


@dataclass(frozen=True)
class Text:
    """UTF-8 text: in memory, or in a file that needs no decoding, which is read in parts and never as a whole."""

    source: bytes | Path

    @cached_property
    def size(self) -> int:
        return self.source.stat().st_size if isinstance(self.source, Path) else len(self.source)

    def open(self) -> pa.NativeFile:
        return pa.OSFile(str(self.source)) if isinstance(self.source, Path) else pa.BufferReader(self.source)

    def start(self, size: int) -> bytes:
        with self.open() as stream:
            return stream.read(size)

    def end(self, size: int) -> bytes:
        with self.open() as stream:
            stream.seek(max(0, self.size - size))
            return stream.read()

    def whole(self) -> bytes:
        return self.start(self.size)

    def blocks(self) -> Iterator[bytes]:
        with self.open() as stream:
            while block := stream.read(BLOCK):
                yield block

    def contains(self, mark: bytes) -> bool:
        before = b""
        for block in self.blocks():
            if mark in block or mark in before + block[: len(mark)]:
                return True
            before = block[-len(mark) :]
        return False


def text(path: Path, compression: str | None = None, encoding: str | None = None) -> Text:
    """The file's text as UTF-8. Errors: `UserError` if it is damaged, empty, no text, or in another encoding."""
    data = _decompressed(path, compression)
    if data.size == 0:
        raise UserError(f"{path} is empty. Give a table with a header and rows.")
    decoded = _as_utf8(data, path, encoding)
    if decoded.start(6) == 2 * codecs.BOM_UTF8:  # by a program that adds one to a file that has one
        return Text(re.sub(rb"^(\xef\xbb\xbf)+", b"", decoded.whole()))
    return decoded


def compressed_as(start: bytes) -> str | None:
    return next((name for name, magic in COMPRESSIONS.items() if re.match(magic, start)), None)


def _decompressed(path: Path, compression: str | None) -> Text:
    """The bytes of a file."""
    with path.open("rb") as file:
        kind = compression or compressed_as(file.read(10))
    if kind not in OPENERS:
        return Text(path)
    try:
        with OPENERS[kind](path) as stream:
            blocks, size = [], 0
            while block := stream.read(BLOCK):
                size += len(block)
                check_growth(path, size)
                blocks.append(block)
            return Text(b"".join(blocks))
    except DAMAGE as error:
        raise damaged(path, kind, error, bool(compression)) from None


def damaged(path: Path, kind: str, error: Exception, is_given: bool) -> UserError:
    step = "It is incomplete or damaged: copy it again"
    step += f", or set data.compression to something else than {kind}." if is_given else "."
    return UserError(f"{path} can't be decompressed as {kind}: {error}. {step}")


def check_growth(path: Path, size: int) -> None:
    """Errors: `UserError` for a compressed file that becomes more than `size` bytes, far more than tables do."""
    packed = path.stat().st_size
    if size > LARGE or (size > SMALL and size > GROWTH * packed):
        raise UserError(
            f"{path} has {packed:,} bytes and becomes more than {size:,} when it is decompressed, too many for memory. "
            f"If it is a table nevertheless, decompress it and set data.path to the result."
        )


def _as_utf8(data: Text, path: Path, encoding: str | None) -> Text:
    """The text as UTF-8. Warns when the encoding is assumed."""
    start = data.start(4)
    codec = encoding or next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    try:
        if codecs.lookup(codec or "utf-8").name not in ("utf-8", "utf-8-sig"):
            decoded = Text(data.whole().decode(codec or "utf-8").encode())
            _check(decoded, path)
            return decoded
        wrong = _check(data, path)
        if wrong is None:
            return data
        if encoding is None:
            return Text(_assumed(data.whole(), path))
        raise _undecodable(data, wrong, encoding, path)
    except LookupError:
        raise UserError(
            f"data.encoding = {encoding!r} is not a known encoding. The usual ones are utf-8, cp1252 and utf-16."
        ) from None
    except UnicodeError as error:
        raise _undecodable(data, getattr(error, "start", 0), str(codec), path) from None


def _undecodable(data: Text, at: int, encoding: str, path: Path) -> UserError:
    value = data.start(at + 1)[at:]
    return UserError(
        f"{path}, line {_line(data, at)}: the byte {value!r} is not {encoding}. Set data.encoding to the file's "
        f"encoding, or save the file as UTF-8."
    )


def _check(data: Text, path: Path) -> int | None:
    """Position of the first byte that is not UTF-8; None if all are. Errors: `UserError` for a byte that is zero."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    wrong, start = None, 0
    for block in data.blocks():
        if b"\0" in block:
            at = start + block.index(b"\0")
            raise UserError(
                f"{path} is not text: byte {at} is zero (line {_line(data, at)}). Give a CSV or Parquet file. If "
                f"it is text in UTF-16, -S data.encoding=utf-16; if only a cell is damaged, correct that line."
            )
        if wrong is None and not (block.isascii() and not decoder.getstate()[0]):
            kept = len(decoder.getstate()[0])  # bytes of a letter that the last step cut in two
            try:
                decoder.decode(block, final=start + len(block) >= data.size)
            except UnicodeDecodeError as error:
                wrong = start - kept + error.start
        start += len(block)
    return wrong


def _assumed(data: bytes, path: Path) -> bytes:
    """Text that is not all UTF-8, as UTF-8. Warns of what is assumed."""
    lines = data.split(b"\n")
    foreign = [number for number, line in enumerate(lines) if not line.isascii()]
    wrong = [number for number in foreign if not _is_utf8(lines[number])]
    some = b"\n".join(lines[number] for number in wrong[:1000])
    encoding = _old_encoding(some)
    example = some.decode(encoding, "replace").split("\n")[0].strip()[:60]
    step = (
        "If letters look wrong, set data.encoding to the file's encoding: -S data.encoding=cp1250 (Central European), "
        "cp1253 (Greek), gb18030 (Chinese)."
    )
    name = NAMES[encoding]
    if 2 * len(wrong) <= len(foreign):
        warnings.warn(
            f"{path} is UTF-8, but {len(wrong):,} of {len(lines):,} lines are not (the first: line {wrong[0] + 1}). "
            f"These are read as {name}, such as {example!r}. {step}",
            stacklevel=5,
        )
        for number in wrong:
            lines[number] = _decoded(lines[number], encoding, path, number).encode()
        return b"\n".join(lines)
    warnings.warn(
        f"{path} is not UTF-8 (line {wrong[0] + 1}), so it is read as {name}, such as {example!r}. {step}", stacklevel=5
    )
    return b"\n".join(
        _decoded(line, encoding, path, number).encode() if not line.isascii() else line
        for number, line in enumerate(lines)
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(line: bytes, encoding: str, path: Path, number: int) -> str:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number + 1}: the byte {line[error.start : error.start + 1]!r} is neither UTF-8 nor "
            f"{NAMES[encoding]}. Set data.encoding to the file's encoding, or save the file as UTF-8."
        ) from None


def _old_encoding(foreign: bytes) -> str:
    """The encoding from before UTF-8 that is most likely for these lines."""
    text = foreign.decode("cp932", "replace")
    letters = re.findall(r"[^\x00-\x7f]", text)
    japanese = re.findall(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff60]", text)
    if len(japanese) >= 0.95 * len(letters) and _in_groups(r"[^\x00-\x7f]+", text, 2):
        return "cp932"
    single = foreign.decode("latin-1")
    if _in_groups(r"[\xc0-\xff]+", single, 3):
        small_in_1251, small_in_koi8 = len(re.findall(r"[\xe0-\xff]", single)), len(re.findall(r"[\xc0-\xdf]", single))
        return "cp1251" if small_in_1251 >= small_in_koi8 else "koi8-r"
    return "cp1252"


def _in_groups(pattern: str, text: str, length: int) -> bool:
    """Whether most letters that match `pattern` stand beside others, `length` or more together."""
    groups = [len(group) for group in re.findall(pattern, text)]
    return sum(size for size in groups if size >= length) > 0.5 * sum(groups)


def _line(data: Text, at: int) -> int:
    return data.start(at).count(b"\n") + 1
