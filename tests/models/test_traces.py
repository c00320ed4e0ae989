"""Programs that are kept on disk: when one is read, when it is traced anew, and when it is not
kept.
"""

import functools
import itertools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

from bayescale import files
from bayescale.inference.nuts import Program, Sampler
from bayescale.models import discrepancy, noise, parameters, traces
from bayescale.models.laws import LAWS
from bayescale.models.links import LINKS, lo_prior
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import accuracy_model, loss_model
from bayescale.models.traces import kept
from helpers.layouts import CROSSED, LONE, TASKS, loss_layout

X = np.arange(3.0)


class OtherProcess(dict[str, object]):
    """Programs at hand, of which none is found."""

    def pop(self, *_: object) -> None:  # type: ignore[override]
        return None


@pytest.fixture(autouse=True)
def other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call of `kept` is like one of a new process, and every warning like the first."""
    files.warn_without_cache.cache_clear()
    monkeypatch.setattr(traces, "_AT_HAND", OtherProcess())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the kept programs, empty."""
    monkeypatch.setattr(traces, "_folder", lambda: tmp_path)
    return tmp_path


def counted(calls: list[int]) -> Callable[[jax.Array], jax.Array]:
    """2 x, which counts how often it is traced."""

    def double(x: jax.Array) -> jax.Array:
        calls.append(1)
        return 2 * x

    return double


class TestReading:
    def test_a_second_process_does_not_trace(self, folder: Path) -> None:
        calls: list[int] = []
        for _ in range(2):
            np.testing.assert_array_equal(kept(counted(calls), "double")(X), 2 * X)
        assert len(calls) == 1
        assert len(list(folder.glob("*-cache"))) == 1

    def test_each_form_of_the_arguments_has_its_program(self, folder: Path) -> None:
        calls: list[int] = []
        program = kept(counted(calls), "double")
        for x in (X, X, X[:2], X[:, None], X.astype(int)):
            np.testing.assert_array_equal(program(x), 2 * x)
        assert len(calls) == 4
        assert len(list(folder.glob("*-cache"))) == 4

    @pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:50], lambda b: b[:-1]])
    def test_a_damaged_program_is_traced_and_kept_once_more(
        self, folder: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        calls: list[int] = []
        kept(counted(calls), "double")(X)
        (path,) = folder.glob("*-cache")
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        np.testing.assert_array_equal(kept(counted(calls), "double")(X), 2 * X)
        assert len(calls) == 2
        assert zlib.decompress(path.read_bytes())
        kept(counted(calls), "double")(X)
        assert len(calls) == 2

    def test_a_folder_that_cannot_be_written_to_costs_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(traces, "_folder", lambda: tmp_path / "gone")
        with pytest.warns(RuntimeWarning, match="nothing is kept in the cache"):
            np.testing.assert_array_equal(kept(counted([]), "double")(X), 2 * X)

    def test_a_program_that_cannot_be_read_is_made_again(self, folder: Path) -> None:
        calls: list[int] = []
        kept(counted(calls), "double")(X)
        (path,) = folder.glob("*-cache")
        path.unlink()
        path.mkdir()
        with pytest.warns(RuntimeWarning, match="nothing is kept in the cache"):
            np.testing.assert_array_equal(kept(counted(calls), "double")(X), 2 * X)
        assert len(calls) == 2

    def test_without_a_folder_it_is_compiled_as_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(traces, "_folder", lambda: None)
        np.testing.assert_array_equal(kept(counted([]), "double")(X), 2 * X)

    def test_draws_are_the_same_traced_and_read_and_without_a_folder(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        layout, sampler = loss_layout(LONE, runs=9), Sampler(chains=2, draws=20, warmup=50)
        drawn = []
        for place in (folder, folder, None):
            monkeypatch.setattr(traces, "_folder", lambda place=place: place)
            drawn.append(Program(loss_model(LAWS["compute"], LONE))(layout, sampler).sites)
        assert len(list(folder.glob("*-cache"))) == 4
        for name, values in drawn[0].items():
            for other in drawn[1:]:
                np.testing.assert_array_equal(values, other[name])

    def test_any_of_a_fits_programs_may_be_missing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that was stopped has kept some of them."""
        layout, sampler = loss_layout(LONE, runs=9), Sampler(chains=2, draws=20, warmup=50)

        def drawn() -> dict[str, np.ndarray]:
            return Program(loss_model(LAWS["compute"], LONE))(layout, sampler).sites

        first = drawn()
        for path in sorted(folder.glob("*-cache")):
            path.unlink()
            for name, values in drawn().items():
                np.testing.assert_array_equal(values, first[name])
        monkeypatch.setattr(traces, "_AT_HAND", {})
        drawn()
        for digest in list(traces._AT_HAND):
            del traces._AT_HAND[digest]
            for path in folder.glob("*-cache"):
                path.unlink()
            for name, values in drawn().items():
                np.testing.assert_array_equal(values, first[name])


class TestAtHand:
    def test_a_later_fit_of_this_process_compiles_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(traces, "_AT_HAND", {})
        calls: list[int] = []
        assert kept(counted(calls), "double") is kept(counted(calls), "double")
        assert kept(counted(calls), "double") is not kept(counted(calls), "other")

    def test_only_so_many_are_at_hand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(traces, "_AT_HAND", {})
        monkeypatch.setattr(traces, "MAX_AT_HAND", 3)
        programs = [kept(counted([]), name) for name in "abcde"]
        assert list(traces._AT_HAND.values()) == programs[2:]
        assert kept(counted([]), "c") is programs[2]
        assert list(traces._AT_HAND.values()) == [*programs[3:], programs[2]]
        traces.drop_programs()
        assert not traces._AT_HAND


def models() -> Iterator[tuple[str, SeriesModel]]:
    """Models that differ in one thing each."""
    for groups, pooling in itertools.product((LONE, CROSSED), ("partial", "none", "complete")):
        for name, law in LAWS.items():
            yield f"{name} {groups.pairs} {pooling}", loss_model(law, groups, pooling=pooling)
    law = LAWS["compute"]
    for number in (0.3, 0.4):
        prior = {"phi": dist.Beta(2.0, number)}
        yield f"prior {number}", loss_model(law, CROSSED, priors=prior)
    yield "student_t", loss_model(law, CROSSED, noise="student_t")
    one = loss_model(law, CROSSED)
    yield "amplitude", replace(one, amplitude="sigma")
    yield "common", replace(one, common=np.full(1, 0.5))


def digest(*about: object) -> str:
    return traces._digest((traces._state(), about))


class TestDigest:
    def test_it_differs_wherever_models_do(self) -> None:
        digests = {name: digest(model) for name, model in models()}
        assert len(set(digests.values())) == len(digests)
        assert digests == {name: digest(model) for name, model in models()}

    def test_links_too(self) -> None:
        digests = [
            digest(accuracy_model(link, TASKS, priors={"lo": lo_prior(chance)}))
            for link in LINKS.values()
            for chance in (np.full(3, 0.25), np.array([0.25, 0.25, 0.5]))
        ]
        assert len(set(digests)) == len(digests)

    @pytest.mark.parametrize(
        ("module", "name", "value"),
        [
            (discrepancy, "COMMON_OF_CORPORA", 0.5),
            (noise, "widened", lambda widening, lag: 1.0),
            (parameters.IrreducibleTransform, "SHARPNESS", 3.0),
            (parameters.IrreducibleTransform, "__call__", lambda self, x: x),
        ],
    )
    def test_a_replaced_constant_or_function_of_a_module_changes_it(
        self, monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object
    ) -> None:
        before = digest("one")
        monkeypatch.setattr(module, name, value)
        assert digest("one") != before

    def test_a_setting_of_jax_changes_it(self) -> None:
        before = digest("one")
        with jax.enable_x64(False):
            assert digest("one") != before

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 1.0),
            (1, True),
            ("1", 1),
            (0.0, -0.0),
            ((1, 2), [1, 2]),
            (("a", "b"), ("ab",)),
            ((1, (2, 3)), (1, 2, 3)),
            (X, X.astype(int)),
            (X, X[None]),
            (X, X + 1e-15),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            (dist.Normal(0.0, 1.0), dist.Normal(0.0, 2.0)),
            (dist.Normal(0.0, 1.0), dist.LogNormal(0.0, 1.0)),
            (functools.partial(noise.widened, 1), functools.partial(noise.widened, 2)),
        ],
    )
    def test_values_that_differ_have_different_ones(self, one: object, other: object) -> None:
        assert digest(one) != digest(other)


class TestUnknown:
    def test_nothing_is_kept_of_a_users_law(self, folder: Path) -> None:
        law = replace(LAWS["compute"], log_ratio=lambda v, x: -v["gamma"] * x.c)
        model = loss_model(law, LONE)
        Program(model)(loss_layout(LONE, runs=9), Sampler(chains=1, draws=5, warmup=50))
        assert list(folder.iterdir()) == []

    def test_a_decorator_that_borrows_a_name_of_the_package_hides_nothing(self) -> None:
        @functools.wraps(LAWS["compute"].log_ratio)
        def mine(v: dict[str, jax.Array], x: jax.Array) -> jax.Array:
            return v["gamma"] + x

        with pytest.raises(traces._Unknown):
            digest(mine)

    @pytest.mark.parametrize(
        "value",
        [
            lambda: 0,
            object(),
            {1, 2},
            np.array([object()]),
            type("Mine", (dist.Normal,), {"__module__": "mine"})(0.0, 1.0),
        ],
    )
    def test_what_it_is(self, value: object) -> None:
        with pytest.raises(traces._Unknown):
            digest(value)

    def test_a_value_within_itself(self) -> None:
        value: list[object] = []
        value.append(value)
        with pytest.raises(traces._Unknown):
            digest(value)
