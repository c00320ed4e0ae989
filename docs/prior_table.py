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
# every series has its own prior of lo: see bayescale.models.links.lo_prior
LO_PRIOR = (
    "logit x ~ Normal(logit(chance), s), "
    f"s such that its 95 % quantile is chance + 1.645 x {CHANCE_SD}"
)


def row(parameter, owners):
    """One row of the table, as Markdown; `owners` are the laws or links that have the parameter."""
    prior, figures = prior_of(parameter)
    spread = f"{parameter.pooling:g}" if parameter.pooling else ""
    cells = [f"`{parameter.name}`", ", ".join(owners), prior, figures, spread, parameter.source]
    return f"| {' | '.join(cells)} |"


def prior_of(parameter):
    """The prior as a formula, and its median with the 90 % interval on the natural scale."""
    if parameter.name == "lo":
        return LO_PRIOR, "chance"
    prior = parameter.prior
    draws = prior.sample(jax.random.key(0), (400_000,))
    low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95))
    figures = f"{middle:.2g} ({low:.2g} to {high:.2g})"
    on_real = on_real_line(prior, parameter.support)
    if isinstance(on_real, dist.Normal):
        formula = f"{REAL[parameter.support]} ~ Normal({on_real.loc:.3g}, {on_real.scale:.3g})"
    elif isinstance(prior, dist.Gamma):
        formula = f"x ~ Gamma({prior.concentration:g}, rate {prior.rate:g})"
    else:
        formula = repr(prior)
    return formula, figures


class PriorTable(SphinxDirective):
    """Every parameter of every law and link, and of the noise, with its prior."""

    def run(self):
        """The table as nodes of the page."""
        owners = {LEVEL: ["every law"]}
        for curve in (*LAWS.values(), *LINKS.values()):
            for parameter in curve.parameters:
                owners.setdefault(parameter, []).append(curve.name)
        owners |= {
            SIGMA: ["noise of losses"],
            WIDENING: ["noise of losses"],
            TAIL: ["noise `student_t`"],
            NOISE_RATIO: ["noise of accuracies"],
        }
        rows = [row(parameter, names) for parameter, names in owners.items()]
        return self.parse_text_to_nodes("\n".join([HEAD, *rows]))


def setup(app):
    """Register the directive with Sphinx."""
    app.add_directive("prior-table", PriorTable)
