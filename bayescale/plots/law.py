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
from bayescale.inference.summary import interval
from bayescale.models.inputs import LossData, point
from bayescale.plots.selection import choose, rows_by_name, series_draws, unit_of
from bayescale.plots.style import (
    ACTUAL,
    GREY,
    GRID,
    PALETTE,
    add_corpus,
    band_handles,
    draw_bands,
    draw_points,
    literal,
    new_axes,
    points_handle,
)

# most lines of constant token multiplier through the runs: more cannot be told apart
LINES = 4
# most ticks of the colour bar
TICKS = 8
# longest line of the legend in letters
LEGEND_WIDTH = 40
LAW = PALETTE[1]
MARKERS = "Ds^vP*"
# probability and thickness in points of a target's bar
BARS = ((0.9, 1.6), (0.5, 5.0))
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
    """Loss = law(N, D) against training compute: the runs, and the law at constant D/N.

    Thin lines are the law's posterior median at the token multipliers D/N of the fitted runs, where
    no token is seen twice. The thick line, with its 50 % and 90 % bands, follows the multiplier of
    the largest target (of the largest run where there are no targets), and has as many unique
    tokens as that. The bands are of the expected loss: a single run scatters around it. Filled
    points were fitted; other runs are open, and so are the actual losses of targets.

    Parameters
    ----------
    fit
        The fit whose law is drawn.
    loss_name
        Name of the loss; None for the loss that the link goes through, or the first of the corpus.
    corpus
        Corpus of the runs; None for that of the first target, or the first of the fit.
    targets
        Targets to which the law is extended, each with a bar of 90 % and 50 %. Targets of another
        corpus are left out.
    ax
        Matplotlib axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Their title says so where a check of the fit failed.

    Raises
    ------
    SettingError
        For a corpus or a loss that the fit lacks.
    """
    series = _series(fit, loss_name, corpus, targets)
    runs = _runs(fit, series)
    ax = new_axes(ax, width=8.5, height=5.2)
    trained = runs[~runs["target"]]
    fitted = runs[runs["fitted"]]
    multiplier = trained["multiplier"]
    colour = ScalarMappable(LogNorm(multiplier.min() / 1.05, multiplier.max() * 1.05), COLOURS)
    _draw_lines(ax, fit, series, fitted, colour)
    label = f"law at D/N = {_emphasis(series, fitted)[0]:.3g}"
    handles: list[Artist] = [
        *_draw_runs(ax, trained, colour),
        *_draw_targets(ax, fit, series, runs),
        *band_handles(LAW, label, wording="band, bar" if series.targets else "band"),
    ]
    _label(ax, fit, series)
    _colour_bar(ax, trained, colour)
    ax.legend(handles=handles, loc="upper right", frameon=False, fontsize=9)
    return ax


@dataclass(frozen=True)
class _Series:
    """One (corpus, loss name) of a fit: its row in the data, and how compute is drawn.

    Parameters
    ----------
    corpus, loss_name
        The series.
    row
        Its row in the data.
    data
        The losses that the law was fitted on.
    targets
        Targets of the same corpus.
    overhead
        ln(C / 6ND) by ln N, in the order of N; empty where compute is 6ND.
    """

    corpus: str
    loss_name: str
    row: int
    data: LossData
    targets: tuple[Target, ...]
    overhead: pd.Series

    def compute(self, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """6ND, times C / 6ND of the measured runs, interpolated in ln N between two sizes.

        C / 6ND depends on the size of a model, and hardly on its tokens.
        """
        compute = np.asarray(six_nd(params, tokens))
        if self.overhead.empty:
            return compute
        sizes = self.overhead.index.to_numpy()
        return compute * np.exp(np.interp(np.log(params), sizes, self.overhead.to_numpy()))


def _series(
    fit: Fit, loss_name: str | None, corpus: str | None, targets: Sequence[Target]
) -> _Series:
    """The series to draw: the one that was asked for, or the one that `plot_law` names."""
    data = fit.loss_data
    corpora = data.groups.corpora
    if corpus is None:
        corpus = next((t.corpus for t in targets if t.corpus in corpora), None)
    corpus = choose("corpus", corpus, corpora)
    rows = rows_by_name(data.groups, corpus)
    if loss_name is None and fit.route in rows:
        loss_name = fit.route
    loss_name = choose("loss_name", loss_name, list(rows))
    of_corpus = tuple(t for t in targets if (t.corpus or corpus) == corpus)
    return _Series(
        corpus=corpus,
        loss_name=loss_name,
        row=rows[loss_name],
        data=data,
        targets=of_corpus,
        overhead=(
            _overhead(fit.ladder, of_corpus) if data.compute_is_measured else pd.Series(dtype=float)
        ),
    )


def _overhead(ladder: Ladder, targets: Sequence[Target]) -> pd.Series:
    """ln(C / 6ND) by ln N: the measured runs and targets, averaged at each size."""
    measured = ladder.runs[["params", "tokens", "flops"]].to_numpy(float)
    of_targets = [[t.params, t.tokens, np.nan if t.flops is None else t.flops] for t in targets]
    params, tokens, flops = np.vstack([measured, np.array(of_targets).reshape(-1, 3)]).T
    overhead = pd.Series(np.log(flops / six_nd(params, tokens)), index=np.log(params))
    return overhead.dropna().groupby(level=0).mean()


def _runs(fit: Fit, series: _Series) -> pd.DataFrame:
    """Runs to draw: loss, params, tokens, compute, multiplier, and whether fitted or a target."""
    seen = np.asarray(series.data.layout.seen)[series.row]
    fitted = series.data.runs[series.row][seen]
    rows = last_rows(fit.ladder.frame, "task")
    chosen = (rows["corpus"] == series.corpus) & (rows["loss_name"] == series.loss_name)
    runs = rows[chosen].drop_duplicates("run").set_index("run")
    runs = runs.assign(
        fitted=runs.index.isin(fitted),
        target=runs.index.isin({t.label for t in series.targets}),
        multiplier=runs["tokens"] / runs["params"],
        compute=series.compute(runs["params"].to_numpy(), runs["tokens"].to_numpy()),
    )
    return runs[(runs["role"] != "target") | runs["target"]]


def _expected(
    fit: Fit, series: _Series, params: np.ndarray, tokens: np.ndarray, unique: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Compute, shape (points,), and draws of the expected loss, shape (draws, points).

    No point has more unique tokens than `unique`.
    """
    compute = series.compute(params, tokens)
    draws = series_draws(
        fit.posteriors.loss.draws,
        ["L0", *(p.name for p in fit.law.parameters)],
        corpus=series.corpus,
        loss_name=series.loss_name,
    )
    at = point(params, tokens, compute, series.data.reference, np.full(tokens.shape, unique))
    over_points = jax.vmap(fit.law.log_ratio, (None, 0))
    log_ratio = np.asarray(jax.vmap(over_points, (0, None))(draws, at))
    return compute, np.asarray(draws["L0"])[:, None] * np.exp(log_ratio)


def _draw_lines(
    ax: Axes, fit: Fit, series: _Series, fitted: pd.DataFrame, colour: ScalarMappable
) -> None:
    """Thin lines at the multipliers of the fitted runs, and the thick line with its bands."""
    compute_6nd = six_nd(fitted["params"], fitted["tokens"])
    start = float(compute_6nd.min())
    end = float(compute_6nd.max())
    for multiplier in _few(fitted["multiplier"].to_numpy(), LINES):
        compute, loss = _expected(fit, series, *_along(multiplier, start, end))
        median = np.median(loss, axis=0)
        shade = _shade(colour, multiplier)
        ax.plot(compute, median, color=shade, linewidth=1.2, zorder=2)
    multiplier, end, unique = _emphasis(series, fitted)
    compute, loss = _expected(fit, series, *_along(multiplier, start, end), unique)
    draw_bands(ax, compute, loss, LAW)


def _shade(colour: ScalarMappable, multiplier: float) -> ColorType:
    """Colour of a multiplier on the colour bar."""
    return COLOURS(float(np.asarray(colour.norm(np.asarray(multiplier)), dtype=float)))


def _emphasis(series: _Series, fitted: pd.DataFrame) -> tuple[float, float, float]:
    """Multiplier, 6ND and unique tokens of the largest target, or of the largest fitted run."""
    if series.targets:
        sizes = [(t.params, t.tokens, t.unique_tokens or np.inf) for t in series.targets]
    else:
        columns = fitted[["params", "tokens", "unique_tokens"]].fillna({"unique_tokens": np.inf})
        sizes = list(columns.itertuples(index=False, name=None))
    params, tokens, unique = max(sizes, key=lambda size: size[0] * size[1])
    return tokens / params, six_nd(params, tokens), unique


def _along(multiplier: float, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """N and D of one multiplier, between two values of 6ND."""
    params = np.sqrt(np.geomspace(start, end, GRID) / (6.0 * multiplier))
    return params, multiplier * params


def _few(multipliers: np.ndarray, most: int) -> list[float]:
    """The multipliers to two digits, or as many as `most` of them, spread over all."""
    rounded = sorted({float(f"{multiplier:.2g}") for multiplier in multipliers})
    if len(rounded) <= most:
        return rounded
    return [rounded[i] for i in np.linspace(0, len(rounded) - 1, most).round().astype(int)]


def _draw_targets(ax: Axes, fit: Fit, series: _Series, runs: pd.DataFrame) -> list[Line2D]:
    """Bar and, where it is known, actual loss of each target; and the entries of the legend."""
    losses = dict(zip(runs.index, runs["loss"].to_numpy(dtype=float), strict=True))
    handles = []
    for t, marker in zip(series.targets, itertools.cycle(MARKERS)):
        params, tokens = np.array([t.params]), np.array([t.tokens])
        compute, loss = _expected(fit, series, params, tokens, t.unique_tokens or np.inf)
        for prob, width in BARS:
            lower, _, upper = interval(loss[:, 0], prob)
            ax.plot(
                np.repeat(compute, 2),
                [lower, upper],
                color=LAW,
                linewidth=width,
                solid_capstyle="butt",
                zorder=3,
            )
        # no line of the legend breaks within the equation
        equation = f"D/N = {t.tokens / t.params:.3g}".replace(" ", "\N{NO-BREAK SPACE}")
        if t.label in losses:
            draw_points(ax, compute, losses[t.label], marker, ACTUAL, filled=False)
            text = literal(f"{t.label}, actual, {equation}", LEGEND_WIDTH)
            handles.append(points_handle(marker, ACTUAL, text, filled=False))
        else:
            text = literal(f"{t.label}, {equation}", LEGEND_WIDTH)
            handles.append(points_handle("|", LAW, text, filled=False))
    return handles


def _draw_runs(ax: Axes, runs: pd.DataFrame, colour: ScalarMappable) -> list[Line2D]:
    """Points of the runs, coloured by multiplier, and the entries of the legend."""
    columns = runs[["compute", "loss", "multiplier", "fitted"]].to_numpy(dtype=float)
    for compute, loss, multiplier, fitted in columns:
        draw_points(ax, compute, loss, "o", _shade(colour, multiplier), filled=bool(fitted))
    return [
        points_handle("o", GREY, label, filled=filled)
        for filled, label in ((True, "run, fitted"), (False, "run, not fitted"))
        if (runs["fitted"] == filled).any()
    ]


def _label(ax: Axes, fit: Fit, series: _Series) -> None:
    """Labels of both axes, and the title."""
    measured = "measured" if series.data.compute_is_measured else "6ND"
    unit = unit_of(fit.ladder.conventions.loss_units, series.loss_name)
    ax.set_xscale("log")
    ax.set_xlabel(f"training compute, {measured} (FLOPs)")
    ax.set_ylabel(literal(f"{series.loss_name} loss ({unit})"))
    title = f"{fit.ladder.name}: {series.loss_name} loss, law {fit.law.name}"
    ax.set_title(add_corpus(title, series.corpus, series.data.groups.corpora, fit.status))


def _colour_bar(ax: Axes, runs: pd.DataFrame, colour: ScalarMappable) -> None:
    """The bar beside the figure that tells the multiplier of a colour."""
    bar = ax.figure.colorbar(colour, ax=ax, pad=0.02, aspect=30)
    bar.set_label("token multiplier D/N of the runs (tokens per parameter)")
    bar.set_ticks(_few(runs["multiplier"].to_numpy(), TICKS), minor=False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    bar.minorticks_off()
