import torch

from astrocnn.functional.difference import without_last


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """A red galaxy of one profile in three bands, and a blue arc outside of the circle of matching."""
    y, x = torch.meshgrid(torch.arange(32.0) - 15.5, torch.arange(32.0) - 15.5, indexing="ij")
    radius = torch.hypot(x, y)
    galaxy = 500 * (-radius / 3).exp()
    arc = 4 * (-0.5 * (radius - 9) ** 2).exp() * (x > 5)
    return galaxy, arc


def test_what_has_the_colour_of_the_centre_vanishes_and_the_rest_stays() -> None:
    galaxy, arc = scene()
    colours = torch.tensor([0.2, 0.6, 1.0]).view(1, 3, 1, 1)
    image = galaxy * colours
    image[:, 0] += arc
    valid = torch.ones_like(image, dtype=torch.bool)
    out = without_last(image, valid, 4.0)
    torch.testing.assert_close(out[0, 0], arc, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(out[0, 1], torch.zeros(32, 32), atol=1e-3, rtol=0)
    torch.testing.assert_close(out[0, 2], galaxy)


def test_the_factor_is_that_of_least_squares_over_the_circle() -> None:
    image = torch.rand(5, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    valid = torch.ones_like(image, dtype=torch.bool)
    inside = [(i, j) for i in range(9) for j in range(9) if (i - 4) ** 2 + (j - 4) ** 2 <= 4]
    rows, columns = map(list, zip(*inside, strict=True))
    out = without_last(image, valid, 2.0)
    for k in range(5):
        blue, red = image[k, 0, rows, columns], image[k, 1, rows, columns]
        factor = torch.linalg.lstsq(red[:, None].double(), blue[:, None].double()).solution.item()
        torch.testing.assert_close(out[k, 0], image[k, 0] - factor * image[k, 1])


def test_pixels_without_data_neither_count_nor_appear() -> None:
    galaxy, _ = scene()
    image = torch.stack([0.5 * galaxy, galaxy])[None]
    valid = torch.ones_like(image, dtype=torch.bool)
    valid[0, 0, 15, 15] = valid[0, 1, 14, 14] = False
    holes = torch.where(valid, image, 0)
    out = without_last(holes, valid, 4.0)
    torch.testing.assert_close(out[:, 0], torch.zeros(1, 32, 32), atol=1e-3, rtol=0)
    assert out[0, 0, 14, 14] == 0
    torch.testing.assert_close(out[:, 1], holes[:, 1])


def test_an_empty_last_band_takes_nothing_off() -> None:
    image = torch.rand(2, 3, 8, 8)
    valid = torch.ones_like(image, dtype=torch.bool)
    valid[:, 2] = False
    image[:, 2] = 0
    out = without_last(image, valid, 3.0)
    assert torch.isfinite(out).all()
    image[:, 2], valid[:, 2] = 0.0, True
    torch.testing.assert_close(without_last(image, valid, 3.0), image)
