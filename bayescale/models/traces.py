"""Traced programs kept on disk: a process need not trace what another has traced before.

To trace and lower a sampler in Python takes longer than to read its compiled program from JAX's
cache, which needs the lowered program first. So the lowered program is kept too. Its name is a
digest of all that it depends on: this package and the libraries below it, JAX's settings, the
model, and the shapes of the arrays.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import sys
import types
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from bayescale.errors import FileError
from bayescale.files import atomic_write, cache_folder, source_digest, warn_without_cache
from bayescale.runtime import tidy

# Packages whose functions and objects are told apart by their names and values: their versions, and
# the source of the first, are part of the digest.
TRUSTED = ("bayescale", "jax", "jaxlib", "numpyro", "numpy")
# Those of them whose objects say all in their `__dict__`.
PURE = ("bayescale", "numpyro")
# Read when this file is loaded, as the code is: a program of old code is none of new code.
VERSIONS = [
    source_digest(),
    *(importlib.metadata.version(name) for name in TRUSTED[1:]),
    platform.python_version(),
]
# Modules whose constants and functions enter a sampler.
TRACED = ("bayescale.models.", "bayescale.inference.")
SUFFIX = "-cache"
# Programs of this process that are at hand for another fit, those used last at the end, and their
# largest number: two kinds of fits have as many.
_AT_HAND: dict[str, _Kept] = {}
MAX_AT_HAND = 30
# Values within values; a function that refers to itself has no end.
MAX_DEPTH = 50
PLAIN = (type(None), bool, int, float, complex, str, bytes, Enum)


class _Unknown(Exception):  # noqa: N818 (it never leaves this file)
    """Something that no digest can tell from others, such as a function of the user's."""


def keep_records[R: type](record: R) -> R:
    """Let kept programs take and return a named tuple; a decorator of its class."""
    export.register_namedtuple_serialization(
        record, serialized_name=f"{record.__module__}.{record.__qualname__}"
    )
    return record


def kept(function: Callable[..., Any], *about: object) -> Callable[..., Any]:
    """jit(function), whose trace is kept on disk and, for later fits, in this process.

    Parameters
    ----------
    function
        A function of arrays and of records of arrays (see `keep_records`).
    *about
        All that its operations depend on besides its arguments: plain values, arrays, records,
        distributions and functions of this package. With anything else, such as a law of the
        user's, nothing is kept.
    """
    try:
        digest = _digest((_state(), about))
    except _Unknown:
        return jax.jit(function)
    program = _AT_HAND.pop(digest, None) or _Kept(function, digest)
    _AT_HAND[digest] = program
    for oldest in list(_AT_HAND)[:-MAX_AT_HAND]:
        _AT_HAND.pop(oldest, None)
    return program


def drop_programs() -> None:
    """Drop all compiled programs of this process; one that is needed again is read from disk."""
    _AT_HAND.clear()
    jax.clear_caches()


class _Kept:
    """A function compiled for each form of its arguments, read from disk where it can be."""

    def __init__(self, function: Callable[..., Any], digest: str) -> None:
        self._traced = jax.jit(function)
        self._digest = digest
        self._by_form: dict[object, Callable[..., Any]] = {}

    def __call__(self, *args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        form = tree, tuple((np.shape(v), jax.dtypes.result_type(v).name) for v in leaves)
        if form not in self._by_form:
            self._by_form[form] = self._program(args, form)
        return self._by_form[form](*args)

    def _program(self, args: tuple[Any, ...], form: object) -> Callable[..., Any]:
        """The program for arguments of one form, from disk or traced and kept.

        Without a folder it takes the same form, so that the same seed gives the same draws.
        """
        if jax.default_backend() != "cpu":
            return self._traced
        folder = _folder()
        path = None if folder is None else folder / f"{_digest((self._digest, str(form)))}{SUFFIX}"
        try:
            exported = export.deserialize(bytearray(zlib.decompress(_read(path))))
        except zlib.error:
            exported = export.export(self._traced)(*args)
            _write(path, exported)
        return jax.jit(exported.call)


def _read(path: Path | None) -> bytes:
    """What is kept of a program; nothing where it was not made yet or cannot be read."""
    try:
        return b"" if path is None else path.read_bytes()
    except OSError:
        return b""


def _write(path: Path | None, exported: export.Exported) -> None:
    """Keep a program; a disk that is full is told once and costs nothing else."""
    if path is None:
        return
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(zlib.compress(exported.serialize()))
    except FileError as error:
        warn_without_cache(str(error))


@functools.cache
def _folder() -> Path | None:
    """The folder of the kept programs, tidied; None where there is none."""
    folder = cache_folder("traces")
    if folder is not None:
        try:
            tidy(folder)
        except (OSError, FileError) as error:
            warn_without_cache(str(error))
            return None
    return folder


def _state() -> tuple[object, ...]:
    """What every program depends on: sources, settings of JAX, devices, constants of modules."""
    settings = sorted((name, repr(value)) for name, value in jax.config.values.items())
    devices = [device.device_kind for device in jax.devices()]
    loaded = [name for name in list(sys.modules) if name.startswith(TRACED)]
    names = sorted(name for name in loaded if name != __name__)
    constants = [(name, _constants(sys.modules[name])) for name in names]
    return VERSIONS, settings, jax.config.jax_enable_x64, devices, constants


def _constants(module: types.ModuleType) -> list[tuple[str, object]]:
    """Plain values and functions of a module and of its classes, as they are now.

    Someone may have replaced one.
    """
    found: list[tuple[str, object]] = []
    for name, value in sorted(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            found += [(f"{name}.{k}", v) for k, v in sorted(vars(value).items())]
        elif not name.startswith("__"):
            found.append((name, value))
    return [
        (name, _place(value) if isinstance(value, types.FunctionType) else value)
        for name, value in found
        if isinstance(value, (*PLAIN, types.FunctionType))
    ]


def _place(function: types.FunctionType) -> tuple[str, str, int]:
    """Where a function is written."""
    return function.__module__, function.__qualname__, function.__code__.co_firstlineno


def _digest(value: object) -> str:
    """SHA-256 of a value; `_Unknown` for one that has no digest."""
    digest = hashlib.sha256()
    _feed(digest.update, value, MAX_DEPTH)
    return digest.hexdigest()


def _feed(update: Callable[[bytes], None], value: object, depth: int) -> None:
    """Pass a value on, with its type and its length, so that no two values read alike."""
    if depth == 0:
        raise _Unknown(type(value))
    text = _text(value)
    parts = _parts(value) if text is None else []
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    update(f"{kind} {len(parts)} {len(text or '')} {text}\n".encode())
    for part in parts:
        _feed(update, part, depth - 1)


def _text(value: object) -> str | None:
    """All that a plain value, an array or a class says; None for anything else."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, type) and _is_of(value.__module__, TRUSTED):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        if not array.dtype.hasobject:
            return f"{array.dtype} {array.shape} {array.tobytes().hex()}"
    return None


def _parts(value: object) -> list[object]:
    """What a compound value consists of, in a fixed order."""
    of_kind = type(value).__module__
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, tuple | list):
        return list(value)
    # A decorator may give a function of the user's the name of one of this package.
    if isinstance(value, types.FunctionType) and _is_of(value.__globals__["__name__"], TRUSTED):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [_place(value), cells, value.__defaults__, value.__kwdefaults__]
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if is_dataclass(value) and _is_of(of_kind, TRUSTED):
        return [getattr(value, field.name) for field in fields(value)]
    if hasattr(value, "__dict__") and _is_of(of_kind, PURE):
        return [part for item in sorted(vars(value).items()) for part in item]
    raise _Unknown(type(value))


def _is_of(module: str | None, packages: Sequence[str]) -> bool:
    """Whether a module is of one of the packages."""
    return module is not None and module.partition(".")[0] in packages
