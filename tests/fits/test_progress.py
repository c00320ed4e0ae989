"""The line of a notebook: share and time left of each stage."""

import pytest

from bayescale.fits.progress import progress_line


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the line sees; its last entry is now."""
    times = [0.0]
    monkeypatch.setattr("bayescale.fits.progress.time.perf_counter", lambda: times[-1])
    return times


def test_share_and_time_left_of_each_stage(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = progress_line()
    for now, stage, share in (
        (0.0, "loss", 0.0),
        (30.0, "loss", 0.2),
        (31.0, "accuracy", 0.0),
        (40.0, "loss", 0.4),
        (60.0, "loss", 1.0),
    ):
        clock.append(now)
        progress(stage, share)
    lines = [line.rstrip() for line in capsys.readouterr().out.split("\r")[1:]]
    assert lines == [
        "losses: compiling",
        "losses: 20 %",
        "losses: 20 %; accuracies: compiling",
        "losses: 40 %, 30 s left; accuracies: compiling",
        "losses: done; accuracies: compiling",
    ]


def test_a_shorter_line_covers_a_longer_one(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_line()
    for share in (0.0, 1.0):
        progress("loss", share)
    first, second = capsys.readouterr().out.split("\r")[1:]
    assert len(second) >= len(first)


def test_a_second_attempt_starts_the_time_anew(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = progress_line()
    for now, share in ((0.0, 0.5), (10.0, 1.0), (11.0, 0.0), (100.0, 0.2), (110.0, 0.6)):
        clock.append(now)
        progress("loss", share)
    assert capsys.readouterr().out.split("\r")[-1].strip() == "losses: 60 %, 10 s left"
