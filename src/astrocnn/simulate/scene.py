"""A scene without atmosphere: components of light added up on a grid twice as fine as the pixels.

A component costs one evaluation of its surface brightness, lensed or not, and serves every band by its flux.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.simulate.lensing import trace
from astrocnn.simulate.profiles import ANALYTIC, FAMILIES

__all__ = ["UPSAMPLE", "Components", "Grid", "add_light"]

Array = NDArray[np.float64]

UPSAMPLE = 2
PAD_PIX = 8  # light from this far outside the cutout is blurred into it
BATCH = 16  # components evaluated at once: their grids stay in the processor's cache
CORE = 8  # side of the patch, in fine pixels, that is integrated finely around a cusp
CORE_SAMPLES = 8


@dataclass(frozen=True)
class Components:
    """N pieces of light of one family.

    Attributes:
        family: name in ``profiles.FAMILIES``.
        image: the cutout that each belongs to, (N,) int64.
        flux: in each band, (N, C) nJy.
        parameters: ``x``, ``y`` (arcsec from the cutout's centre), ``phi`` (major axis from the x axis,
            radians) and the family's own, (N,) each.
    """

    family: str
    image: NDArray[np.int64]
    flux: Array
    parameters: dict[str, Array]


@dataclass(frozen=True)
class Grid:
    """The fine grid of a cutout of ``size`` pixels, with a margin on all sides."""

    size: int
    pixel_scale_arcsec: float

    @property
    def step_arcsec(self) -> float:
        """Side of a fine pixel."""
        return self.pixel_scale_arcsec / UPSAMPLE

    @property
    def side(self) -> int:
        """Number of fine pixels along a side, margin included."""
        return UPSAMPLE * (self.size + 2 * PAD_PIX)

    @property
    def half_width_arcsec(self) -> float:
        """From the centre to the margin's outer edge."""
        return self.side * self.step_arcsec / 2

    def coordinates(self) -> tuple[Tensor, Tensor]:
        """X and y of the fine pixels' centres, arcsec from the cutout's centre, (side, side) each."""
        line = (torch.arange(self.side, dtype=torch.float32) - (self.side - 1) / 2) * self.step_arcsec
        y, x = torch.meshgrid(line, line, indexing="ij")
        return x, y


def add_light(
    scene: Tensor, components: Components, grid: Grid, *, lens: dict[str, Array] | None = None
) -> None:
    """Add the components to the scene, in place.

    Args:
        scene: (B, C, side, side) float32, nJy in a fine pixel.
        components: what to add; a Sérsic component's flux is that of the whole plane, others' that on the grid.
        grid: of the scene.
        lens: the deflector in front of each cutout, (B,) each, as in :func:`lensing.trace`; a Sérsic component's
            flux is then the unlensed one.
    """
    x, y = grid.coordinates()
    brightness = FAMILIES[components.family]
    for start in range(0, len(components.image), BATCH):
        rows = slice(start, start + BATCH)
        image = torch.from_numpy(components.image[rows])
        p = {name: _column(values[rows]) for name, values in components.parameters.items()}
        if lens is None:
            light = brightness(*_own_frame(x, y, p), p)  # (N, side, side)
            if components.family == "sersic":
                _integrate_cores(light, p, grid)
        else:
            behind = {name: torch.from_numpy(values)[image].float() for name, values in lens.items()}
            light = brightness(*_own_frame(*trace(x, y, behind), p), p)
        if components.family in ANALYTIC:
            light *= grid.step_arcsec**2
        else:
            light /= light.sum(dim=(1, 2), keepdim=True).clamp_min(1e-30)
        flux = torch.from_numpy(components.flux[rows]).float()
        for n, target in enumerate(image.tolist()):
            for band in range(scene.shape[1]):
                scene[target, band].add_(light[n], alpha=float(flux[n, band]))


def _column(values: Array) -> Tensor:
    return torch.from_numpy(values).float()[:, None, None]


def _own_frame(x: Tensor, y: Tensor, p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Coordinates along and across the components' major axes."""
    dx, dy = x - p["x"], y - p["y"]
    cos, sin = p["phi"].cos(), p["phi"].sin()
    return dx * cos + dy * sin, dy * cos - dx * sin


def _integrate_cores(light: Tensor, p: dict[str, Tensor], grid: Grid) -> None:
    """Replace the samples around each centre by averages over the fine pixels: a cusp falls between samples."""
    step = grid.step_arcsec
    first_x = _first_pixel(p["x"], grid)  # (N,)
    first_y = _first_pixel(p["y"], grid)
    sub = (torch.arange(CORE * CORE_SAMPLES, dtype=torch.float32) + 0.5) / CORE_SAMPLES - 0.5  # fine pixels
    fine_x = (first_x[:, None] + sub - (grid.side - 1) / 2) * step  # (N, CORE*CORE_SAMPLES)
    fine_y = (first_y[:, None] + sub - (grid.side - 1) / 2) * step
    core = FAMILIES["sersic"](*_own_frame(fine_x[:, None, :], fine_y[:, :, None], p), p)
    core = core.reshape(-1, CORE, CORE_SAMPLES, CORE, CORE_SAMPLES).mean(dim=(2, 4))
    offset = torch.arange(CORE)
    rows = (first_y[:, None] + offset).long()[:, :, None]  # (N, CORE, 1)
    columns = (first_x[:, None] + offset).long()[:, None, :]
    light[torch.arange(len(light))[:, None, None], rows, columns] = core  # (N, CORE, CORE)


def _first_pixel(position: Tensor, grid: Grid) -> Tensor:
    """The first fine pixel of the patch around a position, kept on the grid."""
    pixel = position.flatten() / grid.step_arcsec + (grid.side - 1) / 2
    return (pixel - CORE / 2 + 0.5).round().clamp(0, grid.side - CORE)
