"""How segmentations are calibrated, measured and shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table, vstack
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.batch import Batch, DataSpec
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.functional.matching import match_instances
from astrocnn.functional.objects import measure_objects
from astrocnn.functional.segmentation import (
    PixelCounts,
    join_pixel_counts,
    join_summaries,
    pixel_counts,
    summarise_pixels,
)
from astrocnn.functional.source_matches import match_scenes
from astrocnn.functional.source_scores import summarise_objects
from astrocnn.inference.objects import instances_of
from astrocnn.networks.blocks import middle_of
from astrocnn.report.segmentation_page import write_segmentation_report
from astrocnn.report.segmentation_terminal import print_segmentation
from astrocnn.runtime.image_sky import sky_of_images
from astrocnn.runtime.judge import About, Judge, Judged, Predicted, store
from astrocnn.runtime.truth_objects import TrueObjects, magnitude
from astrocnn.tasks.segmentation import SegmentationTask, truth

__all__ = ["SegmentationJudge"]

CALIBRATION_PIXELS = 200_000
EXAMPLES = 6
RADIUS_ARCSEC, RADIUS_PIX = (
    0.8,
    3.0,
)  # at most so far from a true object is one found; in pixels without a scale


class SegmentationJudge(Judge):
    """Of the classes of pixels, and of the objects that they make up."""

    facts = ("classes",)
    task: SegmentationTask
    data: SegmentationMapDataModule

    @staticmethod
    def class_counts(data: ObjectDataModule, spec: DataSpec) -> NDArray[np.float64]:
        """(K,) number of training pixels of each class."""
        counts = np.zeros(len(spec.classes))
        for batch in data.loader(data.rows("train")):
            classes = batch["class_map"].masked_fill(~batch["valid"].any(1), -1)
            counts += np.bincount(classes[classes >= 0].numpy(), minlength=len(counts))[: len(counts)]
        return counts

    def calibrate(self, checkpoint: Path) -> dict[str, Predicted]:
        """Fit the calibration on pixels of the validation split and store it in the checkpoint."""
        logits, classes = [], []
        rows = self.data.rows("val")
        generator = torch.Generator().manual_seed(0)
        for batch, said in self.said(rows, "calibrating"):
            known = truth(batch, said["p"])[0].flatten().cpu()
            chosen = torch.randperm(len(known), generator=generator)
            chosen = chosen[known[chosen] >= 0][
                : max(1, CALIBRATION_PIXELS * len(batch["index"]) // len(rows))
            ]
            logits.append(said["logits"].movedim(1, -1).flatten(0, -2).cpu()[chosen])
            classes.append(known[chosen])
        self.task.calibration.fit(torch.cat(logits).numpy(), torch.cat(classes).numpy())
        store(self.task, checkpoint)
        return {}

    def measure(
        self,
        split: str,
        *,
        options: DictConfig,
        seed: int,
        said: Predicted | None = None,
        prevalence: Any = None,
    ) -> Judged:
        """Figures of the pixels and of the objects, and tables of both."""
        del said, prevalence
        rows = self.data.rows(split)
        levels = sky_of_images(self.data, rows, self.task.normalize)
        known = TrueObjects(self.data, levels)
        counts: list[PixelCounts] = []
        measured, true, scenes = [], [], []
        for batch, found in self.said(rows, f"predicting {split}"):
            class_map, instances = (of.cpu().numpy() for of in truth(batch, found["p"]))
            p = found["p"].cpu().numpy()
            for i, row in enumerate(batch["index"].tolist()):
                there = known.of(row, class_map[i], instances[i], batch, i)
                judged = there.scored_map(class_map[i], instances[i])
                counts.append(pixel_counts(p[i, None], judged[None], full_map=class_map[i, None]))
                labels = instances_of(found, i, batch, self.task)
                ours = self._measured(labels, batch, i, p[i], levels)
                if (instances[i] >= 0).any():
                    there.columns["iou"] = overlaps(labels, instances[i], there.columns)
                measured.append(ours)
                true.append(there.columns)
                scenes.append(row)
        pixels = summarise_pixels(
            join_pixel_counts(counts), self.task.classes, n_bootstrap=options.n_bootstrap, seed=seed
        )
        radius = matching_radius_pix(self.data.spec)
        objects = summarise_objects(
            measured,
            true,
            classes=self.task.classes,
            radius_pix=radius,
            n_bootstrap=options.n_bootstrap,
            seed=seed,
        )
        tables = {
            "sources": self._sources(measured, true, scenes, radius),
            "images": self._images(counts, scenes),
        }
        return Judged(join_summaries(pixels, objects), tables, shown=(counts, scenes))

    def _measured(
        self,
        labels: NDArray[np.int32],
        batch: Batch,
        i: int,
        p: NDArray[np.float32],
        levels: dict[str, NDArray[np.float64]],
    ) -> dict[str, NDArray[Any]]:
        """What is measured of the objects of one image over sky and noise, with their magnitude."""
        planes = {key: batch[key][i].cpu().numpy() for key in ("image", "valid", "variance") if key in batch}
        planes = {key: middle_of(of, labels.shape) for key, of in planes.items()}
        found = measure_objects(
            labels, planes["image"], planes["valid"], p, **levels, variance=planes.get("variance")
        )
        return found | {"mag": magnitude(found["flux"], self.data.spec)}

    def _sources(self, measured: list[Any], true: list[Any], scenes: list[int], radius_pix: float) -> Table:
        """One row an object that was found, with the row of ``objects`` that it is."""
        matched = match_scenes(measured, true, radius_pix=radius_pix)
        bands, ids = self.data.spec.bands, np.asarray(self.data.catalog["id"])
        parts = []
        for n, (found, row) in enumerate(zip(measured, scenes, strict=True)):
            table = Table({"id": np.full(len(found["x"]), ids[row])})
            for name in ("number", "x", "y", "x_err", "y_err", "snr", "area_pix", "mag"):
                table[name] = found[name]
            for b, band in enumerate(bands):
                table[f"flux_{band}"] = found["flux"][:, b]
            table["label"] = found["label"]
            for k in range(len(self.task.classes)):
                table[f"p_{k}"] = found["p_class"][:, k]
            mine = matched.found["scene"] == n
            partner = matched.found["partner"][mine]
            numbers = np.concatenate([each["number"] for each in true]) if len(true) else np.empty(0)
            table["true_number"] = np.where(partner >= 0, numbers[partner], -1)
            table["true_label"] = matched.found["truly"][mine]
            table["counts"] = matched.found["counts"][mine]
            table["split"] = np.full(len(table), str(self.data.catalog["split"][row]), dtype="U5")
            parts.append(table)
        everything = vstack(parts, metadata_conflicts="silent")
        everything.meta = {"CLASSES": ",".join(self.task.classes)}
        return everything

    def _images(self, counts: list[PixelCounts], scenes: list[int]) -> Table:
        """One row an image, with what its pixels say."""
        table = self.data.catalog[scenes]
        for name, values in per_image(join_pixel_counts(counts)).items():
            table[name] = values
        table.meta = {"CLASSES": ",".join(self.task.classes)}
        return table

    def show(self, path: Path, judged: Judged, about: About) -> None:
        """The page with curves and example images, and the short table."""
        examples = self._examples(*judged.shown)
        write_segmentation_report(path, examples=examples, classes=list(self.task.classes), **about.page)
        print_segmentation(about.metrics, path)

    def _examples(self, counts: list[PixelCounts], scenes: list[int]) -> list[dict[str, Any]]:
        """Pictures of the best, the worst and some images between, by how well source is told from background."""
        score = per_image(join_pixel_counts(counts))["foreground_iou"]
        order = np.argsort(-np.nan_to_num(score, nan=0.0), kind="stable")
        places = order[np.unique(np.linspace(0, len(order) - 1, EXAMPLES).round().astype(int))]
        rows = np.sort(np.array(scenes)[places])
        examples = []
        for batch, found in self.said(rows, "examples"):
            class_map, instances = (of.cpu().numpy() for of in truth(batch, found["p"]))
            for i, row in enumerate(batch["index"].tolist()):
                sides = class_map[i].shape
                examples.append(
                    {
                        "id": str(self.data.catalog["id"][row]),
                        "score": float(score[scenes.index(row)]),
                        "image": middle_of(batch["image"][i].cpu().numpy(), sides),
                        "valid": middle_of(batch["valid"][i].cpu().numpy(), sides),
                        "class_map": class_map[i],
                        "p": found["p"][i].cpu().numpy(),
                        "instances": instances[i],
                        "found": instances_of(found, i, batch, self.task),
                        "spread": found["spread"][i].cpu().numpy() if "spread" in found else None,
                    }
                )
        return sorted(examples, key=lambda example: -example["score"])


def matching_radius_pix(spec: DataSpec) -> float:
    """How far from a true object one that is found lies at most, in pixels."""
    return RADIUS_ARCSEC / (spec.pixel_scale_arcsec or RADIUS_ARCSEC / RADIUS_PIX)


def overlaps(
    labels: NDArray[np.int32], instances: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """Intersection over union of each true object with the one found that overlaps it, 0 without."""
    _, numbers, iou = match_instances(labels, instances)
    of = dict(zip(numbers.tolist(), iou.tolist(), strict=True))
    return np.array([of.get(number, 0.0) for number in columns["number"].tolist()])


def per_image(counts: PixelCounts) -> dict[str, NDArray[np.float64]]:
    """Figures (S,) of single images: how many pixels have a class, are right, and how well source is told."""
    n = counts.confusion.sum((1, 2))
    right = np.trace(counts.confusion, axis1=1, axis2=2)
    both = counts.foreground[:, 1, 1]
    either = counts.foreground.sum((1, 2)) - counts.foreground[:, 0, 0]
    with np.errstate(invalid="ignore"):
        return {"n_pixels": n, "accuracy": right / n, "foreground_iou": both / either}
