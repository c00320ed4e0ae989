"""What a fit says of the size of the errors of law and link."""

import numpy as np
import pytest

from bayescale.fits.record import Fit


def test_one_row_per_step_and_kind_beside_its_prior(default_fit: Fit) -> None:
    table = default_fit.discrepancy.table.set_index(["step", "kind"])
    assert list(table.index) == [("loss", "task"), ("loss", "validation"), ("accuracy", "task")]
    assert list(table["series"]) == [4, 1, 4]
    assert list(table["unit"]) == ["%", "%", "logits"]
    assert (table["lower"] < table["median"]).all()
    assert (table["median"] < table["upper"]).all()
    assert table["median_prior"].to_numpy() == pytest.approx([4.0, 1.0, 0.15])
    c4 = default_fit.losses["posterior"]["law_discrepancy"].sel(loss_name="c4").values
    assert table.loc[("loss", "validation"), "median"] == pytest.approx(100 * np.median(c4))


def test_tasks_losses_have_one_size_and_links_have_their_own(default_fit: Fit) -> None:
    law = default_fit.losses["posterior"]["law_discrepancy"].isel(corpus=0)
    assert (law.sel(loss_name="mmlu") == law.sel(loss_name="piqa")).all()
    assert default_fit.accuracies is not None
    link = default_fit.accuracies["posterior"]["link_discrepancy"].isel(corpus=0)
    assert not (link.sel(task="mmlu") == link.sel(task="piqa")).any()


def test_the_note_says_each_size_in_words(default_fit: Fit, gadre_fit: Fit) -> None:
    note = default_fit.discrepancy.note
    assert note.startswith("Intervals allow for errors of law and link")
    for part in ("law of task losses", "law of validation losses", "link", " logits", "prior"):
        assert part in note
    assert "too narrow" in gadre_fit.discrepancy.note
    assert gadre_fit.discrepancy.table.empty
    assert gadre_fit.discrepancy.kind == "none"
