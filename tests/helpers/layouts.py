"""Groups of series, rectangles of runs, and one model for each case."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpy.typing import NDArray
from numpyro import handlers

from bayescale.models.laws import LAWS, Point
from bayescale.models.layout import Layout
from bayescale.models.links import LINKS, lo_prior
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel
from bayescale.models.stage_models import accuracy_model, loss_model

type Array = NDArray[np.float64]
type Sites = dict[str, Array]


def factors(series: list[tuple[int, int, int]], name_of_names: str = "loss_name") -> Groups:
    """Corpus, name and kind of each series."""
    corpus, name, kind = (tuple(level) for level in zip(*series, strict=True))
    labels = [
        tuple(f"{what}{i}" for i in range(max(levels) + 1))
        for what, levels in (("corpus", corpus), ("name", name), ("kind", kind))
    ]
    return Groups(labels[0], labels[1], labels[2], corpus, name, kind, name_of_names)


ONE_FACTOR = factors([(0, 0, 0), (1, 0, 0), (2, 0, 0)])
TWO_KINDS = factors([(0, 0, 0), (0, 1, 0), (0, 2, 1)])
TWO_POPULATIONS = factors([(0, 0, 0), (0, 1, 0), (0, 2, 1), (0, 3, 1)])
CROSSED = factors([(c, j, 0) for c in range(2) for j in range(2)])
LONE = factors([(0, 0, 0)])
TASKS = factors([(0, 0, 0), (0, 1, 0), (0, 2, 0)], "task")
# Three corpora of one validation loss: their discrepancies have a part in common.
VALIDATION = replace(ONE_FACTOR, kinds=("validation",))


def loss_layout(f: Groups, runs: int = 6) -> Layout:
    """Losses of a made-up ladder with 1 % noise; the last run of the first series is missing."""
    rng = np.random.default_rng(f.series)
    n, d = (np.broadcast_to(rng.uniform(-3, 0.5, runs), (f.series, runs)) for _ in range(2))
    level = rng.uniform(0.5, 3.0, (f.series, 1))
    y = np.log(
        level * (0.5 + 0.5 * (0.4 * np.exp(-0.35 * n) + 0.6 * np.exp(-0.3 * d)))
    ) + 0.01 * rng.standard_normal(n.shape)
    seen = np.ones(y.shape, bool)
    seen[0, -1] = False
    return Layout(
        jnp.asarray(y),
        jnp.asarray(seen),
        Point(*map(jnp.asarray, (n, d, n + d, d - 0.5))),
        jnp.ones_like(y),
    )


def accuracy_layout(f: Groups, runs: int = 7) -> Layout:
    rng = np.random.default_rng(100 + f.series)
    z = rng.uniform(-2, 2, (f.series, runs))
    items = np.broadcast_to(np.array([14042.0, 1838.0, 500.0])[: f.series, None], z.shape)
    y = (
        0.25
        + 0.7 / (1 + np.exp(1 + 0.8 * z))
        + 0.5 * np.sqrt(0.2 / items) * rng.standard_normal(z.shape)
    )
    seen = np.ones(y.shape, bool)
    seen[1, -1] = False
    return Layout(jnp.asarray(y), jnp.asarray(seen), jnp.asarray(z), jnp.asarray(items))


def latent(model: SeriesModel, layout: Layout, seed: int) -> dict[str, dict[str, Any]]:
    trace = handlers.trace(handlers.seed(model, jax.random.key(seed))).get_trace(layout)
    return {
        name: site
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }


LOSS_CASES = {
    "one factor": (ONE_FACTOR, "chinchilla", {}),
    "one series": (LONE, "chinchilla", {}),
    "two kinds, one of a single series": (TWO_KINDS, "gadre", {}),
    "two kinds of several": (TWO_POPULATIONS, "compute", {}),
    "crossed": (CROSSED, "chinchilla", {}),
    "a sum under a power": (ONE_FACTOR, "skaling", {}),
    "repeated data": (ONE_FACTOR, "repeated", {}),
    "no pooling": (ONE_FACTOR, "chinchilla", {"pooling": "none"}),
    "complete pooling": (TWO_KINDS, "chinchilla", {"pooling": "complete"}),
    "reruns": (ONE_FACTOR, "chinchilla", {"grouped": True}),
    "reruns of two kinds": (TWO_KINDS, "compute", {"grouped": True}),
    "reruns, no pooling": (ONE_FACTOR, "compute", {"grouped": True, "pooling": "none"}),
    "Student-t": (ONE_FACTOR, "compute", {"noise": "student_t"}),
    "Student-t, complete pooling": (
        ONE_FACTOR,
        "compute",
        {"noise": "student_t", "pooling": "complete"},
    ),
    "one-sided": (ONE_FACTOR, "compute", {"noise": "one_sided"}),
    "discrepancy": (ONE_FACTOR, "compute", {"discrepancy": True}),
    "discrepancy in common": (VALIDATION, "compute", {"discrepancy": True}),
    "discrepancy of two kinds": (TWO_KINDS, "chinchilla", {"discrepancy": True}),
    "discrepancy, reruns": (VALIDATION, "compute", {"discrepancy": True, "grouped": True}),
    "discrepancy, complete pooling": (
        TWO_KINDS,
        "compute",
        {"discrepancy": True, "pooling": "complete"},
    ),
    "prior of one's own": (
        ONE_FACTOR,
        "compute",
        {"priors": {"gamma": dist.Gamma(4.0, 20.0), "sd_gamma_corpus": dist.Exponential(5.0)}},
    ),
}


def make_case(case: str) -> tuple[SeriesModel, Layout]:
    if case.startswith("link"):
        link = LINKS[case.split()[1].rstrip(",")]
        layout = accuracy_layout(TASKS)
        model = accuracy_model(
            link,
            TASKS,
            priors={"lo": lo_prior(np.array([0.25, 0.5, 0.2]))},
            discrepancy=case.endswith("discrepancy"),
        )
        return model, layout._replace(basis=jnp.asarray(smooth(np.asarray(layout.x))))
    f, law, settings = LOSS_CASES[case]
    layout = loss_layout(f)
    first = np.tile([0, 0, 2, 2, 4, 5], (f.series, 1)) if "grouped" in settings else None
    lag = jnp.maximum(0.0, jnp.max(layout.x.c) - layout.x.c)
    basis = jnp.asarray(smooth(np.asarray(layout.x.n), np.asarray(layout.x.d)))
    if first is not None:
        # The cells of a group have the terms of its last cell.
        basis = basis[:, [1, 1, 3, 3, 4, 5]]
    return loss_model(LAWS[law], f, **settings), layout._replace(first=first, lag=lag, basis=basis)


def smooth(*x: Array) -> Array:
    """Three smooth functions of places (series, runs), as terms of a discrepancy."""
    return np.stack([np.cos(0.5 * k * sum(x)) / (1 + k) for k in range(3)], -1)
