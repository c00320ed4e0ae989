"""Stages that share programs, in threads that stop together."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bayescale.inference.batch import sample_stages, share_programs
from bayescale.inference.nuts import Program, Sampler
from bayescale.inference.stage import Stage
from bayescale.models.laws import LAWS
from bayescale.models.layout import Layout
from bayescale.models.links import LINKS
from bayescale.models.pooling import Groups
from bayescale.models.stage_models import accuracy_model, loss_model
from bayescale.models.stages import Stages
from helpers.layouts import LONE, ONE_FACTOR, TASKS, accuracy_layout, loss_layout


def loss_stage(groups: Groups, runs: int = 6, **settings: Any) -> Stage:
    layout = loss_layout(groups, runs)
    names = np.array([[f"run {i}" for i in range(runs)]] * groups.series)
    model = loss_model(LAWS["compute"], groups, **settings)
    return Stage("loss", model, layout, groups, names, "log_loss", lambda _: {})


def accuracy_stage() -> Stage:
    layout = accuracy_layout(TASKS)
    names = np.array([[f"run {i}" for i in range(7)]] * 3)
    model = accuracy_model(LINKS["logistic"], TASKS)
    return Stage("accuracy", model, layout, TASKS, names, "accuracy", lambda _: {})


class TestSharing:
    def test_stages_of_the_same_series_have_one_model_and_one_width(self) -> None:
        stages = [loss_stage(ONE_FACTOR, runs) for runs in (4, 6, 5)]
        shared = share_programs(stages)
        assert {id(stage.model) for stage in shared} == {id(stages[0].model)}
        assert {stage.layout.seen.shape for stage in shared} == {(3, 6)}
        for old, new in zip(stages, shared, strict=True):
            runs = old.runs.shape[1]
            np.testing.assert_array_equal(new.runs[:, :runs], old.runs)
            assert (new.runs[:, runs:] == "").all()
            assert np.sum(new.layout.seen) == np.sum(old.layout.seen)

    @pytest.mark.parametrize(
        "other",
        [
            loss_stage(LONE),
            loss_stage(ONE_FACTOR, discrepancy=True),
            loss_stage(ONE_FACTOR, priors={"gamma": LAWS["compute"].parameters[0].prior}),
            accuracy_stage(),
        ],
        ids=["other series", "a discrepancy", "another prior", "the other stage"],
    )
    def test_stages_of_another_kind_keep_their_own(self, other: Stage) -> None:
        one, two = share_programs([loss_stage(ONE_FACTOR), other])
        assert two.model is other.model
        assert one.model is not two.model


class Recorded:
    """Stands in for a compiled program: it tells when it is called and what with."""

    def __init__(self, name: str, calls: list[str], act: Callable[[], None] = lambda: None) -> None:
        self.name, self.calls, self.act = name, calls, act

    def __call__(
        self,
        layout: Layout,
        sampler: Sampler,
        progress: Callable[[float], None],
        stream: str,
    ) -> object:
        for share in (0.5, 1.0):
            progress(share)
            self.act()
        self.calls.append(stream)
        return SimpleNamespace(layout=layout, name=self.name, sampler=sampler)


class TestStages:
    def test_each_stage_is_sampled_by_its_models_program(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loss, link = loss_stage(ONE_FACTOR), accuracy_stage()
        calls: list[str] = []
        told: list[tuple[str, float]] = []
        programs: Any = {loss.model: Recorded("law", calls), link.model: Recorded("link", calls)}
        sampler = Sampler(2, 200, 100)
        monkeypatch.setattr(
            "bayescale.inference.batch.make_posterior", lambda stage, sample: (stage, sample)
        )
        pairs, seconds = sample_stages(
            Stages(loss, link),
            sampler,
            progress=lambda name, at: told.append((name, at)),
            programs=programs,
        )
        for (_, pair), stage, name in zip(
            pairs.named(), (loss, link), ("law", "link"), strict=True
        ):
            assert pair[0] is stage
            assert (pair[1].name, pair[1].layout, pair[1].sampler) == (name, stage.layout, sampler)
        assert sorted(calls) == ["accuracy", "loss"], "a stage's own random numbers"
        assert seconds >= 0
        assert [at for name, at in told if name == "loss"] == [0.5, 1.0]

    def test_an_error_of_one_stage_stops_the_other(self) -> None:
        loss, link = loss_stage(ONE_FACTOR), accuracy_stage()
        failed = threading.Event()

        def fail() -> None:
            failed.set()
            raise ZeroDivisionError

        def wait() -> None:
            assert failed.wait(60)
            # the failure of the other stage is known a moment later
            time.sleep(0.5)

        calls: list[str] = []
        programs: Any = {
            loss.model: Recorded("law", calls, fail),
            link.model: Recorded("link", calls, wait),
        }
        with pytest.raises(ZeroDivisionError):
            sample_stages(Stages(loss, link), Sampler(2, 50, 50), programs=programs)
        assert calls == [], "neither came to its end"

    def test_a_program_is_made_once_and_kept_for_the_next_call(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[object] = []

        def make(model: object) -> Recorded:
            made.append(model)
            return Recorded("new", [])

        monkeypatch.setattr("bayescale.inference.batch.Program", make)
        monkeypatch.setattr("bayescale.inference.batch.make_posterior", lambda stage, sample: None)
        stage = loss_stage(LONE)
        programs: dict[Any, Program] = {}
        for _ in range(2):
            sample_stages(Stages(stage), Sampler(2, 50, 50), programs=programs)
        assert made == [stage.model]
        assert set(programs) == {stage.model}
