"""Photometry of simulated stamps against galaxies that GalSim draws, whose flux and shape are known."""

import galsim
import numpy as np
import pytest

from astrocnn.simulate.matched_photometry import measure, to_mag_or_limit
from astrocnn.simulate.observe import Survey

BANDS = ("g", "r", "z")
FLUX = np.array([100.0, 300.0, 500.0])
SEEING = np.array([[1.0, 0.8, 0.65], [0.7, 0.9, 0.75]])
PLACE = np.array([[15.7, 15.2], [15.0, 16.1]])
SIZE = 40


def _images(galaxy: galsim.GSObject, flux: np.ndarray = FLUX) -> np.ndarray:
    """Through a Moffat PSF of another width in each band and image, (2, 3, SIZE, SIZE)."""
    images = np.zeros((len(SEEING), len(BANDS), SIZE, SIZE), np.float32)
    for n, place in enumerate(PLACE):
        offset = place - (SIZE - 1) / 2
        for b, fwhm in enumerate(SEEING[n]):
            seen = galsim.Convolve(galaxy.withFlux(flux[b]), galsim.Moffat(beta=3.5, fwhm=fwhm))
            images[n, b] = seen.drawImage(nx=SIZE, ny=SIZE, scale=0.2, offset=tuple(offset)).array
    return images


@pytest.fixture(scope="module")
def survey() -> Survey:
    return Survey.of("year10", BANDS, 0.2)


@pytest.fixture(scope="module")
def gaussian() -> galsim.GSObject:
    return galsim.Gaussian(sigma=0.5).shear(e1=0.3, e2=-0.2)


def test_a_gaussian_galaxy_has_its_flux_size_and_shape(survey: Survey, gaussian: galsim.GSObject) -> None:
    images = _images(gaussian)
    seen = measure(images, np.ones_like(images), PLACE, SEEING, survey)
    assert seen.matched.all()
    assert seen.flux == pytest.approx(np.stack([FLUX, FLUX]), rel=0.01)
    intrinsic = 0.2 * np.sqrt(seen.sigma_pix**2 - seen.psf_sigma_pix**2)
    assert intrinsic == pytest.approx(0.5, rel=0.06)
    psf = galsim.Gaussian(sigma=1.0)
    for n in range(2):
        common = galsim.Convolve(gaussian, psf.dilate(0.2 * seen.psf_sigma_pix[n]))
        moments = common.drawImage(nx=64, ny=64, scale=0.2, method="no_pixel").FindAdaptiveMom()
        assert seen.sigma_pix[n] == pytest.approx(moments.moments_sigma, rel=0.02)
        expected = np.hypot(moments.observed_shape.e1, moments.observed_shape.e2)
        assert seen.ellipticity[n] == pytest.approx(expected, rel=0.06)


def test_colours_do_not_know_the_seeing(survey: Survey) -> None:
    images = _images(galsim.Exponential(half_light_radius=0.4).shear(g1=0.2))
    flux = measure(images, np.ones_like(images), PLACE, SEEING, survey).flux
    assert flux / flux[:, 1:2] == pytest.approx(np.stack([FLUX, FLUX]) / FLUX[1], rel=0.005)
    assert flux[0] == pytest.approx(flux[1], rel=0.05)  # wider apertures see more of a disc
    assert np.all(flux < 1.02 * FLUX)
    assert np.all(flux > 0.8 * FLUX)


def test_errors_are_the_scatter_of_the_noise(survey: Survey, gaussian: galsim.GSObject) -> None:
    clean = _images(gaussian)
    sigma = np.array([2.0, 3.0, 5.0])[:, None, None]
    variance = np.broadcast_to(sigma**2, clean.shape).astype(np.float32)
    seen = measure(clean, variance, PLACE, SEEING, survey)
    assert (seen.weight * clean).sum(axis=(2, 3)) == pytest.approx(seen.flux)
    rng = np.random.default_rng(0)
    scatter = [(seen.weight * sigma * rng.standard_normal(clean.shape)).sum(axis=(2, 3)) for _ in range(2000)]
    assert np.std(scatter, axis=0) == pytest.approx(seen.error, rel=0.06)


def test_noise_alone_gets_the_aperture_of_a_star(survey: Survey) -> None:
    empty = np.zeros((2, 3, SIZE, SIZE), np.float32)
    seen = measure(empty, np.ones_like(empty), PLACE, SEEING, survey)
    assert not seen.matched.any()
    assert seen.sigma_pix.tolist() == seen.psf_sigma_pix.tolist()
    assert not seen.flux.any()


def test_what_is_fainter_than_its_error_is_a_limit() -> None:
    mag, error = to_mag_or_limit(np.array([3630.78, 10.0, -5.0]), np.array([36.3078, 20.0, 20.0]))
    assert mag == pytest.approx([22.5, 99.0, 99.0], abs=1e-4)
    assert error == pytest.approx([0.010857, 28.1474, 28.1474], abs=1e-4)  # 31.4 - 2.5 log10(20)
