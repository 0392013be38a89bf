"""Where rows are that may not fit into memory: in files (here), or on the workers of a Dask cluster (`cluster`)."""

import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from pipeline.errors import UserError

_in_memory, _folder = math.inf, ""  # see `mapped_beyond`
_mapped: list[ReferenceType[np.memmap]] = []  # weak references to the arrays in files


@contextmanager
def mapped_beyond(n_bytes: float, folder: str) -> Iterator[None]:
    """While the block runs, `empty` gives arrays in files of a folder for a matrix of more than so many bytes."""
    global _in_memory, _folder
    earlier, (_in_memory, _folder) = (_in_memory, _folder), (n_bytes, folder)
    try:
        yield
    finally:
        _in_memory, _folder = earlier


def is_mapped(n_bytes: float) -> bool:
    """Whether arrays of a table or matrix of so many bytes are in files."""
    return n_bytes > _in_memory


def empty(shape: tuple[int, ...], dtype: Any, n_bytes: float) -> np.ndarray:
    """An array for a part of a table or matrix of `n_bytes`; its file has no name, and goes with it.

    Errors: `UserError` where the disk has no room. (Without it, writing to the array would end the process.)
    """
    if not is_mapped(n_bytes) or 0 in shape:
        return np.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        Path(_folder).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=_folder) as file:
            os.posix_fallocate(file.fileno(), 0, size) if hasattr(os, "posix_fallocate") else file.truncate(size)
            return mapped(np.memmap(file, dtype, "r+", shape=shape))
    except OSError as error:
        raise UserError(
            f"{_folder} can't hold {n_bytes / 1e9:.3g} GB of rows: {error.strerror}. Set compute.folder to a folder "
            f"of a disk with more room, or compute.memory to more gigabytes."
        ) from None


def mapped(array: np.memmap) -> np.memmap:
    """The array, for `release` to know."""
    _mapped[:] = [reference for reference in _mapped if reference() is not None] + [ref(array)]
    return array


def release(n_bytes: float = 0) -> None:
    """Let go of the memory of arrays in files, if it may be more than so many bytes; what is needed is read again."""
    arrays = [array for reference in _mapped if (array := reference()) is not None]
    if sum(array.nbytes for array in arrays) > n_bytes:
        for array in arrays:
            array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
