"""Where a target stands: its corpus, its conventions and its distance from the ladder."""

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.target import Conventions, Target
from bayescale.errors import DataError
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.placement import FAR, MAX_FACTOR, TESTED, extrapolation
from bayescale.models.inputs import loss_data

SEVEN = Target(6.9e9, 4e12, name="7B", flops=1.9e23)


class TestForecastRefuses:
    @pytest.mark.parametrize(
        ("target", "words"),
        [
            (
                Target(7e9, 1e12, corpus="pile", name="x"),
                "corpus of target 'x': must be one that the ladder was fitted on; got 'pile'; "
                "use one of c4, redpajama, refinedweb",
            ),
            (
                Target(7e9, 1e12, name="x"),
                "corpus of target 'x': must be one that the ladder was fitted on; got None",
            ),
            (
                [
                    Target(7e9, 1e12, corpus="c4", name="x"),
                    Target(1e9, 1e11, corpus="c4", name="x"),
                ],
                "targets: must be one or more, with different names; got x, x",
            ),
            ([], "targets: must be one or more, with different names; got none"),
            (
                Target(
                    7e9, 1e12, corpus="c4", name="x", conventions=Conventions(tokenizer="another")
                ),
                "convention of target 'x': tokenizer",
            ),
            (
                Target(7e9, 1e12, corpus="c4", name="x", conventions=Conventions(params="another")),
                "convention of target 'x': params",
            ),
            (
                Target(
                    7e9,
                    1e12,
                    corpus="c4",
                    name="x",
                    conventions=Conventions(loss_units={"c4": "bits/byte"}),
                ),
                "convention of target 'x': unit of loss c4",
            ),
        ],
    )
    def test_targets_unlike_the_ladder(
        self, gadre_fit: Fit, target: Target | list[Target], words: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            forecast(gadre_fit, target)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_conventions_that_agree_or_are_not_stated_pass(self, gadre_fit: Fit) -> None:
        stated = gadre_fit.ladder.conventions
        silent = Conventions()
        targets = [
            Target(7e9, 1e12, corpus="c4", name=str(i), conventions=c)
            for i, c in enumerate((stated, silent, None))
        ]
        frame = forecast(gadre_fit, targets).to_frame()
        assert set(frame["corpus"]) == {"c4"}

    def test_a_single_corpus_need_not_be_named(self, ladder_fit: Fit) -> None:
        assert set(forecast(ladder_fit, SEVEN).to_frame()["corpus"]) == set(
            ladder_fit.ladder.corpora
        )


class TestForecast:
    def test_factor_and_note_say_how_far(self, ladder_fit: Fit) -> None:
        """Inside: the ladder's own middle. Beside: its compute, but tokens per parameter that no
        run has.
        """
        runs = ladder_fit.ladder.with_role("fit").runs
        far, inside, beside = (
            Target(7e9, 4e12, name="far"),
            Target(6e8, 2.5e10, name="inside"),
            Target(2e7, 1e12, name="beside"),
        )
        assert 6 * beside.params * beside.tokens < ladder_fit.loss_data.largest_flops
        assert beside.tokens / beside.params > (runs["tokens"] / runs["params"]).max()
        frame = forecast(ladder_fit, [far, inside, beside]).extrapolation.set_index("target")
        assert list(frame.columns) == ["extrapolation_factor", "note", "flops"]
        assert frame.loc["far", "extrapolation_factor"] > 50
        assert frame.loc["far", "note"] == ""
        assert frame.loc["inside", "note"] == "inside the ladder: an interpolation"
        assert frame.loc["beside", "note"].startswith(
            "inside the ladder's compute, outside its range of N, D, D/N"
        )

    def test_a_shift_is_said(self, small_fit: Fit) -> None:
        made = forecast(
            small_fit,
            [
                Target(7e9, 1e12, name="x", flops=4e22, shift=0.02),
                Target(7e9, 1e12, name="y", flops=4e22),
            ],
        )
        assert made.extrapolation["note"].tolist() == [
            "widened on purpose by 0.02 of log loss (shift)",
            "",
        ]
        assert (
            made.to_frame()
            .attrs["note"]
            .endswith(" Widened on purpose, by an sd of log loss: x 0.02.")
        )


def losses(params: np.ndarray, tokens: np.ndarray) -> Ladder:
    """Runs of these sizes with some loss."""
    rows = {"run": [f"r{i}" for i in range(len(params))], "params": params, "tokens": tokens}
    loss = 2 + (params * tokens / 1e18) ** -0.1
    return Ladder.from_frame(pd.DataFrame({**rows, "task": "c4", "loss": loss}))


class TestWarnings:
    """What no run of the ladder shows."""

    def noted(self, ladder: Ladder, *targets: Target) -> tuple[list[str], list[str]]:
        frame = extrapolation(ladder, loss_data(ladder), targets)
        return frame["note"].tolist(), frame.attrs["warnings"]

    def test_a_size_that_all_runs_have_in_common_is_named_where_the_target_has_another(
        self,
    ) -> None:
        ladder = losses(np.full(4, 1.7e9), np.geomspace(2e9, 4e10, 4))
        same, other = Target(1.71e9, 3e11, name="same"), Target(7e9, 3e11, name="other")
        notes, warnings = self.noted(ladder, same, other, Target(8e9, 3e11, name="another"))
        sentence = (
            "all fitted runs have one N (1.7e+09): "
            "the effect of another N is known by law and prior alone"
        )
        assert notes == ["", sentence, sentence]
        assert warnings == [sentence], "once for all targets"
        turned = losses(np.geomspace(1e8, 2e9, 4), np.full(4, 2e10))
        assert self.noted(turned, Target(7e9, 2e10))[1] == []
        assert "one D (2e+10)" in self.noted(turned, Target(7e9, 3e11))[1][0]

    def test_a_great_distance_is_a_warning_and_an_absurd_one_is_refused(self) -> None:
        ladder = losses(np.geomspace(1e8, 1e9, 4), np.geomspace(2e9, 2e10, 4))
        biggest = 6 * 1e9 * 2e10

        def at(factor: float) -> Target:
            return Target(1e9, factor * biggest / 6e9, name="far")

        assert self.noted(ladder, at(0.9 * TESTED)) == ([""], [])
        assert "few backtests" in self.noted(ladder, at(0.9 * FAR))[0][0]
        assert "check the units of params and tokens" in self.noted(ladder, at(1.1 * FAR))[0][0]
        self.noted(ladder, at(0.9 * MAX_FACTOR))
        with pytest.raises(DataError, match=r"target 'far': must be at most 1e\+12 times"):
            self.noted(ladder, at(1.1 * MAX_FACTOR))

    def test_a_forecast_says_it_in_its_note(self, small_fit: Fit) -> None:
        biggest = small_fit.loss_data.largest_flops
        made = forecast(small_fit, Target(1e12, 1e7 * biggest / 6e12, flops=1e7 * biggest))
        assert "Warning: more than 1e+06 times the largest fitted compute" in made.note


class TestLaddersOfUnequalParts:
    """Two corpora, one with a shorter ladder; rows in no order; accuracies of larger runs alone."""

    @pytest.mark.slow
    def test_a_target_is_far_from_its_own_corpus(self, unequal: Ladder) -> None:
        fitted = fit(unequal, pooling="none", discrepancy="calibrated", chains=2, draws=60)
        biggest = {c: float(unequal.where(corpus=c).compute().max()) for c in unequal.corpora}
        assert biggest["long"] > 2 * biggest["short"]
        made = forecast(fitted, [Target(2e9, 1.6e11, corpus=c, name=c) for c in unequal.corpora])
        far = made.extrapolation.set_index("target")["extrapolation_factor"]
        for corpus in unequal.corpora:
            assert far[corpus] == pytest.approx(6 * 2e9 * 1.6e11 / biggest[corpus])
        error = made.components.fits[0].losses.error.std(0)
        short, long = (fitted.loss_data.groups.corpora.index(c) for c in ("short", "long"))
        assert error[short, 1] > error[long, 0], "each at the target of its own corpus"
