import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.transforms.augment import Augment


def batch(n: int = 64, size: int = 16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(n, 2, size, size, generator=generator) + 10
    valid = torch.rand(image.shape, generator=generator) > 0.1
    return {"image": image * valid, "valid": valid, "index": torch.arange(n)}


NOISE = torch.tensor([1.0, 3.0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mirror": False, "rotate": "none"},
        {"rotate": "any", "zoom": (0.9, 1.1), "shift_pix": 2.0, "noise": 0.5, "zero_point_mag": 0.05},
    ],
)
def test_a_view_is_a_function_of_the_seed_and_spares_its_input(options: dict) -> None:
    source = batch()
    before = {key: value.clone() for key, value in source.items()}
    augment = Augment(**options)
    views = []
    for _ in range(2):
        torch.manual_seed(5)
        views.append(augment(source, NOISE))
    for key, value in source.items():
        assert torch.equal(value, before[key])
        assert torch.equal(views[0][key], views[1][key])
    assert (views[0]["image"][~views[0]["valid"]] == 0).all()


def test_exact_views_only_move_pixels() -> None:
    source = batch()
    view = Augment()(source, NOISE)
    assert torch.equal(view["image"].flatten(2).sort(-1).values, source["image"].flatten(2).sort(-1).values)


def test_noise_is_added_in_units_of_the_bands() -> None:
    source = {"image": torch.zeros(4000, 2, 8, 8), "valid": torch.ones(4000, 2, 8, 8, dtype=torch.bool)}
    view = Augment(mirror=False, rotate="none", noise=0.6)(source, NOISE)
    # levels are uniform in [0, 0.6]: the mean square is a third of 0.36
    torch.testing.assert_close(
        view["image"].square().mean((0, 2, 3)), NOISE.square() * 0.12, rtol=0.05, atol=0
    )


def test_zero_points_change_by_magnitudes() -> None:
    source = {"image": torch.ones(20000, 2, 2, 2), "valid": torch.ones(20000, 2, 2, 2, dtype=torch.bool)}
    source["variance"] = torch.ones(20000, 2, 2, 2)
    view = Augment(mirror=False, rotate="none", zero_point_mag=0.1)(source, NOISE)
    mag = -2.5 * view["image"][:, :, 0, 0].log10()
    assert mag.std().item() == pytest.approx(0.1, rel=0.03)
    torch.testing.assert_close(view["variance"], view["image"].square())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotate": "all"}, r"augment.rotate='all' is not known; choose from any, quarter, none"),
        ({"zoom": (1.2, 0.8)}, r"augment.zoom=\[1.2, 0.8\] is not a range"),
        ({"noise": -1.0}, r"augment.noise=-1.0 is negative"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augment(**options)
