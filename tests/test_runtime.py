"""JAX set up once, and random streams that share no numbers."""

import itertools
import os
import re
import subprocess
import sys
import types
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest

import bayescale
from bayescale import runtime
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


# A process that sets JAX up, compiles some programs, and prints the cache that it uses. Its user
# may be missing in the list of users.
COMPILES = """
import pwd, sys
def nobody(number):
    raise KeyError(number)
if sys.argv[1] == "nobody":
    pwd.getpwuid = nobody
import bayescale as bs
bs.setup(chains=2)
import jax, jax.numpy as jnp
print(jax.config.jax_compilation_cache_dir, jax.jit(lambda x: jnp.sin(x).sum())(jnp.arange(3.0)))
"""


def compile_in(cache: str, user: str = "somebody") -> tuple[str, list[str]]:
    """The cache that a process used, and its warnings; the process has no home folder."""
    kept = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "HOME")}
    done = subprocess.run(
        [sys.executable, "-c", COMPILES, user],
        env={**kept, "XDG_CACHE_HOME": cache},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0], [line for line in done.stderr.splitlines() if "Warning" in line]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*-cache")}


class TestCompilationCache:
    @pytest.mark.slow
    def test_a_program_that_was_cut_short_is_compiled_and_kept_once_more(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "bayescale" / "jax"
        assert compile_in(str(tmp_path)) == (str(folder), [])
        whole = content(folder)
        assert whole
        for i, name in enumerate(whole):
            (folder / name).write_bytes((b"", whole[name][:100], whole[name][:-1])[i % 3])
        assert compile_in(str(tmp_path)) == (str(folder), [])
        again = content(folder)
        assert set(again) == set(whole)
        for program in again.values():
            assert zlib.decompress(program)
        assert compile_in(str(tmp_path)) == (str(folder), [])
        assert content(folder) == again, "read, and not written again"

    def test_a_folder_that_others_may_write_to_is_not_used(self, tmp_path: Path) -> None:
        (tmp_path / "bayescale" / "jax").mkdir(parents=True)
        (tmp_path / "bayescale" / "jax").chmod(0o777)
        used, warnings = compile_in(str(tmp_path))
        assert used == "None"
        assert len(warnings) == 1
        assert "other users may write to folder" in warnings[0]
        assert content(tmp_path / "bayescale" / "jax") == {}

    def test_a_cache_that_cannot_be_made_is_none(self) -> None:
        used, warnings = compile_in("/dev/null")
        assert used == "None"
        assert len(warnings) == 1

    def test_a_user_without_a_home(self) -> None:
        used, warnings = compile_in("", "nobody")
        assert used == "None"
        assert sum("no home folder; XDG_CACHE_HOME can name another" in w for w in warnings) == 1


def put_programs(folder: Path, **ages: int) -> None:
    """Whole programs of 1,000 bytes and more, that were used so many seconds before now."""
    for name, age in ages.items():
        path = folder / f"{name}-cache"
        path.write_bytes(zlib.compress(os.urandom(1000)))
        now = path.stat().st_mtime
        os.utime(path, (now - age, now - age))


class TestTidying:
    def test_the_oldest_go_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put_programs(tmp_path, a=30, b=10, c=20)
        runtime.tidy(tmp_path)
        assert set(content(tmp_path)) == {"a-cache", "b-cache", "c-cache"}, "below the limit"
        # What was read just now counts as used now.
        put_programs(tmp_path, a=30, b=10, c=20)
        monkeypatch.setattr(runtime, "MAX_CACHE", 2500)
        monkeypatch.setattr(runtime, "_is_whole", lambda _: True)
        runtime.tidy(tmp_path)
        assert set(content(tmp_path)) == {"b-cache", "c-cache"}

    def test_only_programs_that_are_newer_than_the_last_look_are_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen, whole = [], runtime._is_whole
        monkeypatch.setattr(runtime, "_is_whole", lambda p: (seen.append(p), whole(p))[1])
        put_programs(tmp_path, a=30)
        runtime.tidy(tmp_path)
        put_programs(tmp_path, b=-30)
        runtime.tidy(tmp_path)
        assert len(seen) == 2

    def test_a_look_that_was_stopped_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_programs(tmp_path, a=30)
        monkeypatch.setattr(runtime, "_is_whole", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            runtime.tidy(tmp_path)
        assert not (tmp_path / runtime.LAST_LOOK).exists()

    @pytest.mark.parametrize("program", [b"", b"nothing", zlib.compress(b"program")[:-1]])
    def test_a_program_that_cannot_be_unpacked_is_removed(
        self, tmp_path: Path, program: bytes
    ) -> None:
        (tmp_path / "a-cache").write_bytes(program)
        (tmp_path / "notes").write_bytes(program)
        runtime.tidy(tmp_path)
        assert content(tmp_path) == {}
        assert (tmp_path / "notes").exists(), "JAX's programs alone"

    def test_one_that_zstandard_packed_is_unpacked_where_python_can(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class ZstdError(Exception):
            pass

        def decompress(program: bytes) -> bytes:
            if not program.endswith(b"end"):
                raise ZstdError("did not decompress full frame")
            return program

        module = types.ModuleType("zstandard")
        vars(module).update(decompress=decompress, ZstdError=ZstdError)
        monkeypatch.setitem(sys.modules, "compression", None)
        monkeypatch.setitem(sys.modules, "zstandard", module)
        assert runtime._is_whole(runtime.ZSTD + b"to the end")
        assert not runtime._is_whole(runtime.ZSTD + b"cut sh")
        monkeypatch.setitem(sys.modules, "zstandard", None)
        assert runtime._is_whole(runtime.ZSTD + b"cut sh"), "JAX does not read it either"


def raise_interrupt(_: bytes) -> bool:
    raise KeyboardInterrupt
