"""load_fit: what comes back is what went in, and a damaged file is refused."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.errors import FileError, SettingError
from bayescale.fits.archive import FORMAT
from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS
from helpers.fits import round_trip, with_trees


class TestFit:
    @pytest.mark.slow
    def test_a_saved_fit_keeps_it(
        self, default_fit: Fit, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        path = tmp_path_factory.mktemp("fits") / "default.fit"
        default_fit.save(path)
        again = load_fit(path)
        assert again.discrepancy.note == default_fit.discrepancy.note
        target = default_fit.ladder.targets("target")
        assert forecast(again, target).draws.equals(forecast(default_fit, target).draws)


def asked(fitted: Fit, **changes: object) -> Fit:
    """The fit as if it had been asked for with other settings."""
    return replace(fitted, settings=replace(fitted.settings, **changes))  # type: ignore[arg-type]


FAR = Target(7e9, 4e12, corpus="c4", name="far")


@pytest.fixture(scope="module")
def pair(gadre_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> tuple[Fit, Fit]:
    """A fit of three corpora, and what its file gives back."""
    return gadre_fit, round_trip(gadre_fit, tmp_path_factory.mktemp("saved"))


class TestRoundTrip:
    def test_draws_statistics_and_provenance(self, pair: tuple[Fit, Fit]) -> None:
        fitted, again = pair
        for one, other in ((fitted.losses, again.losses), (fitted.accuracies, again.accuracies)):
            assert one is not None
            assert other is not None
            assert {"posterior", "sample_stats", "prior", "log_likelihood"} <= set(other.children)
            xr.testing.assert_identical(one, other)

    def test_ladder_and_choices(self, pair: tuple[Fit, Fit]) -> None:
        fitted, again = pair
        assert again.ladder == fitted.ladder
        assert again.law is fitted.law
        assert again.link is fitted.link
        assert (again.via, again.pooling, again.noise, again.sampler) == (
            fitted.via,
            fitted.pooling,
            fitted.noise,
            fitted.sampler,
        )

    def test_diagnostics(self, pair: tuple[Fit, Fit]) -> None:
        fitted, again = pair
        pd.testing.assert_frame_equal(again.diagnostics(), fitted.diagnostics(), check_exact=True)
        assert again.status == fitted.status

    def test_forecast_with_the_same_seed(self, pair: tuple[Fit, Fit]) -> None:
        fitted, again = pair
        targets = fitted.ladder.targets()
        assert targets
        assert forecast(again, targets, seed=5).draws.identical(
            forecast(fitted, targets, seed=5).draws
        )

    def test_a_fit_of_losses_alone(self, short_fit: Fit, tmp_path: Path) -> None:
        again = round_trip(
            with_trees(asked(short_fit, link=None), short_fit.losses, None), tmp_path
        )
        assert again.link is None
        assert again.accuracies is None

    def test_names_that_look_like_numbers_or_like_nothing(
        self, short_fit: Fit, tmp_path: Path
    ) -> None:
        # Draws of the one series that the ladder below has.
        loss = short_fit.posteriors.loss.draws.map_over_datasets(
            lambda draws: (
                draws.isel(corpus=[0], loss_name=[0]).assign_coords(
                    corpus=["NA"], loss_name=["1.50"]
                )
                if "corpus" in draws.coords
                else draws
            )
        )
        loss.attrs = short_fit.losses.attrs
        short_fit = asked(with_trees(short_fit, loss, None), link=None)
        runs = [f"{i:03d}" for i in range(8)]
        frame = pd.DataFrame(
            {
                "run": runs,
                "params": np.geomspace(1e7, 1e9, 8),
                "tokens": 1e9,
                "task": "null",
                "corpus": "NA",
                "loss_name": "1.50",
                "loss": 3.0,
            }
        )
        ladder = Ladder.from_frame(frame)
        again = round_trip(replace(short_fit, ladder=ladder), tmp_path)
        assert list(again.ladder.runs.index) == runs
        assert again.ladder == ladder

    def test_a_seed_that_came_from_numpy(self, short_fit: Fit, tmp_path: Path) -> None:
        again = round_trip(
            replace(short_fit, sampler=replace(short_fit.sampler, seed=np.int64(7))), tmp_path
        )  # type: ignore[arg-type]
        assert again.sampler.seed == 7


class TestOwnFunctions:
    """Functions are not saved, so a law or a link of one's own must be given again."""

    def test_a_law_is_asked_for(self, short_fit: Fit, tmp_path: Path) -> None:
        asked(short_fit, law=replace(LAWS["gadre"], name="mine")).save(tmp_path / "a.fit")
        with pytest.raises(SettingError) as caught:
            load_fit(tmp_path / "a.fit")
        assert str(caught.value).startswith("law 'mine': was your own")
        assert "load_fit(path, law=...)" in str(caught.value)

    def test_a_law_given_is_used(self, short_fit: Fit, tmp_path: Path) -> None:
        mine = replace(
            LAWS["gadre"], name="mine", log_ratio=lambda v, x: 2 * LAWS["gadre"].log_ratio(v, x)
        )
        fitted = asked(short_fit, law=mine)
        fitted.save(tmp_path / "a.fit")
        again = load_fit(tmp_path / "a.fit", law=mine)
        assert again.law is mine
        made = forecast(again, FAR).draws
        assert made.identical(forecast(fitted, FAR).draws)
        assert not made.equals(forecast(short_fit, FAR).draws)

    def test_a_law_of_ones_own_under_a_known_name_is_asked_for_too(
        self, short_fit: Fit, tmp_path: Path
    ) -> None:
        asked(short_fit, law=replace(LAWS["gadre"], log_ratio=lambda v, x: -v["eta"] * x.c)).save(
            tmp_path / "a.fit"
        )
        with pytest.raises(SettingError, match="was your own"):
            load_fit(tmp_path / "a.fit")

    def test_a_link_is_asked_for(self, short_fit: Fit, tmp_path: Path) -> None:
        mine = replace(LINKS["exponential"], name="mine")
        asked(short_fit, link=mine).save(tmp_path / "a.fit")
        with pytest.raises(
            SettingError, match=r"link 'mine': was your own .*load_fit\(path, link=\.\.\.\)"
        ):
            load_fit(tmp_path / "a.fit")
        assert load_fit(tmp_path / "a.fit", link=mine).link is mine


def _start_of_numbers(content: bytes) -> int:
    """Where the compressed bytes of the losses begin: 30 bytes of header, a name and an extra field
    come first.
    """
    at = content.index(b"losses.nc") - 30
    return (
        at
        + 30
        + int.from_bytes(content[at + 26 : at + 28], "little")
        + int.from_bytes(content[at + 28 : at + 30], "little")
    )


def put(content: bytes, at: int, byte: int) -> bytes:
    assert content[at] != byte
    return content[:at] + bytes([byte]) + content[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda b: b"",
    "half": lambda b: b[: len(b) // 2],
    "without its last byte": lambda b: b[:-1],
    "not a zip": lambda b: b"run,params,tokens,task,loss\na,1e8,2e9,c4,3.1\n",
    "a byte flipped in the middle": lambda b: put(b, len(b) // 2, b[len(b) // 2] ^ 0xFF),
    "a bit flipped in the middle": lambda b: put(b, len(b) // 2, b[len(b) // 2] ^ 0x01),
    "a block that no compressor writes": lambda b: put(b, _start_of_numbers(b), 0x07),
    "an unknown compression": lambda b: put(b, b.index(b"PK\x01\x02") + 10, 0x63),
    "marked as encrypted": lambda b: put(
        b, b.index(b"PK\x01\x02") + 8, b[b.index(b"PK\x01\x02") + 8] | 0x01
    ),
}


class TestBadFiles:
    @pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
    def test_damaged(self, saved: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        path = tmp_path / "damaged.fit"
        path.write_bytes(damage(saved.read_bytes()))
        with pytest.raises(FileError) as caught:
            load_fit(path)
        assert (
            f"file {str(path)!r}: must be a whole file that Fit.save wrote; "
            "got a damaged or foreign one" in str(caught.value)
        )
        assert "\n" not in str(caught.value)

    def test_foreign_archive(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("readme.txt", "no fit")
        with pytest.raises(FileError, match="damaged or foreign"):
            load_fit(tmp_path / "a.zip")

    def test_another_version_of_the_format(self, saved: Path, tmp_path: Path) -> None:
        path = tmp_path / "later.fit"
        with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                new.writestr(
                    name,
                    json.dumps({**json.loads(content), "format": "bayescale-fit-99"})
                    if name == "settings.json"
                    else content,
                )
        with pytest.raises(FileError) as caught:
            load_fit(path)
        assert (
            f"file {str(path)!r}: must have format {FORMAT}; got 'bayescale-fit-99'; "
            "load it with the version that wrote it" in str(caught.value)
        )

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="must exist; got no such file"):
            load_fit(tmp_path / "nowhere.fit")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="must be a whole file"):
            load_fit(tmp_path)


def rewritten(saved: Path, path: Path, **contents: Callable[[bytes], bytes]) -> Path:
    """The archive with other contents, and with the checksums of these."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = contents.get(name.partition(".")[0], lambda content: content)
            content = change(old.read(name))
            if content:
                new.writestr(name, content)
    return path


def with_setting(name: str, value: object) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), name: value}).encode()


def of_tree(change: Callable[[xr.DataTree], xr.DataTree]) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        tree = xr.open_datatree(io.BytesIO(content), engine="h5netcdf").load()
        changed = change(tree)
        changed.attrs = tree.attrs if changed.attrs == {} else changed.attrs
        return bytes(changed.to_netcdf(engine="h5netcdf"))

    return apply


def of_group(name: str, change: Callable[[xr.Dataset], xr.Dataset]) -> Callable[[bytes], bytes]:
    return of_tree(
        lambda tree: xr.DataTree.from_dict(
            {
                f"/{key}": change(group.to_dataset()) if key == name else group.to_dataset()
                for key, group in tree.children.items()
            }
        )
    )


def without_seconds(tree: xr.DataTree) -> xr.DataTree:
    tree.attrs = {k: v for k, v in tree.attrs.items() if k != "seconds_together"}
    return tree


WRONG: dict[str, dict[str, Callable[[bytes], bytes]]] = {
    "no parameters": {"losses": of_group("posterior", lambda draws: draws.drop_vars("eta"))},
    "no noise": {"losses": of_group("posterior", lambda draws: draws.drop_vars("sigma"))},
    "corpora in another order": {
        "losses": of_group("posterior", lambda draws: draws.isel(corpus=slice(None, None, -1)))
    },
    "fewer draws": {"losses": of_group("posterior", lambda draws: draws.isel(draw=slice(4)))},
    "no chains": {
        "accuracies": of_group("posterior", lambda draws: draws.isel(chain=0, drop=True))
    },
    "draws of the other stage": {
        "accuracies": of_group("posterior", lambda draws: draws.rename(task="loss_name"))
    },
    "no statistics": {
        "losses": of_group("sample_stats", lambda table: table.drop_vars("diverging"))
    },
    "no posterior": {"losses": of_tree(lambda tree: tree.drop_nodes("posterior"))},
    "texts in place of numbers": {
        "losses": of_group(
            "sample_stats", lambda table: table.assign(energy=table.energy.astype(str))
        )
    },
    "no seconds": {"losses": of_tree(without_seconds)},
    "no accuracies in the table": {
        "runs": lambda content: (
            pd.read_csv(io.BytesIO(content)).drop(columns="accuracy").to_csv(index=False).encode()
        )
    },
    "other runs": {"runs": lambda content: content.replace(b"c4", b"c5")},
    "no runs": {"runs": lambda content: content.splitlines()[0]},
    "no table": {"runs": lambda content: b""},
    "unknown pooling": {"settings": with_setting("pooling", "some")},
    "unknown noise": {"settings": with_setting("noise", ["normal"])},
    "unknown discrepancy": {"settings": with_setting("discrepancy", "much")},
    "a discrepancy that was not drawn": {"settings": with_setting("discrepancy", "calibrated")},
    "noise with a tail that was not drawn": {"settings": with_setting("noise", "student_t")},
    "unknown law": {"settings": with_setting("law", "none")},
    "another law": {"settings": with_setting("law", "chinchilla")},
    "via no loss": {"settings": with_setting("via", "nowhere")},
    "no chains at all": {
        "settings": with_setting("sampler", {"chains": 0, "draws": 10, "warmup": 50, "seed": 0})
    },
    "a member that is not there": {"settings": with_setting("members", 1)},
    "settings that are a list": {"settings": lambda content: b"[]"},
    "settings without end": {"settings": lambda content: b"[" * 100_000},
}


class TestWrongContent:
    """Whole archives with right checksums, whose content is not that of a fit."""

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param(changes, id=name, marks=[] if i % 5 == 0 else [pytest.mark.slow])
            for i, (name, changes) in enumerate(WRONG.items())
        ],
    )
    def test_it_is_told_at_once(
        self, saved: Path, tmp_path: Path, changes: dict[str, Callable[[bytes], bytes]]
    ) -> None:
        path = rewritten(saved, tmp_path / "wrong.fit", **changes)
        with pytest.raises(FileError, match=r"must be a whole file that Fit\.save wrote") as caught:
            load_fit(path)
        assert "\n" not in str(caught.value)

    def test_the_same_archive_with_its_own_content_loads(
        self, saved: Path, tmp_path: Path, short_fit: Fit
    ) -> None:
        again = load_fit(rewritten(saved, tmp_path / "right.fit"))
        assert again.ladder == short_fit.ladder
