"""``scripts/inspect_data.py``: what will be trained on, in the terminal and as a page."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.batch import Batch, DataSpec
from astrocnn.datamodules.boxes import BoxDataModule
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datamodules.splits import SPLITS
from astrocnn.datamodules.targets import target_values
from astrocnn.errors import AstrocnnError, DataError
from astrocnn.functional.seeding import seed_of
from astrocnn.io.tables import write_table
from astrocnn.report.data_facts import measure
from astrocnn.report.data_page import write_data_page
from astrocnn.report.data_terminal import print_inspection
from astrocnn.report.inspection import Boxes, Inspection
from astrocnn.report.words import count, some
from astrocnn.runtime.build import build_data, choice, instantiated, plain, training_sample
from astrocnn.runtime.describe import split_record
from astrocnn.runtime.folder import command_line, versions

__all__ = ["inspect_data"]

MOST_OBJECTS = 4096  # that statistics of pixels are taken from
MOST_VALUES = 2**24  # that are held at once, which is 64 MiB of flux


def inspect_data(cfg: DictConfig) -> None:
    """Read, pack and measure the data of ``data=``, print the short tables and write the page.

    Raises:
        AstrocnnError: the data cannot be read. What only keeps them from being trained on is shown instead.
    """
    datamodule, spec = build_data(cfg)
    datamodule.prepare_data()
    datamodule.setup("predict")  # which warns of nothing: the page says it
    folder = Path(cfg.output)
    rows = sampled(len(datamodule.catalog), spec, cfg.seed)
    refusals = refused(datamodule)
    record = {} if refusals else split_record(datamodule)
    found = datamodule.duplicates
    duplicates = None if found is None else found.table(datamodule.catalog)
    normalize = instantiated(cfg.normalize, f"normalize={choice('normalize')}")
    fitted_on = ""
    try:
        fitted_on = fitted(normalize, datamodule, rows, cfg.seed, trainable=not refusals)
    except AstrocnnError as error:
        refusals.append(str(error))
    normalise = normalize if fitted_on else None
    sample = datamodule.gather(rows)
    labels = np.asarray(datamodule.catalog["label"])[rows]
    by_class = len(spec.image_shape) == 1 and (labels >= 0).any()
    source, numbers, packed = datamodule.origin()
    files = list(dict.fromkeys(path for number in numbers for path in source.paths[number]))
    data = Inspection(
        title=f"{choice('data')}: what will be trained on",
        spec=spec,
        catalog=datamodule.catalog,
        skipped=datamodule.skipped,
        valid_fraction=datamodule.valid_fraction(np.arange(len(datamodule.catalog))),
        pixels=measure(
            sample,
            bands=spec.bands,
            normalise=normalise,
            labels=labels,
            n_classes=len(spec.classes) if by_class else 0,
        ),
        n_files=len(files),
        file_bytes=bytes_of(files),
        packed_bytes=bytes_of(packed.folder.iterdir()),
        refusals=refusals,
        split_rule=str(record.get("rule", "")),
        unsplit=record.get("none", {}).get("reasons", {}),
        duplicates=duplicates,
        duplicate_warning=datamodule.duplicate_warning(),
        targets=target_values(datamodule.catalog, datamodule.targets, source=datamodule.table),
        axis=source.axis,
        fitted_on=fitted_on,
        sky=level(normalise, "sky"),
        noise=level(normalise, "noise"),
        class_pixels=pixels_of_classes(sample, len(spec.classes)),
        boxes=boxes_of(datamodule),
    )
    page = write_data_page(
        folder / "data.html",
        data,
        read=datamodule.gather,
        normalise=normalise,
        truth=truth_of(datamodule),
        kind=datamodule.kind,
        run_info=information(cfg),
        seed=cfg.seed,
    )
    if len(datamodule.skipped):
        write_table(datamodule.skipped, folder / "skipped.csv")
    if duplicates is not None and len(duplicates):
        write_table(duplicates, folder / "duplicates.csv")
    print_inspection(data, page)


def sampled(n: int, spec: DataSpec, seed: int) -> NDArray[np.int64]:
    """Rows that statistics are taken from: at most 4,096, and fewer where objects are large."""
    most = min(MOST_OBJECTS, max(1, MOST_VALUES // int(np.prod(spec.image_shape))))
    return np.sort(np.random.default_rng(seed_of(seed, 3)).permutation(n)[:most])


def refused(datamodule: ObjectDataModule) -> list[str]:
    """Why these data could not be trained on, in the words of the training's own errors; nothing when they can."""
    reasons: dict[str, None] = {}
    for split in SPLITS:
        try:
            datamodule.rows(split)
        except DataError as error:
            reasons[str(error)] = None
    return list(reasons)


def fitted(
    normalize: Any, datamodule: ObjectDataModule, rows: NDArray[np.int64], seed: int, *, trainable: bool
) -> str:
    """Fit the normalisation as training would, or on the sample where there is no training split; say on what."""
    noun = "object" if datamodule.spec.box_values is None else "image"
    if trainable:
        sample = training_sample(datamodule, seed)
        normalize.fit(sample["image"], sample["valid"], bands=datamodule.spec.bands)
        return f"{count(len(sample['image']))} training {noun}s, as in training"
    sample = datamodule.gather(rows[:: -(-len(rows) // 1024)])
    normalize.fit(sample["image"], sample["valid"], bands=datamodule.spec.bands)
    return f"{some(len(sample['image']), noun)} of the whole set, which has no training split"


def level(normalise: Any, name: str) -> NDArray[np.float64] | None:
    """``sky`` or ``noise`` (C,) of a fitted normalisation, where it has it."""
    found = getattr(normalise, name, None)
    return None if found is None else found.numpy().astype(np.float64)


def pixels_of_classes(sample: Batch, n_classes: int) -> NDArray[np.int64] | None:
    """(K + 1,) pixels of each class of a sample's class maps, the last those of none or without data."""
    if "class_map" not in sample:
        return None
    classes = sample["class_map"].masked_fill(~sample["valid"].any(1), -1).numpy()
    return np.bincount(np.where(classes < 0, n_classes, classes).reshape(-1), minlength=n_classes + 1)


def boxes_of(datamodule: ObjectDataModule) -> Boxes | None:
    """The objects in all images; None of data without boxes."""
    if not isinstance(datamodule, BoxDataModule):
        return None
    objects = datamodule.reader.objects
    image = np.repeat(np.arange(len(objects.first) - 1), np.diff(objects.first))
    return Boxes(image, objects.labels[:-1].numpy(), objects.boxes[:-1].numpy())


def bytes_of(files: Any) -> int:
    """The size of these files together."""
    return sum(os.stat(file).st_size for file in files)


def truth_of(datamodule: ObjectDataModule) -> list[str]:
    """Columns of the truth that the evaluation asks for, which tell something of an object."""
    names = [*datamodule.strata, *(name for bounds in datamodule.selections.values() for name in bounds)]
    return list(dict.fromkeys(names))


def information(cfg: DictConfig) -> dict[str, Any]:
    """What the page was made with."""
    given = {key: value for key, value in plain(cfg.data).items() if value is not None and key != "_target_"}
    normalize = {key: value for key, value in plain(cfg.normalize).items() if key != "_target_"}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "Data": ", ".join(f"{key}={value}" for key, value in given.items()),
        "Normalisation": f"{choice('normalize')}: " + ", ".join(f"{k}={v}" for k, v in normalize.items()),
        "Seed": str(cfg.seed),
        "versions": {
            k: v for k, v in versions().items() if k in ("astrocnn", "astropy", "numpy", "torch", "python")
        },
    }
