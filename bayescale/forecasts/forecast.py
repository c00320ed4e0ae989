"""forecast(fit, targets) -> Forecast: draws of a loss, and of an accuracy at that loss.

A law, its error and the run's own noise give a loss. A link at that loss, its error and the noise
of the score give an accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.data.target import Target, as_targets
from bayescale.errors import DataError
from bayescale.fits.record import Fit, require_fit
from bayescale.forecasts.components import ForecastComponents, make_components
from bayescale.forecasts.placement import corpus_of, extrapolation, same_conventions
from bayescale.forecasts.record import Forecast, make_dataset
from bayescale.inference.batch import release_programs
from bayescale.runtime import check_seed, require_64bit


def forecast(fit: Fit, target: Target | Sequence[Target], *, seed: int = 0) -> Forecast:
    """L* = f(N*, D*) e^(error + noise), accuracy* = link(L*) + noise, draw by draw.

    Parameters
    ----------
    fit
        The posteriors. A fit whose checks failed still forecasts, and the forecast says so.
    target
        One target, or several: their draws are joint.
    seed
        Seed of the noise. Give targets that are to be compared in one call: two calls with one seed
        share their noise.

    Returns
    -------
    Forecast
        Joint draws, and what they rest on. The status is ``fail`` where a draw is not finite.

    Raises
    ------
    DataError
        For a corpus that the ladder lacks, no corpus where the ladder has several, conventions
        other than the ladder's, two targets of one name, a target without measured compute where
        law ``compute`` was fitted on measured compute, and a target more than 10^12 times beyond
        the ladder.
    SettingError
        For anything that is not a Fit or a Target, a seed that is not a whole number, and where JAX
        computes in 32-bit.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> forecast = bs.forecast(fit, ladder.targets())
    >>> frame = forecast.to_frame(prob=0.9)
    >>> sorted(set(frame["target"])), sorted(set(frame["quantity"]))
    (['13B-5T', '7B-4T'], ['accuracy', 'loss'])
    >>> bool((frame["lower"] < frame["median"]).all())
    True
    >>> list(forecast.mean().columns)
    ['target', 'mean', 'median', 'sd', 'lower', 'upper']
    >>> difference = forecast.compare("13B-5T", "7B-4T")
    >>> bool(difference["prob_a_better"].between(0, 1).all())
    True
    """
    require_64bit()
    require_fit(fit)
    targets = as_targets(target)
    labels = [one.label for one in targets]
    if not labels or len(set(labels)) < len(labels):
        raise DataError(
            "targets",
            rule="must be one or more, with different names",
            got=", ".join(labels) or "none",
            way_out="name them apart",
        )
    corpora = [corpus_of(one, fit.loss_data) for one in targets]
    for one in targets:
        same_conventions(one, fit.ladder.conventions)
    check_seed(seed)
    placed = extrapolation(fit.ladder, fit.loss_data, targets)
    release_programs()
    components = make_components(fit, targets, corpora, seed)
    table = _table(fit, targets, corpora)
    draws = make_dataset(components, targets, table, (fit.sampler.chains, fit.sampler.draws))
    lost = _not_finite(components)
    status: Status = "fail" if lost else fit.status
    draws.attrs = {"status": status, "seed": seed}
    shifted = [f"{one.label} {one.shift:g}" for one in targets if one.shift]
    note = fit.discrepancy.note
    if shifted:
        note += f" Widened on purpose, by an sd of log loss: {', '.join(shifted)}."
    note += "".join(f" Warning: {warning}." for warning in placed.attrs["warnings"])
    if lost:
        note += f" Draws that are not finite: {', '.join(lost)}. Do not use this forecast."
    return Forecast(
        draws=draws,
        targets=targets,
        table=table,
        extrapolation=placed,
        status=status,
        note=note,
        components=components,
    )


def _not_finite(components: ForecastComponents) -> list[str]:
    """Quantity, target and name of every cell with a draw that is no number."""
    return [
        " ".join(cell)
        for cell, draws in components.cells(None).items()
        if not np.isfinite(draws).all()
    ]


def _table(fit: Fit, targets: Sequence[Target], corpora: Sequence[str]) -> pd.DataFrame:
    """One row per (target, task) that can be forecast."""
    losses_of = set(fit.loss_data.groups.pairs)
    data = fit.accuracy_data
    via = {} if data is None else dict(zip(data.groups.pairs, data.via, strict=True))
    verdict = fit.verdicts()["verdict"]
    rows = []
    for target, corpus in zip(targets, corpora, strict=True):
        for task, loss_name in fit.ladder.loss_name_of.items():
            if (corpus, loss_name) not in losses_of:
                continue
            route = via.get((corpus, task))
            linked = (corpus, route) in losses_of
            rows.append(
                {
                    "target": target.label,
                    "corpus": corpus,
                    "task": task,
                    "loss_name": loss_name,
                    "via": route if linked else None,
                    "verdict": verdict[task] if linked else None,
                }
            )
    return pd.DataFrame(rows)
