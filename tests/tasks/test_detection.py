"""The task of detection: what a network that learns pixels asks of its data."""

import re
from functools import partial

import numpy as np
import pytest
import torch

from astrocnn.batch import DataSpec
from astrocnn.errors import ConfigError, DataError
from astrocnn.losses.dense_boxes import DenseBoxLoss
from astrocnn.losses.yolo import YoloLoss
from astrocnn.networks.torchvision_detectors import FasterRCNN, MaskRCNN
from astrocnn.networks.unet import UNet
from astrocnn.networks.yolo_dense import YoloDense
from astrocnn.paths import config_dir
from astrocnn.tasks.base import LOSSES
from astrocnn.tasks.detection import DetectionTask
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.geometric import dihedral_views
from astrocnn.transforms.normalize import Normalize


def task(kind: type = MaskRCNN, **options) -> DetectionTask:
    torch.manual_seed(0)
    network = kind(in_channels=2, n_outputs=7, most=20, **options)
    return DetectionTask(
        classes=["star", "galaxy"], box_values=[], network=network, loss=torch.nn.Identity(), threshold=0.05,
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
    )  # fmt: skip


def batch() -> dict[str, torch.Tensor]:
    image = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    instances = torch.zeros(2, 64, 64, dtype=torch.int64)
    instances[:, 20:32, 10:25] = 3
    boxes = torch.tensor([[9.5, 19.5, 24.5, 31.5]]).expand(2, 1, 4)
    labels, numbers = torch.ones(2, 1, dtype=torch.int64), torch.full((2, 1), 3)
    truth = {"boxes": boxes, "box_labels": labels, "box_numbers": numbers, "instances": instances}
    return {"image": image, "valid": image > -9, "index": torch.arange(2), **truth}


def test_data_without_pixels_of_objects_are_refused() -> None:
    boxes = DataSpec(("g",), (1, 64, 64), ("star",), box_values=())
    with pytest.raises(DataError, match=r"MaskRCNN learns the pixels .* data\.instances\.files=.* 'number'"):
        DetectionTask.check_network(MaskRCNN, boxes)
    DetectionTask.check_network(FasterRCNN, boxes)
    DetectionTask.check_network(
        MaskRCNN, DataSpec(("g",), (1, 64, 64), ("star",), box_values=(), maps={"instances": (64, 64)})
    )
    without = {key: value for key, value in batch().items() if key not in ("instances", "box_numbers")}
    with pytest.raises(DataError, match="MaskRCNN learns the pixels of objects; give it their map"):
        task(mask_layers=(8,)).compute_loss(without)


def test_numbers_that_no_map_holds_are_refused() -> None:
    learner, sample = task(mask_layers=(8,)), batch()
    learner.prepare(sample)
    with pytest.raises(
        DataError, match=r"no object of the training images has a pixel .* 'number' of data\.boxes"
    ):
        learner.prepare(sample | {"box_numbers": torch.full((2, 1), 4)})


class Said(torch.nn.Module):
    """Two boxes in every image, whatever it shows."""

    reads = "detections"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = torch.tensor([[9.5, 9.5, 19.5, 19.5, 0.9, 1.0, 0.0], [39.5, 9.5, 49.5, 19.5, 0.8, 1.0, 0.0]])
        return rows.expand(len(images), 2, 7)


def test_nothing_is_found_where_no_pixel_holds_data() -> None:
    learner = DetectionTask(
        classes=["star", "galaxy"], box_values=[], network=Said(), loss=torch.nn.Identity(), threshold=0.05,
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
    ).eval()  # fmt: skip
    images = torch.zeros(2, 2, 64, 64)
    images[0, :, 10:20, 40:50] = torch.nan  # all of the second box
    images[1, :, 10:20, 40:49] = torch.nan  # all but a column
    images[1, 0] = torch.nan  # one band has none at all
    assert [each.scores.tolist() for each in learner(images)] == [
        [pytest.approx(0.9)],
        pytest.approx([0.9, 0.8]),
    ]
    beside = torch.zeros(2, 64, 36)  # which ends before the second box
    assert len(learner(beside)) == 1
    beside[:, 0, 0] = torch.nan
    assert len(learner(beside)) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"threshold": 1.5},
            r"task\.threshold=1\.5 is the score of no detection; give a number between 0 and 1\.$",
        ),
        ({"threshold": 0.0}, r"task\.threshold=0\.0 is the score of no detection"),
        ({"radius_pix": -1.0}, r"task\.radius_pix=-1\.0 is too small; give at least 0\.$"),
        ({"most": 0}, r"task\.most=0 is too small; give at least 1\.$"),
    ],
)
def test_options_that_cannot_be_are_refused_one_by_one(option: dict[str, float], message: str) -> None:
    given = {"threshold": 0.05} | option
    with pytest.raises(ConfigError, match=message):
        DetectionTask(
            classes=["star"], box_values=[], network=Said(), loss=torch.nn.Identity(),
            optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0), **given,
        )  # fmt: skip


def test_a_network_without_boxes_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"UNet gives no boxes, which detection needs; choose model=yolo_dense"
    ):
        DetectionTask.check_loss([DenseBoxLoss], UNet)


def test_every_loss_that_is_named_is_there() -> None:
    files = {path.stem for path in (config_dir() / "loss").glob("*.yaml")}
    named = {word for words in LOSSES.values() for word in re.split(r", | or ", words)}
    assert len(named) > 8
    assert named <= files


def test_larger_images_may_have_more_objects() -> None:
    learner = DetectionTask(
        classes=["star", "galaxy"], box_values=[], network=Said(), loss=torch.nn.Identity(), threshold=0.05, most=1,
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
    ).eval()  # fmt: skip
    assert [len(learner(torch.zeros(2, side, 256))) for side in (64, 256, 257)] == [1, 1, 2]


def test_predictions_have_masks_where_the_network_gives_them() -> None:
    learner = task(mask_layers=(8,)).eval()
    learner.prepare(batch())
    found = learner.detections(batch())
    said = learner.predict(batch())
    n = max(len(each) for each in found)
    assert n > 0
    assert said["masks"].shape == (2, n, 28, 28)
    for each, masks in zip(found, said["masks"], strict=True):
        np.testing.assert_array_equal(masks[: len(each)], each.masks)
        assert masks[len(each) :].isnan().all()
    assert "masks" not in task(FasterRCNN).eval().predict(batch())


def test_a_loss_is_of_the_networks_kind_of_grid():
    DetectionTask.check_loss([DenseBoxLoss], YoloDense)
    DetectionTask.check_loss([DenseBoxLoss], FasterRCNN)  # which has losses of its own
    with pytest.raises(
        ConfigError, match="YoloLoss is no loss of DetectionTask with YoloDense; choose loss=dense_boxes"
    ):
        DetectionTask.check_loss([DenseBoxLoss, YoloLoss], YoloDense)


@pytest.mark.parametrize("shape", [(33, 33), (32, 45)])
def test_the_mean_over_orientations_turns_with_the_image(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = YoloDense(in_channels=2, n_outputs=7, width=8, features=8, blocks=(1, 1))
    learner = DetectionTask(
        classes=["star", "galaxy"], box_values=[], network=network, loss=DenseBoxLoss(), threshold=0.001,
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
        augment=Augment(), test_time_augmentation=True, radius_pix=0.0, radius_share=0.0,
    ).eval()  # fmt: skip
    image = torch.randn(1, 2, *shape, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(image, (0, -shape[1] % 8, 0, -shape[0] % 8), value=torch.nan)
    found = learner(padded)[0]
    assert len(found) > 10
    for view, (turns, mirrored) in dihedral_views(
        {"image": padded, "valid": padded.isfinite()}, quarter_turns=True, mirror=True
    ):
        of = learner(view["image"])[0]
        assert len(of) == len(found)
        x, y = (np.asarray(each, np.float64) - (side - 1) / 2 for each, side in zip(
            (of.x, of.y), reversed(view["image"].shape[-2:]), strict=True))  # fmt: skip
        for _ in range(turns):
            x, y = -y, x
        x = -x if mirrored else x
        height, width = padded.shape[-2:]
        np.testing.assert_allclose(x + (width - 1) / 2, found.x, atol=1e-3)
        np.testing.assert_allclose(y + (height - 1) / 2, found.y, atol=1e-3)
    whole, odd = ({"image": of, "valid": of.isfinite()} for of in (padded.nan_to_num(0), image))
    assert (
        learner._averaged(odd).shape[-2:]
        == learner.outputs(odd).shape[-2:]
        == (-(-shape[0] // 2), -(-shape[1] // 2))
    )
    assert learner._averaged(whole).shape[-2:] == learner.outputs(whole).shape[-2:]


def test_only_fine_grids_have_a_mean_over_orientations() -> None:
    with pytest.raises(ConfigError, match=r"test_time_augmentation=true: .* choose model=yolo_dense"):
        DetectionTask(
            classes=["star", "galaxy"], box_values=[], network=Said(), loss=torch.nn.Identity(),
            optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
            test_time_augmentation=True,
        )  # fmt: skip
