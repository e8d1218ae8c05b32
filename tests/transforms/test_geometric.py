import numpy as np
import pytest
import torch
from scipy import ndimage

from astrocnn.errors import ConfigError
from astrocnn.functional.affine import BLOCK, affine_matrix, all_true, resample
from astrocnn.transforms.geometric import (
    dihedral_turn,
    dihedral_views,
    random_affine,
    random_crops,
    random_dihedral,
)


def matrix(
    angle: float = 0.0, zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0), mirror: bool = False
):
    return affine_matrix(
        torch.tensor([angle]), torch.tensor([zoom]), torch.tensor([shift]), torch.tensor([mirror])
    )


def star(rows: int, columns: int, y: float, x: float, sigma: float = 1.5) -> torch.Tensor:
    yy, xx = np.mgrid[:rows, :columns]
    picture = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * sigma**2))
    return torch.from_numpy(picture.astype(np.float32))[None, None]


def centroid(picture: torch.Tensor) -> tuple[float, float]:
    return ndimage.center_of_mass(picture[0, 0].numpy())


def test_resampling_equals_scipy() -> None:
    image = torch.randn(1, 2, 24, 31, generator=torch.Generator().manual_seed(1))
    transform = matrix(0.7, 1.3, (1.5, -2.25), True)
    got, inside = resample(image, torch.ones_like(image, dtype=torch.bool), transform)
    # scipy's convention is rows before columns, about the array's origin
    linear = transform[0, :, :2].numpy()[::-1, ::-1]
    centre = np.array([11.5, 15.0])
    offset = centre + transform[0, :, 2].numpy()[::-1] - linear @ centre
    for band in range(2):
        want = ndimage.affine_transform(image[0, band].numpy(), linear, offset, order=1, cval=np.nan)
        whole = np.isfinite(want)  # scipy gives nothing where a neighbour is outside
        assert whole.sum() > 300
        np.testing.assert_allclose(got[0, band].numpy()[whole], want[whole], atol=1e-5)
        assert inside[0, band].numpy()[whole].all()


@pytest.mark.parametrize(
    ("angle", "zoom", "shift", "mirror", "where"),
    [  # a star at (x, y) = (+8, +3) from the centre
        (0.0, 1.0, (2.5, -1.25), False, (10.5, 1.75)),
        (np.pi / 2, 1.0, (0.0, 0.0), False, (-3.0, 8.0)),
        (0.0, 1.5, (0.0, 0.0), False, (12.0, 4.5)),
        (0.0, 1.0, (0.0, 0.0), True, (-8.0, 3.0)),
        (np.pi / 2, 1.0, (1.0, 2.0), True, (-2.0, -6.0)),
    ],
)
def test_a_star_goes_where_geometry_says(angle, zoom, shift, mirror, where) -> None:
    image = star(65, 65, 32 + 3, 32 + 8)
    got, _ = resample(image, torch.ones_like(image, dtype=torch.bool), matrix(angle, zoom, shift, mirror))
    y, x = centroid(got)
    assert (x - 32, y - 32) == pytest.approx(where, abs=0.02)


def test_zoom_keeps_surface_brightness() -> None:
    image = star(65, 65, 32, 32, sigma=4)
    got, _ = resample(image, torch.ones_like(image, dtype=torch.bool), matrix(zoom=2.0))
    assert got.max() == pytest.approx(1.0, abs=1e-3)
    assert got.sum() / image.sum() == pytest.approx(4.0, rel=0.01)


def test_no_flux_comes_from_pixels_without_data() -> None:
    generator = torch.Generator().manual_seed(3)
    image = torch.full((4, 3, 32, 32), 5.0)
    valid = torch.rand(image.shape, generator=generator) > 0.3
    dirty = torch.where(valid, image, 1e30)
    angle = torch.rand(4, generator=generator) * 6
    transform = affine_matrix(angle, torch.ones(4), torch.rand(4, 2, generator=generator), angle > 3)
    got, inside = resample(torch.where(valid, dirty, 0), valid, transform)
    assert 0.3 < inside.float().mean() < 0.9
    torch.testing.assert_close(got[inside], torch.full_like(got[inside], 5.0))
    assert (got[~inside] == 0).all()


def test_exact_turns_equal_numpy() -> None:
    image = torch.randn(8, 2, 7, 7)
    got = dihedral_turn(image, torch.arange(8))
    for element in range(8):
        picture = image[element].numpy()
        want = np.rot90(picture[..., ::-1] if element >= 4 else picture, element % 4, axes=(-2, -1))
        np.testing.assert_array_equal(got[element].numpy(), want)


def test_resampled_quarter_turn_equals_the_exact_one() -> None:
    image = torch.randn(1, 1, 16, 16)
    got, _ = resample(image, torch.ones_like(image, dtype=torch.bool), matrix(np.pi / 2))
    torch.testing.assert_close(got, torch.rot90(image, -1, (-2, -1)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(12, 12), (10, 14)])
def test_every_plane_moves_alike_and_the_rest_stays(size: tuple[int, int]) -> None:
    image = torch.randn(64, 2, *size)
    valid = torch.rand(image.shape) > 0.2
    batch = {
        "image": image * valid,
        "valid": valid,
        "variance": image.abs() * valid,
        "label": torch.arange(64),
    }
    for moved in (
        random_dihedral(batch, quarter_turns=True, mirror=True),
        random_affine(batch, rotate="quarter", mirror=True, zoom=(1.0, 1.0), shift_pix=0.0),
    ):
        assert moved["label"] is batch["label"]
        if size[0] == size[1]:  # elsewhere frame corners mix signs
            torch.testing.assert_close(moved["variance"], moved["image"].abs(), atol=1e-5, rtol=1e-4)
        assert (moved["image"][~moved["valid"]] == 0).all()
        assert not torch.equal(moved["image"], batch["image"])


def test_without_mirror_no_image_is_mirrored() -> None:
    image = torch.zeros(200, 1, 5, 5)
    image[:, :, 0, :2] = torch.tensor([1.0, 2.0])  # a corner with a sense of rotation
    batch = {"image": image, "valid": torch.ones_like(image, dtype=torch.bool)}
    turned = random_dihedral(batch, quarter_turns=True, mirror=False)["image"]
    allowed = {torch.rot90(image[0, 0], k).numpy().tobytes() for k in range(4)}
    assert {picture[0].numpy().tobytes() for picture in turned} == allowed
    mirrored = random_dihedral(batch, quarter_turns=True, mirror=True)["image"]
    assert len({picture[0].numpy().tobytes() for picture in mirrored}) == 8


@pytest.mark.parametrize(
    ("size", "quarter_turns", "mirror", "n"),
    [((5, 5), True, True, 8), ((5, 5), True, False, 4), ((5, 5), False, True, 2), ((4, 6), True, True, 4)],
)
def test_views_are_all_that_training_draws_from(
    size: tuple[int, int], quarter_turns: bool, mirror: bool, n: int
) -> None:
    image = torch.randn(1, 2, *size, generator=torch.Generator().manual_seed(0))
    batch = {"image": image, "valid": image > -1, "label": torch.zeros(1)}
    views = [view for view, _ in dihedral_views(batch, quarter_turns=quarter_turns, mirror=mirror)]
    assert len(views) == n
    torch.testing.assert_close(views[0]["image"], image)
    assert all(torch.equal(view["valid"], view["image"] > -1) for view in views)
    many = {"image": image.expand(400, -1, -1, -1)}
    drawn = random_dihedral(many, quarter_turns=quarter_turns, mirror=mirror)["image"]
    assert {p.numpy().tobytes() for p in drawn} == {v["image"][0].numpy().tobytes() for v in views}


@pytest.mark.parametrize("gaps", [False, True])
def test_any_number_of_images_is_resampled_alike(gaps: bool) -> None:
    """One by one, together, and with a validity that is one value expanded."""
    torch.manual_seed(1)
    n = BLOCK + 3
    image, valid = torch.randn(n, 2, 9, 8), torch.ones(n, 2, 9, 8, dtype=torch.bool)
    if gaps:
        valid[2, 0, 3:5], valid[n - 1, 1, :, 2] = False, False
    matrix = affine_matrix(torch.rand(n) * 6, 1 + torch.rand(n) / 4, torch.rand(n, 2), torch.rand(n) < 0.5)
    flux, inside = resample(image, valid, matrix)
    each = [resample(image[[i]], valid[[i]], matrix[[i]]) for i in range(n)]
    torch.testing.assert_close(flux, torch.cat([f for f, _ in each]))
    assert torch.equal(inside, torch.cat([v for _, v in each]))
    if not gaps:
        one = torch.ones((), dtype=torch.bool).expand_as(valid)
        assert all_true(one)
        torch.testing.assert_close(resample(image, one, matrix)[0], flux)
        assert torch.equal(dihedral_turn(one, torch.arange(n) % 8), one)
    assert all_true(valid) is not gaps


def with_maps(n=3, size=12, ratio=2):
    """A batch whose maps all tell where a pixel was: rows and columns of the original image."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    place = (y * size + x).expand(n, -1, -1)
    fine = torch.nn.functional.interpolate(place[:, None].float(), scale_factor=ratio, mode="nearest")
    return {
        "image": place[:, None].float().clone(),
        "valid": torch.ones(n, 1, size, size, dtype=torch.bool),
        "class_map": place.clone(),
        "instances": place.clone(),
        "target_image": fine,
        "target_valid": torch.ones_like(fine, dtype=torch.bool),
        "index": torch.arange(n),
    }


def assert_moved_together(batch):
    image = batch["image"][:, 0]
    assert torch.equal(batch["class_map"].float(), image)
    assert torch.equal(batch["instances"].float(), image)
    assert torch.equal(batch["target_image"][:, 0, ::2, ::2], image)


def test_maps_turn_with_their_image():
    torch.manual_seed(0)
    turned = random_dihedral(with_maps(), quarter_turns=True, mirror=True)
    assert not torch.equal(turned["image"], with_maps()["image"])
    assert_moved_together(turned)
    for view, _ in dihedral_views(with_maps(), quarter_turns=True, mirror=True):
        assert_moved_together(view)


def test_maps_are_cut_with_their_image():
    torch.manual_seed(0)
    cut = random_crops(with_maps(), size_pix=5, crops=4)
    assert cut["image"].shape == (12, 1, 5, 5)
    assert cut["target_image"].shape == (12, 1, 10, 10)
    assert cut["index"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert_moved_together(cut)
    steps = cut["image"][:, 0].diff(dim=-1)
    assert bool((steps == 1).all())  # one piece of the image
    assert len(set(cut["image"][:, 0, 0, 0].tolist())) > 4  # at several places


def test_crops_beyond_the_image_are_refused():
    with pytest.raises(ConfigError, match=r"augment\.crop_pix=13 .* at most 12"):
        random_crops(with_maps(), size_pix=13, crops=1)


def test_numbers_are_never_mixed_when_images_are_resampled():
    torch.manual_seed(0)
    batch = with_maps(n=8)
    batch["class_map"] = (batch["class_map"] % 5 == 0).long() * 7
    moved = random_affine(batch, rotate="any", mirror=True, zoom=(0.8, 1.2), shift_pix=2.0)
    assert set(moved["class_map"].unique().tolist()) == {-1, 0, 7}
    known = moved["instances"] >= 0
    assert not known.all()
    inner = moved["valid"][:, 0] & known
    # the nearest pixel of a plane that rises by 1 along x and by 12 along y
    assert ((moved["instances"] - moved["image"][:, 0]).abs()[inner] <= 6.5 + 1e-3).all()
