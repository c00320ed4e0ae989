"""Damaged input: a valid object or an error of the package, and no warning from a library below."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import bayescale as bs
from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from helpers.formats import results, write_formats
from helpers.tables import TASKS, table

FEW = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.sampled_from(["nan", "1e3", "=1+2", "inf", "", " ", "a" * 5000, "7B", "\ud800", "\x1b[0m"]),
    st.binary(max_size=4),
    st.datetimes(),
    st.decimals(),
    st.fractions(),
    hnp.from_dtype(np.dtype(np.float32)),
    hnp.from_dtype(np.dtype(np.uint64)),
    hnp.from_dtype(np.dtype("datetime64[ns]")),
    st.sampled_from([pd.NA, pd.NaT, np.bool_(True), np.array(1.0), object(), int, len]),
)
WILD = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.tuples(SCALARS, SCALARS),
    st.dictionaries(st.one_of(st.text(max_size=4), st.integers(), st.none()), SCALARS, max_size=3),
    st.sets(st.text(max_size=3), max_size=3),
    hnp.arrays(float, hnp.array_shapes(max_dims=2, max_side=3)),
)
SIZES = st.floats(1e-3, 1e15) | st.floats(0, exclude_min=True, allow_infinity=False)


SHARES = st.floats(0, 1)
RANGES = SHARES | st.tuples(st.floats(0.01, 0.5), st.floats(0.5, 1))
NAMES = st.none() | st.text(max_size=5) | st.lists(st.text(max_size=5), min_size=1, max_size=3)
WEIGHTS = st.none() | st.dictionaries(st.text(max_size=3), SHARES, max_size=2)
NONE_OR_TEXT = st.none() | st.text(max_size=5)
TARGETS = st.builds(bs.Target, st.floats(1e3, 1e12), st.floats(1e3, 1e14))


def two_levels(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with two levels of columns."""
    return frame.set_axis(pd.MultiIndex.from_product([["a"], frame.columns]), axis=1)


def use_target(target: bs.Target) -> None:
    assert isinstance(target.label, str)
    assert 0 < target.compute_6nd < np.inf


def use_cost(cost: bs.Cost) -> None:
    assert np.isfinite(cost.draw([bs.Target(7e9, 4e12)], draws=2, seed=0)).all()
    assert str(cost)


def use_value(value: bs.Threshold | bs.Linear) -> None:
    assert str(value)
    assert value.most > 0


# Each constructor, what it is given, and what any object of it must allow.
CONSTRUCTORS: dict[str, tuple[Any, dict[str, st.SearchStrategy[Any]], Callable[[Any], object]]] = {
    "Target": (
        bs.Target,
        {
            "params": SIZES,
            "tokens": SIZES,
            "corpus": NONE_OR_TEXT,
            "name": NONE_OR_TEXT,
            "flops": st.none(),
            "unique_tokens": st.none(),
            "shift": st.none(),
            "conventions": st.builds(bs.Conventions),
        },
        use_target,
    ),
    "Conventions": (
        bs.Conventions,
        {
            "params": st.none(),
            "tokenizer": st.text(),
            "loss_units": st.dictionaries(st.text(), st.text(), max_size=2),
        },
        lambda conventions: dict(conventions.loss_units),
    ),
    "Cost": (
        bs.Cost,
        {
            "device": st.just("H100"),
            "utilisation": RANGES,
            "price": RANGES,
            "overhead": RANGES,
            "served_tokens": SIZES,
            "serving_utilisation": RANGES,
        },
        use_cost,
    ),
    "Threshold": (
        bs.Threshold,
        {
            "worth": SIZES,
            "accuracy": SHARES,
            "tasks": NAMES,
            "weights": WEIGHTS,
        },
        use_value,
    ),
    "Linear": (
        bs.Linear,
        {
            "per_point": SIZES,
            "baseline": SHARES,
            "tasks": NAMES,
            "weights": WEIGHTS,
        },
        use_value,
    ),
    "Candidate": (
        bs.Candidate,
        {
            "runs": st.lists(TARGETS, max_size=2),
            "cost": st.none(),
            "items": st.floats(1, 9),
            "name": NONE_OR_TEXT,
        },
        lambda candidate: candidate.label + "",
    ),
    "Parameter": (
        bs.Parameter,
        {
            "name": st.text(),
            "support": st.sampled_from(["positive", "unit"]),
            "prior": st.just(dist.LogNormal(0.0, 1.0)),
            "pooling": st.none(),
            "source": st.text(),
        },
        lambda parameter: parameter.transform,
    ),
}


def made_or_refused(make: Callable[[], Any]) -> Any:
    """What `make` gives; None where it raises an error of the package, which is one line."""
    try:
        return make()
    except bs.BayescaleError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 2000
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_a_constructor_makes_an_object_that_works_or_raises_its_error(name: str) -> None:
    make, parts, use = CONSTRUCTORS[name]
    made = 0

    @FEW
    @given(
        st.fixed_dictionaries(parts), st.dictionaries(st.sampled_from([*parts]), WILD, max_size=2)
    )
    def check(right: dict[str, Any], wild: dict[str, Any]) -> None:
        nonlocal made
        one = made_or_refused(lambda: make(**{**right, **wild}))
        if one is not None:
            made += 1
            # An amount that no number of 64 bits holds may still be refused.
            made_or_refused(lambda: use(one))

    check()
    assert made > 20, "the inputs must not all be wrong"


COLUMNS = [*table().columns, "flops", "unique_tokens", "seed", "step"]
Change = Callable[[pd.DataFrame], pd.DataFrame]


def put(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    """The table with one cell of any type."""
    cells = [*frame[column]] if column in frame else [None] * len(frame)
    if cells:
        cells[row % len(cells)] = value
    return frame.assign(**{column: pd.Series(cells, index=frame.index, dtype=object)})


CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        lambda row, column, value: lambda frame: put(frame, row, column, value),
        st.integers(0, 20),
        st.sampled_from(COLUMNS),
        WILD,
    ),
    st.builds(
        lambda column, value: lambda frame: frame.assign(**{column: value}),
        st.sampled_from(COLUMNS),
        SCALARS,
    ),
    st.builds(
        lambda column: lambda frame: frame.drop(columns=column, errors="ignore"),
        st.sampled_from(COLUMNS),
    ),
    st.builds(
        lambda column: lambda frame: pd.concat([frame, frame[[column]]], axis=1),
        st.sampled_from(["run", "loss", "params"]),
    ),
    st.builds(lambda size: lambda frame: frame.head(size), st.integers(0, 5)),
    st.builds(
        lambda name: lambda frame: frame.rename(columns={"loss": name}),
        st.one_of(SCALARS.filter(lambda value: not isinstance(value, np.ndarray)), st.just("run")),
    ),
    st.just(lambda frame: pd.concat([frame, frame])),
    st.just(two_levels),
    st.just(lambda frame: frame.set_index("run") if "run" in frame else frame),
    st.just(lambda frame: frame.astype(object)),
    st.just(lambda frame: frame.astype(str)),
    st.just(lambda frame: frame.T),
)


def changed(frame: pd.DataFrame, changes: list[Change]) -> pd.DataFrame:
    """The table after the changes; one that pandas itself refuses is left out."""
    for change in changes:
        try:
            with warnings.catch_warnings(action="ignore"):
                frame = change(frame)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            continue
    return frame


@pytest.mark.slow
def test_a_run_table_makes_a_ladder_or_raises_its_error() -> None:
    made = 0

    @settings(FEW, max_examples=600)
    @given(st.lists(CHANGES, min_size=1, max_size=2), st.lists(CHANGES, max_size=1))
    def check(of_runs: list[Change], of_tasks: list[Change]) -> None:
        nonlocal made
        runs, tasks = changed(table(), of_runs), changed(TASKS, of_tasks)
        ladder = made_or_refused(lambda: bs.Ladder.from_frame(runs, tasks=tasks))
        if ladder is not None:
            made += 1
            assert len(ladder.runs) > 0
            assert np.isfinite(ladder.frame["loss"]).all()

    check()
    assert made > 10, "the tables must not all be wrong"


@pytest.mark.slow
def test_a_table_in_any_form_makes_a_ladder_or_raises_its_error() -> None:
    made = 0
    words = st.sampled_from(["N", "loss:c4", "c4_ppl", "piqa_acc", "x*1e9", "D", "", "error:piqa"])
    maps = st.none() | st.text(max_size=20) | st.dictionaries(words, words, max_size=2)

    @settings(FEW, max_examples=300)
    @given(st.lists(CHANGES, max_size=2), maps)
    def check(changes: list[Change], columns: Any) -> None:
        nonlocal made
        frame = changed(results().rename(columns={"loss": "c4_loss", "piqa": "piqa_acc"}), changes)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*(Guessed|left out)", UserWarning)
            ladder = made_or_refused(lambda: bs.read_runs(frame, columns=columns))
        made += ladder is not None

    check()
    assert made > 10, "the tables must not all be wrong"


FORMATS = (
    *("runs.csv", "runs.tsv", "semicolons.csv", "runs.jsonl", "runs.parquet", "tidy.csv"),
    *("wandb.csv", "chart.csv", "results/m1.json", "results/m8.json", "columns.toml"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_makes_a_ladder_or_raises_its_error(name: str, tmp_path: Path) -> None:
    write_formats(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    place = st.integers(0, len(whole) - 1)
    pieces = st.sampled_from([b"", b"\0", b",", b'"', b"\n", b"{", b"1e999", b"\xff", b"NaN", b"="])
    arguments = {
        "chart.csv": lambda: bs.read_runs(tmp_path / "sizes.csv", join=path),
        "columns.toml": lambda: bs.read_runs(tmp_path / "odd.csv", columns=path),
    }
    joined = name.startswith("results")
    read = arguments.get(
        name,
        lambda: bs.read_runs(
            tmp_path / "runs.csv" if joined else path, join=path if joined else ()
        ),
    )

    @settings(FEW, max_examples=60)
    @given(st.lists(st.tuples(place, place, pieces), min_size=1, max_size=2))
    def check(changes: list[tuple[int, int, bytes]]) -> None:
        content = whole
        for start, length, piece in changes:
            content = content[:start] + piece + content[start + length % 12 :]
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*(Guessed|left out)", UserWarning)
            made_or_refused(read)

    check()


@pytest.fixture(scope="module")
def saved(small_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("damaged") / "small.fit"
    small_fit.save(path)
    return path.read_bytes()


def load(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert isinstance(made_or_refused(lambda: load_fit(path)), Fit | None)


@pytest.mark.slow
def test_a_damaged_file_of_a_fit_is_refused_by_its_error(saved: bytes, tmp_path: Path) -> None:
    place = st.integers(0, len(saved) - 1)

    @settings(FEW, max_examples=150)
    @given(st.lists(st.tuples(place, st.integers(1, 255)), max_size=3), place)
    def check(flips: list[tuple[int, int]], end: int) -> None:
        content = bytearray(saved)
        for position, bits in flips:
            content[position] ^= bits
        load(tmp_path / "a.fit", bytes(content if flips else content[:end]))

    check()


@pytest.mark.slow
def test_a_file_of_a_fit_with_other_content_is_refused_by_its_error(
    saved: bytes, tmp_path: Path
) -> None:
    """The archive is whole, and an entry of it is not what it should be."""
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    options = json.loads(entries["settings.json"])
    paths = [(key,) for key in options]
    paths += [(key, inner) for key in ("ladder", "sampler") for inner in options[key]]

    def pack(changes: dict[str, bytes | None]) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in (entries | changes).items():
                if content is not None:
                    archive.writestr(name, content)
        return packed.getvalue()

    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
    values = st.one_of(leaves, st.lists(leaves, max_size=2), st.dictionaries(st.text(), leaves))

    @settings(FEW, max_examples=15)
    @given(st.sampled_from(paths), values)
    def check_settings(keys: tuple[str, ...], value: object) -> None:
        changed = json.loads(entries["settings.json"])
        inside = changed
        for key in keys[:-1]:
            inside = inside[key]
        inside[keys[-1]] = value
        load(tmp_path / "a.fit", pack({"settings.json": json.dumps(changed).encode()}))

    @settings(FEW, max_examples=15)
    @given(st.sampled_from(sorted(entries)), st.none() | st.binary(max_size=30) | st.floats(0, 1))
    def check_entries(name: str, content: bytes | float | None) -> None:
        if isinstance(content, float):
            content = entries[name][: int(content * len(entries[name]))]
        load(tmp_path / "a.fit", pack({name: content}))

    check_settings()
    check_entries()
