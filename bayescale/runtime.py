"""JAX set up once (`setup`), the check for 64-bit, the random streams, and NumPyro's lock."""

from __future__ import annotations

import contextlib
import importlib
import threading
import warnings
import zlib
from pathlib import Path
from typing import Literal, get_args

import jax
import numpy as np

from bayescale.errors import FileError, SettingError
from bayescale.files import atomic_write, cache_folder, warn_without_cache
from bayescale.validation import shown

# Every use of a user's seed has a stream of its own. The position in this list enters the key, so a
# new stream is added at the end.
Stream = Literal[
    "loss",
    "accuracy",
    "loss predictive",
    "accuracy predictive",
    "forecast",
    "simulate",
    "discrepancy",
    "components",
    "variance",
    "law error",
    "link error",
]
STREAMS: tuple[Stream, ...] = get_args(Stream)
# Uses of a user's seed whose entropy beside the seed is older than the list of streams. It is kept,
# so that published figures stay what they are. A 0 adds no entropy, so the first ones share their
# numbers; no result depends on two of them draw by draw. A new stream belongs in the list above.
OlderStream = Literal[
    "cost", "refits", "starts", "point fits", "evidence, first half", "evidence, second half"
]
OLDER: dict[str, tuple[int, ...]] = {
    "cost": (),
    "refits": (),
    "starts": (),
    "point fits": (1,),
    "evidence, first half": (0,),
    "evidence, second half": (1,),
}
# JAX takes seeds of 64 bits with a sign.
MAX_SEED = 2**63 - 1
# NumPyro keeps its handlers and its validation in globals of the process: only one thread at a time
# may trace a model.
NUMPYRO = threading.Lock()
# Bytes that compiled programs may take in the user's cache. One kind of fit takes 2 MB. JAX's own
# limit reads the whole folder, and waits for a lock, at every program that it keeps.
MAX_CACHE = 2**29
# JAX's name of a compiled program ends so.
PROGRAMS = "*-cache"
# Its time is when programs were last looked at.
LAST_LOOK = ".last-look"
ZLIB, ZSTD = b"\x78", b"\x28\xb5\x2f\xfd"


def setup(chains: int = 4) -> None:
    """Set JAX up: 64-bit, as many host devices as chains, and a compilation cache on disk.

    Call it once, before anything else touches JAX: the number of devices cannot change afterwards,
    and 64-bit must not. The compilation cache lies in the user's cache folder, takes up to
    `MAX_CACHE` bytes there, and needs a folder that nobody else can write to. A cache that JAX was
    told of before is used as it is.

    Parameters
    ----------
    chains
        Number of chains that are to run in parallel on a CPU.

    Warns
    -----
    RuntimeWarning
        Where compiled programs cannot be kept, so that every process compiles anew.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> import jax
    >>> jax.numpy.zeros(1).dtype
    dtype('float64')
    """
    jax.config.update("jax_enable_x64", True)
    # JAX raises RuntimeError where the devices exist already; the chains then share them.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", chains)
    if jax.config.jax_compilation_cache_dir is None:
        _use_cache()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _use_cache() -> None:
    """Let JAX keep compiled programs in the user's cache, where that can be used."""
    # JAX warns at every program that it cannot read or write, and compiles it.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    folder = cache_folder("jax")
    if folder is None:
        return
    try:
        tidy(folder)
    except (OSError, FileError) as error:
        warn_without_cache(str(error))
    else:
        jax.config.update("jax_compilation_cache_dir", str(folder))


def tidy(folder: Path) -> None:
    """Remove compiled programs that were cut short, and those beyond `MAX_CACHE`, the oldest first.

    JAX writes no program over another: one that it cannot read would be compiled in every process.
    Programs that are older than the last look were whole then.
    """
    stamp = folder / LAST_LOOK
    last = stamp.stat().st_mtime_ns if stamp.exists() else 0
    kept = []
    # The new stamp has the time at which this look begins, and is there only when it ends.
    with atomic_write(stamp):
        for path in folder.glob(PROGRAMS):
            # Another process may tidy the folder too.
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                if state.st_mtime_ns >= last and not _is_whole(path.read_bytes()):
                    path.unlink()
                else:
                    used = max(state.st_atime_ns, state.st_mtime_ns)
                    kept.append((used, state.st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total <= MAX_CACHE:
            break
        path.unlink(missing_ok=True)
        total -= size


def _is_whole(program: bytes) -> bool:
    """Whether a compiled program can be unpacked; JAX packs it by zlib, or by Zstandard if it can.

    A program that was packed by Zstandard counts as whole where this Python cannot unpack it: JAX
    does not read it then.
    """
    if program.startswith(ZLIB):
        unpacking = zlib.decompressobj()
        try:
            unpacking.decompress(program)
        except zlib.error:
            return False
        return unpacking.eof
    if not program.startswith(ZSTD):
        return False
    for name in ("compression.zstd", "zstandard"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            try:
                module.decompress(program)
            except module.ZstdError:
                return False
            return True
    return True


def require_64bit() -> None:
    """Check that JAX computes in 64-bit.

    Raises
    ------
    SettingError
        Where JAX would compute in 32-bit.
    """
    if not jax.config.jax_enable_x64:
        raise SettingError(
            "64-bit",
            rule="must be on: scaling laws lose their digits in 32-bit",
            got="JAX in 32-bit",
            way_out="call bayescale.setup() first, in a fresh process",
        )


def check_seed(seed: int) -> None:
    """Check that a seed is a whole number from 0 to 2^63 - 1.

    Parameters
    ----------
    seed
        The seed that the user gave.

    Raises
    ------
    SettingError
        For anything else.
    """
    is_whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not is_whole or not 0 <= seed <= MAX_SEED:
        raise SettingError(
            "seed",
            rule="must be a whole number, 0 or more, at most 2**63 - 1",
            got=shown(seed),
            way_out="such as seed=0",
        )


def random_key(seed: int, stream: Stream) -> jax.Array:
    """The random key of one use of a seed.

    No two streams share random numbers: the draws of the two stages are paired, and must be
    independent.

    Parameters
    ----------
    seed
        A whole number from 0 to 2^63 - 1.
    stream
        What the random numbers are for, one of `STREAMS`.

    Returns
    -------
    Array
        A typed JAX key, a scalar.

    Raises
    ------
    SettingError
        For a seed that is no such number.
    """
    check_seed(seed)
    return jax.random.fold_in(jax.random.key(seed), STREAMS.index(stream))


def random_generator(seed: int, stream: Stream | OlderStream) -> np.random.Generator:
    """The NumPy generator of one use of a seed: see `random_key`.

    Parameters
    ----------
    seed
        A whole number from 0 to 2^63 - 1.
    stream
        What the random numbers are for, one of `STREAMS` or `OLDER`.

    Raises
    ------
    SettingError
        For a seed that is no such number.
    """
    check_seed(seed)
    rest = OLDER[stream] if stream in OLDER else (get_args(Stream).index(stream),)
    return np.random.default_rng([seed, *rest])


def fixed_key() -> jax.Array:
    """The random key of a use that no user's seed enters: what it gives depends on the data alone.

    Such uses share random numbers; no result depends on two of them draw by draw.
    """
    return jax.random.key(0)


def fixed_generator() -> np.random.Generator:
    """The NumPy generator of a use that no user's seed enters, as `fixed_key`."""
    return np.random.default_rng(0)
