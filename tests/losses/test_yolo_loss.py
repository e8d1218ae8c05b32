"""The five terms of YOLO's loss, each worked out by hand on a grid of 2 × 2 cells with 2 boxes and 3 classes."""

import pytest
import torch

from astrocnn.functional.yolo import yolo_boxes, yolo_cells
from astrocnn.losses.yolo import YoloLoss

SIZE, K = (16, 8), 3  # rows and columns of the image: cells of 8 × 4 pixels
NO_BOX = [torch.nan] * 4


def grid(cells=(), n=1):
    """Raw outputs that are 0 but for ``cells``: image, row, column, classes (3), and each box (x, y, √w, √h, c)."""
    raw = torch.zeros(n, K + 10, 2, 2)
    for image, row, column, classes, *boxes in cells:
        raw[image, :, row, column] = torch.tensor([*classes, *boxes[0], *boxes[1]])
    return raw


def terms(raw, boxes, labels, **options):
    found = YoloLoss(**options)(
        raw, torch.tensor([boxes]), torch.tensor([labels]), image_size=SIZE, n_classes=K, stride=1
    )
    return {name: value.item() for name, value in found.items()}


# in the lower left cell, centred a quarter of it from the left and in the middle: half as wide and a quarter as high as
# the image
OBJECT = [-1.5, 9.5, 2.5, 13.5]
EXACT = (0.25, 0.5, 0.5**0.5, 0.5, 0.0)
HALF = (0.25, 0.5, 0.5**0.5, 0.125**0.5, 0.0)  # half as high: IoU 1/2


def test_boxes_are_read_cell_by_cell():
    boxes, confidence = yolo_boxes(
        grid([(0, 1, 0, (0, 0, 0), EXACT, (0.25, 0.5, 0.0, 0.0, 0.7))]), image_size=SIZE, n_classes=K
    )
    assert boxes.shape == (1, 2, 2, 2, 4)
    torch.testing.assert_close(boxes[0, 1, 0, 0], torch.tensor(OBJECT))
    torch.testing.assert_close(boxes[0, 1, 0, 1], torch.tensor([0.5, 11.5, 0.5, 11.5]))
    assert confidence[0, 1, 0].tolist() == pytest.approx([0, 0.7])


def test_scores_are_confidence_times_class():
    raw = grid([(0, 0, 1, (0.6, 0.2, -0.1), (0, 0, 0, 0, 0.5), (0, 0, 0, 0, 1.9))])
    score, _, p_class = yolo_cells(raw, image_size=SIZE, n_classes=K)
    assert score[0, 0, 1].tolist() == pytest.approx([0.3, 1.0])
    assert p_class[0, 0, 1, 0].tolist() == pytest.approx([0.75, 0.25, 0.0])
    alone, _, _ = yolo_cells(raw[:, 2:], image_size=SIZE, n_classes=1)
    assert alone[0, 0, 1].tolist() == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize("swapped", [False, True])
def test_the_box_of_the_greatest_overlap_is_responsible(swapped):
    """Its confidence is to be its IoU; the other's is to be 0, at the lesser weight."""
    pair = [(*EXACT[:4], 0.6), (*HALF[:4], 0.8)]
    raw = grid([(0, 1, 0, (0, 1, 0), *pair[:: -1 if swapped else 1])])
    found = terms(raw, [OBJECT, NO_BOX], [1, -1])
    assert found["confidence"] == pytest.approx((1 - 0.6) ** 2)
    assert found["empty"] == pytest.approx(0.5 * 0.8**2)
    assert found["centres"] == pytest.approx(0)
    assert found["sizes"] == pytest.approx(0)
    assert found["classes"] == pytest.approx(0)


def test_confidence_is_to_be_the_overlap():
    raw = grid([(0, 1, 0, (0, 0, 0), (*HALF[:4], 0.9), (0.0, 0.0, 0.1, 0.1, 0.0))])
    assert terms(raw, [OBJECT], [0])["confidence"] == pytest.approx((0.9 - 0.5) ** 2)


def test_centres_and_square_roots_of_sizes():
    raw = grid([(0, 1, 0, (0, 0, 0), (0.35, 0.3, 0.6, 0.4, 0.0), (0, 0, 0, 0, 0))])
    found = terms(raw, [OBJECT], [0])
    assert found["centres"] == pytest.approx(5 * (0.1**2 + 0.2**2))
    assert found["sizes"] == pytest.approx(5 * ((0.6 - 0.5**0.5) ** 2 + (0.4 - 0.5) ** 2))


def test_classes_are_squares_of_the_whole_vector():
    raw = grid([(0, 1, 0, (0.2, 0.7, -0.1), EXACT, HALF), (0, 0, 0, (5, 5, 5), (0,) * 5, (0,) * 5)])
    assert terms(raw, [OBJECT], [1])["classes"] == pytest.approx(0.2**2 + 0.3**2 + 0.1**2)


def test_the_factors_are_those_of_the_terms():
    raw = grid([(0, 1, 0, (0, 0, 0), (0.35, 0.3, 0.6, 0.4, 0.2), (0, 0, 0, 0, 0.3))])
    one, other = (terms(raw, [OBJECT], [0], coord=c, noobj=e) for c, e in ((1.0, 1.0), (3.0, 7.0)))
    factors = {"centres": 3, "sizes": 3, "confidence": 1, "empty": 7, "classes": 1}
    assert set(one) == set(factors)
    for name, factor in factors.items():
        assert one[name] > 0
        assert other[name] == pytest.approx(factor * one[name])


def test_an_image_without_objects_is_to_be_empty():
    raw = torch.randn(1, K + 10, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for boxes in (torch.empty(1, 0, 4), torch.tensor([[NO_BOX]])):
        found = YoloLoss()(
            raw, boxes, torch.full(boxes.shape[:2], -1), image_size=SIZE, n_classes=K, stride=1
        )
        said = raw[:, [K + 4, K + 9]].square().sum()
        torch.testing.assert_close(found.pop("empty"), 0.5 * said)
        assert all(value == 0 for value in found.values())
    (0.5 * said).backward()
    assert raw.grad.isfinite().all()


def test_a_cell_of_an_object_that_does_not_count_is_not_held_empty():
    """Nothing at all is asked of its boxes; those of the other cells are to be empty."""
    raw = torch.randn(1, K + 10, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = YoloLoss()(
        raw, torch.tensor([[OBJECT]]), torch.tensor([[-1]]), image_size=SIZE, n_classes=K, stride=1
    )
    confidence = raw[0, [K + 4, K + 9]].clone()
    expected = 0.5 * (confidence.square().sum() - confidence[:, 1, 0].square().sum())
    torch.testing.assert_close(found["empty"], expected)
    sum(found.values()).backward()
    assert (raw.grad[0, :, 1, 0] == 0).all()
    assert (raw.grad[0, [K + 4, K + 9]] != 0).sum() == 6


def test_two_objects_in_a_cell_take_its_two_boxes():
    other = [
        -0.5,
        8.5,
        0.5,
        10.5,
    ]  # centre (0, 9.5): 1/8 and 1/4 of the cell; 1/8 of the width and of the height
    near = (0.125, 0.25, 0.125**0.5, 0.125**0.5, 0.3)
    raw = grid([(0, 1, 0, (0, 0, 0), near, (*EXACT[:4], 0.6))])
    found = terms(raw, [OBJECT, other], [2, 0])
    assert found["confidence"] == pytest.approx((1 - 0.3) ** 2 + (1 - 0.6) ** 2)
    assert found["centres"] == pytest.approx(0)
    assert found["sizes"] == pytest.approx(0)
    assert found["empty"] == 0
    assert found["classes"] == pytest.approx(1)  # of the first object alone
    classes = grid([(0, 1, 0, (0, 0, 1), near, EXACT)])
    assert terms(classes, [OBJECT, other], [2, 0])["classes"] == 0
    assert terms(classes, [other, OBJECT], [0, 2])["classes"] == 2


def test_a_third_object_in_a_cell_finds_no_box():
    raw = grid([(0, 1, 0, (0, 0, 1), EXACT, HALF)])
    two, three = (terms(raw, [OBJECT] * n, [2] * n) for n in (2, 3))
    assert two == three


def test_the_second_object_does_not_take_the_box_of_the_first():
    """Though it overlaps it most as well."""
    raw = grid([(0, 1, 0, (0, 0, 1), (*EXACT[:4], 1.0), (*HALF[:4], 0.5))])
    found = terms(raw, [OBJECT, OBJECT], [2, 2])
    assert found["confidence"] == pytest.approx(0, abs=1e-9)
    assert found["sizes"] == pytest.approx(5 * (0.5 - 0.125**0.5) ** 2)


def test_terms_are_means_over_the_images():
    cell = (1, 0, (0.2, 0.7, -0.1), (0.35, 0.3, 0.6, 0.4, 0.2), (0, 0, 0, 0, 0.3))
    both = YoloLoss()(
        grid([(0, *cell), (1, *cell)], n=2), torch.tensor([[OBJECT], [NO_BOX]]), torch.tensor([[1], [-1]]),
        image_size=SIZE, n_classes=K, stride=1,
    )  # fmt: skip
    one, none = (terms(grid([(0, *cell)]), [box], [label]) for box, label in ((OBJECT, 1), (NO_BOX, -1)))
    for name, value in both.items():
        assert value.item() == pytest.approx((one[name] + none[name]) / 2)


def test_one_class_has_no_term_of_classes():
    raw = torch.zeros(1, 1 + 10, 2, 2)
    found = YoloLoss()(
        raw, torch.tensor([[OBJECT]]), torch.tensor([[0]]), image_size=SIZE, n_classes=1, stride=1
    )
    assert found["classes"] == 0


def test_no_gradient_goes_through_the_overlap():
    """The confidence is drawn to the IoU; the box is not drawn to the confidence."""
    raw = grid([(0, 1, 0, (0, 0, 0), (*HALF[:4], 0.9), (0, 0, 0, 0, 0))]).requires_grad_()
    found = YoloLoss()(
        raw, torch.tensor([[OBJECT]]), torch.tensor([[0]]), image_size=SIZE, n_classes=K, stride=1
    )
    found["confidence"].backward()
    moved = raw.grad.nonzero().tolist()
    assert moved == [[0, K + 4, 1, 0]]


def test_descent_finds_the_objects():
    objects, labels = torch.tensor([[OBJECT, [4.0, 1.0, 7.0, 6.0]]]), torch.tensor([[1, 2]])
    raw = (0.5 * torch.rand(1, K + 10, 2, 2, generator=torch.Generator().manual_seed(0))).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        sum(YoloLoss()(raw, objects, labels, image_size=SIZE, n_classes=K, stride=1).values()).backward()
        optimizer.step()
    score, boxes, p_class = yolo_cells(raw.detach(), image_size=SIZE, n_classes=K)
    best = score.flatten().topk(2).indices
    assert (score.flatten() > 0.5).sum() == 2
    found = boxes.flatten(0, -2)[best]
    order = found[:, 0].argsort()
    torch.testing.assert_close(found[order], objects[0], atol=0.05, rtol=0)
    assert p_class.flatten(0, -2)[best][order].argmax(-1).tolist() == [1, 2]
