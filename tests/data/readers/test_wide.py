"""The wide form of a ladder and back."""

from bayescale.data.ladder import Ladder
from bayescale.data.readers.wide import tidy, widen


def test_wide_form_gives_the_tidy_rows_back(gadre: Ladder, checkpoints: Ladder) -> None:
    for ladder in (gadre, checkpoints):
        assert (
            Ladder.from_frame(tidy(*widen(ladder)), tasks=ladder.task_table.reset_index()).digest()
            == ladder.digest()
        )
