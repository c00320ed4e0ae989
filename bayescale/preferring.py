"""Preference: what a gamble is worth to whoever decides, and which of several runs is funded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp


@dataclass(frozen=True)
class Preference:
    """u(x) = (1 - e^(-a x / stake)) / a, money itself where the risk aversion a is 0; and the largest probability of regret that is put up with."""

    risk_aversion: float
    most_regret: float
    stake: float

    def certain(self, net: np.ndarray) -> np.ndarray:
        """The certain sum that is as good: -stake / a ln E e^(-a net / stake), along the first axis."""
        a = self.risk_aversion / self.stake
        return net.mean(0) if a == 0 else -(logsumexp(-a * net, axis=0) - np.log(len(net))) / a

    def funds(self, net: np.ndarray) -> np.ndarray:
        """Whether a run with these net values is funded, along the first axis."""
        return (self.certain(net) > 0) & ((net < 0).mean(0) <= self.most_regret)

    def choose(self, net: np.ndarray) -> tuple[int, bool]:
        """Index of the run to fund, or of the one that comes nearest to it, and whether it is funded; net has shape (draws, targets)."""
        funded, certain = self.funds(net), self.certain(net)
        return int(np.argmax(np.where(funded, certain, -np.inf) if funded.any() else certain)), bool(funded.any())

    def perfect_information(self, net: np.ndarray) -> float:
        """EVPI of a choice between runs with these net values, shape (draws, targets), and none."""
        best, funded = self.choose(net)
        return float(self.certain(np.maximum(net.max(1), 0.0)) - (self.certain(net)[best] if funded else 0.0))
