"""Content to a file, and the file to a table."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.reading import Options, read


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """`table(content, target="y", delimiter=";")` writes `content` to a file and reads it with these options."""

    def write_and_read(content, *, name="table.csv", target=None, roles=None, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, Options(**options), target=target, roles=roles).frame

    return write_and_read
