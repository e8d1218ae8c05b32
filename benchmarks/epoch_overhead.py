"""Epoch time of our training beside a hand-written PyTorch loop: python benchmarks/epoch_overhead.py.

Both use the same tensors, network, normalisation, augmentation, optimiser, schedule and precision, epoch by epoch in
turns, so that whatever else the machine does falls on both.
"""

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Iterator

import pytorch_lightning as pl
import torch
from common import machine, print_table
from torch import Tensor

from astrocnn.callbacks.resume import ResumePoint
from astrocnn.losses.cross_entropy import CrossEntropy
from astrocnn.networks.resnet import ResNet
from astrocnn.runtime.train import precision_of
from astrocnn.tasks.classification import ClassificationTask
from astrocnn.tasks.schedules import one_cycle
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.normalize import Normalize

BATCH = 64


class Batches:
    """The same random batches for both, gathered from memory by a permutation of each epoch."""

    def __init__(self, n: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.image = torch.randn(n, 3, 64, 64, generator=generator)
        self.valid = torch.ones(n, 3, 64, 64, dtype=torch.bool)
        self.label = torch.arange(n) % 2

    def __len__(self) -> int:
        return len(self.label) // BATCH

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.randperm(len(self.label))[: len(self) * BATCH]
        for rows in order.view(-1, BATCH):
            yield {
                "image": self.image[rows],
                "valid": self.valid[rows],
                "label": self.label[rows],
                "index": rows,
            }


def task(batches: Batches) -> ClassificationTask:
    normalize = Normalize(n_bands=3)
    normalize.fit(batches.image[:256], batches.valid[:256])
    torch.manual_seed(0)
    return ClassificationTask(
        classes=["a", "b"], network=ResNet(depth=18, in_channels=3, n_outputs=1), loss=CrossEntropy(),
        normalize=normalize, augment=Augment(), optimizer=lambda p: torch.optim.AdamW(p, lr=1e-3), scheduler=one_cycle,
    )  # fmt: skip


def by_hand(batches: Batches, epochs: int, half: bool, device: str) -> Iterator[float]:
    """Seconds of each epoch of a plain loop."""
    made = task(batches)
    network = made.network.to(device, memory_format=torch.channels_last).train()
    normalize, augment = made.normalize.to(device), Augment()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=epochs * len(batches))
    for _ in range(epochs):
        start = time.perf_counter()
        for cpu_batch in batches:
            batch = {key: value.to(device) for key, value in cpu_batch.items()}
            batch = augment(batch, normalize.noise)
            image = normalize(batch["image"], batch["valid"]).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16, enabled=half):
                logits = network(image)
                target = batch["label"].float()
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.squeeze(1), target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        loss.item()  # waits for the device
        yield time.perf_counter() - start


class Turns(pl.Callback):
    """Times our epochs, and lets the other loop run one between them."""

    def __init__(self, other: Iterator[float]) -> None:
        self.other, self.ours, self.theirs = other, [], []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.theirs.append(next(self.other))
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.ours.append(time.perf_counter() - self.start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2048, help="images an epoch")
    parser.add_argument("--epochs", type=int, default=7)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = precision_of("auto", "auto")
    batches = Batches(options.n)
    turns = Turns(by_hand(batches, options.epochs, precision == "bf16-mixed", device))
    resume = ResumePoint(path="outputs/epoch_overhead/last.ckpt")
    trainer = pl.Trainer(
        accelerator="auto", devices=1, max_epochs=options.epochs, precision=precision, logger=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0, callbacks=[turns, resume],
        enable_checkpointing=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(task(batches), batches)
    ratios = [a / b for a, b in zip(turns.ours[1:], turns.theirs[1:], strict=True)]  # the first warms up
    print(f"{machine()}, {precision}, ResNet-18, {options.n} images of 3×64×64 an epoch\n")
    rows = [
        ["hand-written loop", f"{statistics.median(turns.theirs[1:]):.2f}", "1"],
        ["astrocnn", f"{statistics.median(turns.ours[1:]):.2f}",
         f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"],
    ]  # fmt: skip
    print_table(["loop", "seconds an epoch (median)", "ratio, epoch by epoch"], rows)


if __name__ == "__main__":
    main()
