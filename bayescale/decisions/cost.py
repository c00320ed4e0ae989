"""FLOPs -> device hours -> money: the cost to train a run, and to serve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.data.target import Target, as_targets
from bayescale.errors import SettingError
from bayescale.runtime import random_generator
from bayescale.validation import (
    as_number,
    require_by_name,
    require_choice,
    require_number,
    require_whole,
    shown,
)

type Range = float | tuple[float, float]
type AnyCost = float | Cost | Mapping[str, float]

# dense bfloat16 FLOP/s of one device; for a TPU, of one chip
PEAK = {
    # NVIDIA, A100 Tensor Core GPU data sheet
    "A100": 312e12,
    # NVIDIA, H100 Tensor Core GPU data sheet, SXM: 1,979e12 with sparsity, half of it dense
    "H100": 989e12,
    # NVIDIA, H200 Tensor Core GPU data sheet, SXM: the same as the H100
    "H200": 989e12,
    # NVIDIA, Blackwell architecture brief, HGX B200: 4.5e15 with sparsity, half of it dense
    "B200": 2250e12,
    # AMD, Instinct MI300X data sheet
    "MI300X": 1307e12,
    # Google Cloud documentation, one page per TPU version
    "TPU v4": 275e12,
    "TPU v5e": 197e12,
    "TPU v5p": 459e12,
    "TPU v6e": 918e12,
}


@dataclass(frozen=True)
class Cost:
    """cost = price (1 + overhead) (C / utilisation + 2 N T / serving_utilisation) / (3600 peak).

    C is the training compute of a run in FLOPs, N its parameters, T the tokens that it serves. A
    pair (low, high) stands for a uniform distribution on that range; its draws are common to all
    targets of a decision.

    Parameters
    ----------
    device
        Name of the device, one of `PEAK`, which has its peak in dense bfloat16 FLOP/s.
    utilisation
        Share of the peak that training reaches.
    price
        Price of one device for one hour, in any currency.
    overhead
        Cost of failed starts, evaluation and idle devices, as a share of the other cost.
    served_tokens
        T, the tokens that the model reads and writes in its life; each takes 2N FLOPs. A smaller
        model, trained for longer, costs less to serve.
    serving_utilisation
        Share of the peak that serving reaches.

    Raises
    ------
    SettingError
        For an unknown device, a utilisation outside (0, 1], a negative price, overhead or number of
        tokens, or a range whose low end is above its high end.

    Examples
    --------
    >>> import bayescale as bs
    >>> cost = bs.Cost("H100", utilisation=0.4, price=2.5, overhead=0.1)
    >>> draws = cost.draw([bs.Target(7e9, 4e12)], draws=3, seed=0)
    >>> draws.shape, f"{draws[0, 0]:.3g}"
    ((3, 1), '3.24e+05')
    """

    device: str = "H100"
    utilisation: Range = (0.3, 0.45)
    price: Range = (2.0, 3.0)
    overhead: Range = 0.1
    served_tokens: float = 0.0
    serving_utilisation: Range = 0.2

    def __post_init__(self) -> None:
        way_out = "fix the name, or give the cost in money"
        require_choice("device", self.device, PEAK, way_out=way_out)
        for name in ("utilisation", "serving_utilisation"):
            _check_share(name, getattr(self, name))
        for name in ("price", "overhead"):
            _check_amount(name, getattr(self, name))
        served = require_number(
            "served_tokens",
            self.served_tokens,
            lambda x: x >= 0,
            rule="must be 0 or more",
            way_out="such as served_tokens=1e13",
        )
        object.__setattr__(self, "served_tokens", served)

    def __str__(self) -> str:
        text = (
            f"{self.device} hours at {_in_words(self.price)} each "
            f"and {_in_words(self.utilisation)} of their peak, {_in_words(self.overhead)} on top"
        )
        if not self.served_tokens:
            return text
        serving = _in_words(self.serving_utilisation)
        return f"{text}, and {self.served_tokens:.3g} tokens served at {serving} of the peak"

    def draw(
        self,
        targets: Sequence[Target],
        draws: int,
        seed: int,
        *,
        flops: Sequence[float] | np.ndarray | None = None,
    ) -> np.ndarray:
        """Draws of the cost of each target, in money.

        Parameters
        ----------
        targets
            The runs to price.
        draws
            Number of draws.
        seed
            Seed of the draws.
        flops
            C of each target in FLOPs, shape (targets,). None: the measured compute of a target, or
            6ND where it has none. A decision passes the compute that its forecast used.

        Returns
        -------
        numpy.ndarray
            Money, shape (draws, targets).

        Raises
        ------
        SettingError
            For anything that is not a target, a number of draws that is not a whole number, and a
            cost too large for a number of 64 bits.
        """
        runs = as_targets(targets, "targets")
        draws = require_whole("draws", draws, 1, way_out="such as draws=1000")
        rng = random_generator(seed, "cost")
        names = ("utilisation", "price", "overhead", "serving_utilisation")
        utilisation, price, overhead, serving_utilisation = (
            rng.uniform(*_ends(getattr(self, name)), size=(draws, 1)) for name in names
        )
        if flops is None:
            flops = [t.flops or t.compute_6nd for t in runs]
        training = np.asarray(flops, float)
        serving = np.array([2.0 * t.params * self.served_tokens for t in runs])
        with np.errstate(over="ignore", invalid="ignore"):
            at_peak = training / utilisation + serving / serving_utilisation
            amounts = price * (1 + overhead) * at_peak / PEAK[self.device] / 3600
        if not np.isfinite(amounts).all():
            raise SettingError(
                "cost",
                rule="must be an amount that a number of 64 bits can hold",
                got=str(self),
                way_out="check utilisation, price, overhead and the size of the targets",
            )
        return amounts


def cost_draws(
    cost: AnyCost,
    targets: Sequence[Target],
    draws: int,
    seed: int,
    *,
    flops: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws of the cost of each target, from any form that a cost may have.

    Parameters
    ----------
    cost
        One amount for every target, one amount per target by its name, or a `Cost`.
    targets
        The runs to price.
    draws
        Number of draws.
    seed
        Seed of the draws of a `Cost`.
    flops
        C of each target in FLOPs for a `Cost`, shape (targets,); None as in `Cost.draw`.

    Returns
    -------
    numpy.ndarray
        Money, shape (draws, targets).

    Raises
    ------
    SettingError
        For a target without an amount, an amount for an unknown target, and an amount that is
        negative or not finite.
    """
    if isinstance(cost, Cost):
        return cost.draw(targets, draws, seed, flops=flops)
    labels = [t.label for t in targets]
    rule, way_out = "must be money, 0 or more", "such as cost=9e6"
    if isinstance(cost, Mapping):
        amount_of = require_by_name("cost", cost, rule=rule, way_out=way_out)
    else:
        one = require_number("cost", cost, lambda x: x >= 0, rule=rule, way_out=way_out)
        amount_of = dict.fromkeys(labels, one)
    missing = [label for label in labels if label not in amount_of]
    if missing:
        raise SettingError(
            "cost",
            rule="must be given for every target",
            got=f"none for {missing[0]!r}",
            way_out="add it to the mapping",
        )
    unknown = [name for name in amount_of if name not in labels]
    if unknown:
        raise SettingError(
            "cost",
            rule="must name targets of the forecast",
            got=repr(unknown[0]),
            way_out=f"use {', '.join(sorted(set(labels)))}",
        )
    amounts = np.array([amount_of[label] for label in labels])
    return np.broadcast_to(amounts, (draws, len(targets)))


def money(amount: float) -> str:
    """An amount of money to four significant digits, with commas from 10,000 on: ``1,235,000``."""
    rounded = f"{amount:.4g}"
    return f"{float(rounded):,.0f}" if abs(amount) >= 1e4 else rounded


def _check_share(name: str, value: Range) -> None:
    """A SettingError for a range that does not lie in (0, 1]."""
    low, high = _ends_or_nan(value)
    if not 0 < low <= high <= 1:
        _refuse(name, value, "must be above 0 and at most 1")


def _check_amount(name: str, value: Range) -> None:
    """A SettingError for a range with a negative or infinite end."""
    low, high = _ends_or_nan(value)
    if not (0 <= low <= high and np.isfinite(high)):
        _refuse(name, value, "must be 0 or more")


def _refuse(name: str, value: Range, rule: str) -> None:
    raise SettingError(
        name,
        rule=f"{rule}, a range from low to high",
        got=shown(value),
        way_out="such as 0.4, or (0.3, 0.45)",
    )


def _ends_or_nan(value: object) -> tuple[float, float]:
    """Both ends of a number or a pair; nan for anything else."""
    ends = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
    return as_number(ends[0]), as_number(ends[1])


def _ends(value: Range) -> tuple[float, float]:
    """Low and high end of a range; a single number is both."""
    if isinstance(value, tuple):
        return float(value[0]), float(value[1])
    return float(value), float(value)


def _in_words(value: Range) -> str:
    """A range as a text, such as ``0.3 to 0.45``."""
    low, high = _ends(value)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
