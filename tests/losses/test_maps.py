"""Losses of maps against PyTorch, torchvision, torchmetrics and formulas written out pixel by pixel."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional.segmentation import dice_score
from torchvision.ops import sigmoid_focal_loss

from astrocnn.errors import ConfigError
from astrocnn.losses.cross_entropy import CrossEntropy
from astrocnn.losses.dice import Dice
from astrocnn.losses.focal import Focal
from astrocnn.losses.morpheus import Morpheus
from astrocnn.losses.pixel_cross_entropy import PixelCrossEntropy
from astrocnn.losses.weighted_sum import WeightedSum

SUM = {"cross_entropy": PixelCrossEntropy(), "dice": Dice()}
ALL = [PixelCrossEntropy(), Dice(), Focal(), Morpheus(), WeightedSum(SUM)]
NAMES = [type(loss).__name__ for loss in ALL]


def draw(n_classes=4, size=(6, 5), n=3, ignored=True):
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(n, n_classes, *size, generator=generator)
    label = torch.randint(n_classes, (n, *size), generator=generator)
    if ignored:
        label[:, ::2, ::3] = -1
    return logits, label


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("class_weights", [None, [0.2, 1.0, 3.0, 0.0]])
def test_cross_entropy_is_that_of_pytorch(class_weights, smoothing):
    logits, label = draw()
    weights = None if class_weights is None else torch.tensor(class_weights)
    expected = F.cross_entropy(logits, label, weight=weights, ignore_index=-1, label_smoothing=smoothing)
    loss = PixelCrossEntropy(class_weights=class_weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, label), expected)


def test_a_pixel_counts_as_an_object_of_its_image_weight():
    logits, label = draw()
    weight = torch.tensor([0.5, 2.0, 0.0])
    options = {"class_weights": [1.0, 2.0, 0.5, 0.1], "label_smoothing": 0.1}
    objects = CrossEntropy(**options)(
        logits.movedim(1, -1).flatten(0, -2), label.flatten(), weight.repeat_interleave(label[0].numel())
    )
    torch.testing.assert_close(PixelCrossEntropy(**options)(logits, label, weight), objects)


def test_dice_is_the_formula_summed_pixel_by_pixel():
    logits, label = draw(n_classes=3)
    weight = [1.0, 0.25, 2.0]
    p = torch.softmax(logits.double(), 1).tolist()
    losses = []
    for k in range(3):
        overlap = sizes = 0.0
        for b, image in enumerate(label.tolist()):
            for y, row in enumerate(image):
                for x, true in enumerate(row):
                    if true != -1:
                        overlap += weight[b] * p[b][k][y][x] * (true == k)
                        sizes += weight[b] * (p[b][k][y][x] ** 2 + (true == k))
        losses.append(1 - (2 * overlap + 1.5) / (sizes + 1.5))
    found = [
        Dice(background=background, smooth_pix=1.5)(logits, label, torch.tensor(weight))
        for background in (True, False)
    ]
    assert found[0].item() == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert found[1].item() == pytest.approx(sum(losses[1:]) / 2, rel=1e-5)


def test_dice_of_certain_predictions_is_that_of_torchmetrics():
    _, label = draw(n=1, ignored=False)
    _, predicted = draw(n=2, ignored=False)
    logits = 1000.0 * F.one_hot(predicted[1:], 4).movedim(-1, 1)
    expected = dice_score(
        predicted[1:], label, num_classes=4, average="macro", input_format="index", aggregation_level="global"
    )
    found = Dice(smooth_pix=1e-6)(logits, label)
    torch.testing.assert_close(1 - found, expected.squeeze(), rtol=1e-4, atol=1e-4)


def test_focal_loss_of_two_classes_is_that_of_torchvision():
    logits, label = draw(n_classes=2)
    known = label >= 0
    x = (logits[:, 1] - logits[:, 0])[known]
    y = label[known].float()
    for gamma in (0.0, 1.0, 2.0, 3.5):
        expected = sigmoid_focal_loss(x, y, alpha=-1, gamma=gamma).mean()
        torch.testing.assert_close(Focal(gamma=gamma)(logits, label), expected)
    share = torch.where(y == 1, 0.25, 0.75)
    expected = sigmoid_focal_loss(x, y, alpha=0.25, gamma=2.0, reduction="sum") / share.sum()
    torch.testing.assert_close(Focal(class_weights=[0.75, 0.25])(logits, label), expected)


def test_focal_loss_without_focus_is_cross_entropy():
    logits, label = draw()
    weight, class_weights = torch.tensor([0.5, 2.0, 1.0]), [1.0, 2.0, 0.5, 0.1]
    expected = PixelCrossEntropy(class_weights=class_weights)(logits, label, weight)
    found = Focal(gamma=0.0, class_weights=class_weights)(logits, label, weight)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_has_gradients_where_it_is_sure(gamma):
    logits = torch.tensor([200.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    Focal(gamma=gamma)(logits, torch.zeros(1, 1, 1, dtype=torch.int64)).backward()
    assert logits.grad.isfinite().all()


def test_morpheus_by_its_published_steps():
    """Soft labels that are one-hot, reduced as the paper's release does it, in numpy and float64."""
    logits, label = draw(n_classes=5, ignored=False)
    x = logits.double().numpy().transpose(0, 2, 3, 1)
    y = np.eye(5)[label.numpy()]
    log_p = x - np.log(np.exp(x).sum(-1, keepdims=True))
    entropy = -(y * log_p).sum(-1)
    dominant, p_dominant = y.argmax(-1), y.max(-1)
    of_class = [(dominant == k) for k in range(5)]
    coefficient = sum(member * (member * p_dominant).mean() for member in of_class)
    background = 1 / (1 + np.exp(-x[..., 0]))
    dice = 2 * (y[..., 0] * background).sum((1, 2)) / (y[..., 0] + background).sum((1, 2))
    expected = (entropy / coefficient).mean() + 1 - dice.mean()
    assert Morpheus()(logits, label).item() == pytest.approx(expected, rel=1e-5)


def test_a_sum_adds_its_losses_by_their_factors():
    logits, label = draw()
    parts = [loss(logits, label) for loss in SUM.values()]
    torch.testing.assert_close(WeightedSum(SUM)(logits, label), parts[0] + parts[1])
    half = WeightedSum(SUM, factors={"dice": 0.5})
    torch.testing.assert_close(half(logits, label), parts[0] + 0.5 * parts[1])


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_ignored_pixels_have_no_say_and_no_gradient(loss):
    logits, label = draw()
    other = torch.where((label < 0)[:, None], 7 * logits + 3, logits).requires_grad_()
    torch.testing.assert_close(loss(other, label), loss(logits, label))
    loss(other, label).backward()
    assert (other.grad.movedim(1, -1)[label < 0] == 0).all()
    assert (other.grad.movedim(1, -1)[label >= 0] != 0).any(-1).all()


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_an_image_of_weight_zero_and_one_without_labels_are_as_if_absent(loss):
    logits, label = draw()
    empty = label.clone()
    empty[1] = -1
    torch.testing.assert_close(loss(logits, empty), loss(logits[[0, 2]], label[[0, 2]]))
    if not isinstance(loss, Morpheus):  # its classes are balanced over all pixels of the batch
        weighted = loss(logits, label, torch.tensor([1.0, 0.0, 1.0]))
        torch.testing.assert_close(weighted, loss(logits[[0, 2]], label[[0, 2]]))


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_no_label_at_all_costs_nothing(loss):
    logits = draw()[0].requires_grad_()
    found = loss(logits, torch.full((3, 6, 5), -1))
    found.backward()
    assert found.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_the_truth_costs_least_and_descent_finds_it(loss):
    _, label = draw()
    logits = torch.zeros(3, 4, 6, 5, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.6)
    for _ in range(25):
        optimizer.zero_grad()
        loss(logits, label).backward()
        optimizer.step()
    assert (logits.argmax(1) == label)[label >= 0].all()
    assert loss(logits, label) < 0.1


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_volumes_and_half_precision(loss):
    logits, label = draw(size=(3, 4, 5))
    flat = loss(logits.flatten(2)[..., None], label.flatten(1)[..., None])
    torch.testing.assert_close(loss(logits, label), flat)
    assert loss(logits.bfloat16(), label).dtype == torch.float32
    assert math.isclose(loss(logits.bfloat16(), label), flat, rel_tol=0.02)


@pytest.mark.parametrize("loss", ALL, ids=NAMES)
def test_what_does_not_go_together_is_refused(loss):
    logits, label = draw()
    with pytest.raises(ConfigError, match=r"\(3, 4, 6, 5\) and \(3, 6, 4\)"):
        loss(logits, label[:, :, :4])
    with pytest.raises(ConfigError, match="labels from -1 to 4 do not fit 4 classes"):
        loss(logits, torch.where(label == 0, 4, label))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: PixelCrossEntropy(class_weights=[1.0, 2.0])(*draw()), "2 numbers for 4 classes"),
        (lambda: Focal(class_weights=[1.0, 2.0])(*draw()), "2 numbers for 4 classes"),
        (lambda: Focal(class_weights="balanced"), "one number per class"),
        (lambda: Focal(gamma=-1), "gamma=-1"),
        (lambda: Dice(smooth_pix=0), "smooth_pix=0"),
        (lambda: Morpheus(background=-1), "background=-1"),
        (lambda: Morpheus(background=4)(*draw()), "background=4"),
        (lambda: WeightedSum(SUM, factors={"dise": 1.0}), "dise"),
        (lambda: WeightedSum(SUM, factors={"dice": -1.0}), "at least 0"),
        (lambda: WeightedSum({}), "needs a loss"),
    ],
)
def test_options_that_cannot_work_are_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make()
