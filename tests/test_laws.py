"""Laws: the reference parametrisation and the papers' own formulas are one and the same curve."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.errors import SettingError
from bayescale.laws import LAWS, LEVEL, Law, Point, Reference, get_law
from bayescale.layouts import point

AT = Reference(2.1e9, 1.3e11, 1.7e21)
type Numbers = dict[str, float]

# Each paper's own formula, of its own constants: N parameters, D tokens, C FLOPs.
PAPERS: dict[str, Callable[[Numbers, float, float, float], float]] = {
    "chinchilla": lambda k, N, D, _: k["E"] + k["A"] * N ** -k["alpha"] + k["B"] * D ** -k["beta"],
    "gadre": lambda k, N, D, _: k["E"] + (k["a"] * (D / N) ** k["eta"] + k["b"] * (D / N) ** -k["eta"]) * (6 * N * D) ** -k["eta"],
    "compute": lambda k, _, __, C: k["E"] + k["A"] * C ** -k["gamma"],
}


def draws(law: Law, count: int) -> list[Numbers]:
    """Values from the law's own priors, natural scale."""
    keys = jax.random.split(jax.random.key(7), len(law.parameters) + 1)
    columns = {p.name: np.asarray(p.prior.sample(key, (count,))) for key, p in zip(keys, (LEVEL, *law.parameters), strict=True)}
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(count)]


def loss(law: Law, v: Numbers, N: float, D: float, C: float) -> float:
    return v["L0"] * math.exp(float(law.log_ratio({k: jnp.asarray(x) for k, x in v.items()}, point(np.asarray(N), np.asarray(D), np.asarray(C), AT))))


def test_every_law_has_its_paper() -> None:
    assert set(LAWS) == set(PAPERS)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
class TestEveryLaw:
    def test_loss_at_the_reference_is_L0(self, law: Law) -> None:
        for v in draws(law, 20):
            assert float(law.log_ratio(v, Point(*[jnp.zeros(())] * 3))) == pytest.approx(0.0, abs=1e-15)

    def test_is_the_papers_formula(self, law: Law) -> None:
        rng = np.random.default_rng(3)
        for v in draws(law, 50):
            N, D, C = np.exp(rng.uniform(np.log([1e7, 1e8, 1e16]), np.log([1e12, 1e14, 1e26])))
            constants = {k: float(x) for k, x in law.constants(v, AT).items()}
            assert loss(law, v, N, D, C) == pytest.approx(PAPERS[law.name]({**v, **constants}, N, D, C), rel=1e-10)

    def test_falls_with_size_tokens_and_compute(self, law: Law) -> None:
        rng = np.random.default_rng(4)
        for v in draws(law, 20):
            N, D = np.exp(rng.uniform(np.log([1e8, 1e9]), np.log([1e11, 1e13])))
            assert loss(law, v, 1.1 * N, D, 6.6 * N * D) < loss(law, v, N, D, 6 * N * D)
            assert loss(law, v, N, 1.1 * D, 6.6 * N * D) < loss(law, v, N, D, 6 * N * D)

    def test_ends_at_E(self, law: Law) -> None:
        for v in draws(law, 20):
            E = float(law.constants(v, AT)["E"])
            assert pytest.approx(v["L0"] * v["phi"], rel=1e-14) == E
            assert loss(law, v, 1e200, 1e200, 1e200) == pytest.approx(E, rel=1e-6)
            assert loss(law, v, 1e9, 1e10, 6e19) > E

    def test_is_found_by_name(self, law: Law) -> None:
        assert get_law(law.name) is law

    def test_ridge_passes_through_the_mode_and_keeps_the_slope(self, law: Law) -> None:
        at = {p.name: jnp.asarray(0.4) for p in law.parameters}
        moved = {**at, "phi": jnp.asarray(0.5), "psi": jnp.asarray(0.35)}
        place = Point(*[jnp.asarray(-1.0)] * 3)
        assert all(float(v) == pytest.approx(0.4, rel=1e-12) for v in law.ridge(at, at, place).values())

        def slope(values: dict, axis: str) -> float:
            points = [Point(**{k: jnp.asarray(0.0) for k in "ndc"} | {axis: place.n + h}) for h in (1e-5, -1e-5)]
            above, below = (float(jnp.exp(law.log_ratio(values, p))) for p in points)
            return (above - below) / 2e-5

        for axis in {"chinchilla": "nd", "gadre": "", "compute": "c"}.get(law.name, ""):
            kept = {**moved, **law.ridge(moved, at, place)}
            assert slope(kept, axis) == pytest.approx(slope(at, axis), rel=2e-3)
            assert abs(slope(moved, axis) / slope(at, axis) - 1) > 0.05


def test_papers_constants_come_back() -> None:
    """Besiroglu et al. 2024, written around our reference, gives its five numbers back."""
    E, A, B, alpha, beta = 1.8172, 482.01, 2085.43, 0.3478, 0.3658
    by_size, by_tokens = A * AT.params**-alpha, B * AT.tokens**-beta
    L0 = E + by_size + by_tokens
    v = {"L0": L0, "phi": E / L0, "psi": by_size / (by_size + by_tokens), "alpha": alpha, "beta": beta}
    assert {k: float(x) for k, x in LAWS["chinchilla"].constants(v, AT).items()} == pytest.approx({"E": E, "A": A, "B": B}, rel=1e-12)


def test_a_law_of_your_own_passes_through() -> None:
    mine = Law("mine", "L = L0", (), lambda *_: jnp.zeros(()), lambda *_: {})
    assert get_law(mine) is mine


@pytest.mark.parametrize("name", ["Chinchilla", "kaplan", "", None, 3])
def test_an_unknown_law_is_answered_with_the_known_ones(name: object) -> None:
    with pytest.raises(SettingError) as caught:
        get_law(name)  # type: ignore[arg-type]
    assert "chinchilla, gadre, compute" in str(caught.value)
    assert repr(name) in str(caught.value)
