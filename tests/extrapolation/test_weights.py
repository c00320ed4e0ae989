"""Rivals weighed by how they forecast the ladder's largest runs."""

import numpy as np
import pandas as pd
import pytest

from bayescale.extrapolation.weights import weigh


def table(lpd: dict[float, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"cut": c, "quantity": "loss", "name": "a", "run": f"r{i}", "lpd": v}
            for c, values in lpd.items()
            for i, v in enumerate(values)
        ]
    )


class TestWeights:
    def test_softmax_of_the_sum_over_blocks_of_means(self) -> None:
        """Alike in every cell, so that bootstraps of cells change nothing; two blocks, of which r0
        to r2 is the later: it counts as forecast at cut 2.
        """
        one, other = (
            table({1.0: [0.0] * 5, 2.0: [0.5] * 3}),
            table({1.0: [1.0] * 5, 2.0: [1.5] * 3}),
        )
        mean, sd, cells = weigh([one, other])
        np.testing.assert_allclose(mean, np.exp([0.0, 2.0]) / np.exp([0.0, 2.0]).sum())
        assert sd.max() < 1e-12
        assert cells == 5

    def test_what_two_cuts_forecast_counts_once(self) -> None:
        """As forecast at the later one: the earlier one's miss of r0 is no longer seen."""
        once = weigh([table({2.0: [1.0]}), table({2.0: [0.0]})])
        twice = weigh([table({1.0: [-9.0], 2.0: [1.0]}), table({1.0: [0.0], 2.0: [0.0]})])
        np.testing.assert_allclose(once[0], twice[0])
        assert once[2] == twice[2] == 1

    def test_only_cells_that_all_rivals_forecast_count(self) -> None:
        mean, _, cells = weigh([table({1.0: [0.0, 9.0]}), table({1.0: [1.0]})])
        np.testing.assert_allclose(mean[1], 1 / (1 + np.exp(-1.0)))
        assert cells == 1

    def test_scatter_makes_weights_uncertain(self) -> None:
        _, sd, _ = weigh([table({1.0: [3.0, -3.0, 3.0, -3.0]}), table({1.0: [0.0] * 4})])
        assert sd[0] > 0.1

    def test_cuts_that_disagree_make_weights_uncertain(self) -> None:
        mean, sd, _ = weigh(
            [table({1.0: [2.0] * 8, 2.0: [-2.0] * 4}), table({1.0: [0.0] * 8, 2.0: [0.0] * 4})]
        )
        assert sd[0] > 0.1
        assert mean[0] == pytest.approx(0.5, abs=0.02)

    def test_cells_that_all_members_forecast_alike_tell_nothing(self) -> None:
        """Links of one law are not weighed by its losses, however many there are."""
        one, other = table({1.0: [0.0] * 4}), table({1.0: [1.5] * 4})
        same = table({1.0: [7.0] * 40}).assign(quantity="accuracy")
        alone, beside = (
            weigh([one, other]),
            weigh([pd.concat([one, same]), pd.concat([other, same])]),
        )
        np.testing.assert_allclose(alone[0], beside[0])
        assert weigh([same, same])[0].tolist() == [0.5, 0.5]

    def test_no_past_gives_equal_weights(self) -> None:
        mean, _, cells = weigh(
            [table({}).reindex(columns=["cut", "quantity", "name", "run", "lpd"])] * 3
        )
        np.testing.assert_allclose(mean, 1 / 3)
        assert cells == 0
