"""Preference: the utility of a net value, and the choice of the run to fund."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from bayescale.decisions.cost import money
from bayescale.decisions.valuation import as_value
from bayescale.decisions.value import Value
from bayescale.validation import require_number

# largest exponent of a utility: e^600 is still a finite number of 64 bits
MAX_EXPONENT = 600.0


@dataclass(frozen=True)
class Preference:
    """u(x) = (stake / a) (1 - e^(-a x / stake)) of a net value x; u(x) = x for risk aversion a = 0.

    A run is funded where its certainty equivalent, the certain amount of the same expected utility,
    is positive and its probability of regret, P(x < 0), is at most `most_regret`.

    Parameters
    ----------
    risk_aversion
        a, 0 or more; 0 for a decision by the expected net value alone.
    most_regret
        The largest probability of regret of a run that is funded.
    stake
        The unit of money of the utility.
    """

    risk_aversion: float
    most_regret: float
    stake: float

    def __str__(self) -> str:
        text = "indifferent to risk"
        if self.risk_aversion:
            text = f"risk aversion {self.risk_aversion:g} at a stake of {money(self.stake)}"
        return f"{text}, regret at most {self.most_regret:g}" if self.most_regret < 1 else text

    @property
    def _rate(self) -> float:
        """a / stake."""
        return self.risk_aversion / self.stake

    def utility(self, net: np.ndarray) -> np.ndarray:
        """u(x) of each net value x, in money; near 0 it equals x.

        Parameters
        ----------
        net
            Net values in money, of any shape.
        """
        if self._rate == 0:
            return net
        return -np.expm1(np.minimum(-self._rate * net, MAX_EXPONENT)) / self._rate

    def certain_of(self, utility: float) -> float:
        """x such that u(x) = utility: the certain amount of this utility.

        Parameters
        ----------
        utility
            An expected utility, in money.
        """
        if self._rate == 0:
            return utility
        return float(-np.log1p(-self._rate * utility) / self._rate)

    def certain(self, net: np.ndarray) -> np.ndarray:
        """-(stake / a) ln E e^(-a net / stake): the certainty equivalent, along the first axis.

        Parameters
        ----------
        net
            Draws of net values in money, shape (draws, ...).

        Returns
        -------
        numpy.ndarray
            Money, shape (...).
        """
        if self._rate == 0:
            return net.mean(0)
        return -(logsumexp(-self._rate * net, axis=0) - np.log(len(net))) / self._rate

    def funds(self, net: np.ndarray) -> np.ndarray:
        """Whether a run with these net values is funded, along the first axis.

        Parameters
        ----------
        net
            Draws of net values in money, shape (draws, ...).

        Returns
        -------
        numpy.ndarray
            Booleans, shape (...).
        """
        return (self.certain(net) > 0) & ((net < 0).mean(0) <= self.most_regret)

    def choose(self, net: np.ndarray) -> tuple[int, bool]:
        """The run with the largest certainty equivalent, of those that are funded if there are any.

        Parameters
        ----------
        net
            Draws of net values in money, shape (draws, targets).

        Returns
        -------
        tuple of int and bool
            Index of the run, and whether it is funded.
        """
        funded = self.funds(net)
        certain = self.certain(net)
        any_funded = bool(funded.any())
        candidates = np.where(funded, certain, -np.inf) if any_funded else certain
        return int(np.argmax(candidates)), any_funded

    def perfect_information(self, net: np.ndarray) -> float:
        """EVPI of the choice between these runs and none, in money.

        EVPI is the certainty equivalent of a choice with every net value known, less that of the
        choice without further information.

        Parameters
        ----------
        net
            Draws of net values in money, shape (draws, targets).
        """
        best, funded = self.choose(net)
        known = self.certain(np.maximum(net.max(1), 0.0))
        now = self.certain(net)[best] if funded else 0.0
        return float(known - now)


def make_preference(
    value: Value, risk_aversion: float, most_regret: float, stake: float | None
) -> Preference:
    """A checked `Preference`; without a stake, its stake is the largest possible value.

    Parameters
    ----------
    value
        A `Threshold`, a `Linear`, or a function of the draws.
    risk_aversion
        0 or more; 0 for a decision by the expected net value alone.
    most_regret
        The largest probability of regret of a run that is funded.
    stake
        The unit of money of the utility; None for the largest possible value.

    Raises
    ------
    SettingError
        For a negative risk aversion, a probability outside [0, 1], a stake that is not positive,
        and risk aversion without a stake where the value is a function.
    """
    risk_aversion = require_number(
        "risk_aversion",
        risk_aversion,
        lambda x: x >= 0,
        rule="must be 0 or more",
        way_out="0 is indifferent to risk",
    )
    most_regret = require_number(
        "most_regret",
        most_regret,
        lambda x: 0 <= x <= 1,
        rule="must lie in [0, 1]",
        way_out="0.2 is one in five",
    )
    if risk_aversion == 0:
        # the stake plays no part, and any positive number does
        return Preference(risk_aversion=0.0, most_regret=most_regret, stake=1.0)
    chosen = require_number(
        "stake",
        as_value(value).most if stake is None else stake,
        lambda x: x > 0,
        rule="must be money above 0; risk aversion needs it where the value is a function",
        way_out="such as stake=3e6",
    )
    return Preference(risk_aversion, most_regret, chosen)
