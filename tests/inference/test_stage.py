"""Stages: model and data of one stage, and the constants of the law's paper."""

import xarray as xr

from bayescale.fits.record import Fit


def test_constants_are_those_of_the_same_draw(ladder_fit: Fit) -> None:
    v, at = ladder_fit.losses["posterior"].to_dataset(), ladder_fit.loss_data.reference
    xr.testing.assert_allclose(v["E"], v["L0"] * v["phi"], rtol=1e-12)
    xr.testing.assert_allclose(
        v["E"] + v["A"] * at.params ** -v["alpha"] + v["B"] * at.tokens ** -v["beta"],
        v["L0"],
        rtol=1e-10,
    )
    xr.testing.assert_allclose(
        v["A"] * at.params ** -v["alpha"], v["psi"] * (v["L0"] - v["E"]), rtol=1e-10
    )


def test_gadre_constants_are_those_of_the_same_draw(gadre_fit: Fit) -> None:
    v, at = gadre_fit.losses["posterior"].to_dataset(), gadre_fit.loss_data.reference
    M, C = at.tokens / at.params, 6 * at.params * at.tokens
    xr.testing.assert_allclose(
        v["E"] + (v["a"] * M ** v["eta"] + v["b"] * M ** -v["eta"]) * C ** -v["eta"],
        v["L0"],
        rtol=1e-10,
    )
