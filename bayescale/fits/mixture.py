"""stack(fits): a mixture of fits of one ladder by several laws or links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bayescale.errors import SettingError
from bayescale.extrapolation.weights import densities, weigh
from bayescale.fits.record import Fit
from bayescale.models.stages import Stages
from bayescale.validation import as_list, shown


def stack(fits: Sequence[Fit]) -> Fit:
    """p = sum_k W_k p_k: a mixture of fits of one ladder by several laws or links.

    The weights rest on how well each fit predicts each of the larger runs from all others (see
    `bayescale.extrapolation.weights.weigh`). Each draw of a forecast comes from one of
    the fits, losses and accuracies alike.

    Parameters
    ----------
    fits
        Two or more fits of the same ladder, with equal numbers of chains and draws and one `via`.

    Returns
    -------
    Fit
        The mixture; its own posteriors are those of the heaviest fit.

    Raises
    ------
    SettingError
        For fewer than two fits, fits of different ladders, numbers of draws or `via`, fits that are
        mixtures themselves, and anything that is not a fit.
    """
    what = "fits to stack"
    given = as_list(fits)
    fits = [fit for fit in given if isinstance(fit, Fit)]
    if len(fits) < len(given):
        raise SettingError(
            what,
            rule="must be results of bayescale.fit",
            got=shown(given),
            way_out="stack([fit(...), fit(...)])",
        )
    kinds = {(fit.ladder.digest(), fit.sampler.chains, fit.sampler.draws) for fit in fits}
    if len(fits) < 2 or len(kinds) > 1:
        raise SettingError(
            what,
            rule="must be two or more of one ladder, with as many draws",
            got=f"{len(fits)} fits of {len(kinds)} kinds",
            way_out="fit each anew",
        )
    one_route = len({fit.route for fit in fits}) == 1
    if not one_route or any(fit.is_mixture for fit in fits):
        raise SettingError(
            what,
            rule="must each be a fit by one law, all through one loss",
            got=", ".join(f"via {fit.route}" for fit in fits),
            way_out="fit(..., via=...) with the same via",
        )
    compute = fits[0].ladder.with_role("fit", "link").compute()
    tables = [densities(Stages(fit.losses, fit.accuracies), compute) for fit in fits]
    mean, sd, runs = weigh([table["lpd"] for table in tables])
    weights = pd.DataFrame(
        {
            "member": range(len(fits)),
            "law": [fit.law.name for fit in fits],
            "link": [fit.link.name if fit.link else None for fit in fits],
            "via": [fit.route or "own loss" for fit in fits],
            "weight": mean,
            "sd": sd,
            "runs": runs,
            "k": [float(table["k"].max()) for table in tables],
        }
    )
    return replace(fits[int(mean.argmax())], members=tuple(fits), weights=weights)
