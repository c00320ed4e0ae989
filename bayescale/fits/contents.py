"""Checks of a fit's file before anything in it is unpacked: sizes and structure.

The file may come from a stranger, and may be small and unpack to more than the memory holds.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

# A fit's file of more than this unpacks to at most `MAX_RATIO` times its size: a grid of draws in
# which most cells are empty packs well. Settings and tables are never larger.
MAX_SMALL = 2**26
MAX_RATIO = 200
NUMBERS = ".nc"
MEMBER = ".fit"
# Bytes of HDF5 datasets by bytes of their file: `Fit.save` packs the archive, not the datasets.
MAX_DATASETS = 2


def check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    """Check what the archive of a fit unpacks to, with the archives of its members.

    Parameters
    ----------
    archive
        The archive, open for reading.
    size
        Bytes of its file.

    Raises
    ------
    BadZipFile
        Where it unpacks to more than a fit of its size can.
    """
    limit = max(MAX_SMALL, MAX_RATIO * size)
    total = _unpacked(archive, limit)
    for entry in archive.infolist():
        if entry.filename.endswith(MEMBER):
            with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as member:
                total += _unpacked(member, limit - total)
                if any(inside.filename.endswith(MEMBER) for inside in member.infolist()):
                    raise zipfile.BadZipFile("a member that has members")


def _unpacked(archive: zipfile.ZipFile, limit: int) -> int:
    """Bytes that the archive unpacks to; BadZipFile where they are more than `limit`."""
    total = 0
    for entry in archive.infolist():
        total += entry.file_size
        is_text = not entry.filename.endswith((NUMBERS, MEMBER))
        if total > limit or (is_text and entry.file_size > MAX_SMALL):
            raise zipfile.BadZipFile("it unpacks to more than a fit of its size")
    return total


def check_numbers(content: bytes) -> None:
    """Check an HDF5 file before its numbers are read: plain datasets in groups, and nothing else.

    Parameters
    ----------
    content
        The file.

    Raises
    ------
    ValueError
        For links, for datasets that are packed, virtual or in other files, and for datasets that
        hold more than the file.
    """
    # HDF5 takes a tenth of a second to load.
    import h5py  # type: ignore[import-untyped]

    left = MAX_DATASETS * len(content)
    with h5py.File(io.BytesIO(content), "r") as file:
        for group in _own(file):
            if not isinstance(group, h5py.Group):
                raise ValueError("a dataset outside the groups")
            for dataset in _own(group):
                if not isinstance(dataset, h5py.Dataset):
                    raise ValueError("a group in a group")
                made = dataset.id.get_create_plist()
                if made.get_layout() != h5py.h5d.CONTIGUOUS or made.get_external_count():
                    raise ValueError("a dataset that is packed, virtual or in another file")
                left -= _bytes_of(dataset, left)


def _own(group: Any) -> Iterator[Any]:
    """What lies in an HDF5 group itself; a ValueError for a link to elsewhere."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError("a link to elsewhere")
        yield group[name]


def _bytes_of(dataset: Any, limit: int) -> int:
    """Bytes of a dataset of numbers or a list of texts; a ValueError for more than `limit`."""
    import h5py

    total = int(dataset.size * dataset.dtype.itemsize)
    if total <= limit and dataset.dtype.kind not in "biuf":
        if h5py.check_string_dtype(dataset.dtype) is None or dataset.ndim != 1:
            raise ValueError("a dataset of neither numbers nor texts")
        # Many texts can be one and the same in the file, and each takes memory.
        for text in dataset:
            total += len(text)
            if total > limit:
                break
    if total > limit:
        raise ValueError("datasets that hold more than their file")
    return total
