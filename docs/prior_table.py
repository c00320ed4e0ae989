"""The directive ``prior-table``: every prior as the code has it, read at build time."""

import jax
import numpy as np
import numpyro.distributions as dist
from sphinx.util.docutils import SphinxDirective

from bayescale.models.laws import LAWS, LEVEL
from bayescale.models.links import CHANCE_SD, LINKS
from bayescale.models.noise import NOISE_RATIO, SIGMA, TAIL, WIDENING
from bayescale.models.parameters import on_real_line

HEAD = "| parameter | of | prior | median (90 %) | spread | source |\n|---|---|---|---|---|---|"
REAL = {"real": "x", "positive": "ln x", "unit": "logit x", "irreducible": "y"}


def row(p, of):
    base = on_real_line(p.prior, p.support)
    low, middle, high = np.quantile(
        p.prior.sample(jax.random.key(0), (400_000,)), (0.05, 0.5, 0.95)
    )
    prior, figures = repr(p.prior), f"{middle:.2g} ({low:.2g} to {high:.2g})"
    if p.name == "lo":  # every series has its own: see links.lo_prior
        prior, figures = (
            f"logit x ~ Normal(logit(chance), s), s such that its 95 % quantile is chance + 1.645 x {CHANCE_SD}",
            "chance",
        )
    elif isinstance(base, dist.Normal):
        prior = f"{REAL[p.support]} ~ Normal({base.loc:.3g}, {base.scale:.3g})"
    elif isinstance(p.prior, dist.Gamma):
        prior = f"x ~ Gamma({p.prior.concentration:g}, rate {p.prior.rate:g})"
    return f"| `{p.name}` | {', '.join(of)} | {prior} | {figures} | {f'{p.pooling:g}' if p.pooling else ''} | {p.source} |"


class PriorTable(SphinxDirective):
    def run(self):
        owners = {LEVEL: ["every law"]}
        for curve in (*LAWS.values(), *LINKS.values()):
            for p in curve.parameters:
                owners.setdefault(p, []).append(curve.name)
        owners |= {
            SIGMA: ["noise of losses"],
            WIDENING: ["noise of losses"],
            TAIL: ["noise `student_t`"],
            NOISE_RATIO: ["noise of accuracies"],
        }
        return self.parse_text_to_nodes(
            "\n".join([HEAD, *(row(p, of) for p, of in owners.items())])
        )


def setup(app):
    app.add_directive("prior-table", PriorTable)
