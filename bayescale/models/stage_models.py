"""The models of the two stages: losses around a law, accuracies around a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution

from bayescale.errors import SettingError
from bayescale.models.discrepancy import (
    LAW_DISCREPANCY,
    LINK_DISCREPANCY,
    common_share,
    prior_of_law,
)
from bayescale.models.laws import LEVEL, Law
from bayescale.models.layout import Blocks
from bayescale.models.links import Link
from bayescale.models.noise import (
    COMMON,
    NOISE_RATIO,
    NOISES,
    SIGMA,
    WIDENING,
    Noise,
    score_sd,
)
from bayescale.models.parameters import Parameter
from bayescale.models.pooling import Groups, PoolingMode, make_pooling
from bayescale.models.series import SeriesModel, asymptotes
from bayescale.validation import require_choice

# How far the path of a training run in (loss, accuracy) departs from the link, which is about
# finished runs.
WITHIN = Parameter(
    name="within",
    support="real",
    prior=dist.Normal(0.0, 0.1),
    pooling=None,
    source=(
        "accuracy per sd of loss by which a training run departs from the link of finished runs: "
        "a few points either way"
    ),
)


def loss_model(
    law: Law,
    groups: Groups,
    *,
    pooling: PoolingMode = "partial",
    noise: Noise = "normal",
    priors: Mapping[str, Distribution] | None = None,
    grouped: bool = False,
    discrepancy: bool = False,
) -> SeriesModel:
    """ln L_sr = ln L0_s + log_ratio(theta_s, x_sr) + lambda_s phi(x_sr) z_s + noise.

    Call the model on a `Layout` whose x is a `Point`.

    Parameters
    ----------
    law
        The law.
    groups
        Corpus, name and kind of each series.
    pooling
        ``partial``, ``none`` or ``complete``.
    noise
        ``normal``, ``student_t`` or ``one_sided``.
    priors
        The user's priors by name; None for the defaults.
    grouped
        Whether the layout groups the runs of one configuration (it has `Layout.first`).
    discrepancy
        Whether losses may err from the law by a discrepancy, and noise may grow towards small
        compute: small runs then count for less, as far as they scatter more. Without it, the law
        is true and noise is the same at every compute.

    Returns
    -------
    SeriesModel
        The model of the losses.

    Raises
    ------
    SettingError
        For an unknown noise or pooling, a noise that repeated configurations or a discrepancy do
        not allow, or a prior that does not fit its parameter.
    """
    require_choice("noise", noise, NOISES)
    if grouped and noise != "normal":
        raise SettingError(
            "noise",
            rule="must be normal where configurations are repeated",
            got=repr(noise),
            way_out="leave the reruns out, or the noise",
        )
    if discrepancy and noise != "normal":
        raise SettingError(
            "noise",
            rule="must be normal where the law has a discrepancy, which is normal given the rest",
            got=repr(noise),
            way_out="discrepancy='none' takes the law as true and allows any noise",
        )
    parameters = (
        LEVEL,
        *law.parameters,
        *([COMMON] if grouped else []),
        *([WIDENING, LAW_DISCREPANCY] if discrepancy else []),
        SIGMA,
    )
    own_priors = {LAW_DISCREPANCY.name: prior_of_law(groups), **(priors or {})}
    return SeriesModel(
        pooling=make_pooling(parameters, groups, pooling, own_priors),
        mean=lambda v, x: jnp.log(v["L0"]) + law.log_ratio(v, x),
        unit_sd=lambda mean, items: jnp.ones_like(mean),
        noise=noise,
        ridge=law.ridge,
        amplitude=LAW_DISCREPANCY.name if discrepancy else None,
        common=common_share(groups),
    )


def accuracy_model(
    link: Link,
    groups: Groups,
    *,
    pooling: PoolingMode = "partial",
    priors: Mapping[str, Distribution] | None = None,
    grouped: bool = False,
    discrepancy: bool = False,
) -> SeriesModel:
    """acc_sr ~ Normal(p, noise_ratio_s sqrt(p (1 - p) / items)), p = link(theta_s, z_sr).

    With a discrepancy, logit((p - lo) / (hi - lo)) gains lambda_s phi(x_sr) z_s. In the likelihood
    p is linear in that gain; a forecast takes it as it is.

    Call the model on a `Layout` whose x is the standardised loss z, or `Blocks` where grouped. Then
    p gains within_s times the deviation: the path of a training run in (loss, accuracy) need not be
    the curve on which the ends of the runs lie, and the many blocks of a run would otherwise
    outvote the few runs (the between-within model of Mundlak 1978, Econometrica 46).

    Parameters
    ----------
    link
        The link.
    groups
        Corpus, name and kind of each series.
    pooling
        ``partial``, ``none`` or ``complete``.
    priors
        The user's priors by name; None for the defaults.
    grouped
        Whether the cells are blocks of a run's checkpoints (the layout has `Layout.first`).
    discrepancy
        Whether accuracies may err from the link by a discrepancy.

    Returns
    -------
    SeriesModel
        The model of the accuracies.

    Raises
    ------
    SettingError
        For an unknown pooling, or a prior that does not fit its parameter.
    """
    parameters = (
        *link.parameters,
        *([WITHIN, COMMON] if grouped else []),
        *([LINK_DISCREPANCY] if discrepancy else []),
        NOISE_RATIO,
    )

    def mean_of_block(v: Mapping[str, jax.Array], x: Blocks) -> jax.Array:
        return link.accuracy(v, x.z) + v[WITHIN.name] * x.deviation

    return SeriesModel(
        pooling=make_pooling(parameters, groups, pooling, priors or {}),
        mean=mean_of_block if grouped else link.accuracy,
        unit_sd=score_sd,
        ridge=link.ridge,
        amplitude=LINK_DISCREPANCY.name if discrepancy else None,
        effect=_of_a_logit,
        common=np.zeros(groups.series),
    )


def _of_a_logit(v: Mapping[str, jax.Array], p: jax.Array) -> jax.Array:
    """dp / dlogit((p - lo) / (hi - lo)) = (p - lo) (hi - p) / (hi - lo)."""
    lo, hi = asymptotes(v)
    return jnp.maximum((p - lo) * (hi - p) / (hi - lo), 0.0)


def every_prior_used(priors: Mapping[str, Distribution], models: Sequence[SeriesModel]) -> None:
    """Check that each of the user's priors belongs to a parameter or a spread of some model.

    Parameters
    ----------
    priors
        The user's priors by name.
    models
        The models of a fit.

    Raises
    ------
    SettingError
        For a prior that no model has; the message lists the known names.
    """
    known: set[str] = set()
    for model in models:
        for p in model.pooling.parameters:
            known.add(p.name)
            if model.pooling.pooled(p):
                known |= set(model.pooling.spreads(p))
    unknown = [name for name in priors if name not in known]
    if unknown:
        raise SettingError(
            "priors",
            rule="must name parameters of the law or the link, or spreads between series",
            got=repr(unknown[0]),
            way_out=f"use one of {', '.join(sorted(known))}",
        )
