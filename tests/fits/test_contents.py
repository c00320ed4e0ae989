"""What a fit's file may unpack to, told before it is unpacked."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from bayescale.errors import FileError
from bayescale.fits.contents import MAX_SMALL, check_numbers, check_sizes
from bayescale.fits.load import load_fit

MB = 2**20


def packed(**contents: bytes) -> bytes:
    """An archive; the last part of a name is its ending."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name.replace("_", "."), content)
    return whole.getvalue()


def check(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_sizes(archive, len(content))


NOTHING = bytes(MAX_SMALL + 1)


class TestSizes:
    def test_what_a_fit_can_be_passes(self) -> None:
        check(packed(losses_nc=bytes(MAX_SMALL // 2), runs_csv=bytes(MAX_SMALL // 4)))
        noise = np.random.default_rng(0).bytes(MB)
        check(packed(losses_nc=noise + bytes(150 * MB)))
        check(packed(losses_nc=noise, member_fit=packed(losses_nc=noise)))

    @pytest.mark.parametrize(
        "content",
        [
            lambda: packed(losses_nc=NOTHING),
            lambda: packed(runs_csv=NOTHING, losses_nc=np.random.default_rng(0).bytes(MB)),
            lambda: packed(a_nc=NOTHING[::2], b_nc=NOTHING[::2], c_nc=NOTHING[::2]),
            lambda: packed(a_fit=packed(a_nc=NOTHING)),
            lambda: packed(a_fit=packed(a_nc=NOTHING[::2]), b_fit=packed(a_nc=NOTHING[::2] + b"1")),
        ],
        ids=["numbers", "a table", "several", "in a member", "in several members"],
    )
    def test_what_unpacks_to_more_is_refused(self, content: Callable[[], bytes]) -> None:
        with pytest.raises(zipfile.BadZipFile, match="unpacks to more than a fit of its size"):
            check(content())

    def test_a_member_has_no_members(self) -> None:
        with pytest.raises(zipfile.BadZipFile, match="a member that has members"):
            check(packed(a_fit=packed(b_fit=packed(c_fit=b"and so on"))))

    @pytest.mark.slow
    def test_a_gigabyte_is_refused_before_it_takes_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.fit"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("losses.nc", "w", force_zip64=True) as entry,
        ):
            for _ in range(1024):
                entry.write(bytes(MB))
        assert path.stat().st_size < 2 * MB
        script = (
            "import resource, sys\n"
            "import bayescale as bs\n"
            "bs.setup()\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try: bs.load_fit(sys.argv[1])\n"
            "except bs.BayescaleError as error: print(error)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        )
        message, grown = done.stdout.splitlines()
        assert "it unpacks to more than a fit of its size" in message
        units_per_mb = MB if sys.platform == "darwin" else 1024
        assert int(grown) / units_per_mb < 50


def numbers(write: Callable[[h5py.Group], object]) -> bytes:
    """An HDF5 file with one group."""
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        write(file.create_group("posterior"))
    return whole.getvalue()


def virtual(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", (3,))
    group.create_virtual_dataset("a", layout)


REFUSED: dict[str, Callable[[h5py.Group], object]] = {
    "packed": lambda group: group.create_dataset("a", data=np.zeros(10**6), compression="gzip"),
    "in pieces": lambda group: group.create_dataset("a", (10,), "f8", chunks=(5,)),
    "never written": lambda group: group.create_dataset("a", (10**9,), "f8"),
    "in another file": lambda group: group.create_dataset(
        "a", (10,), "f8", external=[("/etc/passwd", 0, 80)]
    ),
    "virtual": virtual,
    "a link": lambda group: group.__setitem__("a", h5py.SoftLink("/posterior/b")),
    "a link to a file": lambda group: group.__setitem__("a", h5py.ExternalLink("b.h5", "/b")),
    "a group in a group": lambda group: group.create_group("a"),
    "outside the groups": lambda group: group.file.create_dataset("a", data=[1.0]),
    "records": lambda group: group.create_dataset("a", (3,), [("x", "f8")]),
    "lists": lambda group: group.create_dataset("a", (3,), h5py.vlen_dtype("f8")),
}


class TestNumbers:
    def test_numbers_and_texts_pass(self) -> None:
        def write(group: h5py.Group) -> None:
            group["draws"] = np.ones((2, 10, 3))
            group["diverging"] = np.zeros((2, 10), bool)
            group["draw"] = np.arange(10)
            group["corpus"] = ["c4", "web"]

        check_numbers(numbers(write))

    @pytest.mark.parametrize("write", REFUSED.values(), ids=REFUSED)
    def test_all_else_is_refused(self, write: Callable[[h5py.Group], object]) -> None:
        with pytest.raises(ValueError, match=r"a dataset|datasets|a link|a group"):
            check_numbers(numbers(write))

    def test_one_text_many_times_counts_as_often(self) -> None:
        def write(group: h5py.Group) -> None:
            texts = group.create_dataset("texts", (50,), h5py.string_dtype())
            texts[:] = ["n" * 40_000, *[""] * 49]

        whole = numbers(write)
        assert check_numbers(whole) is None
        # A text is 16 bytes: its length, and where it lies. Those of the first are put in all.
        at = whole.index((40_000).to_bytes(4, "little"))
        first = whole[at : at + 16]
        forged = whole[:at] + first * 50 + whole[at + 16 * 50 :]
        assert len(forged) == len(whole)
        with pytest.raises(ValueError, match="datasets that hold more than their file"):
            check_numbers(forged)


def test_a_refused_file_is_a_file_error(tmp_path: Path) -> None:
    path = tmp_path / "a.fit"
    path.write_bytes(packed(losses_nc=NOTHING))
    with pytest.raises(FileError, match="it unpacks to more than a fit of its size"):
        load_fit(path)
