"""Options that `decide`, `report` and `value` share, and the problem that they describe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from bayescale.cli import options
from bayescale.cli.candidates import parse_candidates
from bayescale.cli.fit_options import FitOptions
from bayescale.cli.progress import progress_bar
from bayescale.cli.targets import choose_targets
from bayescale.data.names import suggested
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import PEAK, Cost, cost_draws, money
from bayescale.decisions.decide import Decision, decide
from bayescale.decisions.evidence import Evidence, value_of_information
from bayescale.decisions.preference import make_preference
from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast

# The worked example: what a decision about the targets of the data set `EXAMPLE` looks like where
# neither value nor cost is given.
EXAMPLE_WORTH = 3e6
EXAMPLE_THRESHOLD = "0.7"
# Three runs of similar compute, none beyond the largest run of the ladder.
EXAMPLE_CANDIDATES = "1B-10xC, 6e8:5e11, 2.6e9:1.2e11"

# Panels of these options in the help of a command.
VALUE, RISK = "Value and cost", "Evidence and risk"

Worth = Annotated[
    float | None,
    typer.Option(
        help="Value of reaching the threshold, in money. For ladder2024, 3e6 where it is not "
        "given.",
        rich_help_panel=VALUE,
    ),
]
ThresholdText = Annotated[
    str | None,
    typer.Option(
        help="Mean accuracy to reach, from 0 to 1; or one accuracy per task, such as "
        "mmlu=0.5,piqa=0.8. For ladder2024, 0.7 where it is not given.",
        rich_help_panel=VALUE,
    ),
]
PerPoint = Annotated[
    float | None,
    typer.Option(
        help="Value of each point (0.01) of mean accuracy, in money; replaces --worth and "
        "--threshold.",
        rich_help_panel=VALUE,
    ),
]
Baseline = Annotated[
    float,
    typer.Option(
        help="With --per-point: mean accuracy that is worth nothing, from 0 to 1.",
        rich_help_panel=VALUE,
    ),
]
Money = Annotated[
    float | None,
    typer.Option(
        help="Cost of each target, in money. Without it, the cost of the device hours.",
        rich_help_panel=VALUE,
    ),
]
Device = Annotated[
    str, typer.Option(help=f"Device: one of {', '.join(PEAK)}.", rich_help_panel=VALUE)
]
Utilisation = Annotated[
    str,
    typer.Option(
        help="Share of the device's peak that training reaches: a number, or the two ends of a "
        "range, such as 0.3,0.45.",
        rich_help_panel=VALUE,
    ),
]
Price = Annotated[
    str,
    typer.Option(
        help="Price of one hour of one device, in money: a number, or the two ends of a range, "
        "such as 2,3.",
        rich_help_panel=VALUE,
    ),
]
ServedTokens = Annotated[
    float,
    typer.Option(
        help="Tokens that the model will serve in its life; their cost counts too.",
        rich_help_panel=VALUE,
    ),
]
CandidatesText = Annotated[
    str | None,
    typer.Option(
        help="Runs that could be bought before the decision, separated by commas: params:tokens, "
        "or the name of a run in the table for a rerun. With --cost, each needs a price: "
        "params:tokens=money.",
        rich_help_panel=RISK,
    ),
]
RiskAversion = Annotated[
    float,
    typer.Option(
        help="Risk aversion: 0 is indifferent to risk, 1 is cautious.", rich_help_panel=RISK
    ),
]
MostRegret = Annotated[
    float,
    typer.Option(
        help="Largest probability of regret at which a run is funded.", rich_help_panel=RISK
    ),
]


@dataclass(frozen=True)
class DecisionProblem:
    """What is decided: which target to fund, if any, and which evidence to buy first.

    Parameters
    ----------
    source
        Runs, model and sampler, or a saved fit.
    targets
        Runs that could be funded.
    candidates
        Runs that could be bought before the decision; empty for none.
    value
        Value of the accuracies of a target, in money.
    cost
        Cost of each target in money, or the cost of its device hours.
    risk_aversion
        Risk aversion; 0 is indifferent to risk.
    most_regret
        Largest probability of regret at which a run is funded.
    """

    source: FitOptions
    targets: list[Target]
    candidates: list[Candidate]
    value: Threshold | Linear
    cost: float | Cost
    risk_aversion: float
    most_regret: float

    def evidence(self, fit: Fit) -> Evidence | None:
        """The value of information of the candidates, with a progress bar on stderr.

        Parameters
        ----------
        fit
            Fit of the ladder.

        Returns
        -------
        Evidence or None
            None where there are no candidates.
        """
        if not self.candidates:
            return None
        with progress_bar(hidden=self.source.hidden, description="candidates") as update:
            return value_of_information(
                fit,
                self.targets,
                self.candidates,
                cost=self.cost,
                value=self.value,
                risk_aversion=self.risk_aversion,
                most_regret=self.most_regret,
                seed=self.source.seed,
                progress=update,
            )

    def decide(self, forecast: Forecast, evidence: Evidence | None) -> Decision:
        """The decision from a forecast of the targets, and from the evidence on offer.

        Parameters
        ----------
        forecast
            Forecast of the targets.
        evidence
            Value of information of the candidates; None for none.

        Returns
        -------
        Decision
            Verdict, reason, and what they rest on.
        """
        return decide(
            forecast,
            cost=self.cost,
            value=self.value,
            evidence=evidence,
            risk_aversion=self.risk_aversion,
            most_regret=self.most_regret,
            seed=self.source.seed,
        )


@dataclass(frozen=True, kw_only=True)
class DecisionOptions:
    """Values of the options that `decide`, `report` and `value` share, as they were typed."""

    source: FitOptions
    params: options.Params
    tokens: options.Tokens
    flops: options.Flops
    corpus: options.Corpus
    targets: options.TargetNames
    worth: Worth
    threshold: ThresholdText
    per_point: PerPoint
    baseline: Baseline
    cost: Money
    device: Device
    utilisation: Utilisation
    price: Price
    served_tokens: ServedTokens
    candidates: CandidatesText
    risk_aversion: RiskAversion
    most_regret: MostRegret

    def problem(self) -> DecisionProblem:
        """Read the ladder, and turn the options into what is decided; errors come before any fit.

        Returns
        -------
        DecisionProblem
            Ladder, targets, candidates, value, cost and preference.

        Raises
        ------
        BayescaleError
            For options that are wrong or contradict each other, and for a table that breaks a rule
            of the data.
        """
        filled = self._with_example()
        value = filled._value()
        cost = filled._cost()
        ladder = self.source.ladder
        problem = DecisionProblem(
            source=self.source,
            targets=choose_targets(
                ladder,
                names=filled.targets,
                params=filled.params,
                tokens=filled.tokens,
                flops=filled.flops,
                corpus=filled.corpus,
            ),
            candidates=parse_candidates(filled.candidates, ladder, filled.corpus, cost),
            value=value,
            cost=cost,
            risk_aversion=filled.risk_aversion,
            most_regret=filled.most_regret,
        )
        _check(problem)
        return problem

    def _with_example(self) -> DecisionOptions:
        """The options, with the worked example in place of missing ones where they are about it.

        The example's candidates have no price in money, so they are taken only where device hours
        price them.
        """
        if not self.source.are_default_runs or self.per_point is not None:
            return self
        candidates = self.candidates
        if candidates is None and (self.worth, self.threshold, self.cost) == (None, None, None):
            candidates = EXAMPLE_CANDIDATES
        return replace(
            self,
            worth=EXAMPLE_WORTH if self.worth is None else self.worth,
            threshold=EXAMPLE_THRESHOLD if self.threshold is None else self.threshold,
            candidates=candidates,
        )

    def _value(self) -> Threshold | Linear:
        """The value of the accuracies."""
        if self.per_point is not None:
            if self.worth is not None or self.threshold is not None:
                raise SettingError(
                    "--per-point",
                    rule="replaces --worth and --threshold",
                    got="both",
                    way_out="give one or the other",
                )
            return Linear(self.per_point, self.baseline)
        if self.baseline:
            raise SettingError(
                "--baseline",
                rule="goes with --per-point",
                got="no --per-point",
                way_out="give --per-point, or leave --baseline out",
            )
        if self.worth is None or self.threshold is None:
            raise SettingError(
                "the value",
                rule="needs --worth and --threshold, or --per-point",
                got="not all of them",
                way_out="such as --worth 5e6 --threshold 0.7",
            )
        return Threshold(self.worth, _parse_threshold(self.threshold))

    def _cost(self) -> float | Cost:
        """The cost of each target: the money given, or the device hours."""
        if self.cost is not None:
            return self.cost
        return Cost(
            self.device,
            _parse_range("--utilisation", self.utilisation),
            _parse_range("--price", self.price),
            served_tokens=self.served_tokens,
        )


def _check(problem: DecisionProblem) -> None:
    """Raise before the fit the errors that would otherwise be raised after it."""
    make_preference(problem.value, problem.risk_aversion, problem.most_regret, None)
    cost_draws(problem.cost, problem.targets, 1, problem.source.seed)
    if not isinstance(problem.value, Threshold):
        return
    # the name of the mean's threshold is empty
    tasks = [task for task in problem.value.each if task]
    unknown = [task for task in tasks if task not in problem.source.ladder.tasks]
    if unknown:
        raise SettingError(
            "--threshold",
            rule="must name tasks of the ladder",
            got=repr(unknown[0]),
            way_out=f"use {suggested(unknown[0], problem.source.ladder.tasks)}",
        )


def _parse_threshold(text: str) -> float | dict[str, float]:
    """The threshold of the mean, or the threshold of each task."""
    try:
        if "=" not in text:
            return float(text)
        pairs = [pair.split("=") for pair in text.split(",")]
        return {name.strip(): float(number) for name, number in pairs}
    except ValueError:
        raise SettingError(
            "--threshold",
            rule="must be a share, or one share per task, separated by commas",
            got=repr(text),
            way_out="such as 0.7, or mmlu=0.5,piqa=0.8",
        ) from None


def _parse_range(option: str, text: str) -> float | tuple[float, float]:
    """One number, or the two ends of a range."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise SettingError(
            option,
            rule="must be a number, or two with a comma between them",
            got=repr(text),
            way_out="such as 2.5, or 2,3",
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def asked_text(asked: Decision | Evidence) -> str:
    """One line of what was asked: value, cost and preference.

    Parameters
    ----------
    asked
        Decision or evidence to show.
    """
    cost = asked.cost
    cost_text = money(cost) if isinstance(cost, int | float) else str(cost)
    return f"asked: value {asked.value}; cost {cost_text}; {asked.preference}"
