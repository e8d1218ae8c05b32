"""CrossEntropy against PyTorch's two cross-entropies and the formula written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from astrocnn.errors import ConfigError
from astrocnn.losses.cross_entropy import CrossEntropy


def draw(n_classes, n=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, n_classes, generator=generator)
    label = torch.randint(max(n_classes, 2), (n,), generator=generator)
    return logits, label


def by_hand(logits, label, class_weights, smoothing, weight):
    """Σ v ℓ / Σ v w[y] in float64, object by object."""
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    n_classes = logits.shape[1]
    total = share = 0.0
    for x, y, v in zip(logits.double().tolist(), label.tolist(), weight, strict=True):
        if y == -1:
            continue
        norm = math.log(sum(math.exp(value) for value in x))
        nll = [norm - value for value in x]
        smooth = sum(w * loss for w, loss in zip(class_weights, nll, strict=True)) / n_classes
        total += v * ((1 - smoothing) * class_weights[y] * nll[y] + smoothing * smooth)
        share += v * class_weights[y]
    return total / share


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", [None, [0.3, 2.5]])
def test_one_logit_is_the_softmax_of_zero_and_x(class_weights, smoothing):
    logits, label = draw(1)
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    weights = None if class_weights is None else torch.tensor(class_weights)
    expected = F.cross_entropy(two, label, weight=weights, label_smoothing=smoothing)
    loss = CrossEntropy(class_weights=class_weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, label), expected)


def test_binary_cross_entropy_with_logits():
    logits, label = draw(1)
    expected = F.binary_cross_entropy_with_logits(logits[:, 0], label.float())
    torch.testing.assert_close(CrossEntropy()(logits, label), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("class_weights", [None, [0.2, 1.0, 3.0, 0.0]])
def test_many_classes_with_ignored_labels(class_weights, smoothing):
    logits, label = draw(4)
    label[::5] = -1
    weights = None if class_weights is None else torch.tensor(class_weights)
    expected = F.cross_entropy(
        logits, label, weight=weights, label_smoothing=smoothing, ignore_index=-1, reduction="mean"
    )
    loss = CrossEntropy(class_weights=class_weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, label), expected)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_sample_weights(n_outputs):
    logits, label = draw(n_outputs)
    label[3] = -1
    class_weights = [0.5, 2.0, 1.0][: max(n_outputs, 2)]
    weight = torch.rand(len(label), generator=torch.Generator().manual_seed(1))
    loss = CrossEntropy(class_weights=class_weights, label_smoothing=0.1)(logits, label, weight)
    assert loss.item() == pytest.approx(by_hand(logits, label, class_weights, 0.1, weight.tolist()), rel=1e-5)


def test_weight_two_is_the_object_twice():
    logits, label = draw(3)
    weight = torch.ones(len(label))
    weight[7] = 2
    twice = CrossEntropy()(torch.cat([logits, logits[7:8]]), torch.cat([label, label[7:8]]))
    torch.testing.assert_close(CrossEntropy()(logits, label, weight), twice)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_nothing_labelled_gives_zero_with_a_gradient(n_outputs):
    logits = torch.randn(5, n_outputs, requires_grad=True)
    loss = CrossEntropy(class_weights=[1.0] * max(n_outputs, 2))(logits, torch.full((5,), -1))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_extreme_and_half_precision_logits():
    logits = torch.tensor([[300.0], [-300.0]], dtype=torch.bfloat16)
    loss = CrossEntropy()(logits, torch.tensor([0, 0]))
    assert loss.dtype == torch.float32
    assert loss.item() == 150.0
    loss = CrossEntropy()(torch.tensor([[1.0]], dtype=torch.bfloat16), torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log1p(math.e), rel=1e-6)  # bfloat16 itself knows three digits


def test_balanced_weights_count_every_class_the_same():
    logits, label = draw(3)
    weights = len(label) / (3 * torch.bincount(label, minlength=3))
    nll = F.cross_entropy(logits, label, reduction="none")
    of_classes = torch.stack([nll[label == k].mean() for k in range(3)])
    loss = CrossEntropy(class_weights=weights.tolist())
    torch.testing.assert_close(loss(logits, label), of_classes.mean())


def test_weights_follow_the_module_and_stay_out_of_the_checkpoint():
    loss = CrossEntropy(class_weights=[1.0, 3.0]).to("meta")
    assert loss.class_weights.device.type == "meta"
    assert not loss.state_dict()


def test_errors():
    logits, label = draw(3)
    with pytest.raises(ConfigError, match=r"labels \(B,\) and got \(64, 3\) and \(63,\)"):
        CrossEntropy()(logits, label[1:])
    with pytest.raises(ConfigError, match="has 2 numbers for 3 classes"):
        CrossEntropy(class_weights=[1, 2])(logits, label)
    with pytest.raises(ConfigError, match="labels from 0 to 7 do not fit 3 classes"):
        CrossEntropy()(logits, label.where(label != 2, 7))
    with pytest.raises(ConfigError, match=r"label_smoothing=1\.0"):
        CrossEntropy(label_smoothing=1.0)
    with pytest.raises(ConfigError, match="class_weights='balanced' must be one number"):
        CrossEntropy(class_weights="balanced")
    with pytest.raises(ConfigError, match="must be one number"):
        CrossEntropy(class_weights=[1.0, -1.0])
