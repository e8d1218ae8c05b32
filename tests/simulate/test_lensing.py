import numpy as np
import pytest
import torch

from astrocnn.simulate.draw import sersics
from astrocnn.simulate.lensing import cut_axes, trace
from astrocnn.simulate.scene import Grid, add_light

GRID = Grid(size=64, pixel_scale_arcsec=0.2)


def _lens(**values: float) -> dict[str, np.ndarray]:
    lens = {"x": 0.0, "y": 0.0, "theta_e": 1.0, "q": 0.999, "phi": 0.0, "gamma_1": 0.0, "gamma_2": 0.0}
    return {name: np.array([value]) for name, value in (lens | values).items()}


def _render(x: float, y: float, radius: float, lens: dict[str, np.ndarray] | None) -> torch.Tensor:
    one = np.ones(1)
    spot = sersics(
        np.zeros(1, int),
        one[:, None],
        x=x * one,
        y=y * one,
        phi=0 * one,
        radius=radius * one,
        q=one,
        index=0.5,
    )
    scene = torch.zeros(1, 1, GRID.side, GRID.side)
    add_light(scene, spot, GRID, lens=lens)
    return scene[0, 0]


def test_source_behind_an_isothermal_sphere_is_a_ring_at_theta_e() -> None:
    image = _render(0.0, 0.0, 0.1, _lens(theta_e=1.3))
    x, y = GRID.coordinates()
    radius = torch.hypot(x, y)
    assert float((image * radius).sum() / image.sum()) == pytest.approx(1.3, abs=0.02)
    assert float(image[(radius - 1.3).abs() > 0.4].sum() / image.sum()) < 0.01


@pytest.mark.parametrize("impact", [0.3, 0.6])
def test_magnification_of_an_isothermal_sphere(impact: float) -> None:
    # A point at β has images at β ± θ_E, magnified 1 / (1 - θ_E / θ): 2 θ_E / β together.
    image = _render(impact, 0.0, 0.08, _lens())
    x, y = GRID.coordinates()
    assert float(image.sum()) == pytest.approx(2 / impact, rel=0.03)
    outer = float(image[x > 0].sum())
    assert outer == pytest.approx(1 / (1 - 1 / (1 + impact)), rel=0.03)
    assert float((image * torch.hypot(x, y))[x > 0].sum()) / outer == pytest.approx(1 + impact, abs=0.03)


def test_unlensed_flux_is_the_plane_flux() -> None:
    far = _render(0.0, 0.0, 0.3, _lens(theta_e=1e-6))
    assert float(far.sum()) == pytest.approx(1.0, rel=2e-3)


@pytest.mark.parametrize("phi", [0.0, 0.7])
def test_einstein_cross_of_the_ellipsoid(phi: float) -> None:
    # A source in the centre has images on the axes, at √q/f' arctan(f'/q) and √q/f' arctanh f' (Kormann et al. 1994).
    q = 0.6
    f = np.sqrt(1 - q**2)
    major, minor = np.sqrt(q) / f * np.arcsin(f), np.sqrt(q) / f * np.arcsinh(f / q)
    assert cut_axes(np.array([q])) == (pytest.approx(major), pytest.approx(minor))
    cos, sin = np.cos(phi), np.sin(phi)
    x = torch.tensor([[major * cos, -minor * sin]]).float()
    y = torch.tensor([[major * sin, minor * cos]]).float()
    lens = {name: torch.from_numpy(value).float() for name, value in _lens(q=q, phi=phi).items()}
    bx, by = trace(x, y, lens)
    assert bx.abs().max() < 1e-5
    assert by.abs().max() < 1e-5


def test_shear_moves_rays_apart() -> None:
    lens = {
        name: torch.from_numpy(v).float()
        for name, v in _lens(theta_e=1e-9, gamma_1=0.1, gamma_2=0.05).items()
    }
    bx, by = trace(torch.tensor([[2.0]]), torch.tensor([[1.0]]), lens)
    assert float(bx) == pytest.approx(2.0 - (0.1 * 2.0 + 0.05 * 1.0), abs=1e-5)
    assert float(by) == pytest.approx(1.0 - (0.05 * 2.0 - 0.1 * 1.0), abs=1e-5)


@pytest.mark.parametrize(("impact", "images"), [(0.45, 2), (1.25, 1)])
def test_two_images_inside_the_cut_one_outside(impact: float, images: int) -> None:
    q = 0.6
    along, _ = cut_axes(np.array([q]))
    image = _render(impact * float(along[0]), 0.0, 0.08, _lens(q=q))
    x, _ = GRID.coordinates()
    assert (float(image[x < -0.05].sum()) > 0.3) is (images == 2)
    assert float(image[x > 0.05].sum()) > 1
