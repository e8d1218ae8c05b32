"""The metrics give over batches and processes what their functions give over all objects at once."""

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss
from torchmetrics import MetricCollection

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.ranking import tpr0, tpr10, tpr_at_fpr
from astrocnn.metrics.probabilities import BrierScore, ExpectedCalibrationError
from astrocnn.metrics.ranking import TPRAtFPR, TPRBefore


def draw(n=400, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=generator)
    p = torch.sigmoid(2 * y - 1 + torch.randn(n, generator=generator)).mul(50).round().div(50)  # ties
    return p, y


def metrics():
    return MetricCollection(
        {
            "tpr0": TPRBefore(),
            "tpr10": TPRBefore(false_positives=10),
            "tpr_at_fpr": TPRAtFPR(fpr=0.05),
            "brier": BrierScore(),
            "ece": ExpectedCalibrationError(n_bins=10),
        }
    )


def expected(p, y):
    p, y = p.numpy().astype(float), y.numpy()
    bins = np.minimum((p * 10 + 1e-6).astype(int), 9)
    gaps = [abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return {
        "tpr0": tpr0(p, y),
        "tpr10": tpr10(p, y),
        "tpr_at_fpr": tpr_at_fpr(p, y, fpr=0.05),
        "brier": brier_score_loss(y, p),
        "ece": sum(gaps),
    }


def assert_equal(result, figures):
    assert {name: value.item() for name, value in result.items()} == pytest.approx(figures, abs=1e-6)


def test_batches_with_unlabelled_objects():
    p, y = draw()
    collection = metrics()
    for some_p, some_y in zip(p.split(64), y.split(64), strict=True):
        collection.update(torch.cat([some_p, torch.rand(3)]), torch.cat([some_y, torch.full((3,), -1)]))
    assert_equal(collection.compute(), expected(p, y))
    collection.reset()
    p, y = draw(seed=1)
    collection.update(p.bfloat16().float(), y)
    assert_equal(collection.compute(), expected(p.bfloat16().float(), y))


def _process(rank, address, queue):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    p, y = draw()
    share = slice(0, 150) if rank == 0 else slice(150, None)
    collection = metrics()
    collection.update(p[share], y[share])
    queue.put({name: value.item() for name, value in collection.compute().items()})
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    torch.multiprocessing.spawn(_process, args=(f"file://{tmp_path}/meet", queue), nprocs=2)
    for _ in range(2):
        assert queue.get() == pytest.approx(expected(*draw()), abs=1e-6)


def test_merged_states():
    p, y = draw()
    one, other = TPRBefore(false_positives=10), TPRBefore(false_positives=10)
    one.update(p[:150], y[:150])
    other.update(p[150:], y[150:])
    one.merge_state(other)
    assert one.compute().item() == pytest.approx(tpr10(p.numpy(), y.numpy()))


def test_joined_states_are_tensors():
    """After the processes' states are joined, torchmetrics leaves tensors where there were lists."""
    p, y = draw()
    metric = BrierScore()
    metric.update(p, y)
    metric.probabilities, metric.labels = p, y
    assert metric.compute().item() == pytest.approx(brier_score_loss(y, p.double()), abs=1e-6)


def test_many_classes():
    generator = torch.Generator().manual_seed(0)
    p = torch.softmax(torch.randn(50, 3, generator=generator, dtype=torch.float64), 1)
    y = torch.arange(50) % 3
    brier, ece = BrierScore(), ExpectedCalibrationError(n_bins=1)
    assert brier(p, y).item() == pytest.approx(brier_score_loss(y, p, scale_by_half=False), abs=1e-6)
    gap = p.max(1).values.mean() - (p.argmax(1) == y).float().mean()
    assert ece(p, y).item() == pytest.approx(gap.abs().item(), abs=1e-6)


def test_undefined_is_nan():
    for metric in (TPRBefore(), TPRAtFPR()):
        metric.update(torch.tensor([0.2, 0.3]), torch.tensor([1, 1]))
        assert metric.compute().isnan()
    for metric in metrics().values():
        metric.update(torch.tensor([0.2]), torch.tensor([-1]))
        assert metric.compute().isnan()


def test_nan_probabilities_are_an_error():
    metric = BrierScore()
    metric.update(torch.tensor([0.2, torch.nan]), torch.tensor([0, 1]))
    with pytest.raises(DataError, match="NaN"):
        metric.compute()


def test_bad_options():
    with pytest.raises(ConfigError, match="false_positives=0"):
        TPRBefore(false_positives=0)
    with pytest.raises(ConfigError, match=r"fpr=1\.5"):
        TPRAtFPR(fpr=1.5)
    with pytest.raises(ConfigError, match="n_bins=0"):
        ExpectedCalibrationError(n_bins=0)
