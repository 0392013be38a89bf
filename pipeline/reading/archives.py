"""Archives, and compressed files that are no text, unpacked into a temporary folder for as long as they are read."""

import re
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading import decoding, formats
from pipeline.reading.options import Options

TABLES = (
    *(".arff", ".arrow", ".csv", ".dat", ".data", ".db", ".dta", ".duckdb", ".feather", ".geojson", ".json", ".jsonl"),
    *(".libsvm", ".ndjson", ".ods", ".orc", ".parquet", ".pq", ".psv", ".rda", ".rdata", ".rds", ".sas7bdat", ".sav"),
    *(".sqlite", ".svm", ".tab", ".tsv", ".txt", ".vw", ".xls", ".xlsm", ".xlsx", ".xpt", ".zsav"),
)
NOTES = re.compile(
    r"(?i)(^|[^a-z])(read[\W_]?me|licen[cs]e|citation|changelog|notes?|description|codebook|names)([^a-z]|$)"
)
MEMBERS = 10_000
SHOWN = 5


class Unpacked(NamedTuple):
    """The files of one table, and how to read them."""

    paths: list[Path]
    folder: Path | None  # the temporary one; None where the file is none of these
    options: Options


@contextmanager
def unpacked(path: Path, options: Options) -> Iterator[Unpacked]:
    """The file itself, or what an archive holds: one file, or several that are alike.

    Of several, `data.sheet` may name one. Errors: `UserError`, also where what is inside can't be read.
    """
    kind = _archived_as(path, options.compression)
    if kind is None:
        yield Unpacked([path], None, options)
        return
    with tempfile.TemporaryDirectory(prefix="table-") as name:
        folder = Path(name)
        try:
            try:
                _extract(path, kind, folder)
            except (*decoding.DAMAGE, tarfile.TarError) as error:
                raise decoding.damaged(path, kind, error, bool(options.compression)) from None
            inner = replace(options, compression=None)
            yield Unpacked(*_chosen(path, folder, inner))
        except UserError as error:
            raise UserError(renamed(str(error), folder, path)) from None


def renamed(message: str, folder: Path, path: Path) -> str:
    """A message about files in the temporary folder, as one about what `path` holds."""
    inside = rf"{re.escape(str(folder))}(/({re.escape(path.stem)}|{re.escape(path.name)})(?![\w.]))?"
    return re.sub(inside, lambda _: str(path), message)


def _archived_as(path: Path, compression: str | None) -> str | None:
    """`zip`, `tar`, or a compression of a file that is no text; None for any other file."""
    with path.open("rb") as file:
        start = file.read(512)
    kind = compression or decoding.compressed_as(start)
    if kind == "zip" and (compression or formats.stored_as(path) == "text"):
        return "zip"
    if kind in decoding.OPENERS:
        try:
            with decoding.OPENERS[kind](path) as stream:
                start = stream.read(512)
        except decoding.DAMAGE:
            return None  # whose reader says what is wrong
        formats.refuse_foreign(start, path)
    if start[257:262] == b"ustar":
        return "tar"
    return kind if kind in decoding.OPENERS and formats.begins_as(start) else None


def _extract(path: Path, kind: str, folder: Path) -> None:
    """Write the files of an archive below `folder`, none of them larger than tables are (`check_growth`)."""
    size, names = 0, set[Path]()
    for name, stream in _members(path, kind):
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..")]
        if not parts or any(part.startswith((".", "_")) for part in parts):
            continue
        target = folder.joinpath(*parts)
        names.add(target)
        if len(names) > MEMBERS:
            raise UserError(f"{path} holds more than {MEMBERS:,} files. Unpack it, and set data.path to the table.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            while block := stream.read(decoding.BLOCK):
                size += len(block)
                decoding.check_growth(path, size)
                file.write(block)


def _members(path: Path, kind: str) -> Iterator[tuple[str, IO[bytes]]]:
    """The names of the files within, and a stream of each, which must be read before the next one."""
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    with archive.open(entry) as stream:
                        yield entry.filename, stream
        return
    with path.open("rb") as file:
        compression = decoding.compressed_as(file.read(512))
    opener = decoding.OPENERS.get(compression or "")
    with opener(path) if opener else path.open("rb") as stream:
        if kind != "tar":
            yield path.stem if path.suffix.lower() in (".gz", ".bz2", ".xz", ".zst", ".zstd") else path.name, stream
            return
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.isfile() and (content := tar.extractfile(member)):
                    yield member.name, content


def _chosen(path: Path, folder: Path, options: Options) -> tuple[list[Path], Path, Options]:
    """The files that are the table. Warns of those that are left out, and of several."""
    members = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    if not members:
        raise UserError(f"{path} holds no file. Give a table with a header and rows.")
    wanted = options.sheet
    named = [name for name in members if wanted in (name, PurePosixPath(name).name)]
    if named and isinstance(wanted, str):
        return [members[named[0]]], folder, replace(options, sheet=None)
    tables = [name for name in members if PurePosixPath(name).suffix.lower() in TABLES and not NOTES.search(name)]
    chosen = (tables or [*members]) if len(members) > 1 else [*members]
    for name in chosen:
        if _archived_as(members[name], None) in ("zip", "tar"):
            raise UserError(f"{path} holds an archive, {name}. Unpack it, and set data.path to the table.")
    one = override("data.sheet", chosen[0])
    shown = ", ".join(chosen[:SHOWN]) + f" and {len(chosen) - SHOWN} more" * (len(chosen) > SHOWN)
    if len({PurePosixPath(name).suffix for name in chosen}) > 1:
        raise UserError(f"{path} holds {len(chosen)} files ({shown}). To read one of them: {one}.")
    if left_out := [name for name in members if name not in chosen]:
        warnings.warn(
            f"{path} holds {len(members)} files: {shown} is read, not {', '.join(left_out[:SHOWN])}. For another one: "
            f"{override('data.sheet', left_out[0])}.",
            stacklevel=2,
        )
    if len(chosen) > 1:
        warnings.warn(
            f"{path} holds {len(chosen)} files ({shown}), read as one table. For one alone: {one}.", stacklevel=2
        )
    return [members[name] for name in chosen], folder, options
