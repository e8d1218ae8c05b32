"""Segmentation of simulated scenes beside SExtractor's algorithm (sep), given every chance.

    python benchmarks/scenes.py [--out FOLDER] [--run RUN] [overrides of train.py ...]

A U-Net is trained by ``scripts/train.py model=unet data=scenes_segmentation``, unless the folder has a finished run.
sep works on the inverse-variance-weighted sum of the bands with a filter matched to the PSF; its threshold,
deblending and filter are tuned on training scenes for each figure separately, and a random forest on its shapes,
concentrations and colours says the class of each of its sources. Differences are those of the same test scenes, with a
95 % interval from a bootstrap over scenes.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sep
import sep_baseline as baseline
import torch
from common import interval, machine, print_table, script
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

import astrocnn
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.datamodules.scenes import SceneDataModule
from astrocnn.functional.matching import match_instances
from astrocnn.functional.objects import measure_objects
from astrocnn.functional.scene_figures import paired_differences, scene_estimates
from astrocnn.functional.segmentation import PixelFigures, join_pixel_counts, pixel_counts
from astrocnn.functional.source_figures import SourceFigures
from astrocnn.functional.source_matches import match_scenes
from astrocnn.inference.objects import instances_of
from astrocnn.runtime.truth_objects import TrueObjects
from astrocnn.tasks.segmentation import SegmentationTask, truth

TUNED_ON = 40  # training scenes; the forest sees all of them
FWHM_PIX = 3.8  # of the band sum's PSF: 0.76 arcsec, the median seeing of i
GRID = {
    "threshold": (0.3, 0.5, 0.8, 1.0, 1.25, 1.5, 2.0),
    "contrast": (1e-4, 5e-4, 0.001, 0.005),
    "filter_width": (0.0, 0.5, 1.0),
}
FIGURES = {  # what is compared, and what it is called
    "foreground_iou": "source against background, IoU",
    "mean_iou": "classes of pixels, mean IoU",
    "f1": "objects, F1",
    "completeness": "objects, completeness",
    "purity": "objects, purity",
    "blended_f1": "blended objects, F1",
    "blended_completeness": "blended objects, completeness",
    "instance_iou": "pixels of objects, mean IoU",
    "blended_instance_iou": "pixels of blended objects, mean IoU",
    "star_auroc": "stars among galaxies, AUROC",
    "class_balanced_accuracy": "classes of objects, balanced accuracy",
}
BY_CLASS = ("mean_iou", "star_auroc", "class_balanced_accuracy")  # figures for which sep needs the forest


@dataclass
class Scene:
    """One scene with its truth."""

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    variance: NDArray[np.float64]
    class_map: NDArray[np.int64]
    scored_map: NDArray[np.int64]
    instances: NDArray[np.int64]
    true: dict[str, NDArray[Any]]


@dataclass
class Said:
    """What a method says of one scene: its objects, their pixels, and the class of every pixel."""

    objects: dict[str, NDArray[Any]]
    segments: NDArray[np.int32]
    p: NDArray[np.float32]


def scenes_of(data: SegmentationMapDataModule, split: str, n: int | None = None) -> list[Scene]:
    """The scenes of a split."""
    known, found = TrueObjects(data), []
    for row in data.rows(split)[:n].tolist():
        batch = data.gather(np.array([row]))
        class_map, instances = (of.numpy()[0] for of in truth(batch, batch["image"]))
        there = known.of(row, class_map, instances, batch, 0)
        planes = (batch[key][0].numpy() for key in ("image", "valid"))
        image, valid = planes
        found.append(
            Scene(
                image,
                valid,
                noise2(image, valid),
                class_map,
                there.scored_map(class_map, instances),
                instances,
                there.columns,
            )
        )
    return found


def noise2(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The sky's variance in each band, from its scatter."""
    planes = []
    for plane, seen in zip(image, valid, strict=True):
        sky = plane[seen]
        for _ in range(8):  # what is brighter than the sky is cut off
            sky = sky[sky < np.median(sky) + 3 * 1.4826 * np.median(np.abs(sky - np.median(sky)))]
        planes.append(np.full(plane.shape, (1.4826 * np.median(np.abs(sky - np.median(sky)))) ** 2))
    return np.stack(planes)


def by_network(task: SegmentationTask, data: SegmentationMapDataModule, split: str) -> list[Said]:
    """What the network says of the scenes of a split."""
    found = []
    for row in data.rows(split).tolist():
        batch = data.gather(np.array([row]))
        with torch.inference_mode():
            said = task.predict(batch)
        labels = instances_of(said, 0, batch, task)
        p = said["p"][0].numpy()
        sky = task.normalize.sky.numpy()[:, None, None]
        objects = measure_objects(labels, batch["image"][0].numpy() - sky, batch["valid"][0].numpy(), p)
        found.append(Said(objects, labels, p))
    return found


def features(scene: Scene, found: baseline.Found) -> NDArray[np.float64]:
    """Radius, concentration, shape, surface brightness and colours of sep's sources, (N, F)."""
    objects = found.objects
    total, _, empty = baseline.band_sum(scene.image, scene.valid, scene.variance)
    own = {
        "segmap": found.segments,
        "seg_id": np.arange(1, len(objects) + 1, dtype=np.int32),
    }  # neighbours masked
    place = objects["x"], objects["y"], objects["a"], objects["b"], objects["theta"]
    kron, _ = sep.kron_radius(np.ascontiguousarray(total), *place, 6.0, mask=empty, **own)
    kron = np.clip(np.nan_to_num(kron, nan=3.0), 1.5, 6.0)
    flux = np.stack(
        [
            sep.sum_ellipse(np.ascontiguousarray(plane), *place, 2.5 * kron, mask=~seen, subpix=5, **own)[0]
            for plane, seen in zip(scene.image, scene.valid, strict=True)
        ],
        axis=1,
    )  # (N, C)
    radii, _ = sep.flux_radius(
        np.ascontiguousarray(total), objects["x"], objects["y"], 6.0 * objects["a"], [0.2, 0.5, 0.8], mask=empty,
        subpix=5, **own,
    )  # fmt: skip
    mag = -2.5 * np.log10(np.maximum(flux, 1e-3 * np.abs(flux).max(initial=1e-30)))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [
            *radii.T, radii[:, 2] / radii[:, 0], objects["a"], objects["b"] / objects["a"], np.log10(objects["npix"]),
            np.log10(objects["peak"]), objects["peak"] / objects["flux"], objects["cpeak"] / objects["cflux"],
            mag[:, -2], *(mag[:, b] - mag[:, b + 1] for b in range(flux.shape[1] - 1)),
        ]  # fmt: skip
    return np.nan_to_num(np.stack(columns, 1), nan=0.0, posinf=0.0, neginf=0.0)


class Forest:
    """The class of sep's sources from what it measures, trained on its sources in training scenes."""

    def __init__(self, scenes: Sequence[Scene], settings: baseline.Settings, n_classes: int) -> None:
        self.settings, self.n_classes = settings, n_classes
        measured, labels = [], []
        for scene in scenes:
            found = detected(scene, settings)
            if not len(found.objects):
                continue
            matched = match_scenes([{"x": found.x, "y": found.y}], [scene.true], radius_pix=4.0)
            known = matched.found["partner"] >= 0
            measured.append(features(scene, found)[known])
            labels.append(matched.found["truly"][known])
        self.forest = RandomForestClassifier(300, min_samples_leaf=3, n_jobs=2, random_state=0)
        self.forest.fit(np.concatenate(measured), np.concatenate(labels))

    def __call__(self, scene: Scene) -> Said:
        found = detected(scene, self.settings)
        n = len(found.objects)
        p_class = np.zeros((n, self.n_classes))
        if n:
            p_class[:, self.forest.classes_] = self.forest.predict_proba(features(scene, found))
        return said_by_sep(found, p_class)


class WithoutClasses:
    """sep's sources, all of one class."""

    def __init__(self, settings: baseline.Settings, n_classes: int) -> None:
        self.settings, self.n_classes = settings, n_classes

    def __call__(self, scene: Scene) -> Said:
        found = detected(scene, self.settings)
        p_class = np.zeros((len(found.objects), self.n_classes))
        p_class[:, 1] = 1.0
        return said_by_sep(found, p_class)


def detected(scene: Scene, settings: baseline.Settings) -> baseline.Found:
    return baseline.detect(scene.image, scene.valid, scene.variance, FWHM_PIX, settings)


def said_by_sep(found: baseline.Found, p_class: NDArray[np.float64]) -> Said:
    """sep's sources with the probabilities of their classes, and a map that gives each pixel those of its source."""
    background = np.eye(1, p_class.shape[1])
    p = np.concatenate([background, p_class])[found.segments]  # (H, W, K)
    label = p_class[:, 1:].argmax(1) + 1 if len(p_class) else np.empty(0, np.int64)
    objects = {
        "x": found.x,
        "y": found.y,
        "label": label,
        "p_class": p_class,
        "number": np.arange(1, len(label) + 1),
    }
    return Said(objects, found.segments, np.moveaxis(p, -1, 0).astype(np.float32))


class Scored:
    """Every figure of a method on some scenes."""

    def __init__(self, said: Sequence[Said], scenes: Sequence[Scene], classes: Sequence[str]) -> None:
        counts, measured, true = [], [], []
        for each, scene in zip(said, scenes, strict=True):
            counts.append(pixel_counts(each.p[None], scene.scored_map[None], full_map=scene.class_map[None]))
            _, numbers, iou = match_instances(each.segments, scene.instances)
            of = dict(zip(numbers.tolist(), iou.tolist(), strict=True))
            true.append(
                {**scene.true, "iou": np.array([of.get(n, 0.0) for n in scene.true["number"].tolist()])}
            )
            measured.append({**each.objects, "blended": in_a_blend(each.objects, scene)})
        pixels = PixelFigures(join_pixel_counts(counts), classes)
        star = list(classes).index("star") if "star" in classes else None
        sources = match_scenes(measured, true, radius_pix=4.0, star=star)
        self.parts = (pixels, SourceFigures(sources, n_classes=len(classes), star=star))
        self.n_scenes = len(scenes)
        self.names = [name for part in self.parts for name in part.names]

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([part(counts) for part in self.parts], axis=1)

    def value(self, name: str) -> float:
        return float(self(np.ones((1, self.n_scenes)))[0, self.names.index(name)])


def in_a_blend(objects: Mapping[str, NDArray[Any]], scene: Scene) -> NDArray[np.bool_]:
    """Whether what was found lies on the pixels of a true object that touches another."""
    blended = scene.true["number"][scene.true["blended"].astype(bool)]
    y, x = (
        np.clip(np.rint(objects[axis]).astype(int), 0, side - 1)
        for axis, side in zip("yx", scene.instances.shape, strict=True)
    )
    return np.isin(scene.instances[y, x], blended)


def tuned(scenes: Sequence[Scene], classes: Sequence[str]) -> dict[str, baseline.Settings]:
    """The settings that are best for each figure, on these scenes."""
    best: dict[str, tuple[float, baseline.Settings]] = {}
    wanted = [name for name in FIGURES if name not in BY_CLASS]
    for settings in baseline.grid(**GRID):
        method = WithoutClasses(settings, len(classes))
        scored = Scored([method(scene) for scene in scenes], scenes, classes)
        for name in wanted:
            if name not in best or scored.value(name) > best[name][0]:
                best[name] = (scored.value(name), settings)
    found = {name: settings for name, (_, settings) in best.items()}
    # completeness and purity alone have a best setting that finds everything, or nothing
    found |= dict.fromkeys(("completeness", "purity", "star_auroc", "class_balanced_accuracy"), found["f1"])
    return found | {"blended_completeness": found["blended_f1"], "mean_iou": found["foreground_iou"]}


def compare(
    task: SegmentationTask, data: SegmentationMapDataModule, print_row: Callable[[list[str]], None]
) -> None:
    """Print each figure of both, and their difference."""
    classes = data.spec.classes
    train, test = scenes_of(data, "train"), scenes_of(data, "test")
    ours = Scored(by_network(task, data, "test"), test, classes)
    settings = tuned(train[:TUNED_ON], classes)
    theirs: dict[tuple[baseline.Settings, bool], Scored] = {}
    for name, each in settings.items():
        if (each, name in BY_CLASS) not in theirs:
            method = (
                Forest(train, each, len(classes)) if name in BY_CLASS else WithoutClasses(each, len(classes))
            )
            theirs[each, name in BY_CLASS] = Scored([method(scene) for scene in test], test, classes)
    own = scene_estimates(ours, n_resamples=1000, seed=0)
    for name, meaning in FIGURES.items():
        other = theirs[settings[name], name in BY_CLASS]
        values = scene_estimates(other, n_resamples=1000, seed=0)[name]
        gap = paired_differences(ours, other, n_resamples=1000, seed=0)[name]
        verdict = "ahead" if gap["low"] > 0 else "behind" if gap["high"] < 0 else "tie"
        print_row([meaning, interval(own[name]), interval(values), f"{interval(gap)} {verdict}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("outputs/scenes/unet"))
    options, overrides = parser.parse_known_args()
    seconds = None
    if not (options.run / "metrics.json").exists():
        resume = (
            ["resume=true"]
            if (options.run / "config.yaml").exists()
            else ["model=unet", "data=scenes_segmentation", *overrides]
        )
        seconds = script("train", f"run_dir={options.run}", *resume)
    task = astrocnn.load(options.run)
    assert isinstance(task, SegmentationTask)
    data = SceneDataModule()
    data.prepare_data()
    data.setup()
    rows: list[list[str]] = []
    compare(task, data, rows.append)
    print(f"\n{machine()}\n")
    print_table(["on the test scenes", "U-Net", "sep, tuned for it", "difference"], rows)
    if seconds is not None:
        print(f"\n{seconds:.0f} s from the command to the report")


if __name__ == "__main__":
    main()
