"""Preference: what a gamble is worth to whoever decides, and which of several runs is funded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from bayescale.decisions.cost import money
from bayescale.decisions.value import Linear, Threshold, Value
from bayescale.errors import SettingError

MAX_EXPONENT = 600.0  # exponent of a utility: beyond it numbers end


@dataclass(frozen=True)
class Preference:
    """u(x) = stake / a (1 - e^(-a x / stake)), money itself where the risk aversion a is 0; and the
    largest probability of regret that is put up with.
    """

    risk_aversion: float
    most_regret: float
    stake: float

    def __str__(self) -> str:
        averse = (
            f"risk aversion {self.risk_aversion:g} at a stake of {money(self.stake)}"
            if self.risk_aversion
            else "indifferent to risk"
        )
        return averse + (f", regret at most {self.most_regret:g}" if self.most_regret < 1 else "")

    def utility(self, net: np.ndarray) -> np.ndarray:
        """U of each net value: of the size of money near 0."""
        a = self.risk_aversion / self.stake
        return net if a == 0 else -np.expm1(np.minimum(-a * net, MAX_EXPONENT)) / a

    def certain_of(self, utility: float) -> float:
        """The certain sum of that utility."""
        a = self.risk_aversion / self.stake
        return utility if a == 0 else float(-np.log1p(-a * utility) / a)

    def certain(self, net: np.ndarray) -> np.ndarray:
        """The certain sum that is as good: -stake / a ln E e^(-a net / stake), along the first
        axis.
        """
        a = self.risk_aversion / self.stake
        return net.mean(0) if a == 0 else -(logsumexp(-a * net, axis=0) - np.log(len(net))) / a

    def funds(self, net: np.ndarray) -> np.ndarray:
        """Whether a run with these net values is funded, along the first axis."""
        return (self.certain(net) > 0) & ((net < 0).mean(0) <= self.most_regret)

    def choose(self, net: np.ndarray) -> tuple[int, bool]:
        """Index of the run to fund, or of the one that comes nearest to it, and whether it is
        funded; net has shape (draws, targets).
        """
        funded, certain = self.funds(net), self.certain(net)
        return int(
            np.argmax(np.where(funded, certain, -np.inf) if funded.any() else certain)
        ), bool(funded.any())

    def perfect_information(self, net: np.ndarray) -> float:
        """EVPI of a choice between runs with these net values, shape (draws, targets), and none."""
        best, funded = self.choose(net)
        return float(
            self.certain(np.maximum(net.max(1), 0.0)) - (self.certain(net)[best] if funded else 0.0)
        )


def make_preference(
    value: Value, risk_aversion: float, most_regret: float, stake: float | None
) -> Preference:
    """The preference asked for; the stake, where none is given, is the most that the value can be.

    Raises
    ------
    SettingError
        For a negative risk aversion, a probability outside [0, 1], a stake that is not positive, or
        none where risk is averse to and the value is a function.
    """
    if not np.isfinite(risk_aversion) or risk_aversion < 0:
        raise SettingError(
            "risk_aversion",
            rule="must be 0 or more",
            got=repr(risk_aversion),
            way_out="0 is indifferent to risk",
        )
    if not 0 <= most_regret <= 1:
        raise SettingError(
            "most_regret",
            rule="must lie in [0, 1]",
            got=repr(most_regret),
            way_out="0.2 is one in five",
        )
    most = value.most if isinstance(value, Threshold | Linear) else None
    if risk_aversion == 0:
        return Preference(0.0, most_regret, 1.0)
    chosen = most if stake is None else stake
    if chosen is None or not np.isfinite(chosen) or chosen <= 0:
        rule = (
            "must be money above 0, and given where risk is averse to and the value is a function"
        )
        raise SettingError("stake", rule=rule, got=repr(chosen), way_out="such as stake=3e6")
    return Preference(risk_aversion, most_regret, float(chosen))
