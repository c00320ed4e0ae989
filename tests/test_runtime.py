"""JAX set up once, and random streams that share no numbers."""

import itertools
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import bayescale
from bayescale.errors import SettingError
from bayescale.runtime import (
    STREAMS,
    check_seed,
    fixed_generator,
    fixed_key,
    random_generator,
    random_key,
    require_64bit,
)
from helpers.fits import CHAINS


def numbers(key: jax.Array) -> np.ndarray:
    return np.asarray(jax.random.normal(key, (1000,)))


def test_no_two_streams_of_a_seed_share_random_numbers() -> None:
    drawn = {stream: numbers(random_key(0, stream)) for stream in STREAMS}
    for one, other in itertools.combinations(STREAMS, 2):
        assert not np.isin(drawn[one], drawn[other]).any(), (one, other)
        assert abs(np.corrcoef(drawn[one], drawn[other])[0, 1]) < 0.15, (one, other)


def test_a_stream_is_decided_by_its_seed() -> None:
    np.testing.assert_array_equal(
        numbers(random_key(3, "forecast")), numbers(random_key(3, "forecast"))
    )
    assert not np.isin(numbers(random_key(3, "forecast")), numbers(random_key(4, "forecast"))).any()


def test_a_stream_keeps_its_place_so_that_old_seeds_draw_the_same() -> None:
    first = (
        "loss",
        "accuracy",
        "loss predictive",
        "accuracy predictive",
        "forecast",
        "simulate",
        "discrepancy",
        "components",
        "variance",
    )
    assert STREAMS[: len(first)] == first


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True])
def test_a_seed_is_a_whole_number(seed: int) -> None:
    for asked in (lambda: check_seed(seed), lambda: random_key(seed, "loss")):
        with pytest.raises(SettingError, match="seed: must be a whole number, 0 or more") as caught:
            asked()
        assert caught.value.got == repr(seed)


def test_a_seed_may_come_from_numpy() -> None:
    np.testing.assert_array_equal(
        numbers(random_key(np.int64(7), "loss")), numbers(random_key(7, "loss"))
    )


def test_setup_gave_64_bit_and_a_device_for_each_chain() -> None:
    require_64bit()
    assert jax.numpy.asarray(0.1).dtype == np.float64
    if jax.default_backend() == "cpu":
        assert len(jax.devices()) == CHAINS


def test_32_bit_is_refused() -> None:
    with jax.enable_x64(False), pytest.raises(SettingError, match="64-bit: must be on"):
        require_64bit()


def test_generators_of_a_seed_differ_by_stream_and_repeat() -> None:
    streams = [*STREAMS, "point fits", "evidence, first half"]
    first = {stream: random_generator(3, stream).random() for stream in streams}
    again = {stream: random_generator(3, stream).random() for stream in streams}
    assert first == again
    apart = {stream: value for stream, value in first.items() if stream in STREAMS}
    assert len(set(apart.values())) == len(STREAMS)


def test_a_generator_checks_its_seed() -> None:
    with pytest.raises(SettingError, match="seed: must be a whole number, 0 or more"):
        random_generator(-1, "cost")


def test_what_depends_on_the_data_alone_repeats() -> None:
    assert fixed_generator().random() == fixed_generator().random()
    np.testing.assert_array_equal(numbers(fixed_key()), numbers(fixed_key()))


@pytest.mark.parametrize(
    "path", sorted(Path(bayescale.__file__).parent.rglob("*.py")), ids=lambda path: path.stem
)
def test_every_random_stream_comes_from_this_file(path: Path) -> None:
    if path.name == "runtime.py":
        return
    assert not re.search(r"default_rng\(|random\.key\(|PRNGKey", path.read_text("utf-8"))
