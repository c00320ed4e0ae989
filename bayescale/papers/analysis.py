"""One analysis of a paper as a table: the released figures beside the figures computed here.

Released figures are printed by the paper's own code. The table says for each figure whether the two
agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.point_fits.solver import Problem, optima

# significant digits to which coefficients and headline errors must agree
BOUND_DIGITS = 4

# relative gap between objectives up to which two optima count as equally good
SAME_OBJECTIVE = 1e-6


@dataclass(frozen=True)
class Analysis:
    """One table of a paper.

    Parameters
    ----------
    name
        The name by which the analysis is asked for.
    about
        What the table shows, and what was done differently where the released code fails.
    frame
        One row per figure. Where the paper's released code prints figures too, the columns
        released, here, bound and agrees compare them.
    """

    name: str
    about: str
    frame: pd.DataFrame

    @property
    def differing(self) -> pd.DataFrame:
        """The rows in which `released` and `here` differ by more than the bound."""
        if "agrees" in self.frame:
            return self.frame[self.frame["agrees"].eq(False)]
        return self.frame.head(0)


def digits(released: float, count: int = BOUND_DIGITS) -> float:
    """Half a unit in the last significant digit of a released figure, or 1e-12 if it is 0.

    Parameters
    ----------
    released
        The released figure.
    count
        Number of significant digits.

    Returns
    -------
    float
        The largest difference at which two figures agree to that many digits.
    """
    if not released:
        return 1e-12
    return 0.5 * 10.0 ** (np.floor(np.log10(abs(released))) - count + 1)


def row(
    keys: Mapping[str, Any],
    *,
    released: float | None,
    here: float | str,
    bound: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One row of an analysis, agrees = |here - released| <= bound.

    A fit that did not converge has no figure, so it never agrees with a released figure that has a
    bound.

    Parameters
    ----------
    keys
        The columns that say which figure this is.
    released
        The released figure; None where nothing was released.
    here
        The figure computed here, or the message of a fit that did not converge.
    bound
        The largest difference at which the two figures agree. None where they are not compared,
        as where the released fit had not converged either.
    **more
        Further columns.

    Returns
    -------
    dict
        The columns of `keys`; released, here, bound and agrees; the columns of `more`; and note,
        which holds the message. A missing figure is nan; agrees is None where nothing is compared.
    """
    message = here if isinstance(here, str) else ""
    figure = float("nan") if isinstance(here, str) else float(here)
    compared: dict[str, Any] = {"bound": float("nan"), "agrees": None}
    if released is not None and bound is not None:
        compared = {"bound": float(bound), "agrees": bool(abs(figure - released) <= bound)}
    return {
        **keys,
        "released": float("nan") if released is None else float(released),
        "here": figure,
        **compared,
        **more,
        "note": message,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as a frame, without its empty columns (all missing, or all empty text).

    Parameters
    ----------
    rows
        One mapping from column to value per row.

    Returns
    -------
    pandas.DataFrame
        One row per mapping.
    """
    frame = pd.DataFrame(rows)
    empty = [name for name in frame.columns if frame[name].isna().all() or frame[name].eq("").all()]
    return frame.drop(columns=empty)


def spread_of_optima(problem: Problem, count: int, seed: int) -> dict[str, Any]:
    """Where several starts of one fit lead, and how far their best optima lie apart.

    Parameters
    ----------
    problem
        The fit to repeat.
    count
        Number of starts: the released one and random ones around it.
    seed
        Seed of the random starts.

    Returns
    -------
    dict
        starts; converged (starts that led to an optimum); at the best (optima whose objective is
        the lowest, within a share of 1e-6); released start is (``at the best``, ``at a worse
        optimum`` or ``not converged``); and the range of each parameter over the best optima.
    """
    fits = optima(problem, count, seed)
    converged = fits[fits["message"].eq("")]
    lowest = converged["objective"].min()
    best = converged[converged["objective"] <= lowest * (1 + SAME_OBJECTIVE) + 1e-15]
    ranges = {
        f"range of {name}": float(np.ptp(best[name])) if len(best) else float("nan")
        for name in problem.parameters
    }
    return {
        "starts": count,
        "converged": len(converged),
        "at the best": len(best),
        "released start is": _released_start(fits, best),
        **ranges,
    }


def _released_start(fits: pd.DataFrame, best: pd.DataFrame) -> str:
    """Where the first start, which is the released one, led."""
    if fits["message"].iloc[0]:
        return "not converged"
    return "at the best" if 0 in best.index else "at a worse optimum"
