"""The arrays of a task in files that all machines see: a path or an fsspec URL."""

import io
import pickle
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from pipeline import compute
from pipeline.logistic import threads

LARGE = 64 * 1024  # bytes of an array that is written to the folder


@lru_cache(maxsize=threads.MOST)  # all strips of a matrix: one less, and each pass would open all of them again
def opened(written: bytes) -> Any:
    return pickle.loads(written)


def without_arrays(task: Any, folder: str) -> tuple[bytes, list[str]]:
    """`task` as bytes that name its large arrays, and the files that these were written to."""
    buffer, files = io.BytesIO(), []

    class Pickler(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            if type(value) not in (np.ndarray, np.memmap) or value.nbytes < LARGE:
                return NotImplemented
            name = f"{folder.rstrip('/')}/{uuid4().hex}"
            with _file(name, "wb") as file:
                file.write(np.ascontiguousarray(value).data)
            files.append(name)
            return _array, (name, value.dtype.str, value.shape)

    Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(task)
    return buffer.getvalue(), files


def _array(name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array in a file, mapped; or from a URL, read."""
    if "://" not in name:
        return compute.mapped(np.memmap(name, dtype, "r", shape=shape)).view(np.ndarray)
    with _file(name, "rb") as file:
        return np.frombuffer(file.read(), dtype).reshape(shape)


def _file(name: str, mode: str) -> Any:
    if "://" not in name:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        return Path(name).open(mode)
    import fsspec

    return fsspec.open(name, mode)


def remove(files: list[str]) -> None:
    for name in files:
        if "://" not in name:
            Path(name).unlink(missing_ok=True)
        elif not sys.is_finalizing():
            import fsspec

            system, path = fsspec.core.url_to_fs(name)
            system.rm(path)
