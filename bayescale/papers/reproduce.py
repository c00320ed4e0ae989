"""reproduce(paper): the analyses of both papers.

Point fits as released stand beside the figures computed here, and the same questions are asked of a
posterior.
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
from bayescale.papers.bhagia_data import WAY_OUT, BhagiaData
from bayescale.validation import require_choice

__all__ = ["PAPERS", "Analysis", "Reproduction", "reproduce"]


class _Request(NamedTuple):
    """What an analysis may use: the runs of Bhagia et al., a number of starts, a seed."""

    data: BhagiaData
    starts: int
    seed: int


class _Recipe(NamedTuple):
    """How one analysis is run.

    Parameters
    ----------
    run
        The analysis as a function of the request.
    needs_checkpoints
        Whether it needs every checkpoint of the ladder of Bhagia et al.
    by_name_only
        Whether it runs only where it is asked for by name.
    """

    run: Callable[[_Request], Analysis]
    needs_checkpoints: bool = False
    by_name_only: bool = False


PAPERS: dict[str, dict[str, _Recipe]] = {
    "gadre2024": {
        "coefficients": _Recipe(lambda _: gadre_points.coefficients()),
        "predictions": _Recipe(lambda _: gadre_points.predictions()),
        "losses": _Recipe(lambda _: gadre_points.losses()),
        "tasks": _Recipe(lambda _: gadre_points.tasks()),
        "compute": _Recipe(lambda _: gadre_points.compute()),
        "exponents": _Recipe(lambda request: gadre_posteriors.exponents(request.seed)),
        "over-training": _Recipe(lambda request: gadre_posteriors.over_training(request.seed)),
        "averages": _Recipe(lambda request: gadre_posteriors.averages(request.seed)),
        "verdicts": _Recipe(lambda request: gadre_posteriors.verdict_table(request.seed)),
        "starts": _Recipe(
            lambda request: gadre_points.starts(request.starts, request.seed), by_name_only=True
        ),
    },
    "bhagia2024": {
        "step1": _Recipe(lambda request: bhagia_points.step1(request.data)),
        "step2": _Recipe(lambda request: bhagia_points.step2(request.data), needs_checkpoints=True),
        "chained": _Recipe(
            lambda request: bhagia_points.chained(request.data), needs_checkpoints=True
        ),
        "c4": _Recipe(
            lambda request: bhagia_points.through_c4(request.data), needs_checkpoints=True
        ),
        "cross-entropy": _Recipe(
            lambda request: bhagia_points.through_cross_entropy(request.data),
            needs_checkpoints=True,
        ),
        "compute-only": _Recipe(
            lambda request: bhagia_points.compute_only(request.data), needs_checkpoints=True
        ),
        "single-step": _Recipe(lambda request: bhagia_points.single_step(request.data)),
        "accuracy-law": _Recipe(lambda request: bhagia_sweeps.accuracy_law(request.data)),
        "variance": _Recipe(
            lambda request: bhagia_sweeps.variance(request.data), needs_checkpoints=True
        ),
        "smaller-ladders": _Recipe(
            lambda request: bhagia_sweeps.smaller_ladders(request.data), needs_checkpoints=True
        ),
        "alternatives": _Recipe(lambda request: bhagia_posteriors.alternatives(request.seed)),
        "checkpoints": _Recipe(
            lambda request: bhagia_posteriors.checkpoints(request.data, request.seed),
            needs_checkpoints=True,
        ),
        "reruns": _Recipe(lambda request: bhagia_posteriors.reruns(request.seed)),
        "starts": _Recipe(
            lambda request: bhagia_sweeps.starts(request.data, request.starts, request.seed),
            by_name_only=True,
        ),
    },
}


@dataclass(frozen=True)
class Reproduction:
    """The analyses of one paper that were run, and those that were left out.

    Parameters
    ----------
    paper
        Name of the paper.
    analyses
        The analyses that were run, in the order of the paper's list.
    left_out
        The reason why each analysis that was left out did not run, by its name.
    """

    paper: str
    analyses: tuple[Analysis, ...]
    left_out: dict[str, str]

    @property
    def agrees(self) -> bool:
        """Whether every figure that the paper's code released comes back within its bound."""
        return all(analysis.differing.empty for analysis in self.analyses)


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
        Name of the only analysis to run. None runs every analysis except ``starts``.
    data
        Folder that holds ``ladder2024/raw``, the released checkpoint files. Without it, the
        analyses that need these files are left out.
    starts
        Number of starting points of each fit in the analysis ``starts``; 2 or more.
    seed
        Seed of all random numbers.
    progress
        Function that is called with the name of each analysis before it runs.

    Returns
    -------
    Reproduction
        The analyses that were run, and the names and reasons of those that were left out.

    Raises
    ------
    SettingError
        For an unknown paper or analysis, or fewer than 2 starts.
    FileError
        Where the analysis asked for by name needs the checkpoint files and `data` is None, or
        where the folder lacks a file.
    """
    require_choice("paper", paper, PAPERS)
    registered = PAPERS[paper]
    if analysis is not None:
        require_choice("analysis", analysis, registered)
    if starts < 2:
        raise SettingError(
            "starts", rule="must be 2 or more", got=starts, way_out="such as starts=10"
        )
    if analysis is None:
        chosen = {name: entry for name, entry in registered.items() if not entry.by_name_only}
    else:
        chosen = {analysis: registered[analysis]}
    left_out = [name for name, entry in chosen.items() if entry.needs_checkpoints and data is None]
    if analysis in left_out:
        raise FileError(
            f"analysis {analysis!r}",
            rule="needs every checkpoint of the ladder",
            got="no folder",
            way_out=WAY_OUT,
        )
    request = _Request(BhagiaData(None if data is None else Path(data)), starts, seed)
    analyses = []
    for name, entry in chosen.items():
        if name in left_out:
            continue
        if progress is not None:
            progress(name)
        analyses.append(entry.run(request))
    reason = f"every checkpoint of the ladder is needed: {WAY_OUT}"
    return Reproduction(paper, tuple(analyses), dict.fromkeys(left_out, reason))
