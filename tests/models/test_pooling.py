"""Groups of series, how they share a parameter, and the priors that a user may replace."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import stats

from bayescale.errors import SettingError
from bayescale.models.laws import LAWS
from bayescale.models.pooling import Groups, Pooling, make_pooling
from bayescale.models.stage_models import loss_model
from helpers.layouts import CROSSED, LONE, ONE_FACTOR, TWO_KINDS, TWO_POPULATIONS, loss_layout

PARAMETERS = LAWS["compute"].parameters
GAMMA = next(p for p in PARAMETERS if p.name == "gamma")


def pooling(groups: Groups, mode: str = "partial", **priors: dist.Distribution) -> Pooling:
    return make_pooling(PARAMETERS, groups, mode, priors)  # type: ignore[arg-type]


def drawn(groups: Groups, mode: str = "partial", seed: int = 0) -> dict[str, np.ndarray]:
    """Every latent site of the prior, on the real line."""
    model = handlers.seed(pooling(groups, mode).sample, jax.random.key(seed))
    return {name: site["value"] for name, site in handlers.trace(model).get_trace().items()}


class TestGroups:
    def test_pairs_name_each_series(self) -> None:
        assert TWO_KINDS.series == 3
        assert TWO_KINDS.pairs == [("corpus0", "name0"), ("corpus0", "name1"), ("corpus0", "name2")]

    @pytest.mark.parametrize(
        ("groups", "several"),
        [(LONE, []), (ONE_FACTOR, [0]), (TWO_KINDS, [0]), (TWO_POPULATIONS, [0, 1])],
        ids=["lone", "one factor", "two kinds", "two populations"],
    )
    def test_only_a_kind_of_several_series_has_a_spread(
        self, groups: Groups, several: list[int]
    ) -> None:
        assert groups.several.tolist() == several

    def test_what_tells_series_apart(self) -> None:
        assert ONE_FACTOR.own == "corpus"
        assert TWO_KINDS.own == "loss_name"
        assert CROSSED.own == "series", "two factors vary"

    def test_effects_are_there_where_both_factors_cross_and_touch_their_series(self) -> None:
        assert ONE_FACTOR.crossed == {}
        crossed = CROSSED.crossed
        assert set(crossed) == {"corpus", "loss_name"}
        assert crossed["corpus"].labels == ("corpus0", "corpus1")
        np.testing.assert_array_equal(crossed["corpus"].touches.T, [[1, 1, 0, 0], [0, 0, 1, 1]])
        np.testing.assert_array_equal(crossed["loss_name"].touches.T, [[1, 0, 1, 0], [0, 1, 0, 1]])


class TestSharing:
    @pytest.mark.parametrize(
        ("mode", "sites"),
        [
            ("none", {"gamma": 3}),
            ("complete", {"gamma": 1}),
            ("partial", {"gamma": 3, "population_gamma": 1, "sd_gamma_corpus": 1}),
        ],
    )
    def test_sites_of_each_mode(self, mode: str, sites: dict[str, int]) -> None:
        found = {name: len(v) for name, v in drawn(ONE_FACTOR, mode).items() if "gamma" in name}
        assert found == sites

    def test_complete_pooling_repeats_one_value_for_each_kind(self) -> None:
        mode = pooling(TWO_KINDS, "complete")
        values = mode.by_series({p.name: jnp.asarray([1.0, 2.0]) for p in PARAMETERS})
        np.testing.assert_array_equal(values["gamma"], [1.0, 1.0, 2.0])

    def test_a_lone_series_shares_nothing(self) -> None:
        assert not pooling(LONE).pooled(GAMMA)
        assert pooling(ONE_FACTOR).pooled(GAMMA)

    def test_the_location_is_the_sum_of_population_and_effects(self) -> None:
        sites = {name: jnp.asarray(v) for name, v in drawn(CROSSED).items()}
        sd = {f: 0.01 * np.log1p(np.exp(sites[f"sd_gamma_{f}"])) ** 2 for f in CROSSED.crossed}
        corpus = sd["corpus"] * sites["effect_gamma_corpus"]
        name = sd["loss_name"] * sites["effect_gamma_loss_name"]
        wanted = [
            float(sites["population_gamma"][0] + corpus[c] + name[j])
            for c, j in zip(CROSSED.corpus, CROSSED.name, strict=True)
        ]
        np.testing.assert_allclose(pooling(CROSSED).location(GAMMA, sites), wanted, rtol=1e-12)

    def test_the_only_series_of_its_kind_is_its_own_population(self) -> None:
        sites = {name: jnp.asarray(v) for name, v in drawn(TWO_KINDS).items()}
        sd = pooling(TWO_KINDS).own_sd(GAMMA, sites)
        assert sd[0] == sd[1] > 0
        assert sd[2] < 0.01, "next to nothing beside a prior of sd 0.4"

    def test_series_scatter_around_their_population_with_the_spread(self) -> None:
        centred = []
        for seed in range(400):
            sites = drawn(ONE_FACTOR, seed=seed)
            sd = 0.01 * np.log1p(np.exp(sites["sd_gamma_corpus"])) ** 2
            centred += list(np.asarray((sites["gamma"] - sites["population_gamma"]) / sd))
        assert stats.kstest(centred, "norm").pvalue > 1e-3

    def test_natural_values_are_those_of_the_transforms(self) -> None:
        sites = drawn(ONE_FACTOR)
        natural = pooling(ONE_FACTOR).natural(sites)
        np.testing.assert_allclose(natural["gamma"], np.exp(sites["gamma"]), rtol=1e-12)
        np.testing.assert_allclose(
            natural["sd_gamma_corpus"], 0.01 * np.log1p(np.exp(sites["sd_gamma_corpus"])) ** 2
        )


class TestPriors:
    def test_the_densities_of_all_priors_are_those_of_their_distributions(self) -> None:
        sites = drawn(ONE_FACTOR)
        found = pooling(ONE_FACTOR).log_prior(sites)
        assert set(found) == {
            f"{part}_{p.name}{end}"
            for p in PARAMETERS
            if p.pooling is not None
            for part, end in (("population", ""), ("sd", "_corpus"))
        } | {p.name for p in PARAMETERS if p.pooling is None}
        gamma = float(sites["population_gamma"][0])
        assert float(found["population_gamma"]) == pytest.approx(
            stats.norm(np.log(0.17), 0.4).logpdf(gamma)
        )
        spread = 0.01 * np.log1p(np.exp(sites["sd_gamma_corpus"])) ** 2
        assert float(found["sd_gamma_corpus"]) == pytest.approx(
            stats.halfnorm(scale=GAMMA.pooling).logpdf(spread).item()
        )

    def test_a_users_prior_takes_the_place_of_ours(self) -> None:
        own = dist.Gamma(4.0, 20.0)
        at = jnp.asarray([-1.5, -2.0, 0.1])
        np.testing.assert_allclose(
            pooling(LONE, gamma=own).prior(GAMMA).log_prob(at),
            stats.gamma(4.0, scale=1 / 20).logpdf(np.exp(at)) + at,
            rtol=1e-8,
        )
        spread = pooling(ONE_FACTOR, sd_gamma_corpus=dist.Exponential(5.0)).spreads(GAMMA)
        assert isinstance(spread["sd_gamma_corpus"], dist.Exponential)

    @pytest.mark.parametrize(
        ("priors", "words"),
        [
            ({"gamma": 0.2}, ["gamma", "NumPyro distribution"]),
            ({"gamma": dist.Normal(0.0, 1.0)}, ["gamma", "positive numbers"]),
            ({"phi": dist.LogNormal(0.0, 1.0)}, ["phi"]),
            ({"sd_gamma_corpus": dist.Normal(0.0, 1.0)}, ["sd_gamma_corpus", "positive numbers"]),
        ],
    )
    def test_a_prior_lives_where_its_parameter_does(
        self, priors: dict[str, dist.Distribution], words: list[str]
    ) -> None:
        with pytest.raises(SettingError) as caught:
            pooling(ONE_FACTOR, **priors)
        for word in words:
            assert word in str(caught.value)

    def test_an_unknown_mode_is_answered_with_the_known_ones(self) -> None:
        with pytest.raises(SettingError, match="must be one of partial, none, complete"):
            pooling(ONE_FACTOR, "some")

    def test_a_model_with_a_users_prior_draws_from_it(self) -> None:
        model = loss_model(LAWS["compute"], LONE, priors={"gamma": dist.LogNormal(1.0, 1e-3)})
        sites = handlers.trace(handlers.seed(model, jax.random.key(0))).get_trace(loss_layout(LONE))
        assert float(sites["gamma"]["value"][0]) == pytest.approx(1.0, abs=0.01)
