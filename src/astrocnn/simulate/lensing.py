"""Gravity: Einstein radii, the region that is imaged twice, and rays through an isothermal ellipsoid with shear."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.simulate.require import caustics

__all__ = ["COSMOLOGY", "arcsec_per_kpc", "cut_axes", "distance_modulus", "einstein_radius_arcsec", "trace"]

Array = NDArray[np.float64]

COSMOLOGY = {"H0": 70.0, "Om0": 0.3}  # flat ΛCDM; km/s/Mpc
LIGHT_SPEED_KM_S = 299792.458
RAD_TO_ARCSEC = 180 / np.pi * 3600
MAX_REDSHIFT = 4.0


@lru_cache(maxsize=1)
def _distances() -> tuple[Array, Array]:
    """Redshifts from 0 to 4 and their comoving distances in Mpc (astropy's flat ΛCDM), fine enough to interpolate."""
    from astropy.cosmology import FlatLambdaCDM

    redshifts = np.linspace(0.0, MAX_REDSHIFT, 2001)
    return redshifts, np.asarray(FlatLambdaCDM(**COSMOLOGY).comoving_distance(redshifts).value)


def comoving_distance_mpc(redshift: Array) -> Array:
    """Line-of-sight comoving distance, Mpc."""
    return np.asarray(np.interp(redshift, *_distances()))


def distance_modulus(redshift: Array) -> Array:
    """5 log10(D_L / 10 pc)."""
    return np.asarray(5 * np.log10(comoving_distance_mpc(redshift) * (1 + redshift) * 1e5))


def arcsec_per_kpc(redshift: Array) -> Array:
    """Angle that 1 kpc (proper) subtends."""
    return np.asarray(RAD_TO_ARCSEC * (1 + redshift) / (comoving_distance_mpc(redshift) * 1e3))


def einstein_radius_arcsec(sigma_v: Array, z_l: Array, z_s: Array) -> Array:
    """θ_E = 4π (σ_v / c)² D_ls / D_s of the singular isothermal sphere; 0 where the source is in front.

    In a flat universe D_ls / D_s = 1 - χ_l / χ_s with comoving distances χ.

    Args:
        sigma_v: velocity dispersion, km/s.
        z_l: redshift of the deflector.
        z_s: redshift of the source.
    """
    ratio = 1 - comoving_distance_mpc(z_l) / comoving_distance_mpc(z_s)
    return np.asarray(RAD_TO_ARCSEC * 4 * np.pi * (sigma_v / LIGHT_SPEED_KM_S) ** 2 * np.maximum(ratio, 0.0))


def cut_axes(q: Array) -> tuple[Array, Array]:
    """Half axes of the isothermal ellipsoid's cut, in units of θ_E: along the mass's major and minor axis.

    Sources inside the cut have a second image (Kormann, Schneider & Bartelmann 1994, A&A 284, 285):
    √q/f' arcsin f' and √q/f' arcsinh(f'/q) with f' = √(1 - q²). The mass is long along x here, where the
    deflection is √q/f' arctan(f' x/ψ), ψ² = q² x² + y²; its greatest values on the axes are the half axes.
    """
    f = np.sqrt(1 - np.minimum(q, 0.999999) ** 2)
    return np.asarray(np.sqrt(q) / f * np.arctan(f / q)), np.asarray(np.sqrt(q) / f * np.arctanh(f))


def trace(x: Tensor, y: Tensor, lens: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Rays from the image plane to the source plane, through an SIE and an external shear at the same place.

    Args:
        x: image-plane coordinates, arcsec, (H, W) or (B, H, W).
        y: as ``x``.
        lens: each (B,): ``x``, ``y`` (centre, arcsec), ``theta_e`` (arcsec), ``q``, ``phi`` (major axis from
            the x axis, radians), ``gamma_1``, ``gamma_2``.

    Returns:
        Source-plane coordinates, arcsec, (B, H, W) each.
    """
    func = caustics().func
    p = {name: value[:, None, None] for name, value in lens.items()}
    ax, ay = func.reduced_deflection_angle_sie(p["x"], p["y"], p["q"], p["phi"], p["theta_e"], x, y)
    sx, sy = func.reduced_deflection_angle_external_shear(p["x"], p["y"], p["gamma_1"], p["gamma_2"], x, y)
    # A ray through the very centre of a singular lens has no direction.
    return torch.nan_to_num(x - ax - sx), torch.nan_to_num(y - ay - sy)
