"""The figure of evidence: values, costs and unreliable estimates."""

import pandas as pd

from bayescale import plots
from bayescale.data.target import Target
from bayescale.decisions.evidence import Evidence
from bayescale.decisions.preference import Preference
from bayescale.decisions.value import Threshold
from helpers.figures import points


def test_evidence_shows_values_costs_and_what_is_unreliable() -> None:
    about = {
        "evsi": [30.0, 10.0],
        "evsi_se": [5.0, 1.0],
        "cost": [10.0, 20.0],
        "net": [20.0, -10.0],
        "evpi": [100.0, 99.0],
        "reliable": [True, False],
    }
    table = pd.DataFrame({"candidate": ["one", "other"], **about})
    ax = plots.plot_evidence(
        Evidence(
            table,
            (Target(7e9, 1e12),),
            ("mmlu",),
            1e6,
            Threshold(1.0, 0.5),
            Preference(0.0, 1.0, 1.0),
            "fail",
        )
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "other"]
    assert points(ax, filled=True)[0].tolist() == [30.0]
    assert points(ax, filled=False)[0].tolist() == [10.0]
    assert "CHECKS OF THE FIT: FAIL" in ax.get_title()
