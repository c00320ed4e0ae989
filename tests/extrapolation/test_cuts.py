"""The ladder as it stood at earlier cuts."""

from bayescale.data.datasets import load_dataset
from bayescale.extrapolation.cuts import cuts


class TestCuts:
    def test_cuts_of_a_ladder_cut_short_are_those_of_the_whole(self) -> None:
        ladder = load_dataset("ladder2024")
        compute = ladder.with_role("fit").compute()
        whole = cuts(compute, first=float(compute.min()), ratio=1.5)
        assert len(whole) > 5
        for cut in whole[2:]:
            assert cuts(compute[compute <= cut], first=float(compute.min()), ratio=1.5) == [
                c for c in whole if c < cut
            ]
