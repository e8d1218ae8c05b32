"""What a run trains, validates and tests on: printed, and kept in the run's folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datamodules.splits import SPLITS
from astrocnn.errors import several
from astrocnn.io.tables import write_table

__all__ = ["count_parameters", "describe_data", "split_record"]


def count_parameters(network: nn.Module, freeze: Sequence[str] | None = None) -> dict[str, int]:
    """``n_parameters`` of a network, and ``n_trained``: those that training changes, parts that it shall
    ``freeze`` left out.
    """
    frozen = {id(of) for part in freeze or () for of in network.get_submodule(part).parameters()}
    of_all = list(network.parameters())
    return {
        "n_parameters": sum(of.numel() for of in of_all),
        "n_trained": sum(of.numel() for of in of_all if of.requires_grad and id(of) not in frozen),
    }


def split_record(datamodule: ObjectDataModule) -> dict[str, Any]:
    """By which rule the objects were split, and for each part its number of objects, share and classes; how many
    are in no part, and why; and how many stand more than once.

    Raises:
        DataError: the objects cannot be split, or a part is empty.
    """
    labels = np.asarray(datamodule.catalog["label"])
    rows = {part: datamodule.rows(part) for part in SPLITS}
    split = datamodule.parted
    assert split is not None
    record: dict[str, Any] = {"by": split.by, "rule": split.rule}
    for part, chosen in rows.items():
        record[part] = {
            "n": len(chosen),
            "share": round(len(chosen) / len(labels), 6),
            "classes": datamodule.class_counts(chosen),
        }
    n_none = len(labels) - sum(len(chosen) for chosen in rows.values())
    out = np.asarray(datamodule.catalog["split"]) == ""
    unlabelled = (labels < 0) & (not datamodule.spec.maps)
    what = "label" if (labels >= 0).any() else " and ".join([*datamodule.targets, *datamodule.spec.maps])
    reasons = {
        "overlap a cutout of another split": int(split.overlapping.sum()),
        "without position": int(split.unplaced.sum()),
        f"without {what}": int((out & unlabelled & ~split.overlapping & ~split.unplaced).sum()),
    }
    reasons["without a split in the table"] = n_none - sum(reasons.values())
    record["none"] = {
        "n": n_none,
        "share": round(n_none / len(labels), 6),
        "reasons": {reason: n for reason, n in reasons.items() if n},
    }
    if datamodule.duplicates is not None:
        record["duplicates"] = datamodule.duplicates.summary(datamodule.catalog)
    return record


def describe_data(datamodule: ObjectDataModule, folder: Path, shown: str) -> dict[str, Any]:
    """Print the record of the splits, list what was skipped and what stands more than once in ``folder`` (known to
    the user as ``shown``), and return the record.
    """
    record = split_record(datamodule)
    spec, n = datamodule.spec, len(datamodule.catalog)
    words = datamodule.origin()[0].words
    size = "×".join(map(str, spec.image_shape))
    print(f"data: {n} {words.several} of {size} {words.value}s, bands {' '.join(spec.bands)}")
    print(f"split {record['rule']}")
    for part in (*SPLITS, "none"):
        found = record[part]
        parts = [f"{name} {count}" for name, count in found.get("classes", {}).items()]
        parts += [f"{count} {reason}" for reason, count in found.get("reasons", {}).items()]
        if found["n"] or part != "none":
            told = f"  ({', '.join(parts)})" if parts else ""
            print(f"  {part:5s} {found['n']:6d}  {100 * found['share']:5.1f} %{told}")
    if len(datamodule.skipped):
        write_table(datamodule.skipped, folder / "skipped.csv")
        print(f"{several(len(datamodule.skipped), 'input')} skipped, listed in {shown}/skipped.csv")
    if datamodule.duplicates is not None and len(datamodule.duplicates.rows):
        write_table(datamodule.duplicates.table(datamodule.catalog), folder / "duplicates.csv")
        found = record["duplicates"]
        print(
            f"{found['rows']} rows are {found['objects']} objects; they are listed in {shown}/duplicates.csv"
        )
    if message := datamodule.duplicate_warning():
        print(f"warning: {message}", flush=True)
    return record
