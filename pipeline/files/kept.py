"""What was computed from files, kept in DVC's temporary folder beside what the file system says of each file.

It is computed again only if that changed: a large table takes seconds to read, and a hundred source files to parse.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECENT = 2_000_000_000  # nanoseconds since a file was written, within which another edit may leave the same time


class Kept:
    """Values by file. `name` is that of the file that keeps them; where it is absent or damaged, nothing is known."""

    def __init__(self, name: str) -> None:
        self.folder = Path(os.environ.get("DVC_ROOT", "."), ".dvc", "tmp")
        self.name, self.is_new = name, False
        try:
            values = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            values = {}
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}

    def of(self, file: Path, compute: Callable[[Path], Any]) -> Any:
        """The value of a file, in terms that JSON has, computed if the file is not what it was."""
        path, state = str(file.resolve()), _state(file)
        entry = self.values.get(path)
        if isinstance(entry, dict) and entry.get("state") == state and "value" in entry:
            return entry["value"]
        value = compute(file)
        if _state(file) == state and time.time_ns() - state[1] > RECENT:
            self.values[path], self.is_new = {"state": state, "value": value}, True
        return value

    def save(self) -> None:
        """In one step, so that a stage of another experiment at the same time reads no half of it."""
        if not self.is_new or not self.folder.is_dir():
            return
        there = {path: value for path, value in self.values.items() if Path(path).exists()}
        fresh = self.folder / f"{self.name}.{os.getpid()}"
        try:
            fresh.write_text(json.dumps(there), encoding="utf-8")
            fresh.replace(self.folder / self.name)
        except OSError:  # a full or read-only disk: the values are computed again the next time
            fresh.unlink(missing_ok=True)


def _state(file: Path) -> list[int]:
    """What changes if the file is written or replaced, even by a program that sets its time back."""
    state = file.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev]
