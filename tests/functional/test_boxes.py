"""Boxes against torchvision, loops and drawings by hand."""

import time
import tracemalloc

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torchvision.ops import box_area, box_iou, clip_boxes_to_image

from astrocnn.functional import boxes as boxes_module
from astrocnn.functional.boxes import (
    box_centres,
    clip_boxes,
    from_centres,
    kept_by_distance,
    labels_of_boxes,
    paired_iou,
    seen_share,
    visible_fraction,
)


def draw(n=200, low=-5.0, high=25.0):
    generator = torch.Generator().manual_seed(0)
    ends = low + (high - low) * torch.rand(2, n, 2, generator=generator, dtype=torch.double)
    return torch.cat([ends.amin(0), ends.amax(0)], -1)


def test_centres_and_back():
    centre, sizes = box_centres(torch.tensor([-0.5, 1.5, 3.5, 2.5]))
    assert centre.tolist() == [1.5, 2.0]
    assert sizes.tolist() == [4.0, 1.0]
    torch.testing.assert_close(from_centres(*box_centres(draw())), draw())


def test_the_share_of_a_box_that_is_seen_is_counted_pixel_by_pixel():
    generator = torch.Generator().manual_seed(1)
    known = torch.rand(2, 20, 24, generator=generator) < 0.6
    boxes = torch.stack([draw(60), draw(60) + 3.3])
    boxes[0, 5] = torch.nan
    share = seen_share(boxes, known)
    y, x = torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")
    for image, number in np.ndindex(2, 60):
        x0, y0, x1, y1 = boxes[image, number].tolist()
        if np.isnan(x0):
            assert share[image, number].isnan()
            continue
        own = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        if x1 - x0 > 1 and y1 - y0 > 1:
            expected = known[image][own].double().mean() if own.any() else torch.zeros(())
            assert share[image, number].item() == pytest.approx(expected.item(), abs=1e-6)


def test_a_box_within_a_pixel_sees_that_pixel():
    known = torch.zeros(1, 4, 4, dtype=torch.bool)
    known[0, 2, 1] = True
    boxes = torch.tensor([[[0.6, 1.7, 0.9, 1.9], [1.6, 1.7, 1.9, 1.9], [8.0, 8.0, 9.0, 9.0]]])
    assert seen_share(boxes, known).tolist() == [[1.0, 0.0, 0.0]]


def test_iou_is_that_of_torchvision():
    boxes = draw()
    others = boxes.roll(1, 0)
    expected = box_iou(boxes, others).diagonal()
    assert (expected == 0).any()
    assert (expected > 0.3).any()
    torch.testing.assert_close(paired_iou(boxes, others), expected)


def test_iou_of_no_area_is_none():
    point = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    assert paired_iou(point, point).tolist() == [0.0]
    turned = torch.tensor([[3.0, 3.0, 1.0, 1.0]])  # of negative sides
    assert paired_iou(turned, torch.tensor([[0.0, 0.0, 4.0, 4.0]])).tolist() == [0.0]


def test_frames_cut_as_torchvisions_do():
    boxes, shape = draw(), (12, 17)
    clipped = clip_boxes_to_image(boxes + 0.5, shape) - 0.5  # its first pixel begins at 0
    torch.testing.assert_close(clip_boxes(boxes, shape), clipped)
    share = visible_fraction(boxes, shape)
    torch.testing.assert_close(share, box_area(clipped) / box_area(boxes))
    assert (share == 0).any()
    assert (share == 1).any()
    hand = torch.tensor([[-2.5, -0.5, 1.5, 3.5], [torch.nan] * 4])
    assert visible_fraction(hand, shape)[0] == 0.5
    assert visible_fraction(hand, shape)[1].isnan()


def one_by_one(centres, scores, radius):
    """The best of all that are left, again and again."""
    left, kept = list(range(len(scores))), []
    while left:
        best = max(left, key=lambda row: (scores[row], -row))
        kept.append(best)
        left = [
            row for row in left if row != best and np.hypot(*(centres[row] - centres[best])) >= radius[best]
        ]
    return kept


@pytest.mark.parametrize("seed", range(6))
def test_detections_are_kept_as_by_a_loop(seed):
    rng = np.random.default_rng(seed)
    n = 120
    centres = rng.uniform(0, 20, (n, 2)).round(1)
    scores = rng.integers(0, 30, n) / 30  # many are equal
    radius = rng.uniform(0.5, 4.0, n) if seed % 2 else np.full(n, 2.0)
    kept = kept_by_distance(centres, scores, radius if seed % 2 else 2.0)
    assert kept.tolist() == one_by_one(centres, scores, radius)
    assert 1 < len(kept) < n


def test_what_is_dropped_drops_nothing():
    kept = kept_by_distance(np.array([[0.0, 0], [1.5, 0], [3.0, 0]]), np.array([0.9, 0.8, 0.7]), 2.0)
    assert kept.tolist() == [0, 2]


def test_exactly_a_radius_apart_is_apart():
    assert kept_by_distance(np.array([[0.0, 0], [2.0, 0]]), np.array([0.1, 0.9]), 2.0).tolist() == [1, 0]
    three = np.array([[0.0, 0], [2.0, 0], [2.5, 0]])
    assert kept_by_distance(three, np.array([0.2, 0.9, 0.1]), 2.0).tolist() == [1, 0]


def test_of_equal_scores_the_first_stays():
    centres = np.zeros((4, 2))
    assert kept_by_distance(centres, np.full(4, 0.5), 1.0).tolist() == [0]
    assert kept_by_distance(centres, np.array([0.5, 0.7, 0.7, 0.6]), 1.0).tolist() == [1]
    assert kept_by_distance(centres, np.full(4, 0.5), 0.0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("width", [1024.0, 30.0, 1.0])
def test_twenty_thousand_detections_are_thinned_at_once(width):
    """Spread over an image, crowded, and all in one place, where pairs would be 200 million; many scores are equal."""
    rng = np.random.default_rng(0)
    centres, scores = rng.uniform(0, width, (20_000, 2)), rng.integers(0, 10, 20_000) / 10
    radius = np.where(rng.random(20_000) < 0.5, 2.0, 3.0)
    start = time.process_time()
    kept = kept_by_distance(centres, scores, radius)
    assert time.process_time() - start < 2.0
    tracemalloc.start()
    kept_by_distance(centres, scores, radius)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    own = set(kept.tolist())
    # what is kept is known by two facts: none of it lies within the radius of a better one, and all else does
    near = cKDTree(centres[kept]).query_ball_point(centres, 3.0)
    for row, others in enumerate(near):
        better = kept[others]
        better = better[(scores[better] > scores[row]) | ((scores[better] == scores[row]) & (better < row))]
        covered = (np.hypot(*(centres[better] - centres[row]).T) < radius[better]).any()
        assert covered != (row in own)


def test_none_are_none():
    assert kept_by_distance(np.empty((0, 2)), np.empty(0), 2.0).tolist() == []
    assert kept_by_distance(np.empty((0, 2)), np.empty(0), np.empty(0)).tolist() == []


def test_ellipses_fill_their_boxes():
    boxes = np.array([[-0.5, -0.5, 2.5, 2.5], [3.5, 0.5, 4.5, 1.5], [1.5, 3.5, 6.5, 4.5]])
    expected = [
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 2, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 3, 3, 3, 3, 3],
    ]
    assert labels_of_boxes(boxes, (5, 7)).tolist() == expected


def test_corners_of_a_box_are_not_in_its_ellipse():
    labels = labels_of_boxes(np.array([[-0.5, -0.5, 8.5, 8.5]]), (9, 9))
    y, x = np.mgrid[:9, :9]
    np.testing.assert_array_equal(labels, (np.hypot(x - 4, y - 4) <= 4.5).astype(int))


def test_shared_pixels_go_to_the_object_they_are_deeper_in():
    wide, small = [-0.5, -0.5, 10.5, 10.5], [6.5, 4.5, 9.5, 7.5]
    labels = labels_of_boxes(np.array([wide, small]), (11, 11))
    for y, x in np.ndindex(11, 11):
        of_wide, of_small = np.hypot(x - 5, y - 5) / 5.5, np.hypot(x - 8, y - 6) / 1.5
        expected = 0 if min(of_wide, of_small) > 1 else 1 if of_wide < of_small else 2
        assert labels[y, x] == expected
    swapped = labels_of_boxes(np.array([small, wide]), (11, 11))
    np.testing.assert_array_equal(swapped, np.array([0, 2, 1])[labels])


def test_a_small_object_on_a_large_ones_side_has_its_centre():
    wide = [-0.5, -0.5, 10.5, 10.5]
    labels = labels_of_boxes(np.array([wide, [7.0, 7.1, 7.3, 7.2]]), (11, 11))
    assert np.argwhere(labels == 2).tolist() == [[7, 7]]
    labels = labels_of_boxes(np.array([wide, [5.3, 5.2, 5.6, 5.5]]), (11, 11))
    assert labels[5, 5] == 1  # both are centred there: the first


def test_beyond_the_frame_there_is_nothing():
    boxes = np.array([[-9.0, -9.0, -5.0, -5.0], [20.0, 2.0, 25.0, 4.0]])
    assert labels_of_boxes(boxes, (6, 8)).max() == 0
    assert labels_of_boxes(np.empty((0, 4)), (6, 8)).shape == (6, 8)


def test_of_many_boxes_each_pixel_goes_to_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """By all distances, in half axes, of all pixels; of equal ones the first, in however many portions."""
    rng = np.random.default_rng(2)
    centre, half = rng.uniform(-5, 65, (120, 2)), rng.uniform(0.6, 8, (120, 2))
    boxes = np.concatenate([centre - half, centre + half], 1)
    boxes[60:70] = boxes[:10]
    y, x = np.indices((50, 60))
    away = np.stack(
        [
            ((y - b) / h) ** 2 + ((x - a) / w) ** 2
            for (a, b), (w, h) in zip(
                (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2, strict=True
            )
        ]
    )
    for n, (a, b) in enumerate(np.rint((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int)):
        if 0 <= a < 60 and 0 <= b < 50:
            away[n, b, a] = min(away[n, b, a], 1e-3)
    expected = np.where(away.min(0) <= 1, away.astype(np.float32).argmin(0) + 1, 0)
    for at_once in (boxes_module.PIXELS_AT_ONCE, 300, 1):
        monkeypatch.setattr(boxes_module, "PIXELS_AT_ONCE", at_once)
        np.testing.assert_array_equal(labels_of_boxes(boxes, (50, 60)), expected)
