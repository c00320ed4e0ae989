"""The versions that `--version` prints."""

from __future__ import annotations

import platform
from importlib.metadata import version

# Packages whose versions change the numbers of an answer.
PACKAGES = ("jax", "jaxlib", "numpyro", "arviz", "numpy", "pandas")


def versions() -> dict[str, str]:
    """Version of bayescale, of Python, and of each package of `PACKAGES`; none is imported."""
    return {
        "bayescale": version("bayescale"),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
