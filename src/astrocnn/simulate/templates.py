"""Spectra to broad-band fluxes: galaxies of Coleman, Wu & Weedman (1980), stars as black bodies, LSST bands.

The spectra and passbands are the files that GalSim carries. A galaxy's type is a number from 0 to 3 that runs
through E, Sbc, Scd and Im and mixes neighbouring templates, which are scaled to one flux in the rest-frame r
band. Fluxes are in nJy, so that an AB magnitude is 31.4 - 2.5 log10(flux).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError
from astrocnn.simulate.require import galsim

__all__ = [
    "BANDS",
    "TYPES",
    "Colours",
    "band_flux",
    "calzetti",
    "check_bands",
    "igm_transmission",
    "to_flux",
    "to_mag",
]

Array = NDArray[np.float64]

BANDS = ("u", "g", "r", "i", "z", "y")
TYPES = ("E", "Sbc", "Scd", "Im")
MAG_ZERO_NJY = 31.4
REDSHIFTS = np.linspace(0.0, 3.6, 181)
STAR_TEMPERATURES = np.geomspace(2800.0, 12000.0, 60)
WAVE_STEP_NM = 0.5

# Madau (1995), equation 12: the Lyman series lines that blanket the continuum.
LYMAN_LINES_NM = (121.567, 102.572, 97.254, 94.974)
LYMAN_OPACITIES = (0.0036, 0.0017, 0.0012, 0.00093)
LYMAN_LIMIT_NM = 91.2

DUST_NODES = np.linspace(-0.2, 0.8, 11)  # E(B-V), mag


def to_flux(mag: Array) -> Array:
    """AB magnitudes to nJy."""
    return np.asarray(10 ** (0.4 * (MAG_ZERO_NJY - mag)))


def to_mag(flux: Array) -> Array:
    """Fluxes in nJy to AB magnitudes."""
    return np.asarray(MAG_ZERO_NJY - 2.5 * np.log10(flux))


def check_bands(bands: tuple[str, ...]) -> None:
    """Raise a :class:`ConfigError` unless ``bands`` are different names out of ugrizy."""
    if not bands or len(set(bands)) != len(bands) or not set(bands) <= set(BANDS):
        raise ConfigError(
            f"bands={list(bands)!r} cannot be simulated; choose different ones out of {list(BANDS)}."
        )


def igm_transmission(wave_nm: Array, redshift: float) -> Array:
    """The mean transmission of the intergalactic medium in front of a source.

    Madau (1995, ApJ 441, 18): exp(-τ), with the line blanketing of Lyman α to δ (equation 12) and the
    photoelectric absorption by intervening clouds (footnote 3, the approximation to equation 16).

    Args:
        wave_nm: observed wavelengths, nm, any shape.
        redshift: of the source.
    """
    stretch = 1 + redshift
    depth = np.zeros_like(wave_nm, dtype=np.float64)
    for line, opacity in zip(LYMAN_LINES_NM, LYMAN_OPACITIES, strict=True):
        depth += np.where(wave_nm < line * stretch, opacity * (wave_nm / line) ** 3.46, 0.0)
    x = np.minimum(wave_nm / LYMAN_LIMIT_NM, stretch)
    absorbed = (
        0.25 * x**3 * (stretch**0.46 - x**0.46)
        + 9.4 * x**1.5 * (stretch**0.18 - x**0.18)
        - 0.7 * x**3 * (x**-1.32 - stretch**-1.32)
        - 0.023 * (stretch**1.68 - x**1.68)
    )
    # Below x = 1 the fit does not hold; there the Lyman-limit edge itself has passed out of every band.
    return np.asarray(np.exp(-depth - np.maximum(absorbed, 0.0)))


def calzetti(wave_nm: Array) -> Array:
    """Attenuation A(λ) / E(B-V) by the dust of star-forming galaxies, as of Calzetti et al. (2000, ApJ 533, 682).

    Their equation 4 with R_V = 4.05, which holds from 120 to 2200 nm; beyond, the value at 91.2 nm or 2200 nm.

    Args:
        wave_nm: rest-frame wavelengths, nm, any shape.
    """
    x = 1e3 / np.clip(wave_nm, LYMAN_LIMIT_NM, 2200.0)  # 1/µm
    red = 1.040 * x - 1.857
    blue = 0.011 * x**3 - 0.198 * x**2 + 1.509 * x - 2.156
    return np.asarray(2.659 * np.where(np.asarray(wave_nm) >= 630.0, red, blue) + 4.05)


def band_flux(flux_density: Array, wave_nm: Array, throughput: Array) -> Array:
    """Mean AB flux of a photon-counting band: ∫ f_λ T λ dλ / ∫ T dλ / λ, for f_λ in any unit.

    Args:
        flux_density: f_λ on ``wave_nm``, (..., W).
        wave_nm: an even grid, nm, (W,).
        throughput: of the band on the grid, (W,).
    """
    return np.asarray((flux_density * throughput * wave_nm).sum(-1) / (throughput / wave_nm).sum())


@lru_cache(maxsize=1)
def _passbands() -> dict[str, tuple[Array, Array]]:
    """For each band its wavelengths (nm, an even grid) and throughput there."""
    bands = {}
    for name in BANDS:
        band = galsim().Bandpass(f"LSST_{name}.dat", "nm")
        wave = np.arange(band.blue_limit + WAVE_STEP_NM / 2, band.red_limit, WAVE_STEP_NM)
        bands[name] = (wave, np.asarray(band(wave)))
    return bands


@lru_cache(maxsize=len(BANDS))
def _absorption(band: str) -> Array:
    """Intergalactic transmission over a band for sources at ``REDSHIFTS``, (Z, W)."""
    wave, _ = _passbands()[band]
    return np.stack([igm_transmission(wave, z) for z in REDSHIFTS])


@lru_cache(maxsize=len(DUST_NODES) + 1)
def _galaxy_table(dust: float = 0.0) -> Array:
    """(type, redshift, band): AB flux at each redshift over the rest-frame r-band flux, K-correction included.

    A source with the rest-frame spectrum L_λ is seen as L_λ(λ / (1 + z)) / (1 + z); distance is left out. ``dust`` is
    the E(B-V) of :func:`calzetti`, in addition to that of the galaxies of which the templates are spectra.
    """
    table = np.empty((len(TYPES), len(REDSHIFTS), len(BANDS)))
    for t, name in enumerate(TYPES):
        spectrum = galsim().SED(f"CWW_{name}_ext.sed", "Ang", "flambda")
        rest_wave, rest_flux = spectrum.wave_list, np.asarray(spectrum(spectrum.wave_list))
        rest_flux = rest_flux / rest_wave  # photons / nm to energy / nm
        if dust:
            rest_flux = rest_flux * 10 ** (-0.4 * dust * calzetti(rest_wave))
        wave, throughput = _passbands()["r"]
        rest_r = band_flux(np.interp(wave, rest_wave, rest_flux), wave, throughput)
        for b, band in enumerate(BANDS):
            wave, throughput = _passbands()[band]
            stretch = 1 + REDSHIFTS[:, None]
            seen = np.interp(wave / stretch, rest_wave, rest_flux) / stretch * _absorption(band)  # (Z, W)
            table[t, :, b] = band_flux(seen, wave, throughput) / rest_r
    return table


@lru_cache(maxsize=1)
def _star_table() -> Array:
    """(temperature, band): AB flux of a black body, in any unit."""
    table = np.empty((len(STAR_TEMPERATURES), len(BANDS)))
    for k, temperature in enumerate(STAR_TEMPERATURES):
        for b, band in enumerate(BANDS):
            wave, throughput = _passbands()[band]
            planck = wave**-5.0 / np.expm1(1.438777e7 / (wave * temperature))  # hc/k = 1.438777e7 nm K
            table[k, b] = band_flux(planck, wave, throughput)
    return table


class Colours:
    """Fluxes in the given bands, in their order, from types, redshifts and one magnitude.

    Args:
        bands: out of ugrizy.
    """

    def __init__(self, bands: tuple[str, ...]) -> None:
        check_bands(bands)
        self.bands = bands
        self._columns = [BANDS.index(band) for band in bands]

    def galaxy(self, kind: Array, redshift: Array, mag_i: Array, dust: Array | None = None) -> Array:
        """Fluxes of galaxies, (N, C) nJy.

        Args:
            kind: 0 (E) to 3 (Im), (N,).
            redshift: 0 to 3.6, (N,).
            mag_i: AB magnitude in the observed i band, (N,).
            dust: E(B-V) of :func:`calzetti` beyond that in the templates, -0.2 to 0.8 (negative: less dust than
                there), (N,); None for none.
        """
        shape = self._shape(kind, redshift, dust)
        shape = shape / shape[:, BANDS.index("i"), None] * to_flux(mag_i)[:, None]
        return np.asarray(shape[:, self._columns])  # (N, C)

    def mag_i(self, kind: Array, redshift: Array, mag_r: Array, dust: Array | None = None) -> Array:
        """Observed i magnitude of galaxies whose rest-frame r magnitude (absolute + distance modulus) is ``mag_r``."""
        return np.asarray(mag_r - 2.5 * np.log10(self._shape(kind, redshift, dust)[:, BANDS.index("i")]))

    def star(self, temperature: Array, mag_i: Array) -> Array:
        """Fluxes of black bodies of ``temperature`` (2800 to 12000 K), (N, C) nJy."""
        table = _star_table()
        logs = [np.interp(temperature, STAR_TEMPERATURES, np.log(table[:, b])) for b in range(len(BANDS))]
        shape = np.exp(np.stack(logs, axis=-1))  # (N, 6)
        shape = shape / shape[:, BANDS.index("i"), None] * to_flux(mag_i)[:, None]
        return np.asarray(shape[:, self._columns])

    @staticmethod
    def _shape(kind: Array, redshift: Array, dust: Array | None) -> Array:
        """(N, 6): fluxes over the rest-frame r-band flux, linear in type and redshift between the nodes; magnitudes
        are linear in dust.
        """
        if dust is None:
            return _between(_galaxy_table()[None], np.zeros(len(kind), np.int64), kind, redshift)
        tables = np.stack([_galaxy_table(float(node)) for node in DUST_NODES])  # (D, T, Z, 6)
        position = (dust - DUST_NODES[0]) / (DUST_NODES[1] - DUST_NODES[0])
        d = np.clip(np.floor(position).astype(np.int64), 0, len(DUST_NODES) - 2)
        along_d = (position - d)[:, None]
        low, high = (_between(tables, node, kind, redshift) for node in (d, d + 1))
        return np.asarray(low ** (1 - along_d) * high**along_d)


def _between(tables: Array, d: NDArray[np.int64], kind: Array, redshift: Array) -> Array:
    """(N, 6): rows of the tables ``d`` (N,) of (D, T, Z, 6), linear in type and redshift."""
    t = np.clip(np.floor(kind).astype(np.int64), 0, len(TYPES) - 2)
    position = np.asarray(redshift) / (REDSHIFTS[1] - REDSHIFTS[0])
    k = np.clip(np.floor(position).astype(np.int64), 0, len(REDSHIFTS) - 2)
    along_t, along_z = (kind - t)[:, None], (position - k)[:, None]
    low = tables[d, t, k] * (1 - along_z) + tables[d, t, k + 1] * along_z
    high = tables[d, t + 1, k] * (1 - along_z) + tables[d, t + 1, k + 1] * along_z
    return np.asarray(low * (1 - along_t) + high * along_t)
