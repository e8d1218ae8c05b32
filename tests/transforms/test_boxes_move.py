"""Boxes go where the pixels go: against rectangles and stars painted into the image, found again after it has moved."""

import numpy as np
import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.geometric import dihedral_views, random_affine, random_crops, random_dihedral

RECTANGLES = [(2, 3, 7, 4), (0, 9, 1, 12), (10, 0, 12, 12)]  # first and last column and row: x, y, x, y


def painted(n=1, rows=13, columns=13):
    """One channel a rectangle, its box, and padding behind them."""
    image = torch.zeros(n, len(RECTANGLES), rows, columns)
    boxes = torch.full((n, len(RECTANGLES) + 2, 4), torch.nan)
    for k, (x0, y0, x1, y1) in enumerate(RECTANGLES):
        image[:, k, y0 : y1 + 1, x0 : x1 + 1] = 1
        boxes[:, k] = torch.tensor([x0 - 0.5, y0 - 0.5, x1 + 0.5, y1 + 0.5])
    labels = torch.tensor([0, 1, 2, -1, -1]).repeat(n, 1)
    return {"image": image, "valid": image > -1, "boxes": boxes, "box_labels": labels}


def bounds(plane):
    """Outer edges of the pixels that are not 0."""
    y, x = np.nonzero(plane.numpy())
    return [x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5]


def assert_boxes_are_painted(batch):
    for image, boxes in zip(batch["image"], batch["boxes"], strict=True):
        expected = torch.tensor([bounds(plane) for plane in image])
        torch.testing.assert_close(boxes[: len(RECTANGLES)], expected.to(boxes))
        assert boxes[len(RECTANGLES) :].isnan().all()


@pytest.mark.parametrize("shape", [(13, 13), (13, 20), (24, 13)])
def test_exact_turns(shape):
    torch.manual_seed(0)
    turned = random_dihedral(painted(32, *shape), quarter_turns=True, mirror=True)
    assert_boxes_are_painted(turned)
    n_ways = len(turned["boxes"][:, 0].unique(dim=0))
    assert n_ways == (8 if shape[0] == shape[1] else 4)


@pytest.mark.parametrize("shape", [(13, 13), (13, 20)])
def test_exact_views(shape):
    views = list(dihedral_views(painted(2, *shape), quarter_turns=True, mirror=True))
    assert len(views) == (8 if shape[0] == shape[1] else 4)
    for view, _ in views:
        assert_boxes_are_painted(view)


def test_views_stay_on_their_device():
    batch = {key: value.to("meta") for key, value in painted().items()}
    views = list(dihedral_views(batch, quarter_turns=True, mirror=True))
    assert {view["boxes"].device.type for view, _ in views} == {"meta"}


def test_crops_move_boxes_by_their_corner():
    torch.manual_seed(0)
    batch = painted(2, 16, 14)
    batch["image"] = (
        torch.arange(16.0 * 14).view(1, 1, 16, 14).repeat(2, 1, 1, 1)
    )  # says where a part is from
    cut = random_crops(batch, size_pix=6, crops=20)
    assert cut["box_labels"].tolist() == 40 * [[0, 1, 2, -1, -1]]
    corner = cut["image"][:, 0, 0, 0]
    assert len(corner.unique()) > 10
    away = torch.stack([corner % 14, corner // 14] * 2, -1)[:, None]
    torch.testing.assert_close(cut["boxes"], batch["boxes"][:1] - away, equal_nan=True)


@pytest.mark.parametrize(
    "options",
    [
        {"rotate": "any"},
        {"rotate": "quarter", "shift_pix": 2.5},
        {"rotate": "none", "zoom": (0.7, 1.4)},
        {"rotate": "any", "mirror": True, "zoom": (0.8, 1.25), "shift_pix": 3.0},
    ],
)
@pytest.mark.parametrize("shape", [(64, 64), (60, 75)])
def test_resampled_boxes_are_the_bounds_of_their_corners(options, shape):
    """Stars painted at the corners of a box, one a band, found again by their centroids."""
    torch.manual_seed(0)
    n, box = 40, torch.tensor([24.3, 29.0, 41.8, 36.6])
    corners = [(box[i], box[j]) for i in (0, 2) for j in (1, 3)]
    y, x = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
    stars = torch.stack([torch.exp(-((x - a) ** 2 + (y - b) ** 2) / 4) for a, b in corners])
    batch = {"image": stars.expand(n, -1, -1, -1), "valid": torch.ones(n, 4, *shape, dtype=torch.bool)}
    batch["boxes"] = torch.stack([box, torch.full((4,), torch.nan)]).expand(n, -1, -1)
    moved = random_affine(batch, **({"mirror": False, "zoom": (1.0, 1.0), "shift_pix": 0.0} | options))
    flux = moved["image"].sum((-1, -2))
    places = torch.stack([(moved["image"] * axis).sum((-1, -2)) / flux for axis in (x, y)], -1)  # (n, 4, 2)
    expected = torch.cat([places.amin(1), places.amax(1)], -1)
    torch.testing.assert_close(moved["boxes"][:, 0], expected, atol=0.05, rtol=0)
    assert moved["boxes"][:, 1].isnan().all()
    assert moved["boxes"][:, 0].std(0).max() > 0.5  # they did move


CUT = torch.tensor(
    [
        [2.5, 3.5, 5.5, 6.5],  # whole
        [-2.5, 2.5, 2.5, 7.5],  # three of five columns of 10 × 10 pixels are seen
        [7.5, 7.5, 11.5, 11.5],  # a quarter
        [-0.5, -0.5, 9.5, 9.5],  # the frame itself
        [-8.5, 0.0, -3.0, 4.0],  # nothing
        [9.5, 2.0, 12.0, 4.0],  # touches
        4 * [torch.nan],
    ]
)


@pytest.mark.parametrize(
    ("cut_boxes", "visible", "kept"),
    [
        ("clip", 0.3, {0: [2.5, 3.5, 5.5, 6.5], 1: [-0.5, 2.5, 2.5, 7.5], 3: [-0.5, -0.5, 9.5, 9.5]}),
        ("keep", 0.3, {0: [2.5, 3.5, 5.5, 6.5], 1: [-2.5, 2.5, 2.5, 7.5], 3: [-0.5, -0.5, 9.5, 9.5]}),
        ("drop", 0.3, {0: [2.5, 3.5, 5.5, 6.5], 3: [-0.5, -0.5, 9.5, 9.5]}),
        ("clip", 0.7, {0: [2.5, 3.5, 5.5, 6.5], 3: [-0.5, -0.5, 9.5, 9.5]}),
        (
            "clip",
            0.0,
            {
                0: [2.5, 3.5, 5.5, 6.5],
                1: [-0.5, 2.5, 2.5, 7.5],
                2: [7.5, 7.5, 9.5, 9.5],
                3: [-0.5, -0.5, 9.5, 9.5],
            },
        ),
    ],
)
def test_what_the_frame_leaves_of_boxes(cut_boxes, visible, kept):
    augment = Augment(mirror=False, rotate="none", cut_boxes=cut_boxes, visible=visible)
    image = torch.zeros(1, 1, 10, 10)
    batch = {"image": image, "valid": image == 0, "boxes": CUT[None], "box_labels": torch.arange(7)[None]}
    framed = augment(batch, torch.ones(1))
    for k in range(len(CUT)):
        if k in kept:
            assert framed["boxes"][0, k].tolist() == kept[k]
            assert framed["box_labels"][0, k] == k
        else:
            assert framed["boxes"][0, k].isnan().all()
            assert framed["box_labels"][0, k] == -1
    assert batch["boxes"] is not framed["boxes"]
    torch.testing.assert_close(batch["boxes"][0], CUT, equal_nan=True)


def test_boxes_of_any_augmentation_lie_in_the_frame():
    torch.manual_seed(0)
    augment = Augment(rotate="any", zoom=(0.8, 1.6), shift_pix=4.0, crop_pix=9, crops=4)
    batch = augment(painted(16), torch.ones(3))
    there = batch["boxes"].isfinite().all(-1)
    assert there.any()
    assert not there.all()
    assert torch.equal(there, batch["box_labels"] >= 0)
    boxes = batch["boxes"][there]
    assert boxes.min() >= -0.5
    assert boxes.max() <= 8.5
    assert (boxes[:, 2:] > boxes[:, :2]).all()


NUMBERS = (7, 2, 40)  # of the rectangles in the instance map


def numbered(n, rows, columns):
    """Noise, the instance map of the rectangles, their boxes and numbers."""
    batch = painted(n, rows, columns)
    labels = torch.tensor(NUMBERS)[:, None, None]
    batch["instances"] = (batch["image"] * labels).amax(1).long()
    batch["box_numbers"] = torch.tensor([*NUMBERS, 0, 0]).repeat(n, 1)
    return batch


def kept_masks(batch):
    """Box and pixels of each object that is left; what is dropped has no number."""
    found = []
    for instances, boxes, numbers, labels in zip(
        batch["instances"], batch["boxes"], batch["box_numbers"], batch["box_labels"], strict=True
    ):
        there = boxes.isfinite().all(-1)
        assert not numbers[~there].any()
        assert [NUMBERS[label] for label in labels[there].tolist()] == numbers[there].tolist()
        found += [
            (box, instances == number) for box, number in zip(boxes[there], numbers[there], strict=True)
        ]
    return found


@pytest.mark.parametrize(
    ("options", "shape", "least"),
    [
        ({"rotate": "quarter"}, (13, 13), 96),
        ({"rotate": "quarter"}, (13, 20), 96),
        ({"rotate": "quarter", "crop_pix": 9, "crops": 3}, (13, 20), 60),
        ({"rotate": "none", "crop_pix": 6, "crops": 5, "visible": 0.0}, (16, 14), 60),
    ],
)
def test_masks_move_with_their_boxes(options, shape, least):
    """The pixels of an object's number have the bounds of its box, exactly."""
    torch.manual_seed(0)
    found = kept_masks(Augment(**options)(numbered(32, *shape), torch.ones(3)))
    for box, mask in found:
        np.testing.assert_allclose(box, bounds(mask), atol=1e-4)
    assert len(found) >= least


@pytest.mark.parametrize(
    "options", [{"rotate": "any"}, {"rotate": "any", "zoom": (0.8, 1.25), "shift_pix": 5.0}]
)
def test_resampled_masks_move_with_their_boxes(options):
    """Of a rectangle that stays in the frame a corner is lost by a pixel at most."""
    torch.manual_seed(0)
    batch = numbered(64, 64, 60)
    batch["instances"].zero_()
    batch["instances"][:, 25:40, 22:41] = 2
    batch["boxes"] = torch.full((64, 5, 4), torch.nan)
    batch["boxes"][:, 1] = torch.tensor([21.5, 24.5, 40.5, 39.5])
    found = kept_masks(Augment(**options)(batch, torch.ones(3)))
    assert len(found) == 64
    for box, mask in found:
        np.testing.assert_allclose(box, bounds(mask), atol=1.01)
    assert torch.stack([box for box, _ in found]).std(0).max() > 1  # they did move


def test_masks_of_any_augmentation_lie_in_their_boxes():
    torch.manual_seed(0)
    augment = Augment(rotate="any", zoom=(0.8, 1.6), shift_pix=4.0, crop_pix=25, crops=4)
    found = kept_masks(augment(numbered(32, 40, 50), torch.ones(3)))
    assert len(found) > 30
    for box, mask in found:
        if mask.any():  # of some only an empty corner of the box is left
            x0, y0, x1, y1 = bounds(mask)
            assert min(x0 - box[0], y0 - box[1], box[2] - x1, box[3] - y1) > -0.51
    assert sum(int(mask.any()) for _, mask in found) > 0.6 * len(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cut_boxes": "cut"}, r"augment\.cut_boxes='cut'"),
        ({"visible": 1.5}, r"augment\.visible=1\.5 is no share"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Augment(**options)
