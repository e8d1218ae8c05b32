import galsim
import numpy as np
import pytest
import torch

from astrocnn.simulate.draw import sersics
from astrocnn.simulate.observe import blur, point_sources
from astrocnn.simulate.profiles import FAMILIES
from astrocnn.simulate.scene import Components, Grid, add_light

GRID = Grid(size=64, pixel_scale_arcsec=0.2)
SEEING = 0.75


def _image(**parameters: float) -> np.ndarray:
    one = {name: np.array([value]) for name, value in parameters.items()}
    scene = torch.zeros(1, 1, GRID.side, GRID.side)
    add_light(scene, sersics(np.zeros(1, int), np.full((1, 1), 1000.0), **one), GRID)
    return blur(scene, np.array([[SEEING]]), GRID)[0, 0].double().numpy()


def _galsim(profile: galsim.GSObject, x: float, y: float) -> np.ndarray:
    seen = galsim.Convolve(profile.withFlux(1000.0), galsim.Moffat(beta=3.5, fwhm=SEEING)).shift(x, y)
    return seen.drawImage(nx=64, ny=64, scale=0.2).array.astype(float)


@pytest.mark.parametrize(
    ("index", "radius", "q"),
    [(4.0, 0.8, 0.7), (4.0, 1.6, 0.9), (1.0, 0.6, 0.4), (1.0, 0.12, 1.0), (0.5, 0.1, 0.8)],
)
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.07, -0.03)])
def test_sersic_image_is_that_of_galsim(index: float, radius: float, q: float, x: float, y: float) -> None:
    phi = 0.6
    got = _image(x=x, y=y, phi=phi, radius=radius, q=q, index=index)
    # GalSim's half-light radius is the geometric mean of the axes.
    profile = galsim.Sersic(n=index, half_light_radius=radius * np.sqrt(q)).shear(
        q=q, beta=phi * galsim.radians
    )
    expected = _galsim(profile, x, y)
    assert np.abs(got - expected).max() < 0.01 * expected.max()
    assert got.sum() == pytest.approx(expected.sum(), rel=0.01)


def test_softened_profile_keeps_its_flux() -> None:
    sharp = _image(x=0.0, y=0.0, phi=0.0, radius=0.4, q=0.8, index=1.0)
    soft = _image(x=0.0, y=0.0, phi=0.0, radius=0.4, q=0.8, index=1.0, soft=0.05)
    assert soft.sum() == pytest.approx(sharp.sum(), rel=2e-3)
    assert np.abs(soft - sharp).max() < 0.02 * sharp.max()


def test_star_is_that_of_galsim() -> None:
    image = torch.zeros(1, 1, 64, 64)
    place = {"image": np.zeros(1), "x": np.array([0.31]), "y": np.array([-0.12])}
    point_sources(image, place, np.array([[1000.0]]), np.array([[SEEING]]), GRID)
    expected = galsim.Moffat(beta=3.5, fwhm=SEEING, flux=1000.0).shift(0.31, -0.12)
    expected = expected.drawImage(nx=64, ny=64, scale=0.2).array
    assert np.abs(image[0, 0].numpy() - expected).max() < 0.002 * expected.max()


def _component(family: str) -> Components:
    own = {
        "sersic": {"radius": 1.0, "q": 0.8, "index": 1.0, "soft": 0.0},
        "spiral": {"scale": 1.0, "q": 0.8, "arms": 2.0, "pitch": 0.3, "phase": 1.0, "sharpness": 3.0}
        | {"hole": 0.7, "patch": 0.3},
        "ring": {
            "ring": 1.5,
            "width": 0.3,
            "q": 0.8,
            "lopsided": 0.3,
            "double": 0.2,
            "knots": 0.4,
            "phase": 1.0,
        },
        "edge_on": {"scale": 1.0, "height": 0.2, "dust": 0.5, "warp": 0.05},
        "tail": {"start": 1.5, "opening": 0.2, "length": 1.5, "width": 0.2, "hand": -1.0},
    }[family]
    parameters = {name: np.array([value]) for name, value in ({"x": 0.1, "y": 0.2, "phi": 0.4} | own).items()}
    return Components(family, np.zeros(1, int), np.array([[700.0, 300.0]]), parameters)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_the_flux_asked_for_in_each_band(family: str) -> None:
    scene = torch.zeros(1, 2, GRID.side, GRID.side)
    add_light(scene, _component(family), GRID)
    assert torch.isfinite(scene).all()
    assert float(scene.min()) >= 0
    assert scene.sum(dim=(2, 3))[0].tolist() == pytest.approx([700.0, 300.0], rel=5e-3)


def test_turning_a_component_turns_its_image() -> None:
    upright, lying = torch.zeros(1, 2, GRID.side, GRID.side), torch.zeros(1, 2, GRID.side, GRID.side)
    component = _component("edge_on")
    component.parameters.update(x=np.zeros(1), y=np.zeros(1), phi=np.zeros(1))
    add_light(lying, component, GRID)
    component.parameters["phi"] = np.full(1, np.pi / 2)
    add_light(upright, component, GRID)
    assert torch.allclose(torch.rot90(lying, 1, (3, 2)), upright, atol=1e-3)
