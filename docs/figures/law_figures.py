"""Says whether a mixture of laws forecasts losses better than each law alone.

    python docs/figures/law_figures.py FOLDER

FOLDER holds the public result files. The sweeps are both embedded data sets and public sweeps. For
each sweep the script prints the CRPS and the interval score (percent of a loss) of rolling-origin
backtests with the errors of the laws learned, averaged within each cut, then within each sweep: of
each law that ``law="auto"`` weighs, and of their mixture. It prints the weights at each cut too.
"""

import sys
from pathlib import Path

import pandas as pd
from discrepancy_figures import cases, fits
from sweeps import sweeps

import bayescale as bs
from bayescale.fits.fit import STACKED


def compare(name: str, ladder: bs.Ladder) -> pd.DataFrame:
    """One row per case of every law and of the mixture."""
    cut_fits = {law: fits(ladder, law, "calibrated") for law in STACKED}
    rows = []
    for at_cut in zip(*cut_fits.values(), strict=True):
        cut = at_cut[0][0]
        fits_at_cut = dict(zip(STACKED, (fit for _, fit in at_cut), strict=True))
        mixture = bs.stack(list(fits_at_cut.values()))
        weights = mixture.weights.set_index("law")["weight"].round(2).to_dict()
        print(f"{name}, {cut:.2g} FLOPs: weights {weights}", flush=True)
        rows += [
            cases(name, ladder, cut, fit).assign(law=law)
            for law, fit in {**fits_at_cut, "mixture": mixture}.items()
        ]
    return pd.concat(rows)


def main(folder: Path) -> None:
    """Print all figures of the table."""
    pd.set_option("display.width", 200)
    public = sweeps(folder)
    ladders = {
        "ladder2024, all losses": losses(bs.load_dataset("ladder2024")),
        "gadre2024, embedded": losses(bs.load_dataset("gadre2024")),
    }
    ladders |= {
        f"{name}, runs": public[name] for name in ("gadre2024", "chinchilla2022", "muennighoff2023")
    }
    scored = pd.concat([compare(name, ladder) for name, ladder in ladders.items()])
    by_law = (
        scored.groupby(["family", "law", "cut"], sort=False)[
            ["crps", "interval_score", "inside_90"]
        ]
        .mean()
        .groupby(["family", "law"], sort=False)
        .mean()
    )
    for measure in by_law:
        table = by_law.reset_index().pivot_table(
            index="family", columns="law", values=measure, sort=False
        )
        print(f"\n{measure}\n{table.round(2).to_string()}")


def losses(ladder: bs.Ladder) -> bs.Ladder:
    """The ladder without its accuracies."""
    return bs.Ladder.from_frame(ladder.frame.assign(accuracy=float("nan")), name=ladder.name)


if __name__ == "__main__":
    bs.setup(2)
    main(Path(sys.argv[1]))
