"""Laws: the reference parametrisation and the papers' own formulas are one and the same curve."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.errors import SettingError
from bayescale.models.inputs import point
from bayescale.models.laws import LAWS, LEVEL, Law, Point, Reference, get_law

AT = Reference(2.1e9, 1.3e11, 1.7e21)
type Numbers = dict[str, float]


def _chinchilla(k: Mapping[str, float], N: float, D: float) -> float:
    return k["E"] + k["A"] * N ** -k["alpha"] + k["B"] * D ** -k["beta"]


def _skaling(k: Numbers, N: float, D: float) -> float:
    power = k["k"]
    return (
        k["E"]
        + (
            k["A"] ** (1 / power) * N ** (-k["alpha"] / power)
            + k["B"] ** (1 / power) * D ** (-k["beta"] / power)
        )
        ** power
    )


def _muennighoff(k: Mapping[str, float], N: float, D: float, U: float) -> float:
    """In absolute units, equation by equation."""
    U_D = min(D, U)
    R_D = D / U_D - 1
    effective_D = U_D + U_D * k["r_star_d"] * (1 - math.exp(-R_D / k["r_star_d"]))
    G = (k["alpha"] * k["A"] / (k["beta"] * k["B"])) ** (1 / (k["alpha"] + k["beta"]))
    U_N = min(N, G * (G * U_D) ** (k["beta"] / k["alpha"]))
    R_N = N / U_N - 1
    effective_N = U_N + U_N * k["r_star_n"] * (1 - math.exp(-R_N / k["r_star_n"]))
    return _chinchilla(k, effective_N, effective_D)


# Each paper's own formula, of its own constants: N parameters, D tokens, C FLOPs, U unique tokens.
PAPERS: dict[str, Callable[[Numbers, float, float, float, float], float]] = {
    "chinchilla": lambda k, N, D, _, __: _chinchilla(k, N, D),
    "gadre": lambda k, N, D, _, __: (
        k["E"]
        + (k["a"] * (D / N) ** k["eta"] + k["b"] * (D / N) ** -k["eta"]) * (6 * N * D) ** -k["eta"]
    ),
    "compute": lambda k, _, __, C, ___: k["E"] + k["A"] * C ** -k["gamma"],
    "skaling": lambda k, N, D, _, __: _skaling(k, N, D),
    "repeated": lambda k, N, D, _, U: _muennighoff(k, N, D, U),
}


def draws(law: Law, count: int) -> list[Numbers]:
    """Values from the law's own priors, natural scale."""
    keys = jax.random.split(jax.random.key(7), len(law.parameters) + 1)
    columns = {
        p.name: np.asarray(p.prior.sample(key, (count,)))
        for key, p in zip(keys, (LEVEL, *law.parameters), strict=True)
    }
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(count)]


def loss(law: Law, v: Numbers, N: float, D: float, C: float, U: float | None = None) -> float:
    place = point(
        np.asarray(N), np.asarray(D), np.asarray(C), AT, None if U is None else np.asarray(U)
    )
    return v["L0"] * math.exp(
        float(law.log_ratio({k: jnp.asarray(x) for k, x in v.items()}, place))
    )


def test_every_law_has_its_paper() -> None:
    assert set(LAWS) == set(PAPERS)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
class TestEveryLaw:
    def test_loss_at_the_reference_is_L0(self, law: Law) -> None:
        """In law `repeated` only where D0 unique tokens are enough for N0 parameters; else N' is
        below N0 there, and the loss above L0.
        """
        for v in draws(law, 20):
            found = float(law.log_ratio(v, Point(*[jnp.zeros(())] * 4)))
            if law.name == "repeated" and v["alpha"] * v["psi"] < v["beta"] * (1 - v["psi"]):
                assert found > 0
            else:
                assert found == pytest.approx(0.0, abs=1e-15)

    def test_is_the_papers_formula(self, law: Law) -> None:
        rng = np.random.default_rng(3)
        for v in draws(law, 50):
            N, D, C, U = np.exp(
                rng.uniform(np.log([1e7, 1e8, 1e16, 1e8]), np.log([1e12, 1e14, 1e26, 1e14]))
            )
            constants = {k: float(x) for k, x in law.constants(v, AT).items()}
            assert loss(law, v, N, D, C, U) == pytest.approx(
                PAPERS[law.name]({**v, **constants}, N, D, C, U), rel=1e-10
            )

    def test_falls_with_size_tokens_and_compute(self, law: Law) -> None:
        """In law `repeated` size ends up worth nothing more: where it is far in excess, the loss
        stays.
        """
        rng = np.random.default_rng(4)
        for v in draws(law, 20):
            N, D = np.exp(rng.uniform(np.log([1e8, 1e9]), np.log([1e11, 1e13])))
            bigger, here = loss(law, v, 1.1 * N, D, 6.6 * N * D), loss(law, v, N, D, 6 * N * D)
            assert bigger < here or (
                law.name == "repeated" and bigger == pytest.approx(here, rel=1e-9)
            )
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
        place = Point(*[jnp.asarray(-1.0)] * 4)
        assert all(
            float(v) == pytest.approx(0.4, rel=1e-12) for v in law.ridge(at, at, place).values()
        )

        def slope(values: dict, axis: str) -> float:
            points = [place._replace(**{axis: place.n + h}) for h in (1e-5, -1e-5)]
            above, below = (float(jnp.exp(law.log_ratio(values, p))) for p in points)
            return (above - below) / 2e-5

        for axis in {
            "chinchilla": "nd",
            "gadre": "",
            "compute": "c",
            "skaling": "nd",
            "repeated": "",
        }.get(law.name, ""):
            kept = {**moved, **law.ridge(moved, at, place)}
            assert slope(kept, axis) == pytest.approx(slope(at, axis), rel=2e-3)
            assert abs(slope(moved, axis) / slope(at, axis) - 1) > 0.05


def test_papers_constants_come_back() -> None:
    """Besiroglu et al. 2024, written around our reference, gives its five numbers back."""
    E, A, B, alpha, beta = 1.8172, 482.01, 2085.43, 0.3478, 0.3658
    by_size, by_tokens = A * AT.params**-alpha, B * AT.tokens**-beta
    L0 = E + by_size + by_tokens
    v = {
        "L0": L0,
        "phi": E / L0,
        "psi": by_size / (by_size + by_tokens),
        "alpha": alpha,
        "beta": beta,
    }
    assert {k: float(x) for k, x in LAWS["chinchilla"].constants(v, AT).items()} == pytest.approx(
        {"E": E, "A": A, "B": B}, rel=1e-12
    )


def test_skaling_with_k_one_is_chinchilla() -> None:
    for v in draws(LAWS["chinchilla"], 20):
        for N, D in ((1e8, 1e11), (1e9, 2e10), (1e11, 1e13)):
            assert loss(LAWS["skaling"], {**v, "k": 1.0}, N, D, 6 * N * D) == pytest.approx(
                loss(LAWS["chinchilla"], v, N, D, 6 * N * D), rel=1e-13
            )


class TestRepeated:
    gradient = staticmethod(jax.jit(jax.grad(LAWS["repeated"].log_ratio, (0, 1))))
    PUBLISHED = MappingProxyType(
        {
            "E": 1.869,
            "A": 520.8,
            "B": 1487.7,
            "alpha": 0.35266,
            "beta": 0.35266,
            "r_star_d": 15.3878,
            "r_star_n": 5.3097,
        }
    )

    def values(self) -> Numbers:
        """The published constants around our reference."""
        k = self.PUBLISHED
        by_size, by_tokens = k["A"] * AT.params ** -k["alpha"], k["B"] * AT.tokens ** -k["beta"]
        L0 = k["E"] + by_size + by_tokens
        return {**k, "L0": L0, "phi": k["E"] / L0, "psi": by_size / (by_size + by_tokens)}

    def test_published_constants_give_the_papers_losses(self) -> None:
        """Over N on both sides of U_N, D from a tenth of the unique tokens to ten thousand epochs
        of them.
        """
        excess = set()
        for N in np.geomspace(1e7, 1e12, 11):
            for U in np.geomspace(1e8, 1e12, 9):
                for epochs in (0.1, 1.0, 1.5, 4.0, 44.0, 1e4):
                    D = epochs * U
                    assert loss(
                        LAWS["repeated"], self.values(), N, D, 6 * N * D, U
                    ) == pytest.approx(_muennighoff(self.PUBLISHED, N, D, U), rel=1e-8)
                    G = (self.PUBLISHED["A"] / self.PUBLISHED["B"]) ** (
                        0.5 / self.PUBLISHED["alpha"]
                    )
                    excess.add(bool(G**2 * min(U, D) < N))
        assert excess == {True, False}

    def test_without_repetition_or_excess_is_chinchilla(self) -> None:
        v = self.values()
        N, D = 1e8, 1e12
        assert loss(LAWS["repeated"], v, N, D, 6 * N * D) == pytest.approx(
            loss(LAWS["chinchilla"], v, N, D, 6 * N * D), rel=1e-13
        )
        assert loss(LAWS["repeated"], v, N, D, 6 * N * D, D / 40) > loss(
            LAWS["chinchilla"], v, N, D, 6 * N * D
        )
        assert loss(LAWS["chinchilla"], v, N, D, 6 * N * D, D / 40) == loss(
            LAWS["chinchilla"], v, N, D, 6 * N * D
        )

    def test_more_unique_tokens_than_were_seen_change_nothing(self) -> None:
        v = self.values()
        assert loss(LAWS["repeated"], v, 1e9, 1e10, 6e19, 1e12) == loss(
            LAWS["repeated"], v, 1e9, 1e10, 6e19
        )

    @pytest.mark.parametrize("n", [-300.0, -1.0, 0.0, 3.0, 300.0])
    @pytest.mark.parametrize("repeats", [0.0, 1e-9, 1.0, 10.0, 300.0])
    def test_gradients_are_finite_everywhere(self, n: float, repeats: float) -> None:
        v = {k: jnp.asarray(x) for k, x in self.values().items()}
        for unique in (-2.0, 0.0, 2.0):
            place = Point(*map(jnp.asarray, (n, unique + repeats, n + unique + repeats, unique)))
            for r_star in (1e-3, 5.0, 1e3):
                found = self.gradient(
                    {**v, "r_star_d": jnp.asarray(r_star), "r_star_n": jnp.asarray(r_star)}, place
                )
                assert all(np.isfinite(g) for g in jax.tree.leaves(found))


def test_a_law_of_your_own_passes_through() -> None:
    mine = Law("mine", "L = L0", (), lambda *_: jnp.zeros(()), lambda *_: {})
    assert get_law(mine) is mine


@pytest.mark.parametrize("name", ["Chinchilla", "kaplan", "", None, 3])
def test_an_unknown_law_is_answered_with_the_known_ones(name: object) -> None:
    with pytest.raises(SettingError) as caught:
        get_law(name)  # type: ignore[arg-type]
    assert "chinchilla, gadre, compute, skaling, repeated" in str(caught.value)
    assert repr(name) in str(caught.value)
