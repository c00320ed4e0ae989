"""Which part of a record a figure shows: a word that was chosen, cases, series and their draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

from bayescale.backtests.record import OURS, Backtest
from bayescale.models.pooling import Groups
from bayescale.validation import require_choice

# the 5 % quantile of 400 draws has an error of about a tenth of a posterior sd: less than the
# width of a line
DRAWS = 400


def choose(name: str, value: str | None, known: Sequence[str]) -> str:
    """`value` where it is one of the known words, the first of them for None.

    Parameters
    ----------
    name
        Name of the argument, for the message.
    value
        The word that the user gave; None for the first known word.
    known
        The words that the argument may have, one or more.

    Returns
    -------
    str
        One of the known words.

    Raises
    ------
    SettingError
        For a value that is not one of the known words.
    """
    if value is None:
        return known[0]
    require_choice(name, value, known, way_out="fix the name, or leave it out for the first")
    return value


def backtest_cases(backtest: Backtest, quantity: str | None) -> tuple[str, pd.DataFrame]:
    """The quantity to draw, and the forecasts of it that were made with the backtest's settings.

    Parameters
    ----------
    backtest
        The backtest. The forecasts of its baselines are left out.
    quantity
        ``accuracy`` or ``loss``; None for the first of the two that the backtest has.

    Returns
    -------
    tuple of str and pandas.DataFrame
        The quantity, and the rows of ``backtest.cases``.

    Raises
    ------
    SettingError
        For a quantity that the backtest lacks.
    """
    ours = backtest.cases[backtest.cases["model"] == OURS]
    known = [name for name in ("accuracy", "loss") if (ours["quantity"] == name).any()]
    chosen = choose("quantity", quantity, known)
    return chosen, ours[ours["quantity"] == chosen]


def rows_by_name(groups: Groups, corpus: str) -> dict[str, int]:
    """Row in the data of each series of one corpus, by the series' name (its loss or its task).

    Parameters
    ----------
    groups
        Corpus and name of every series.
    corpus
        The corpus whose series are wanted.

    Returns
    -------
    dict of str to int
        Row by name, in the order of the data.
    """
    return {
        groups.names[name]: row
        for row, (level, name) in enumerate(zip(groups.corpus, groups.name, strict=True))
        if groups.corpora[level] == corpus
    }


def series_draws(tree: xr.DataTree, names: Sequence[str], **series: str) -> dict[str, jax.Array]:
    """At most `DRAWS` posterior draws of each parameter of one series.

    Parameters
    ----------
    tree
        Posterior of the losses or of the accuracies of a fit.
    names
        Names of the parameters.
    **series
        Coordinates of the series: ``corpus``, and ``loss_name`` or ``task``.

    Returns
    -------
    dict of str to jax.Array
        Draws by parameter, each of shape (draws,), evenly spaced over all chains.
    """
    posterior = tree["posterior"].to_dataset()
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    kept = np.linspace(0, total - 1, min(total, DRAWS)).round().astype(int)
    draws = {}
    for name in names:
        values = posterior[name].sel(series).transpose("chain", "draw").values
        draws[name] = jnp.asarray(values.reshape(-1)[kept])
    return draws


def unit_of(units: Mapping[str, str], loss_name: str) -> str:
    """The unit of a loss, or "unit not stated" where the ladder does not state it.

    Parameters
    ----------
    units
        Unit by loss name, as in the conventions of a ladder.
    loss_name
        The loss whose unit is wanted.

    Returns
    -------
    str
        The unit in words.
    """
    return units.get(loss_name, "unit not stated")
