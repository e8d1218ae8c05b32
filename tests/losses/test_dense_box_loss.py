"""The loss of grids of boxes: each term against torchvision or the formula of its paper, cell by cell."""

import math

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import box_iou, complete_box_iou, sigmoid_focal_loss

from astrocnn.errors import ConfigError
from astrocnn.functional.dense_boxes import decode
from astrocnn.losses.dense_boxes import DenseBoxLoss

STRIDE, SHAPE, IMAGE, K, V = 4, (6, 8), (24, 32), 3, 2
NO_BOX = [torch.nan] * 4
# centres in the cells (1, 0), (2, 3), (5, 7)
BOXES = torch.tensor([[-0.5, 2.0, 3.5, 9.0], [9.0, 6.0, 18.0, 13.0], [25.0, 18.0, 32.0, 25.0]])
CELLS = [(1, 0), (2, 3), (5, 7)]
LABELS = torch.tensor([2, 0, 1])
VALUES = torch.tensor([[0.5, -1.0], [torch.nan, 2.0], [0.1, torch.nan]])


def draw(n=1, channels=5 + K + 2 * V, seed=0):
    return torch.randn(n, channels, *SHAPE, generator=torch.Generator().manual_seed(seed))


def terms(raw, boxes=BOXES, labels=LABELS, values=None, *, valid=None, n_classes=K, **options):
    return DenseBoxLoss(**options)(
        raw, boxes[None], labels[None], None if values is None else values[None],
        image_size=IMAGE, n_classes=n_classes, stride=STRIDE, valid=valid,
    )  # fmt: skip


def decoded(raw, row, column):
    """The box of one cell of the first image."""
    return decode(raw[:1, :, row, column], torch.tensor([row]), torch.tensor([column]), stride=STRIDE)[0]


def ciou(box, other):
    """Zheng et al. 2020, equations 5 to 10."""
    (x0, y0, x1, y1), (a0, b0, a1, b1) = box, other
    both = max(0, min(x1, a1) - max(x0, a0)) * max(0, min(y1, b1) - max(y0, b0))
    iou = both / ((x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - both)
    apart = ((x0 + x1 - a0 - a1) / 2) ** 2 + ((y0 + y1 - b0 - b1) / 2) ** 2
    diagonal = (max(x1, a1) - min(x0, a0)) ** 2 + (max(y1, b1) - min(y0, b0)) ** 2
    v = 4 / math.pi**2 * (math.atan((a1 - a0) / (b1 - b0)) - math.atan((x1 - x0) / (y1 - y0))) ** 2
    alpha = v / (1 - iou + v)
    return iou - apart / diagonal - alpha * v


def test_boxes_are_compared_by_complete_iou():
    raw = draw()
    said = torch.stack([decoded(raw, row, column) for row, column in CELLS])
    expected = 2.0 * sum(1 - ciou(a, b) for a, b in zip(said.tolist(), BOXES.tolist(), strict=True)) / 3
    found = terms(raw)["boxes"]
    assert found.item() == pytest.approx(expected, rel=1e-4)
    by_torchvision = 2.0 * (1 - complete_box_iou(said, BOXES).diagonal()).mean()
    torch.testing.assert_close(found, by_torchvision, rtol=1e-4, atol=1e-5)


def test_classes_are_cross_entropy_of_the_cells_with_objects():
    raw = draw()
    logits = torch.stack([raw[0, 5 : 5 + K, row, column] for row, column in CELLS])
    torch.testing.assert_close(terms(raw, class_weight=0.7)["classes"], 0.7 * F.cross_entropy(logits, LABELS))
    assert "classes" not in terms(raw, labels=torch.zeros(3, dtype=torch.int64), n_classes=1)


def test_values_are_gaussian_likelihoods_of_those_that_are_known():
    raw = draw()
    likelihood = []
    for (row, column), true in zip(CELLS, VALUES.tolist(), strict=True):
        for k, wanted in enumerate(true):
            if math.isfinite(wanted):
                mean, log_deviation = raw[0, 5 + K + k, row, column], raw[0, 5 + K + V + k, row, column]
                gaussian = torch.distributions.Normal(mean, log_deviation.exp())
                likelihood.append(gaussian.log_prob(torch.tensor(wanted)) + 0.5 * math.log(2 * math.pi))
    assert len(likelihood) == 4
    expected = -0.5 * torch.stack(likelihood).mean()
    torch.testing.assert_close(terms(raw, values=VALUES)["values"], expected)
    assert "values" not in terms(raw[:, : 5 + K])
    none = torch.full_like(VALUES, torch.nan)
    assert terms(raw, values=none)["values"] == 0


def test_centres_without_neighbours_are_the_focal_loss():
    raw = draw()
    truth = torch.zeros(SHAPE)
    for row, column in CELLS:
        truth[row, column] = 1
    for gamma in (0.0, 2.0):
        expected = sigmoid_focal_loss(raw[0, 0], truth, alpha=-1, gamma=gamma, reduction="sum") / 3
        torch.testing.assert_close(terms(raw, gamma=gamma, near=0.0)["objects"], expected)


def test_cells_next_to_a_centre_lose_weight():
    """Law & Deng 2018, equation 1, cell by cell."""
    raw = draw()
    expected = 0.0
    for row in range(SHAPE[0]):
        for column in range(SHAPE[1]):
            p = torch.sigmoid(raw[0, 0, row, column].double()).item()
            if (row, column) in CELLS:
                expected -= (1 - p) ** 2 * math.log(p)
                continue
            heat = 0.0
            for x0, y0, x1, y1 in BOXES.tolist():
                deviation = max(0.4 * 4, 0.3 * math.sqrt((x1 - x0) * (y1 - y0)))
                away = math.hypot(4 * column + 1.5 - (x0 + x1) / 2, 4 * row + 1.5 - (y0 + y1) / 2)
                heat = max(heat, math.exp(-0.5 * (away / deviation) ** 2))
            expected -= (1 - heat) ** 4 * p**2 * math.log(1 - p)
    assert terms(raw, share=0.3, least=0.4)["objects"].item() == pytest.approx(expected / 3, rel=1e-5)


def test_the_score_may_be_the_overlap():
    """Quality focal loss (Li et al. 2020, equation 3): the target is the IoU of the predicted box."""
    raw = draw()
    found = terms(raw, quality=True, near=0.0)["objects"] - terms(raw, quality=False, near=0.0)["objects"]
    expected = 0.0
    for (row, column), true in zip(CELLS, BOXES, strict=True):
        logit = raw[0, 0, row, column]
        target = box_iou(decoded(raw, row, column)[None], true[None])[0, 0]
        assert target > 0
        for sign, wanted in ((1, target), (-1, torch.ones(()))):
            each = F.binary_cross_entropy_with_logits(logit, wanted) * (wanted - logit.sigmoid()).abs() ** 2
            expected = expected + sign * each
    torch.testing.assert_close(found, expected / 3, rtol=1e-4, atol=1e-5)


def test_the_weights_are_those_of_their_terms():
    raw = draw()
    one = terms(raw, values=VALUES, box_weight=1.0, class_weight=1.0, value_weight=1.0)
    other = terms(raw, values=VALUES, box_weight=2.0, class_weight=3.0, value_weight=5.0)
    for name, factor in {"objects": 1, "boxes": 2, "classes": 3, "values": 5}.items():
        torch.testing.assert_close(other[name], factor * one[name])


def gradient(*args, **options):
    raw = draw().requires_grad_()
    sum(terms(raw, *args, **options).values()).backward()
    return raw.grad[0]


def test_objects_to_be_ignored_neither_reward_nor_penalise():
    """No gradient comes from a cell whose centre is in their box, and those outside are as without them."""
    ignored = torch.tensor([[20.0, 3.0, 30.5, 10.5]])  # cell centres 21.5, 25.5, 29.5 and 5.5, 9.5
    labels = torch.cat([LABELS, torch.tensor([-1])])
    found = gradient(torch.cat([BOXES, ignored]), labels, VALUES.new_zeros(4, V))
    alone = gradient(BOXES, LABELS, VALUES.new_zeros(3, V))
    inside = torch.zeros(SHAPE, dtype=torch.bool)
    inside[1:3, 5:8] = True
    assert (found[:, inside] == 0).all()
    assert (alone[0, inside] > 0).all()
    torch.testing.assert_close(found[:, ~inside], alone[:, ~inside])


def test_the_cell_of_an_ignored_point_is_not_held_empty():
    """Though the centre of the cell is beside so small a box."""
    faint = torch.tensor([[24.0, 4.0, 25.0, 5.0]])  # in the cell (1, 6), whose centre is (25.5, 5.5)
    found = gradient(torch.cat([BOXES, faint]), torch.cat([LABELS, torch.tensor([-1])]))
    assert (found[:, 1, 6] == 0).all()
    assert (found[0] != 0).sum() == SHAPE[0] * SHAPE[1] - 1


def test_an_object_within_an_ignored_one_is_to_be_found():
    halo = torch.tensor([[5.0, 3.0, 22.0, 16.0]])  # around the second object
    found = gradient(torch.cat([BOXES, halo]), torch.cat([LABELS, torch.tensor([-1])]))
    alone = gradient()
    torch.testing.assert_close(found[:, 2, 3], alone[:, 2, 3])
    assert found[0, 2, 3] < 0
    assert found[0, 2, 2] == 0


def test_cells_without_data_do_not_count():
    valid = torch.ones(1, 2, *IMAGE, dtype=torch.bool)
    valid[:, :, 4:8, 16:24] = False  # cells (1, 4) and (1, 5)
    valid[:, 0, 12:16] = False  # one band of two
    valid[:, :, 20:24, 1:4] = False  # three columns of four
    found, alone = gradient(valid=valid), gradient()
    assert (found[:, 1, 4:6] == 0).all()
    found[:, 1, 4:6] = alone[:, 1, 4:6]
    torch.testing.assert_close(found, alone)


def hidden(*parts):
    """What is valid of an image of which these rows and columns are a gap in all bands."""
    valid = torch.ones(1, 2, *IMAGE, dtype=torch.bool)
    for rows, columns in parts:
        valid[:, :, rows, columns] = False
    return valid


def test_an_object_in_a_gap_counts_in_no_term():
    """It is as if it were to be ignored: four fifths of the second box are hidden."""
    valid = hidden((slice(6, 14), slice(8, 17)))
    found = gradient(values=VALUES, valid=valid)
    labels = torch.where(torch.arange(3) == 1, -1, LABELS)
    torch.testing.assert_close(found, gradient(labels=labels, values=VALUES, valid=valid))
    assert (found[:, 2, 3] == 0).all()
    other = (
        terms(draw(), values=VALUES, valid=valid),
        terms(draw(), labels=labels, values=VALUES, valid=valid),
    )
    torch.testing.assert_close(*other)
    torch.testing.assert_close(  # less is asked for
        gradient(values=VALUES, valid=valid, visible=0.05)[:, 2, 3], gradient(values=VALUES)[:, 2, 3]
    )
    everything = hidden((slice(None), slice(None)))
    assert (gradient(values=VALUES, valid=everything, visible=0.0) == 0).all()


def test_an_object_whose_centre_is_masked_is_to_be_found():
    """A saturated core: no cell in its box is without a say, those of the mask beside the box are."""
    core = hidden((slice(8, 12), slice(12, 16)))  # the cell (2, 3)
    torch.testing.assert_close(gradient(values=VALUES, valid=core), gradient(values=VALUES))
    trail = hidden((slice(8, 12), slice(0, 32)))  # all of row 2
    found, alone = gradient(values=VALUES, valid=trail), gradient(values=VALUES)
    beside = torch.zeros(SHAPE, dtype=torch.bool)
    beside[2] = True
    beside[2, 2:5] = False  # cell centres 9.5, 13.5, 17.5 in columns 9 to 18
    assert (found[:, beside] == 0).all()
    torch.testing.assert_close(found[:, ~beside], alone[:, ~beside])


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.visible=1\.5 is no share; give a number from 0 to 1"):
        DenseBoxLoss(visible=1.5)


def test_sides_that_are_no_multiples_of_a_cell():
    raw = draw()
    valid = torch.ones(1, 1, 22, 29, dtype=torch.bool)
    torch.testing.assert_close(terms(raw, valid=valid), terms(raw))


@pytest.mark.parametrize("n", [0, 2])
def test_scenes_without_objects_have_a_loss(n):
    raw = draw(2, 5 + K + 2 * V).requires_grad_()
    found = DenseBoxLoss()(
        raw, torch.full((2, n, 4), torch.nan), torch.full((2, n), -1), torch.full((2, n, V), torch.nan),
        image_size=IMAGE, n_classes=K, stride=STRIDE,
    )  # fmt: skip
    assert all(value.isfinite() for value in found.values())
    expected = sigmoid_focal_loss(raw[:, 0], 0 * raw[:, 0], alpha=-1, gamma=2, reduction="sum")
    torch.testing.assert_close(found["objects"], expected)
    assert sum(found.values()) == found["objects"]
    sum(found.values()).backward()
    assert raw.grad.isfinite().all()
    assert (raw.grad[:, 0] > 0).all()


def test_scenes_are_joined_by_their_objects():
    """A mean over the objects of the batch: an image of no objects adds its background only."""
    raw = draw(2)
    boxes = torch.stack([BOXES, torch.full_like(BOXES, torch.nan)])
    labels = torch.stack([LABELS, torch.full_like(LABELS, -1)])
    both = DenseBoxLoss()(raw, boxes, labels, image_size=IMAGE, n_classes=K, stride=STRIDE)
    one = terms(raw[:1])
    empty = sigmoid_focal_loss(raw[1, 0], torch.zeros(SHAPE), alpha=-1, gamma=2, reduction="sum")
    torch.testing.assert_close(both["objects"], one["objects"] + empty / 3)
    for name in ("boxes", "classes"):
        torch.testing.assert_close(both[name], one[name])


def test_wild_outputs_stay_finite():
    for scale in (30.0, 1e4):
        raw = (scale * draw()).requires_grad_()
        loss = sum(terms(raw, values=VALUES).values())
        loss.backward()
        assert loss.isfinite()
        assert raw.grad.isfinite().all()


def test_descent_finds_the_objects():
    raw = (0.1 * draw()).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        sum(terms(raw, values=VALUES.nan_to_num(0.3)).values()).backward()
        optimizer.step()
    score = raw[0, 0].sigmoid()
    assert {tuple(cell) for cell in (score > 0.5).nonzero().tolist()} == set(CELLS)
    for (row, column), true, label in zip(CELLS, BOXES, LABELS, strict=True):
        torch.testing.assert_close(decoded(raw, row, column), true, atol=0.2, rtol=0)
        assert raw[0, 5 : 5 + K, row, column].argmax() == label
