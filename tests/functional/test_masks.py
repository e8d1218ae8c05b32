"""Grids over boxes: from an instance map and back, by hand, by torchvision, and by brute force."""

import tracemalloc

import numpy as np
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import roi_align

from astrocnn.functional.masks import labels_of_masks, masks_in_boxes


def discs(shape, places, radii):
    """An instance map of discs, later ones over earlier ones, and the bounds (N, 4) of each whole disc."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels, boxes = np.zeros(shape, np.int64), []
    for number, ((cx, cy), radius) in enumerate(zip(places, radii, strict=True), start=1):
        inside = np.hypot(x - cx, y - cy) <= radius
        labels[inside] = number
        rows, columns = np.nonzero(inside)
        boxes.append([columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5])
    return labels, np.array(boxes, np.float32)


def grids(labels, boxes, cells=28):
    numbers = torch.arange(1, len(boxes) + 1)
    return masks_in_boxes(torch.from_numpy(labels), numbers, torch.from_numpy(boxes), cells=cells).numpy()


def test_cells_of_a_pixel_a_half_and_two():
    labels = torch.zeros(9, 12, dtype=torch.int64)
    labels[2:4, 3:7] = torch.tensor([[7, 7, 5, 7], [0, 7, 7, 5]])
    box = torch.tensor([[2.5, 1.5, 6.5, 3.5]])
    seven = torch.tensor([[1.0, 1, 0, 1], [0, 1, 1, 0]])
    of = {"numbers": torch.tensor([7]), "boxes": box}
    two_cells = masks_in_boxes(labels, cells=4, **of)[0]  # a pixel is a cell wide and two cells high
    assert torch.equal(two_cells, seven.repeat_interleave(2, 0))
    half = masks_in_boxes(labels, cells=2, **of)[0]  # a cell is two pixels wide and one high
    assert half.tolist() == [[1.0, 0.5], [0.5, 0.5]]
    assert masks_in_boxes(labels, torch.tensor([5]), box, cells=4)[0].sum() == 4
    assert masks_in_boxes(labels, torch.tensor([6]), box, cells=4).sum() == 0
    assert masks_in_boxes(labels, torch.tensor([], dtype=torch.int64), box[:0], cells=4).shape == (0, 4, 4)


def test_beyond_the_image_nothing_is_anybodys():
    labels = torch.ones(4, 4, dtype=torch.int64)
    found = masks_in_boxes(labels, torch.tensor([1]), torch.tensor([[-2.5, 1.5, 1.5, 5.5]]), cells=4)[0]
    expected = torch.zeros(4, 4)
    expected[:2, 2:] = 1
    assert torch.equal(found, expected)


def test_grids_are_those_of_aligned_roi_align():
    """torchvision interpolates masks of the image's size; both say the same but for the cells at the border."""
    labels, boxes = discs((70, 90), [(20.0, 30.0), (55.3, 33.7), (30.0, 40.0)], [14.0, 19.0, 11.0])
    moved = boxes + np.float32([[1.3, -2.2, 0.4, 3.1]])  # as a proposal is, beside its object
    for of in (boxes, moved):
        masks = torch.from_numpy(labels == np.arange(1, 4)[:, None, None]).float()[:, None]
        rois = torch.cat([torch.arange(3.0)[:, None], torch.from_numpy(of) + 0.5], 1)
        expected = roi_align(masks, rois, (28, 28), 1.0, aligned=True)[:, 0].numpy()
        found = grids(labels, of)
        assert np.abs(found - expected).mean() < 0.03
        assert np.abs(found.mean((1, 2)) - expected.mean((1, 2))).max() < 0.02
        shifted = grids(labels, of + 0.5)  # half a pixel is seen
        assert np.abs(shifted - expected).mean() > 2 * np.abs(found - expected).mean()


def test_an_instance_map_comes_back():
    """Of round objects of 3 to 40 pixels, some partly covered; for boxes on pixel edges and for others."""
    places = [(9.0, 8.0), (30.2, 12.1), (33.0, 16.0), (60.0, 30.0), (20.5, 45.5), (77.0, 7.0)]
    labels, boxes = discs((64, 88), places, [1.6, 4.0, 3.0, 20.0, 9.3, 2.2])
    found = labels_of_masks(boxes, grids(labels, boxes), labels.shape)
    wide = (labels == 4) | (found == 4)  # of 41 pixels: wider than the grid has cells
    assert ((labels == 4) & (found == 4)).sum() / wide.sum() > 0.98
    np.testing.assert_array_equal(found[~wide], labels[~wide])
    rng = np.random.default_rng(0)
    for _ in range(5):
        wider = (boxes + rng.uniform(-0.4, 0.4, boxes.shape) + [-0.4, -0.4, 0.4, 0.4]).astype(np.float32)
        found = labels_of_masks(wider, grids(labels, wider), labels.shape)
        for number in range(1, len(boxes) + 1):
            both = ((found == number) & (labels == number)).sum()
            assert both / ((found == number) | (labels == number)).sum() > 0.85


def test_large_masks_lie_where_torchvision_puts_them():
    """It places grids by whole pixels: within a pixel of the edge the two may differ."""
    y, x = torch.meshgrid(2 * [torch.linspace(-1, 1, 28)], indexing="ij")
    middles = ((0.0, 0.0), (0.3, -0.2), (-0.4, 0.1), (0.1, 0.5))
    masks = torch.stack([torch.sigmoid(9 - 16 * torch.hypot(x - a, y - b)) for a, b in middles])[:, None]
    boxes = np.array(
        [[5.0, 9.0, 95.0, 80.0], [60.0, 20.0, 150.0, 119.0], [3.0, 3.0, 60.0, 90.0], [90.0, 0.0, 159.0, 50.0]]
    )
    pasted = paste_masks_in_image(masks, torch.from_numpy(boxes) + 0.5, (120, 160))[:, 0].numpy()
    for box, mask, expected in zip(boxes, masks[:, 0].numpy(), pasted, strict=True):
        found = labels_of_masks(box[None], mask[None], (120, 160)) == 1
        both, either = (found & (expected > 0.5)).sum(), (found | (expected > 0.5)).sum()
        assert both / either > 0.95
        shifted = labels_of_masks(box[None] + 2, mask[None], (120, 160)) == 1
        assert (shifted & (expected > 0.5)).sum() / (shifted | (expected > 0.5)).sum() < both / either - 0.02


def test_a_pixel_goes_to_the_likeliest():
    boxes = np.array(
        [[-0.5, -0.5, 3.5, 3.5], [1.5, -0.5, 5.5, 3.5], [1.5, -0.5, 5.5, 3.5], [90.0, 90.0, 99.0, 99.0]]
    )
    masks = np.stack([np.full((4, 4), p, np.float32) for p in (0.8, 0.9, 0.9, 1.0)])
    assert labels_of_masks(boxes, masks, (4, 8)).tolist() == [[1, 1, 2, 2, 2, 2, 0, 0]] * 4
    assert labels_of_masks(boxes, 0.5 * masks, (4, 8)).max() == 0
    masks[1, :, 2:] = 0.2  # of its last two columns it is not sure
    assert labels_of_masks(boxes[:2], masks[:2], (4, 8)).tolist() == [[1, 1, 2, 2, 0, 0, 0, 0]] * 4
    assert labels_of_masks(np.empty((0, 4)), np.empty((0, 4, 4)), (4, 8)).max() == 0
    tiny = np.array([[2.1, 2.1, 2.3, 2.4]])  # between the centres of pixels
    assert labels_of_masks(tiny, masks[:1], (4, 8)).max() == 0


def test_thousands_of_objects_fit_into_little_memory():
    """As masks of the image's size these would take 4 GB."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 1000, (4000, 2))
    boxes = np.concatenate([low, low + rng.uniform(3, 20, (4000, 2))], 1).astype(np.float32)
    masks = np.full((4000, 28, 28), 0.9, np.float32)
    tracemalloc.start()
    found = labels_of_masks(boxes, masks, (1024, 1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(found)) > 2000
    assert peak < 30e6
