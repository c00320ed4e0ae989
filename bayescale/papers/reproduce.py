"""Both papers, analysis by analysis: the point fits as released beside what comes out here, and the
same questions asked of a posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bayescale.errors import FileError, SettingError
from bayescale.papers import (
    bhagia_points,
    bhagia_posteriors,
    bhagia_sweeps,
    gadre_points,
    gadre_posteriors,
)
from bayescale.papers.analysis import Analysis
from bayescale.papers.bhagia_points import WHERE, Ladder2024

__all__ = ["PAPERS", "Analysis", "Reproduction", "reproduce"]


class _Asked(NamedTuple):
    ladder: Ladder2024
    starts: int
    seed: int


class _Entry(NamedTuple):
    """How one analysis is run; whether it needs every checkpoint; whether the whole run leaves it
    out because it is a check of its own.
    """

    run: Callable[[_Asked], Analysis]
    checkpoints: bool = False
    separate: bool = False


PAPERS: dict[str, dict[str, _Entry]] = {
    "gadre2024": {
        "coefficients": _Entry(lambda _: gadre_points.coefficients()),
        "predictions": _Entry(lambda _: gadre_points.predictions()),
        "losses": _Entry(lambda _: gadre_points.losses()),
        "tasks": _Entry(lambda _: gadre_points.tasks()),
        "compute": _Entry(lambda _: gadre_points.compute()),
        "exponents": _Entry(lambda a: gadre_posteriors.exponents(a.seed)),
        "over-training": _Entry(lambda a: gadre_posteriors.over_training(a.seed)),
        "averages": _Entry(lambda a: gadre_posteriors.averages(a.seed)),
        "verdicts": _Entry(lambda a: gadre_posteriors.verdict_table(a.seed)),
        "starts": _Entry(lambda a: gadre_points.starts(a.starts, a.seed), separate=True),
    },
    "bhagia2024": {
        "step1": _Entry(lambda a: bhagia_points.step1(a.ladder)),
        "step2": _Entry(lambda a: bhagia_points.step2(a.ladder), checkpoints=True),
        "chained": _Entry(lambda a: bhagia_points.chained(a.ladder), checkpoints=True),
        "c4": _Entry(lambda a: bhagia_points.through_c4(a.ladder), checkpoints=True),
        "cross-entropy": _Entry(
            lambda a: bhagia_points.through_cross_entropy(a.ladder), checkpoints=True
        ),
        "compute-only": _Entry(lambda a: bhagia_points.compute_only(a.ladder), checkpoints=True),
        "single-step": _Entry(lambda a: bhagia_points.single_step(a.ladder)),
        "accuracy-law": _Entry(lambda a: bhagia_sweeps.accuracy_law(a.ladder)),
        "variance": _Entry(lambda a: bhagia_sweeps.variance(a.ladder), checkpoints=True),
        "smaller-ladders": _Entry(
            lambda a: bhagia_sweeps.smaller_ladders(a.ladder), checkpoints=True
        ),
        "alternatives": _Entry(lambda a: bhagia_posteriors.alternatives(a.seed)),
        "checkpoints": _Entry(
            lambda a: bhagia_posteriors.checkpoints(a.ladder, a.seed), checkpoints=True
        ),
        "reruns": _Entry(lambda a: bhagia_posteriors.reruns(a.seed)),
        "starts": _Entry(lambda a: bhagia_sweeps.starts(a.ladder, a.starts, a.seed), separate=True),
    },
}


@dataclass(frozen=True)
class Reproduction:
    """The analyses of one paper that were run, and those that were left out, each with the
    reason.
    """

    paper: str
    analyses: tuple[Analysis, ...]
    left_out: dict[str, str]

    @property
    def agrees(self) -> bool:
        """Whether every figure that the paper's code released comes back within its bound."""
        return all(a.differing.empty for a in self.analyses)


def reproduce(
    paper: str,
    *,
    analysis: str | None = None,
    data: str | Path | None = None,
    starts: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Reproduction:
    """Every analysis of a paper, or one of them.

    Parameters
    ----------
    paper
        ``gadre2024`` (arXiv 2403.08540) or ``bhagia2024`` (arXiv 2412.04403).
    analysis
        Its name; None for all but ``starts``.
    data
        Folder that holds ``ladder2024/raw``, the released checkpoint files; analyses that need them
        are left out without it.
    starts
        Starting points of each fit in the analysis ``starts``.
    seed
        Of everything random.
    progress
        Told the name of each analysis as it begins.

    Raises
    ------
    SettingError
        For an unknown paper or analysis, or fewer than 2 starts.
    FileError
        For an analysis asked for by name that needs the checkpoint files, where they are not.
    """
    if paper not in PAPERS:
        raise SettingError(
            "paper",
            rule=f"must be one of {', '.join(PAPERS)}",
            got=repr(paper),
            way_out="mend the name",
        )
    entries = PAPERS[paper]
    if analysis is not None and analysis not in entries:
        raise SettingError(
            "analysis",
            rule=f"must be one of {', '.join(entries)}",
            got=repr(analysis),
            way_out="mend the name",
        )
    if starts < 2:
        raise SettingError(
            "starts", rule="must be 2 or more", got=starts, way_out="such as starts=10"
        )
    asked = _Asked(Ladder2024(None if data is None else Path(data)), starts, seed)
    chosen = {
        name: e
        for name, e in entries.items()
        if name == analysis or (analysis is None and not e.separate)
    }
    lacking = [name for name, e in chosen.items() if e.checkpoints and data is None]
    if analysis in lacking:
        raise FileError(
            f"analysis {analysis!r}",
            rule="needs every checkpoint of the ladder",
            got="no folder",
            way_out=WHERE,
        )
    done = []
    for name, entry in chosen.items():
        if name in lacking:
            continue
        if progress is not None:
            progress(name)
        done.append(entry.run(asked))
    return Reproduction(
        paper,
        tuple(done),
        dict.fromkeys(lacking, f"every checkpoint of the ladder is needed: {WHERE}"),
    )
