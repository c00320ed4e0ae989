"""Says whether a mixture of laws forecasts losses better than each law alone, on both embedded data
sets and on public sweeps.

    python docs/law_figures.py FOLDER

FOLDER holds the public result files. Prints, for every sweep, the CRPS and the interval score
(percent of a loss) of rolling-origin backtests at the settings of `bayescale.fit`, averaged within
cut, then within sweep, of each law that ``law="auto"`` weighs and of their mixture, and the mean
weights.
"""

import sys
from pathlib import Path

import pandas as pd
from discrepancy_figures import cases
from sweeps import sweeps

import bayescale as bs
from bayescale.backtests.backtest import default_cuts
from bayescale.extrapolation.cuts import below
from bayescale.fits.fit import STACKED, Fitter, make_settings
from bayescale.inference.nuts import Sampler


def compare(name: str, ladder: bs.Ladder) -> pd.DataFrame:
    """One row a case of every law and of the mixture."""
    cuts = default_cuts(ladder)
    fitters = {}
    for law in STACKED:
        settings = make_settings(
            ladder,
            law=law,
            link=None,
            via=None,
            pooling="partial",
            discrepancy="calibrated",
            noise="normal",
            blocks=None,
            priors=None,
        )
        fitters[law] = Fitter(
            settings,
            Sampler(chains=2, draws=500),
            [below(ladder.with_role("fit"), cut) for cut in cuts],
        )
    found = []
    for i, cut in enumerate(cuts):
        fits = {law: fitter.fit(i) for law, fitter in fitters.items()}
        mixture = bs.stack(list(fits.values()))
        weights = mixture.weights.set_index("law")["weight"].round(2).to_dict()
        print(f"{name}, {cut:.2g} FLOPs: weights {weights}", flush=True)
        found += [
            cases(name, ladder, cut, fit).assign(law=law)
            for law, fit in {**fits, "mixture": mixture}.items()
        ]
    return pd.concat(found)


def main(folder: Path) -> None:
    """Print all of it."""
    pd.set_option("display.width", 200)
    public = sweeps(folder)
    ladders = {
        "ladder2024, all losses": losses(bs.load_dataset("ladder2024")),
        "gadre2024, embedded": losses(bs.load_dataset("gadre2024")),
    }
    ladders |= {
        f"{name}, runs": public[name] for name in ("gadre2024", "chinchilla2022", "muennighoff2023")
    }
    found = pd.concat([compare(name, ladder) for name, ladder in ladders.items()])
    by_law = (
        found.groupby(["family", "law", "cut"], sort=False)[["crps", "interval_score", "inside_90"]]
        .mean()
        .groupby(["family", "law"], sort=False)
        .mean()
    )
    for measure in by_law:
        print(
            f"\n{measure}\n{by_law.reset_index().pivot_table(index='family', columns='law', values=measure, sort=False).round(2).to_string()}"
        )


def losses(ladder: bs.Ladder) -> bs.Ladder:
    """The ladder without its accuracies."""
    return bs.Ladder.from_frame(ladder.frame.assign(accuracy=float("nan")), name=ladder.name)


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]))
