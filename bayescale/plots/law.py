"""Figure of a law: loss against training compute."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from bayescale.data.ladder import Ladder
from bayescale.data.outcomes import last_rows
from bayescale.data.target import Target, six_nd
from bayescale.fits.record import Fit
from bayescale.models.inputs import LossData, point
from bayescale.plots.style import (
    ACTUAL,
    GREY,
    GRID,
    PALETTE,
    add_corpus,
    band_handles,
    choose,
    draw_bands,
    draw_points,
    literal,
    new_axes,
    points_handle,
    series_draws,
    unit_of,
)

LINES = 4  # lines of constant token multiplier through the runs: more cannot be told apart
TICKS = 8
LEGEND_WIDTH = 40  # letters
LAW = PALETTE[1]
MARKERS = "Ds^vP*"
# the palest yellow cannot be seen on white
COLOURS = ListedColormap(colormaps["viridis"](np.linspace(0.0, 0.88, 256)))


def plot_law(
    fit: Fit,
    *,
    loss_name: str | None = None,
    corpus: str | None = None,
    targets: Sequence[Target] = (),
    ax: Axes | None = None,
) -> Axes:
    """Loss against training compute: the runs, and the law along lines of constant token multiplier
    D/N.

    Thin lines are the law's posterior median at the multipliers of the fitted runs, no token seen
    twice. The thick line, with its 50 % and 90 % bands, follows the multiplier of the dearest
    target (or run, without targets), and has no more unique tokens than that has. The bands are of
    the expected loss: a single run scatters around it.

    Parameters
    ----------
    fit
        The fit whose law is drawn.
    loss_name
        The loss; None for the one that the link goes through, or the first.
    corpus
        The corpus of the runs; None for that of the first target, or the first.
    targets
        Extend the law to these; those of another corpus are left out. Each gets a bar of 90 % and
        50 %.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Where it was drawn. Runs that were not fitted, and the targets' own losses where the ladder
        knows them, are open markers.

    Raises
    ------
    SettingError
        For a corpus or a loss that the fit lacks.
    """
    series = _series(fit, loss_name, corpus, targets)
    runs = _runs(fit, series)
    ax = new_axes(ax, width=8.5, height=5.2)
    trained, fitted = runs[~runs["target"]], runs[runs["fitted"]]
    colour = ScalarMappable(
        LogNorm(trained["multiplier"].min() / 1.05, trained["multiplier"].max() * 1.05), COLOURS
    )
    _draw_lines(ax, fit, series, fitted, colour)
    handles: list[Artist] = [
        *_draw_runs(ax, trained, colour),
        *_draw_targets(ax, fit, series, runs),
    ]
    handles += band_handles(
        LAW,
        f"law at D/N = {_emphasis(series, fitted)[0]:.3g}",
        shade="band, bar" if series.targets else "band",
    )
    _label(ax, fit, series)
    _colour_bar(ax, trained, colour)
    ax.legend(handles=handles, loc="upper right", frameon=False, fontsize=9)
    return ax


@dataclass(frozen=True)
class _Series:
    """One (corpus, loss name) of a fit, its row in the data, and how compute is drawn."""

    corpus: str
    loss_name: str
    row: int
    data: LossData
    targets: tuple[Target, ...]
    overhead: pd.Series

    def compute(self, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """6ND, times C/6ND of the measured runs, which is a matter of size: between two sizes
        interpolated in ln N.
        """
        factor = (
            np.exp(
                np.interp(np.log(params), self.overhead.index.to_numpy(), self.overhead.to_numpy())
            )
            if len(self.overhead)
            else 1.0
        )
        return np.asarray(six_nd(params, tokens) * factor)


def _series(
    fit: Fit, loss_name: str | None, corpus: str | None, targets: Sequence[Target]
) -> _Series:
    data = fit.loss_data
    f = data.groups
    known = [t.corpus for t in targets if t.corpus in f.corpora]
    chosen = choose("corpus", corpus or (known[0] if known else None), f.corpora)
    rows = {
        f.names[j]: s
        for s, (c, j) in enumerate(zip(f.corpus, f.name, strict=True))
        if f.corpora[c] == chosen
    }
    name = choose(
        "loss_name", loss_name or (fit.linked_via if fit.linked_via in rows else None), list(rows)
    )
    mine = tuple(t for t in targets if (t.corpus or chosen) == chosen)
    return _Series(
        chosen,
        name,
        rows[name],
        data,
        mine,
        _overhead(fit.ladder, mine) if data.compute_is_measured else pd.Series(dtype=float),
    )


def _overhead(ladder: Ladder, targets: Sequence[Target]) -> pd.Series:
    """ln(C/6ND) by ln N: the measured runs and targets, averaged at each size."""
    sizes = ladder.runs[["params", "tokens", "flops"]].to_numpy(float)
    mine = [[t.params, t.tokens, np.nan if t.flops is None else t.flops] for t in targets]
    params, tokens, flops = np.vstack([sizes, np.array(mine).reshape(-1, 3)]).T
    return (
        pd.Series(np.log(flops / six_nd(params, tokens)), index=np.log(params))
        .dropna()
        .groupby(level=0)
        .mean()
    )


def _runs(fit: Fit, series: _Series) -> pd.DataFrame:
    """The runs to draw: loss, params, tokens, compute, multiplier, and whether fitted or a
    target.
    """
    seen = np.asarray(series.data.layout.seen)[series.row]
    fitted = series.data.runs[series.row][seen]
    rows = last_rows(fit.ladder.frame, "task")
    rows = (
        rows[(rows["corpus"] == series.corpus) & (rows["loss_name"] == series.loss_name)]
        .drop_duplicates("run")
        .set_index("run")
    )
    names = {t.label for t in series.targets}
    rows = rows.assign(
        fitted=rows.index.isin(fitted),
        target=rows.index.isin(names),
        multiplier=rows["tokens"] / rows["params"],
    )
    rows["compute"] = series.compute(rows["params"].to_numpy(), rows["tokens"].to_numpy())
    return rows[(rows["role"] != "target") | rows["target"]]


def _expected(
    fit: Fit, series: _Series, params: np.ndarray, tokens: np.ndarray, unique: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Compute, shape (points,), and draws of the expected loss, shape (draws, points), with at most
    `unique` unique tokens.
    """
    compute = series.compute(params, tokens)
    v = series_draws(
        fit.losses,
        ["L0", *(p.name for p in fit.law.parameters)],
        corpus=series.corpus,
        loss_name=series.loss_name,
    )
    at = point(params, tokens, compute, series.data.reference, np.full(tokens.shape, unique))
    ratio = jax.vmap(jax.vmap(fit.law.log_ratio, (None, 0)), (0, None))(v, at)
    return compute, np.asarray(v["L0"])[:, None] * np.exp(np.asarray(ratio))


def _draw_lines(
    ax: Axes, fit: Fit, series: _Series, fitted: pd.DataFrame, colour: ScalarMappable
) -> None:
    cheapest, dearest = (
        float(f(six_nd(fitted["params"], fitted["tokens"]))) for f in (np.min, np.max)
    )
    for multiplier in _few(fitted["multiplier"].to_numpy(), LINES):
        compute, loss = _expected(fit, series, *_along(multiplier, cheapest, dearest))
        ax.plot(
            compute,
            np.median(loss, axis=0),
            color=_shade(colour, multiplier),
            linewidth=1.2,
            zorder=2,
        )
    multiplier, end, unique = _emphasis(series, fitted)
    compute, loss = _expected(fit, series, *_along(multiplier, cheapest, end), unique)
    draw_bands(ax, compute, loss, LAW)


def _shade(colour: ScalarMappable, multiplier: float) -> ColorType:
    return COLOURS(float(np.asarray(colour.norm(np.asarray(multiplier)), dtype=float)))


def _emphasis(series: _Series, fitted: pd.DataFrame) -> tuple[float, float, float]:
    """Multiplier, 6ND and unique tokens of the dearest target, or of the dearest fitted run."""
    runs = (
        fitted[["params", "tokens", "unique_tokens"]]
        .fillna({"unique_tokens": np.inf})
        .itertuples(index=False, name=None)
    )
    sizes = [(t.params, t.tokens, t.unique_tokens or np.inf) for t in series.targets] or list(runs)
    params, tokens, unique = max(sizes, key=lambda size: size[0] * size[1])
    return tokens / params, six_nd(params, tokens), unique


def _along(multiplier: float, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """N and D of one multiplier between two values of 6ND."""
    params = np.sqrt(np.geomspace(start, end, GRID) / (6.0 * multiplier))
    return params, multiplier * params


def _few(multipliers: np.ndarray, most: int) -> list[float]:
    """The multipliers to two digits, or as many as `most` spread over them."""
    rounded = sorted({float(f"{m:.2g}") for m in multipliers})
    return (
        rounded
        if len(rounded) <= most
        else [rounded[i] for i in np.linspace(0, len(rounded) - 1, most).round().astype(int)]
    )


def _draw_targets(ax: Axes, fit: Fit, series: _Series, runs: pd.DataFrame) -> list[Line2D]:
    """A bar of 90 % and 50 % for each, its own loss where it is known, and the legend's entries."""
    losses = dict(zip(runs.index, runs["loss"].to_numpy(dtype=float), strict=True))
    handles = []
    for t, marker in zip(series.targets, itertools.cycle(MARKERS)):
        (compute,), loss = _expected(
            fit, series, np.array([t.params]), np.array([t.tokens]), t.unique_tokens or np.inf
        )
        for (low, high), width in zip(
            np.quantile(loss, [[0.05, 0.95], [0.25, 0.75]]), (1.6, 5.0), strict=True
        ):
            ax.plot(
                [compute, compute],
                [low, high],
                color=LAW,
                linewidth=width,
                solid_capstyle="butt",
                zorder=3,
            )
        known = t.label in losses
        if known:
            draw_points(ax, compute, losses[t.label], marker, ACTUAL, filled=False)
        text = literal(
            f"{t.label}{', actual' if known else ''}, D/N\u00a0=\u00a0{t.tokens / t.params:.3g}",
            LEGEND_WIDTH,
        )
        handles.append(
            points_handle(marker if known else "|", ACTUAL if known else LAW, text, filled=False)
        )
    return handles


def _draw_runs(ax: Axes, runs: pd.DataFrame, colour: ScalarMappable) -> list[Line2D]:
    for compute, loss, multiplier, fitted in runs[
        ["compute", "loss", "multiplier", "fitted"]
    ].to_numpy(dtype=float):
        draw_points(ax, compute, loss, "o", _shade(colour, multiplier), filled=bool(fitted))
    kinds = {True: "run, fitted", False: "run, not fitted"}
    return [
        points_handle("o", GREY, label, filled=filled)
        for filled, label in kinds.items()
        if (runs["fitted"] == filled).any()
    ]


def _label(ax: Axes, fit: Fit, series: _Series) -> None:
    ax.set_xscale("log")
    ax.set_xlabel(
        "training compute, "
        + ("measured" if series.data.compute_is_measured else "6ND")
        + " (FLOPs)"
    )
    ax.set_ylabel(
        literal(
            f"{series.loss_name} loss ({unit_of(fit.ladder.conventions.loss_units, series.loss_name)})"
        )
    )
    ax.set_title(
        add_corpus(
            f"{fit.ladder.name}: {series.loss_name} loss, law {fit.law.name}",
            series.corpus,
            series.data.groups.corpora,
            fit.status,
        )
    )


def _colour_bar(ax: Axes, runs: pd.DataFrame, colour: ScalarMappable) -> None:
    bar = ax.figure.colorbar(colour, ax=ax, pad=0.02, aspect=30)
    bar.set_label("token multiplier D/N of the runs (tokens per parameter)")
    bar.set_ticks(_few(runs["multiplier"].to_numpy(), TICKS), minor=False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    bar.minorticks_off()
