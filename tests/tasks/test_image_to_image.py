from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.enlarge import enlarged
from astrocnn.losses.image_losses import ImageBCE, ImageL2
from astrocnn.networks.unet import UNet
from astrocnn.tasks.image_to_image import ImageToImageTask
from astrocnn.transforms.normalize import Normalize
from astrocnn.transforms.target_scale import TargetScale

BANDS = ("g", "r", "i")


class Constant(nn.Module):
    """The same number everywhere, on a grid of ``finer`` pixels, less ``border`` on each side."""

    def __init__(self, n_outputs: int, *, value: float = 0.0, finer: int = 1, border: int = 0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.full((1, n_outputs, 1, 1), value))
        self.finer, self.lost = finer, border

    def forward(self, images: Tensor) -> Tensor:
        sides = [self.finer * side - 2 * self.lost for side in images.shape[2:]]
        return self.value.expand(len(images), -1, *sides)


class Latent(Constant):
    """A network with a latent variable: the divergence is that of N(1, 1) from N(0, 1), one half an image."""

    variational = True

    def training_outputs(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        del target
        return {"outputs": self(images), "kl": torch.full((len(images),), 0.5)}

    def sample(self, images: Tensor, n: int) -> Tensor:
        return self(images) + torch.randn(n, len(images), 1, 1, 1)


def task(network: nn.Module, *, planes=("r", "i"), loss: nn.Module | None = None, scale=None, **options):
    return ImageToImageTask(
        planes=planes,
        bands=BANDS,
        target_scale=TargetScale(n_planes=len(planes), **(scale or {})),
        network=network,
        loss=loss or ImageL2(),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        normalize=Normalize(n_bands=3, stretch="linear", softening=1.0, sharpen=0.0),
        **options,
    )


def batch(side: int = 12, finer: int = 1, n: int = 6) -> Batch:
    """Noisy images of which the r and i planes, on finer pixels, are the target."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(n, 3, side, side, generator=generator) * 5 + 2
    target = enlarged(image[:, 1:], finer) + 0.1 * torch.randn(
        n, 2, finer * side, finer * side, generator=generator
    )
    valid = torch.rand(target.shape, generator=generator) > 0.2
    return {
        "image": image,
        "valid": torch.ones_like(image, dtype=torch.bool),
        "target_image": torch.where(valid, target, 0),
        "target_valid": valid,
        "index": torch.arange(n),
    }


def test_the_loss_is_that_of_the_valid_pixels_in_the_scale_of_the_target() -> None:
    sample = batch()
    ours = task(Constant(2))
    ours.prepare(sample)
    # an answer of 0 is the mean of the training pixels: the mean square is the variance, which the scale makes 1
    assert ours.compute_loss(sample)["loss"].item() == pytest.approx(1, rel=1e-5)
    wild = sample | {"target_image": torch.where(sample["target_valid"], sample["target_image"], 1e9)}
    assert ours.compute_loss(wild)["loss"].item() == pytest.approx(1, rel=1e-5)
    said = ours.eval().predict(sample)["target_image"]
    for k in range(2):
        mean = sample["target_image"][:, k][sample["target_valid"][:, k]].mean()
        torch.testing.assert_close(said[:, k], mean.expand_as(said[:, k]))


def test_predictions_are_in_the_targets_units() -> None:
    sample = batch()
    for factor in (1.0, 1e-11):
        scaled = sample | {"target_image": sample["target_image"] * factor}
        ours = task(Constant(2, value=1.0))
        ours.prepare(scaled)
        said = ours.eval().predict(scaled)["target_image"][0, 0, 0, 0].item()
        pixels = scaled["target_image"][:, 0][sample["target_valid"][:, 0]]
        assert said == pytest.approx((pixels.mean() + pixels.std(correction=0)).item(), rel=1e-5)


def test_smaller_maps_are_compared_with_the_middle_of_the_target() -> None:
    sample = batch(side=12)
    ours = task(Constant(2, border=3))
    ours.prepare(sample)
    target, valid = ours.compared(sample, (6, 6))
    torch.testing.assert_close(target, sample["target_image"][..., 3:9, 3:9])
    scaled, _ = ours.target_scale(target, valid)
    assert ours.compute_loss(sample)["loss"].item() == pytest.approx(
        scaled[valid].square().mean().item(), rel=1e-5
    )
    torch.testing.assert_close(ours.trivial(sample, (6, 6))["input"], sample["image"][:, 1:, 3:9, 3:9])


@pytest.mark.parametrize("finer", [1, 2])
@pytest.mark.parametrize("stretch", ["linear", "asinh"])
def test_a_residual_network_that_says_nothing_gives_its_input(stretch: str, finer: int) -> None:
    sample = batch(finer=finer)
    ours = task(Constant(2, finer=finer), residual=True, scale={"stretch": stretch}).eval()
    ours.prepare(sample)
    want = enlarged(sample["image"][:, 1:], finer)
    torch.testing.assert_close(ours.predict(sample)["target_image"], want, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.trivial(sample, want.shape[2:])["input"], want)


def test_a_residual_network_gives_steps_as_large_as_the_difference_is_in_training() -> None:
    sample = batch()
    ours = task(Constant(2, value=1.0), residual=True, scale={"stretch": "linear"}).eval()
    ours.prepare(sample)
    said, wanted, known = ours.predict(sample)["target_image"], sample["target_image"], sample["target_valid"]
    for k, band in enumerate(("r", "i")):
        bands = sample["image"][:, BANDS.index(band)]
        size = (wanted[:, k] - bands)[known[:, k]].square().mean().sqrt()  # 0.1 by construction
        torch.testing.assert_close(said[:, k], bands + size, atol=1e-4, rtol=1e-4)
    ours = task(Constant(2), residual=True)
    ours.prepare(sample)
    assert ours.compute_loss(sample)["loss"].item() == pytest.approx(1, rel=1e-3)


def test_asinh_turns_at_the_noise_of_the_bands() -> None:
    sample = batch(finer=2)
    ours = task(Constant(2, finer=2), scale={"stretch": "asinh"})
    ours.prepare(sample)
    torch.testing.assert_close(ours.target_scale.unit, ours.normalize.noise[1:] / 4)  # a pixel in four
    other = task(Constant(2), planes=("mass", "age"), scale={"stretch": "asinh"})
    other.prepare(batch())
    known = batch()["target_image"][:, 0][batch()["target_valid"][:, 0]]
    assert other.target_scale.unit[0].item() == pytest.approx(known.abs().median().item())


@pytest.mark.parametrize("stretch", ["linear", "asinh"])
def test_the_flux_counts_beside_the_pixels(stretch: str) -> None:
    given = batch()
    own = task(Constant(2), scale={"stretch": stretch}, flux_weight=0.5)
    own.prepare(given)
    given["target_valid"][0, 0] = False  # an image's plane without a valid pixel has no flux
    given["weight"] = torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0, 1.0])
    said, true, valid = (
        own.predict(given)["target_image"].detach(),
        given["target_image"],
        given["target_valid"],
    )
    total, weights = 0.0, 0.0
    for i in range(6):
        for k in range(2):
            here = valid[i, k]
            if here.any():
                wrong = abs(float(said[i, k][here].sum() - true[i, k][here].sum()))
                total += float(given["weight"][i]) * np.log1p(wrong / float(true[i, k][here].abs().sum()))
                weights += float(given["weight"][i])
    terms = own.compute_loss(given)
    assert set(terms) == {"loss", "flux"}
    assert float(terms["flux"].detach()) == pytest.approx(0.5 * total / weights, rel=1e-5)


def test_the_divergence_counts_per_pixel_of_the_target_and_in_training_only() -> None:
    sample = batch()
    ours = task(Latent(2), beta=3.0, n_samples=500)
    ours.prepare(sample)
    terms = ours.train().compute_loss(sample)
    assert terms["kl"].item() == pytest.approx(3 * 0.5 / (2 * 12 * 12))
    assert set(ours.eval().compute_loss(sample)) == {"loss"}
    said = ours.predict(sample)
    deviation = ours.target_scale.deviation.view(1, 2, 1, 1).expand_as(said["spread"])
    torch.testing.assert_close(said["spread"], deviation, rtol=0.15, atol=0)
    torch.testing.assert_close(ours.predict(sample)["spread"], said["spread"])


def test_a_bounded_target_and_its_loss() -> None:
    sample = batch()
    ours = task(Constant(2, value=4.0), loss=ImageBCE(), scale={"bounded": True}).eval()
    ours.prepare(sample)
    said = ours.predict(sample)["target_image"]
    low, high = ours.target_scale.low[0].item(), ours.target_scale.high[0].item()
    assert said[0, 0, 0, 0].item() == pytest.approx(
        low + (high - low) * torch.tensor(4.0).sigmoid().item(), rel=1e-5
    )
    assert ours.compute_loss(sample)["loss"].isfinite()


def test_a_network_learns_a_linear_map() -> None:
    torch.manual_seed(0)
    sample = batch(side=16)
    sample["target_image"] = torch.where(sample["target_valid"], 3 * sample["image"][:, :2] - 7, 0)
    ours = task(UNet(in_channels=3, n_outputs=2, depth=1, width=8), planes=("mass", "age"))
    ours.prepare(sample)
    optimizer = torch.optim.Adam(ours.network.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = ours.compute_loss(sample)["loss"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_the_notebooks_call() -> None:
    sample = batch()
    ours = task(Constant(2), residual=True).eval()
    ours.prepare(sample)
    image = sample["image"][0].clone()
    image[:, 0, 0] = torch.nan
    with torch.inference_mode():
        assert ours(sample["image"]).shape == (6, 2, 12, 12)
        single = ours(image.numpy())
    assert single.shape == (2, 12, 12)
    torch.testing.assert_close(single[:, 1:], sample["image"][0, 1:, 1:], atol=1e-4, rtol=1e-4)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"task\.flux_weight=-1.*at least 0"):
        task(Constant(2), flux_weight=-1.0)
    with pytest.raises(ConfigError, match=r"needs task\.target_scale\.bounded=true"):
        task(Constant(2), loss=ImageBCE())
    with pytest.raises(ConfigError, match=r"needs task\.target_scale\.bounded=false"):
        task(Constant(2), scale={"bounded": True})
    with pytest.raises(ConfigError, match="the target has mass, age and the image g, r, i"):
        task(Constant(2), planes=("mass", "age"), residual=True)
    with pytest.raises(ConfigError, match=r"stretch=linear or asinh"):
        task(Constant(2), residual=True, scale={"stretch": "log10"})
    with pytest.raises(ConfigError, match="samples are for variational networks"):
        task(Constant(2), n_samples=3)
    with pytest.raises(ConfigError, match="n_outputs=5, but the target has 2 planes"):
        task(Constant(2), n_outputs=5)
    with pytest.raises(DataError, match="choose data=image_pairs"):
        ImageToImageTask.n_outputs(DataSpec(bands=BANDS, image_shape=(3, 12, 12)))


def test_it_asks_for_a_map_a_plane() -> None:
    spec = DataSpec(
        bands=BANDS, image_shape=(3, 12, 12), maps={"target_image": (2, 24, 24)}, target_bands=("mass", "age")
    )
    assert ImageToImageTask.n_outputs(spec) == 2
    assert ImageToImageTask.output_shape(spec) == (2, 24, 24)


def test_volumes_have_no_format_of_images() -> None:
    ours = task(nn.Conv3d(3, 2, 3, padding=1))
    volumes = {key: of[:, :, None].expand(-1, -1, 4, -1, -1) for key, of in batch().items() if of.ndim == 4}
    ours.prepare(volumes)
    assert ours.eval().predict(volumes)["target_image"].shape == (6, 2, 4, 12, 12)
    assert ours.compute_loss(volumes)["loss"].isfinite()
