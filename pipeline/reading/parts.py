"""Which files are one table: a file, those of a folder, and those of folders as Hive names them."""

import difflib
import re
import shlex
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.overrides import override


def files(path: Path, setting: str = "data.path") -> list[Path]:
    """The file, or the files of one table in a folder, by name. Errors: `UserError` for a path that is neither."""
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link to {path.readlink()}, and no file is there. Replace it, or set {setting}.")
    if url := re.match(r"(https?|s3|gs|gcs|abfss?|ftp|hdfs):/+", str(path)):
        raise _not_fetched(url[1], f"{url[1]}://{str(path)[url.end() :]}", setting)
    if not path.exists():
        path_text = str(path) if str(path).isprintable() else repr(str(path))
        close = difflib.get_close_matches(path.name, _beside(path), n=1)
        hint = f" Did you mean {path.with_name(close[0])}?" if close else ""
        raise UserError(f"{path_text} doesn't exist.{hint} Put the table there, or set {setting}.")
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path} is not a regular file. Set {setting} to a CSV, Excel or Parquet file.")
    entries = [path / name for name in _beside(path / "any") if not name.startswith((".", "_"))]
    folders = [entry for entry in entries if entry.is_dir()]
    if any("=" not in folder.name for folder in folders):
        raise UserError(
            f"{path} is a directory with others in it ({', '.join(folder.name for folder in folders[:5])}). A table "
            f"may be a directory of files, or of others that are called column=cell: set {setting} to one of them, or "
            f"to one file."
        )
    if not entries:
        raise UserError(f"{path} is a directory without files. Put the table there, or set {setting}.")
    return [file for entry in entries for file in (files(entry, setting) if entry.is_dir() else [entry])]


def _not_fetched(scheme: str, url: str, setting: str) -> UserError:
    """The error for the address of a table: DVC and a later run need the file itself."""
    file = f"data/{PurePosixPath(url.partition('?')[0]).name or 'table.csv'}"
    fetch = {
        "s3": ["aws", "s3", "cp", url, file],
        "gs": ["gsutil", "cp", url, file],
        "gcs": ["gsutil", "cp", url, file],
        "hdfs": ["hdfs", "dfs", "-get", url, file],
    }.get(scheme, ["curl", "-L", "-o", file, url])
    return UserError(
        f"{url} is an address, not a file. Fetch it first: {shlex.join(fetch)}. Or let DVC fetch it and remember from "
        f"where: {shlex.join(['dvc', 'import-url', url, file])}. Then: {override(setting, file)}."
    )


def _beside(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
