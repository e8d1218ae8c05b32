"""Photometry as uncorrelated values of order one, against numpy."""

import numpy as np
import pytest
import torch

from astrocnn.errors import ConfigError, DataError
from astrocnn.transforms.photometry import NormalizePhotometry


def galaxies(n: int = 4000) -> torch.Tensor:
    """(n, 4) magnitudes: one brightness, small colours."""
    generator = torch.Generator().manual_seed(0)
    bright = 22 + 1.5 * torch.randn(n, 1, generator=generator)
    colours = torch.tensor([0.3, 0.1, 0.02]) * torch.randn(n, 3, generator=generator)
    return torch.cat([bright, bright + colours.cumsum(1)], dim=1)


def test_values_are_uncorrelated_and_of_order_one() -> None:
    image = galaxies()
    valid = torch.ones_like(image, dtype=torch.bool)
    normalize = NormalizePhotometry(n_bands=4)
    normalize.fit(image, valid)
    values = normalize(image, valid).double().numpy()
    correlation = np.corrcoef(values.T)
    np.testing.assert_allclose(correlation, np.eye(4), atol=0.05)
    np.testing.assert_allclose(values.std(0), 1, rtol=0.1)
    # nothing is lost: the magnitudes are a linear function of the values
    design = np.column_stack([values, np.ones(len(values))])
    rest = image.numpy() - design @ np.linalg.lstsq(design, image.numpy(), rcond=None)[0]
    assert np.abs(rest).max() < 1e-3


def test_what_is_missing_is_as_bright_as_the_rest() -> None:
    image = galaxies()
    valid = torch.ones_like(image, dtype=torch.bool)
    normalize = NormalizePhotometry(n_bands=4)
    normalize.fit(image, valid)
    some = valid.clone()
    some[:, 0] = False
    hidden = torch.where(some, image, torch.nan)
    values = normalize(hidden, some)
    assert values.isfinite().all()
    difference = values - normalize(image, valid)
    assert (
        difference[:, -1].abs().median() < 0.7
    )  # the first component, of brightness, is the last one of eigh
    nothing = torch.zeros_like(valid)
    assert normalize(image, nothing)[:2].isfinite().all()


def test_fluxes_are_asinh_magnitudes() -> None:
    magnitudes = galaxies()
    flux = 10 ** (-0.4 * (magnitudes - 22))
    valid = torch.ones_like(flux, dtype=torch.bool)
    of_flux = NormalizePhotometry(n_bands=4, quantity="flux")
    of_flux.fit(flux, valid, variance=torch.full_like(flux, 1e-8))  # all far above the errors
    of_magnitudes = NormalizePhotometry(n_bands=4)
    of_magnitudes.fit(magnitudes, valid)
    ours, theirs = of_flux(flux, valid), of_magnitudes(magnitudes, valid)
    for k in range(4):
        assert abs(np.corrcoef(ours[:, k], theirs[:, k])[0, 1]) > 0.999
    assert of_flux(torch.full((1, 4), -0.3), valid[:1]).isfinite().all()


def test_errors_are_of_order_one_and_nothing_where_there_are_none() -> None:
    image = galaxies()
    valid = torch.ones_like(image, dtype=torch.bool)
    error = 0.01 * 10 ** (0.2 * (image - 20))
    valid[::3, 1] = False
    normalize = NormalizePhotometry(n_bands=4)
    normalize.fit(image, valid, variance=error.square())
    logs = normalize.log_errors(error.square(), valid)
    for k in range(4):
        assert logs[valid[:, k], k].mean().item() == pytest.approx(0, abs=1e-3)
        assert logs[valid[:, k], k].std().item() == pytest.approx(1, abs=1e-2)
    assert (logs[~valid] == 0).all()


def test_features_that_say_nothing_are_refused() -> None:
    image = galaxies(50)
    valid = torch.ones_like(image, dtype=torch.bool)
    normalize, bands = NormalizePhotometry(n_bands=4), ("u", "g", "r_limit", "i")
    constant = image.clone()
    constant[:, 1] = 21.0
    with pytest.raises(DataError, match="the feature g is 21 for every training object"):
        normalize.fit(constant, valid, bands=bands)
    valid[:, 2] = False
    normalize.fit(image, valid, bands=bands)  # limits need not occur
    valid[:, 0] = False
    with pytest.raises(DataError, match="the feature u has no value in training"):
        normalize.fit(image, valid, bands=bands)
    with pytest.raises(ConfigError, match=r"normalize\.quantity='mags'"):
        NormalizePhotometry(n_bands=4, quantity="mags")
