"""The order of training is a function of (seed, epoch, position, rank) and of nothing else."""

from itertools import chain

import numpy as np
import pytest
import torch

from astrocnn.batch import Batch
from astrocnn.datamodules.loaders import EpochBatches, SequentialBatches
from astrocnn.errors import DataError

ROWS = np.arange(1000, 1107)


def read(rows: np.ndarray) -> Batch:
    return {"index": torch.from_numpy(rows), "image": torch.from_numpy(rows).float().view(-1, 1, 1, 1)}


def epoch(epoch: int = 3, first: int = 0, **options: object) -> list[list[int]]:
    given = {"batch_size": 10, "seed": 5, "position": lambda: (epoch, first), **options}
    return [batch["index"].tolist() for batch in EpochBatches(read, ROWS, **given)]  # type: ignore[arg-type]


def test_an_epoch_is_a_permutation_without_the_rest() -> None:
    batches = epoch()
    assert [len(batch) for batch in batches] == [10] * 10
    rows = list(chain.from_iterable(batches))
    assert len(set(rows)) == 100
    assert set(rows) <= set(ROWS.tolist())
    assert rows != sorted(rows)


def test_only_the_key_decides() -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002  (the point is that it does not matter)
    first = epoch()
    torch.manual_seed(2)
    assert epoch() == first
    assert epoch(epoch=4) != first
    assert epoch(seed=6) != first


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_resumed_epoch_goes_on_where_it_was(num_workers: int) -> None:
    assert epoch(first=7, num_workers=num_workers) == epoch()[7:]
    assert epoch(first=10, num_workers=num_workers) == []


def test_the_position_is_asked_at_the_first_batch() -> None:
    now = (0, 0)
    loader = EpochBatches(read, ROWS, batch_size=10, seed=5, position=lambda: now)
    batches = iter(loader)
    now = (3, 2)
    assert next(batches)["index"].tolist() == epoch()[2]


def test_workers_change_nothing_and_draw_nothing() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert epoch(num_workers=2) == epoch()
    assert torch.equal(torch.get_rng_state(), before)


def test_ranks_are_disjoint_and_share_the_epoch() -> None:
    world = 3
    parts = [epoch(rank=rank, world=world) for rank in range(world)]
    assert [len(part) for part in parts] == [3, 3, 3]
    rows = [row for part in parts for batch in part for row in batch]
    assert len(rows) == len(set(rows)) == 90
    # two ranks of half the batch see, step by step, what one rank sees
    halves = [epoch(rank=rank, world=2, batch_size=5) for rank in range(2)]
    assert [a + b for a, b in zip(*halves, strict=True)] == epoch()


def test_fewer_rows_than_a_batch() -> None:
    loader = EpochBatches(read, ROWS[:7], batch_size=64, seed=0, position=lambda: (0, 0), world=2)
    assert len(loader) == 1
    assert [len(batch["index"]) for batch in loader] == [3]
    with pytest.raises(DataError, match="2 training objects cannot be shared by 4 devices"):
        EpochBatches(read, ROWS[:2], batch_size=4, seed=0, position=lambda: (0, 0), world=4)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_sequential(num_workers: int) -> None:
    loader = SequentialBatches(read, ROWS, batch_size=25, num_workers=num_workers)
    batches = [batch["index"].tolist() for batch in loader]
    assert [len(batch) for batch in batches] == [25, 25, 25, 25, 7]
    assert len(loader) == 5
    assert list(chain.from_iterable(batches)) == ROWS.tolist()
