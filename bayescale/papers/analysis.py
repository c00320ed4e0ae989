"""One analysis of a paper as a table: what its released code prints beside what comes out here, and
whether the two agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.point_fits.solver import Problem, optima

BOUND_DIGITS = 4  # significant digits to which coefficients and headline errors must agree


@dataclass(frozen=True)
class Analysis:
    """One table of a paper.

    Parameters
    ----------
    name
        How it is asked for.
    about
        What it shows, and where the released code fails what is done here instead.
    frame
        One row a figure. Where the paper's released code prints it too: columns released, here,
        bound and agrees.
    """

    name: str
    about: str
    frame: pd.DataFrame

    @property
    def differing(self) -> pd.DataFrame:
        """The rows in which `released` and `here` differ by more than the bound."""
        return (
            self.frame[self.frame["agrees"].eq(False)]
            if "agrees" in self.frame
            else self.frame.head(0)
        )


def digits(released: float, count: int = BOUND_DIGITS) -> float:
    """Half a unit in the last of `count` significant digits of a released figure."""
    return 0.5 * 10.0 ** (np.floor(np.log10(abs(released))) - count + 1) if released else 1e-12


def row(
    keys: Mapping[str, Any],
    released: float | None,
    here: float | str,
    bound: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One row; `here` is a figure, or the message of a fit that did not converge.

    agrees is None where nothing was released, or where the fit did not converge and `bound` is
    None, which says that the released one had not either.
    """
    message = here if isinstance(here, str) else ""
    figure = float("nan") if isinstance(here, str) else float(here)
    known = released is not None and bound is not None
    return {
        **keys,
        "released": float("nan") if released is None else float(released),
        "here": figure,
        "bound": float(bound) if known and bound is not None else float("nan"),
        "agrees": bool(abs(figure - released) <= bound) if known else None,  # type: ignore[operator]
        **more,
        "note": message,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as a frame, without the columns in which nothing stands."""
    frame = pd.DataFrame(rows)
    empty = [name for name in frame.columns if frame[name].isna().all() or frame[name].eq("").all()]
    return frame.drop(columns=empty)


def spread_of_optima(problem: Problem, count: int, seed: int) -> dict[str, Any]:
    """How many starts converged, how many of those to the best objective (within 1e-6 of it), and
    the range of each value over these.
    """
    found = optima(problem, count, seed)
    converged = found[found["message"].eq("")]
    best = converged[converged["objective"] <= converged["objective"].min() * (1 + 1e-6) + 1e-15]
    spread = {
        f"range of {k}": float(np.ptp(best[k])) if len(best) else float("nan")
        for k in problem.parameters
    }
    return {
        "starts": count,
        "converged": len(converged),
        "at the best": len(best),
        "released start is": _where(found, best),
        **spread,
    }


def _where(found: pd.DataFrame, best: pd.DataFrame) -> str:
    return (
        "not converged"
        if found["message"].iloc[0]
        else "at the best"
        if 0 in best.index
        else "at a worse optimum"
    )
