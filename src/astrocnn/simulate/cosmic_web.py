"""Dark matter in a periodic box: a Gaussian field of a cold-dark-matter spectrum, moved by Zel'dovich's approximation.

Lengths are comoving, in Mpc/h, wave numbers in h/Mpc.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Cosmology", "Web", "deposit", "linear_power", "zeldovich"]

Array = NDArray[np.float64]

SHAPE = 0.21  # Γ of the transfer function
TILT = 0.965  # n_s
SIGMA8 = 0.81  # today
OMEGA_MATTER = 0.31


@dataclass(frozen=True)
class Cosmology:
    """A flat universe at one redshift.

    Attributes:
        redshift: z.
        growth: D(z) / D(0) of linear fluctuations.
        velocity: km/s of peculiar velocity for 1 Mpc/h of comoving displacement, a H f.
    """

    redshift: float
    growth: float
    velocity: float

    @classmethod
    def at(cls, redshift: float) -> "Cosmology":
        """Growth by the fit of Carroll, Press & Turner (1992, ARA&A 30, 499), equation 29; f = Ω(z)^0.55."""

        def g(z: float) -> float:
            matter = _omega(z)
            energy = 1 - matter
            fall = matter ** (4 / 7) - energy + (1 + matter / 2) * (1 + energy / 70)
            return float(2.5 * matter / fall / (1 + z))

        expansion = math.sqrt(OMEGA_MATTER * (1 + redshift) ** 3 + 1 - OMEGA_MATTER)
        velocity = 100 * expansion / (1 + redshift) * _omega(redshift) ** 0.55
        return cls(redshift, g(redshift) / g(0.0), velocity)


@dataclass(frozen=True)
class Web:
    """Particles on their way from a regular grid.

    Attributes:
        position: (3, n, n, n) in units of the box, 0 to 1, along the three axes of the array.
        velocity: (3, n, n, n) km/s.
    """

    position: Tensor
    velocity: Tensor


def linear_power(k: Array) -> Array:
    """P(k) today, (Mpc/h)³, of k in h/Mpc: k^n times the transfer function of Bardeen+86 (ApJ 304, 15), eq. G3."""
    return np.asarray(_amplitude() * _shape(np.asarray(k, dtype=np.float64)))


def zeldovich(
    rng: np.random.Generator, *, n: int, box_mpc_h: float, cosmology: Cosmology, smoothing_mpc_h: float = 0.0
) -> Web:
    """Particles of a random realisation: x = q + D ψ(q), ∇·ψ = −δ (Zel'dovich 1970, A&A 5, 84).

    Args:
        rng: numpy generator.
        n: particles along an axis.
        box_mpc_h: side of the box.
        cosmology: growth and velocity.
        smoothing_mpc_h: σ of a Gaussian that smooths δ: without the waves that have long collapsed, particles do not
            run through each other so soon (Coles, Melott & Shandarin 1993, MNRAS 260, 765).
    """
    waves = [2 * np.pi * np.fft.fftfreq(n, box_mpc_h / n)] * 2 + [
        2 * np.pi * np.fft.rfftfreq(n, box_mpc_h / n)
    ]
    kx, ky, kz = np.meshgrid(*waves, indexing="ij")
    k2 = kx**2 + ky**2 + kz**2
    k2[0, 0, 0] = 1.0
    k = np.sqrt(k2)
    white = np.fft.rfftn(rng.standard_normal((n, n, n)))
    # White noise has |F|² = n³ in each mode; a field of power P in the volume V has P n⁶ / V.
    delta = white * np.sqrt(linear_power(k) * n**3 / box_mpc_h**3) * cosmology.growth
    delta *= np.exp(-0.5 * k2 * smoothing_mpc_h**2)
    delta[0, 0, 0] = 0.0
    line = (np.arange(n) + 0.5) / n
    grid = np.meshgrid(line, line, line, indexing="ij")
    shift = [np.fft.irfftn(1j * axis / k2 * delta, s=(n, n, n), axes=(0, 1, 2)) for axis in (kx, ky, kz)]
    displacement = np.stack(shift)  # Mpc/h
    position = (np.stack(grid) + displacement / box_mpc_h) % 1.0
    return Web(torch.from_numpy(position), torch.from_numpy(displacement * cosmology.velocity))


def deposit(web: Web, cells: int) -> tuple[Tensor, Tensor]:
    """Density over its mean (n, n, n) and momentum (3, n, n, n), that density times km/s, of clouds in cells.

    Each particle is a cube of a cell's size (Hockney & Eastwood 1981), shared by the eight cells that it overlaps.
    """
    place = (web.position.flatten(1) * cells - 0.5) % cells  # (3, N)
    first = place.floor().long()
    part = place - first
    per_cell = place.shape[1] / cells**3
    weights = torch.cat([torch.ones_like(place[:1]), web.velocity.flatten(1)])  # (4, N)
    total = place.new_zeros(4, cells**3)
    for corner in range(8):
        far = torch.tensor([corner >> axis & 1 for axis in range(3)])[:, None]
        x, y, z = (first + far) % cells
        share = torch.where(far.bool(), part, 1 - part).prod(0)
        total.index_add_(1, (x * cells + y) * cells + z, weights * share)
    total = total.view(4, cells, cells, cells) / per_cell
    return total[0], total[1:]


def _omega(z: float) -> float:
    matter = OMEGA_MATTER * (1 + z) ** 3
    return matter / (matter + 1 - OMEGA_MATTER)


def _shape(k: Array) -> Array:
    q = np.maximum(k, 1e-8) / SHAPE
    transfer = np.log(1 + 2.34 * q) / (2.34 * q)
    transfer *= (1 + 3.89 * q + (16.1 * q) ** 2 + (5.46 * q) ** 3 + (6.71 * q) ** 4) ** -0.25
    return np.asarray(k**TILT * transfer**2)


@lru_cache(maxsize=1)
def _amplitude() -> float:
    """What gives σ₈: the variance in a sphere of 8 Mpc/h is ∫ k² P W² dk / 2π²."""
    k = np.geomspace(1e-4, 1e2, 20000)
    x = 8.0 * k
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(k**3 * _shape(k) * window**2, np.log(k)) / (2 * np.pi**2)
    return float(SIGMA8**2 / variance)
