"""JAX set up once, and every random stream: setup(), the check for 64-bit, keys from a seed,
NumPyro's lock.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Literal, get_args

import jax
import numpy as np

from bayescale.errors import SettingError
from bayescale.files import cache_folder

Stream = Literal[
    "loss",
    "accuracy",
    "loss predictive",
    "accuracy predictive",
    "forecast",
    "simulate",
    "discrepancy",
    "routes",
    "variance",
]
STREAMS: tuple[Stream, ...] = get_args(Stream)
# NumPyro keeps its handlers and its validation in globals of the process: one thread at a time may
# trace a model
NUMPYRO = threading.Lock()


def setup(chains: int = 4) -> None:
    """64-bit, as many JAX host devices as chains, and JAX's compilation cache in the user's cache
    folder.

    Call it once, before anything else touches JAX: the number of devices cannot change afterwards,
    and 64-bit must not.

    Parameters
    ----------
    chains
        Chains that are to run in parallel on a CPU.
    """
    jax.config.update("jax_enable_x64", True)
    # JAX's word for "the devices are already there": chains then share them
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", chains)
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def require_64bit() -> None:
    """A SettingError where JAX would compute in 32-bit."""
    if not jax.config.jax_enable_x64:
        raise SettingError(
            "64-bit",
            rule="must be on: scaling laws lose their digits in 32-bit",
            got="JAX in 32-bit",
            way_out="call bayescale.setup() first, in a fresh process",
        )


def check_seed(seed: int) -> None:
    """A SettingError for anything but a whole number, 0 or more."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise SettingError(
            "seed",
            rule="must be a whole number, 0 or more",
            got=repr(seed),
            way_out="such as seed=0",
        )


def random_key(seed: int, stream: Stream) -> jax.Array:
    """The key of one use of a seed. No two uses share random numbers: the draws of the two steps
    are paired, and must be independent.
    """
    check_seed(seed)
    return jax.random.fold_in(jax.random.key(seed), STREAMS.index(stream))
