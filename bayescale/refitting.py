"""The same settings on one ladder after another, each with its own past; fits that share series share a compiled program, and no past is fitted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bayescale.fitting import Fit, make_fit, short_sampler
from bayescale.folds import Job, alike, sample_jobs
from bayescale.ladder import Ladder
from bayescale.models import SeriesModel
from bayescale.posteriors import Step, short_tree
from bayescale.preparing import Prepared, Settings
from bayescale.rolling import Fold, past_ladders
from bayescale.sampling import Program, Sample, Sampler

type Key = tuple[frozenset[str], bool]


@dataclass
class Refitter:
    """Fits of several ladders by one kind of settings; ``fit(i)`` makes that of the i-th when it is asked for.

    Parameters
    ----------
    whole
        The ladder that they are parts of, for the record.
    settings, sampler
        Of every fit.
    ladders
        What to fit.
    """

    whole: Ladder
    settings: Settings
    sampler: Sampler
    ladders: Sequence[Ladder]
    _prepared: dict[Key, Prepared] = field(default_factory=dict)
    _steps: dict[tuple[Key, str], Step] = field(default_factory=dict)
    _short: dict[tuple[Key, str], Sample] = field(default_factory=dict)
    _programs: dict[SeriesModel, Program] = field(default_factory=dict)
    _fits: dict[int, Fit] = field(default_factory=dict)

    def fit(self, i: int) -> Fit:
        """The fit of the i-th ladder, its discrepancy calibrated on its own past."""
        if not self._steps:
            self._prepare()
        if i in self._fits:
            return self._fits[i]
        ladder, own, past = self._of(i)
        names = list(self._prepared[own].steps)
        short = short_sampler(self.sampler)
        missing = {name: [k for k in past if (k, name) in self._steps and (k, name) not in self._short] for name in names}
        jobs = {name: [Job(self._steps[own, name], self.sampler), *(Job(self._steps[k, name], short) for k in missing[name])] for name in names}
        samples, seconds = sample_jobs(jobs, programs=self._programs)
        for name in names:
            self._short |= {(k, name): sample for k, sample in zip(missing[name], samples[name][1:], strict=True)}
        trees = {name: short_tree(self._steps[own, name], samples[name][0]) for name in names}
        folds = {
            name: [Fold(self._prepared[k].data[name], self._steps[k, name], self._short[k, name]) for k in past if (k, name) in self._steps] for name in names
        }
        self._fits[i] = make_fit(ladder, self.settings, self._prepared[own], trees, folds, self.sampler, seconds)
        return self._fits[i]

    def _of(self, i: int) -> tuple[Ladder, Key, list[Key]]:
        """The i-th ladder, its key, and those of its past."""
        ladder = self.ladders[i]
        widening = self.settings.widens(ladder)
        past = past_ladders(ladder) if self.settings.discrepancy == "calibrated" else []
        keys = [(frozenset(part.runs.index), widening) for part in (ladder, *past)]
        for part, key in zip((ladder, *past), keys, strict=True):
            if key not in self._prepared:
                self._prepared[key] = self.settings.prepare(part, widening=widening)
        return ladder, keys[0], keys[1:]

    def _prepare(self) -> None:
        """Every step there will be, so that all of one kind have one width."""
        for i in range(len(self.ladders)):
            self._of(i)
        named = [(key, name, step) for key, prepared in self._prepared.items() for name, step in prepared.steps.items()]
        self._steps = {(key, name): step for (key, name, _), step in zip(named, alike([s for _, _, s in named]), strict=True)}
