"""The maps of a task and what they are called."""

import numpy as np
import pytest
import torch
from small_tasks import random_unet, segmentation

from astrocnn.errors import ConfigError
from astrocnn.inference.map_planes import MapPlanes, class_plane


def test_a_segmentation_has_classes_centres_and_offsets() -> None:
    planes = MapPlanes.of(segmentation(random_unet()), 2)
    names = ["P_BACKGROUND", "P_STAR", "P_GALAXY", "CENTRE", "OFFSET_Y", "OFFSET_X"]
    assert [plane.name for plane in planes.predicted] == names
    assert [plane.name for plane in planes.written] == [*names, "CLASS"]
    assert planes.written[-1].dtype == "i2"
    assert planes.classes == ("background", "star", "galaxy")
    planes = MapPlanes.of(segmentation(random_unet(n_outputs=3), n_outputs=3), 2)
    assert [plane.name for plane in planes.predicted] == names[:3]


class Says:
    """A task that predicts what it is told."""

    device = torch.device("cpu")
    network = torch.nn.Identity()

    def __init__(self, **about: object) -> None:
        self.__dict__ |= about

    def predict(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.said(batch["image"].shape[-1])


def test_a_target_image_has_planes_with_units() -> None:
    def said(n: int) -> dict[str, torch.Tensor]:
        return {"target_image": torch.zeros(1, 2, n, n), "spread": torch.zeros(1, 2, n, n)}

    planes = MapPlanes.of(Says(said=said, planes=("g", "H alpha")), 1, ["nJy", "W/m2"])
    assert [(plane.name, plane.unit) for plane in planes.written] == [
        ("G", "nJy"), ("H_ALPHA", "W/m2"), ("SPREAD_G", "nJy"), ("SPREAD_H_ALPHA", "W/m2"),
    ]  # fmt: skip
    assert planes.classes == ()
    assert [plane.comment for plane in planes.written[2:]] == [
        "standard deviation of g", "standard deviation of H alpha",
    ]  # fmt: skip


def test_the_spread_of_classes_says_what_it_is() -> None:
    said = {"p": torch.zeros(1, 2, 1, 1), "spread": torch.zeros(1, 1, 1)}
    planes = MapPlanes.of(Says(said=lambda n: said, classes=("sky", "star")), 1)
    assert (planes.predicted[2].name, planes.predicted[2].comment) == (
        "SPREAD",
        "variance of p among samples",
    )


def test_names_are_unique() -> None:
    said = {"p": torch.zeros(1, 3, 1, 1)}
    planes = MapPlanes.of(Says(said=lambda n: said, classes=("a b", "A-b", "a/b")), 1)
    assert [plane.name for plane in planes.predicted] == ["P_A_B", "P_A-B", "P_A_B_2"]


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(ConfigError, match="Says predicts no maps"):
        MapPlanes.of(Says(said=lambda n: {"logits": torch.zeros(1)}), 1)
    finer = {"target_image": torch.zeros(1, 1, 4, 4)}
    assert MapPlanes.of(Says(said=lambda n: finer, planes=("g",)), 1).upscale == 4
    other = finer | {"spread": torch.zeros(1, 1, 2, 2)}
    with pytest.raises(
        ConfigError, match=r"makes maps of 2 pixels a side of 1 pixels of an image; .* finer ones"
    ):
        MapPlanes.of(Says(said=lambda n: other, planes=("g",)), 1)


def test_the_class_of_a_pixel_without_data_is_none() -> None:
    p = np.array([[[0.2, np.nan]], [[0.7, np.nan]], [[0.1, np.nan]]], np.float32)
    np.testing.assert_array_equal(class_plane(p), [[1, -1]])
