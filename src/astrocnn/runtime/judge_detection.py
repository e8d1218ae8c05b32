"""How detections are measured and shown."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.batch import Batch, to_device
from astrocnn.datamodules.box_checks import flags, numbers
from astrocnn.datamodules.boxes import BoxDataModule
from astrocnn.functional.average_precision import average_precision
from astrocnn.functional.detections import Detections
from astrocnn.functional.objects import touching
from astrocnn.functional.source_matches import MatchedSources, match_scenes
from astrocnn.functional.source_scores import summarise_objects
from astrocnn.inference.detected import measure_detections
from astrocnn.progress import track
from astrocnn.report.detection_page import write_detection_report
from astrocnn.report.segmentation_terminal import print_segmentation
from astrocnn.runtime.coco import coco_averages
from astrocnn.runtime.image_sky import sky_of_images
from astrocnn.runtime.judge import About, Judge, Judged, Predicted
from astrocnn.runtime.judge_segmentation import matching_radius_pix, overlaps
from astrocnn.runtime.truth_objects import magnitude, reference_band
from astrocnn.tasks.detection import DetectionTask

__all__ = ["DetectionJudge", "true_objects"]

EXAMPLES = 6
SHOWN = 3000  # points of a plot
LOW_SCORE = 0.02  # from which on detections count for the average precision
KEPT = ("number", "mag", "snr", "blended")


class DetectionJudge(Judge):
    """Of the objects that were found: which, where, how large, of which class."""

    facts = ("classes", "box_values")
    task: DetectionTask
    data: BoxDataModule

    def measure(
        self,
        split: str,
        *,
        options: DictConfig,
        seed: int,
        said: Predicted | None = None,
        prevalence: Any = None,
    ) -> Judged:
        """Figures of the objects, and a table of them."""
        del said, prevalence
        rows = self.data.rows(split)
        loader = self.data.loader(rows)
        levels = sky_of_images(self.data, rows, self.task.normalize)
        measured, true, low, scenes = [], [], [], []
        for batch in track(loader, f"predicting {split}", total=len(loader)):
            moved = to_device(batch, str(self.task.device))
            for i, found in enumerate(self.task.detections(moved, threshold=LOW_SCORE)):
                row = int(batch["index"][i])
                low.append(replace(found, masks=None))  # of all images they would be too many
                ours, labels = self._measured(
                    found.where(found.scores >= self.task.threshold), batch, i, levels
                )
                there = true_objects(self.data, row)
                there["ignore"] = batch["box_labels"][i, : len(there["x"])].numpy() < 0  # or in a gap
                if "instances" in batch:
                    instances = batch["instances"][i].numpy()
                    there["iou"] = overlaps(labels, instances, there)
                    there.setdefault("blended", np.isin(there["number"], touching(instances)))
                measured.append(ours)
                true.append(there)
                scenes.append(row)
        radius = matching_radius_pix(self.data.spec)
        classes = ("background", *self.task.classes)
        summary = summarise_objects(
            measured, true, classes=classes, radius_pix=radius, n_bootstrap=options.n_bootstrap, seed=seed
        )
        curve = average_precision(low, true, radius_pix=radius)
        matched = match_scenes(measured, true, radius_pix=radius)
        summary |= {
            "n_scenes": len(scenes),
            "threshold": self.task.threshold,
            "average_precision": curve,
            "averages": {
                "ap_distance": curve["value"],
                **coco_averages(low, true, n_classes=len(self.task.classes)),
            },
            "per_image": {
                "found": np.bincount(
                    matched.found["scene"][matched.found["counts"]], minlength=len(scenes)
                ).tolist(),
                "true": np.bincount(
                    matched.true["scene"][~matched.true["ignore"]], minlength=len(scenes)
                ).tolist(),
            },
            "values": self._values(matched, measured, true),
        }
        return Judged(
            summary,
            {"sources": self._sources(measured, true, scenes, radius)},
            shown=(measured, true, scenes),
        )

    def _values(self, matched: MatchedSources, measured: list[Any], true: list[Any]) -> dict[str, Any]:
        """Predicted and true values of the objects found, by name; none of those of which no true one is known."""
        rows = np.flatnonzero(matched.found["partner"] >= 0)
        partner, said = matched.found["partner"][rows], {}
        for k, name in enumerate(self.task.box_values):
            if name not in self.data.box_values:
                continue
            of = self.data.box_values.index(name)
            wanted = np.concatenate([each["values"][:, of] for each in true])[partner]
            found, error = (
                np.concatenate([each[kind][:, k] for each in measured])[rows]
                for kind in ("values", "value_errors")
            )
            known = np.isfinite(wanted)
            if not known.any():
                continue
            off = (found - wanted)[known]
            shown = np.flatnonzero(known)[:: max(1, int(known.sum()) // SHOWN)]
            said[name] = {
                "bias": float(np.median(off)),
                "scatter": float(1.4826 * np.median(np.abs(off - np.median(off)))),
                "within": float((np.abs(off) < error[known]).mean()),
                "found": found[shown].tolist(),
                "true": wanted[shown].tolist(),
            }
        return said

    def _measured(
        self, found: Detections, batch: Batch, i: int, levels: dict[str, NDArray[np.float64]]
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32]]:
        """What is measured of the detections in one image over sky and noise, and their instance map."""
        planes = {key: batch[key][i].numpy() for key in ("image", "valid", "variance") if key in batch}
        columns, labels = measure_detections(
            found, planes["image"], planes["valid"], **levels, variance=planes.get("variance")
        )
        return columns | {"mag": magnitude(columns["flux"], self.data.spec)}, labels

    def _sources(self, measured: list[Any], true: list[Any], scenes: list[int], radius_pix: float) -> Table:
        """One row an object that was found, with the row of the truth that it is."""
        matched = match_scenes(measured, true, radius_pix=radius_pix)
        ids, parts = np.asarray(self.data.catalog["id"]), []
        for n, (found, row) in enumerate(zip(measured, scenes, strict=True)):
            table = Table({"id": np.full(len(found["x"]), ids[row])})
            for name in ("number", "x", "y", "x_err", "y_err", "snr", "area_pix", "mag", "score"):
                table[name] = found[name]
            for k, name in enumerate(("x0", "y0", "x1", "y1")):
                table[name] = found["box"][:, k]
            for b, band in enumerate(self.data.spec.bands):
                table[f"flux_{band}"] = found["flux"][:, b]
            table["label"] = found["label"] - 1
            for k in range(len(self.task.classes)):
                table[f"p_{k}"] = found["p_class"][:, k + 1]
            for k, name in enumerate(self.task.box_values):
                table[f"pred_{name}"], table[f"pred_{name}_err"] = (
                    found["values"][:, k],
                    found["value_errors"][:, k],
                )
            mine = matched.found["scene"] == n
            table["true_label"] = matched.found["truly"][mine] - 1
            table["matched"] = matched.found["partner"][mine] >= 0
            table["counts"] = matched.found["counts"][mine]
            table["split"] = np.full(len(table), str(self.data.catalog["split"][row]), dtype="U5")
            parts.append(table)
        everything = vstack(parts, metadata_conflicts="silent")
        everything.meta = {"CLASSES": ",".join(self.task.classes)}
        return everything

    def show(self, path: Path, judged: Judged, about: About) -> None:
        """The page with curves and pictures, and the short table."""
        write_detection_report(
            path, examples=self._examples(*judged.shown), classes=list(self.task.classes), **about.page
        )
        print_segmentation(about.metrics, path)

    def _examples(self, measured: list[Any], true: list[Any], scenes: list[int]) -> list[dict[str, Any]]:
        """Pictures of the best, the worst and some images between, by F1."""
        matched = match_scenes(measured, true, radius_pix=matching_radius_pix(self.data.spec))
        hits, n_found, n_true = (
            np.bincount(of["scene"][which], minlength=len(scenes))
            for of, which in (
                (matched.found, matched.found["partner"] >= 0),
                (matched.found, matched.found["counts"]),
                (matched.true, ~matched.true["ignore"]),
            )
        )
        score = 2 * hits / np.maximum(n_found + n_true, 1)
        order = np.argsort(-score, kind="stable")
        places = order[np.unique(np.linspace(0, len(order) - 1, EXAMPLES).round().astype(int))]
        examples = []
        for n in places.tolist():
            batch = self.data.gather(np.array([scenes[n]]))
            examples.append(
                {
                    "id": str(self.data.catalog["id"][scenes[n]]),
                    "score": float(score[n]),
                    "image": batch["image"][0].numpy(),
                    "valid": batch["valid"][0].numpy(),
                    "found": measured[n]["box"],
                    "hit": matched.found["partner"][matched.found["scene"] == n] >= 0,
                    "counts": matched.found["counts"][matched.found["scene"] == n],
                    "true": true[n]["box"],
                    "missed": (matched.true["partner"][matched.true["scene"] == n] < 0)
                    & ~true[n]["ignore"].astype(bool),
                }
            )
        return sorted(examples, key=lambda example: -example["score"])


def true_objects(data: BoxDataModule, row: int) -> dict[str, NDArray[Any]]:
    """The objects of one image by the user's table.

    Returns:
        ``x``, ``y``, ``box`` (N, 4), ``label`` from 1 on, and what else is known.
    """
    table = data.objects_of(row)
    boxes = np.stack([np.asarray(table[name], np.float64) for name in ("x0", "y0", "x1", "y1")], 1)
    columns: dict[str, Any] = {name: numbers(table, name) for name in KEPT if name in table.colnames}
    columns["ignore"] = flags(table, "ignore", unknown=False)
    columns["scored"] = flags(table, "scored", unknown=True)
    of_band = f"mag_{reference_band(data.spec)}"
    if of_band in table.colnames and table[of_band].dtype.kind in "biuf":
        columns["mag"] = numbers(table, of_band)
    named = {"x", "y"} <= set(table.colnames)
    for axis, name in enumerate("xy"):
        centre = (boxes[:, axis] + boxes[:, axis + 2]) / 2
        given = numbers(table, name) if named else centre
        columns[name] = np.where(np.isfinite(given), given, centre)
    values = [numbers(table, name) for name in data.box_values]
    stacked = np.stack(values, 1) if values else np.zeros((len(table), 0))
    return columns | {"box": boxes, "label": np.asarray(table["_label"]) + 1, "values": stacked}
