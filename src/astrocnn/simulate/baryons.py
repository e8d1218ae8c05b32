"""Volumes of dark matter and of the gas in it: density, velocity and temperature around redshift 3.

They stand in for the pairs of N-body and hydrodynamical simulations of Harrington+21 (arXiv:2106.12662): the dark
matter moves by Zel'dovich's approximation, and the gas follows from it by the rules of :func:`gas_of`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from astrocnn.functional.seeding import seed_of
from astrocnn.io.atomic import atomic_path
from astrocnn.io.writers import write_planes
from astrocnn.simulate.cosmic_web import Cosmology, deposit, zeldovich
from astrocnn.simulate.folder import CATALOG, IMAGES
from astrocnn.simulate.jobs import Job, Plan, Rows, check_ranges, simulate_set

__all__ = ["GAS", "MATTER", "TARGETS", "gas_of", "simulate_baryons"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 10  # volumes made together
TARGETS = "targets"
FINER = 2  # particles a cell and axis
CELLS_SMOOTHED = 1.5  # σ of the smoothing of the initial field
PRESSURE_CELLS = 1.2  # σ that pressure smooths the gas by
MEAN_TEMPERATURE_K = 1.2e4  # at mean density
GAMMA = 1.5  # of the relation of temperature and density (Hui & Gnedin 1997, MNRAS 292, 27)
SHOCK_K = 13.4  # 3 μ m_p / 16 k_B for (km/s)², μ = 0.59: gas behind a strong shock

MATTER = {"matter_density": "", "matter_vx": "km/s", "matter_vy": "km/s", "matter_vz": "km/s"}
GAS = {"gas_density": "", "temperature": "K", "gas_vx": "km/s", "gas_vy": "km/s", "gas_vz": "km/s"}


@dataclass(frozen=True)
class Options:
    """What a simulated set is a function of."""

    n_volumes: int
    cells: int
    box_mpc_h: float
    redshift: float
    seed: int

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the input's channels."""
        return tuple(MATTER)


def simulate_baryons(
    folder: str | os.PathLike[str],
    *,
    n_volumes: int = 400,
    cells: int = 32,
    box_mpc_h: float = 8.0,
    redshift: float = 3.0,
    seed: int = 0,
    n_workers: int | None = None,
) -> Path:
    """Simulate periodic volumes of matter and gas, unless they are there already.

    The folder gets ``images/<id>.fits`` with an extension (cells, cells, cells) for each of :data:`MATTER` (density
    over its mean; peculiar velocity, NaN where there is no matter), ``targets/<id>.fits`` likewise of :data:`GAS`,
    ``catalog.fits`` (id and the variance of the density) and ``simulation.json``. The axes x, y, z of the velocities
    are the first, second and third of the arrays. Equal options give equal bytes for any number of workers.

    Args:
        folder: of the set.
        n_volumes: at least 1.
        cells: along an axis, a multiple of 2.
        box_mpc_h: side of a volume, comoving Mpc/h.
        redshift: 0 to 10.
        seed: any integer from 0.
        n_workers: processes; by default one for each core that this process may use.

    Raises:
        ConfigError: an option is out of its range.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    options = Options(int(n_volumes), int(cells), float(box_mpc_h), float(redshift), int(seed))
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_volumes": (options.n_volumes, options.n_volumes >= 1, "at least 1"),
        "cells": (options.cells, options.cells >= 8 and options.cells % 2 == 0, "even and at least 8"),
        "box_mpc_h": (options.box_mpc_h, 1 <= options.box_mpc_h <= 1000, "1 to 1000"),
        "redshift": (options.redshift, 0 <= options.redshift <= 10, "0 to 10"),
        "seed": (options.seed, options.seed >= 0, "0 or more"),
    }
    check_ranges(ranges, n_workers)
    plan = Plan(
        options=options,
        count="n_volumes",
        noun="volumes",
        folders=(IMAGES, TARGETS),
        chunk=CHUNK,
        member_bytes=4 * options.cells**3 * (len(MATTER) + len(GAS)) + 2880 * (len(MATTER) + len(GAS) + 2),
        generator=GENERATOR,
        libraries=(),
        make=_make,
        write_tables=_write_catalog,
    )
    return simulate_set(folder, plan, n_workers=n_workers)


def gas_of(density: Tensor, momentum: Tensor) -> dict[str, Tensor]:
    """The gas in a periodic volume of matter, (n, n, n) float64 each of :data:`GAS`.

    - density and momentum are those of the matter, smoothed by a Gaussian of 1.2 cells, as pressure does;
    - T = T₀ Δ^(γ − 1) + 3 μ m_p w² / 16 k_B: the relation of ionised gas in balance, and behind shocks what gas of the
      speed w becomes, w being by how much the velocity falls over two cells where the flow converges.

    Args:
        density: of the matter over its mean, (n, n, n).
        momentum: density times velocity in km/s, (3, n, n, n).
    """
    smooth, flow = _smoothed(density), _smoothed(momentum)
    velocity = flow / smooth
    falls = sum(
        (velocity[axis].roll(1, axis) - velocity[axis].roll(-1, axis) for axis in range(3)),
        torch.zeros_like(smooth),
    )
    temperature = MEAN_TEMPERATURE_K * smooth ** (GAMMA - 1) + SHOCK_K * falls.clamp_min(0) ** 2
    return dict(zip(GAS, (smooth, temperature, *velocity), strict=True))


def _smoothed(field: Tensor) -> Tensor:
    """By a periodic Gaussian of :data:`PRESSURE_CELLS` along the last three axes; positive fields stay so."""
    n = field.shape[-1]
    apart = torch.arange(n, dtype=field.dtype)
    apart = torch.minimum(apart, n - apart)
    weights = (-0.5 * (apart / PRESSURE_CELLS) ** 2).exp()
    row = (torch.arange(n)[:, None] - torch.arange(n)) % n
    matrix = (weights / weights.sum())[row]  # (n, n)
    return torch.einsum("...xyz,ax,by,cz->...abc", field, matrix, matrix, matrix)


def _make(job: Job) -> Rows:
    """Simulate and write one chunk; returns its rows of the catalogue."""
    options: Options = job.options
    rng = np.random.default_rng(seed_of(options.seed, job.number))
    cosmology = Cosmology.at(options.redshift)
    variance = []
    for name in job.ids:
        web = zeldovich(
            rng,
            n=FINER * options.cells,
            box_mpc_h=options.box_mpc_h,
            cosmology=cosmology,
            smoothing_mpc_h=CELLS_SMOOTHED * options.box_mpc_h / options.cells,
        )
        density, momentum = deposit(web, options.cells)
        velocity = torch.where(density > 0, momentum / density, torch.nan)
        matter = dict(zip(MATTER, (density, *velocity), strict=True))
        write_planes(job.file(IMAGES, name), {key: of.numpy() for key, of in matter.items()}, MATTER)
        gas = gas_of(density, momentum)
        write_planes(job.file(TARGETS, name), {key: of.numpy() for key, of in gas.items()}, GAS)
        variance.append(float(density.var()))
    return {"density_variance": np.array(variance)}


def _write_catalog(folder: Path, ids: list[str], columns: Rows) -> None:
    from astropy.table import Table

    table = Table({"id": ids, **columns}, meta={"EXTNAME": "CATALOG"})
    with atomic_path(folder / CATALOG) as part:
        table.write(part, format="fits", overwrite=True)
