"""FLOPs -> device hours -> money: what a run costs to train, and to serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.data.target import Target
from bayescale.errors import SettingError

type Range = float | tuple[float, float]
type AnyCost = float | Cost | Mapping[str, float]
PEAK = {  # dense bfloat16 FLOP/s of one device
    "A100": 312e12,  # NVIDIA, A100 Tensor Core GPU data sheet
    # NVIDIA, H100 Tensor Core GPU data sheet, SXM: 1,979e12 with sparsity, half of it dense
    "H100": 989e12,
    "H200": 989e12,  # NVIDIA, H200 Tensor Core GPU data sheet, SXM: as the H100
    # NVIDIA, Blackwell architecture brief, HGX B200: 4.5e15 with sparsity, half of it dense
    "B200": 2250e12,
    "MI300X": 1307e12,  # AMD, Instinct MI300X data sheet
    "TPU v4": 275e12,  # Google Cloud, TPU v4 documentation, a chip
    "TPU v5e": 197e12,  # the same, v5e
    "TPU v5p": 459e12,  # the same, v5p
    "TPU v6e": 918e12,  # the same, v6e
}


@dataclass(frozen=True)
class Cost:
    """cost = price (1 + overhead) (C / utilisation + 2 N served_tokens / serving_utilisation) /
    peak / 3600.

    A pair (low, high) is a range that a uniform distribution stands for; all targets of a decision
    share its draws.

    Parameters
    ----------
    device
        One of `PEAK`, dense bfloat16 FLOP/s.
    utilisation
        Share of the peak that training reaches.
    price
        Of an hour of one device, in any money.
    overhead
        What is added for failed starts, evaluation and idle devices, as a share.
    served_tokens
        That the model is to read and write in its life, 2N FLOPs each: a smaller model, trained
        longer, is cheaper to serve.
    serving_utilisation
        Share of the peak that serving reaches.

    Raises
    ------
    SettingError
        For an unknown device, a utilisation outside (0, 1], a negative price, overhead or number of
        tokens, or a range upside down.
    """

    device: str = "H100"
    utilisation: Range = (0.3, 0.45)
    price: Range = (2.0, 3.0)
    overhead: Range = 0.1
    served_tokens: float = 0.0
    serving_utilisation: Range = 0.2

    def __post_init__(self) -> None:
        if self.device not in PEAK:
            raise SettingError(
                "device",
                rule=f"must be one of {', '.join(PEAK)}",
                got=repr(self.device),
                way_out="mend the name, or give the cost in money",
            )
        for name, most in (
            ("utilisation", 1.0),
            ("serving_utilisation", 1.0),
            ("price", np.inf),
            ("overhead", np.inf),
            ("served_tokens", np.inf),
        ):
            given = getattr(self, name)
            low, high = (
                _ends(given)
                if isinstance(given, int | float) or (isinstance(given, tuple) and len(given) == 2)
                else (np.nan, np.nan)
            )
            if not (0 <= low <= high <= most and np.isfinite(high)) or (most == 1.0 and low == 0):
                rule = "must be above 0 and at most 1" if most == 1.0 else "must be 0 or more"
                raise SettingError(
                    name,
                    rule=f"{rule}, a range from low to high",
                    got=repr(given),
                    way_out="such as 0.4, or (0.3, 0.45)",
                )

    def __str__(self) -> str:
        served = (
            f", and {self.served_tokens:.3g} tokens served at {_shown(self.serving_utilisation)} of the peak"
            if self.served_tokens
            else ""
        )
        hours = f"{self.device} hours at {_shown(self.price)} each and {_shown(self.utilisation)} of their peak"
        return f"{hours}, {_shown(self.overhead)} on top{served}"

    def draw(self, targets: Sequence[Target], draws: int, seed: int) -> np.ndarray:
        """Money, shape (draws, targets)."""
        rng = np.random.default_rng(seed)
        names = ("utilisation", "price", "overhead", "serving_utilisation")
        utilisation, price, overhead, serving = (
            rng.uniform(*_ends(getattr(self, name)), size=(draws, 1)) for name in names
        )
        training = np.array([t.flops or t.compute_6nd for t in targets])
        inference = np.array([2.0 * t.params * self.served_tokens for t in targets])
        return (
            price
            * (1 + overhead)
            * (training / utilisation + inference / serving)
            / PEAK[self.device]
            / 3600
        )


def cost_draws(cost: AnyCost, targets: Sequence[Target], draws: int, seed: int) -> np.ndarray:
    """Money of every target, shape (draws, targets): a sum for each, one sum a target by name, or a
    `Cost`.
    """
    if isinstance(cost, Cost):
        return cost.draw(targets, draws, seed)
    missing = [t.label for t in targets if isinstance(cost, Mapping) and t.label not in cost]
    if missing:
        raise SettingError(
            "cost",
            rule="must be given for every target",
            got=f"none for {missing[0]!r}",
            way_out="add it to the mapping",
        )
    labels = {t.label for t in targets}
    unknown = [name for name in cost if name not in labels] if isinstance(cost, Mapping) else []
    if unknown:
        raise SettingError(
            "cost",
            rule="must be of targets of the forecast",
            got=repr(unknown[0]),
            way_out=f"use {', '.join(sorted(labels))}",
        )
    money = np.array([float(cost[t.label] if isinstance(cost, Mapping) else cost) for t in targets])
    if not (np.isfinite(money) & (money >= 0)).all():
        raise SettingError(
            "cost", rule="must be money, 0 or more", got=repr(cost), way_out="such as cost=9e6"
        )
    return np.broadcast_to(money, (draws, len(targets)))


def _ends(value: Range) -> tuple[float, float]:
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(low), float(high)


def _shown(value: Range) -> str:
    low, high = _ends(value)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def money(sum_: float) -> str:
    """To four digits, thousands apart."""
    return f"{float(f'{sum_:.4g}'):,.0f}" if abs(sum_) >= 1e4 else f"{sum_:.4g}"
