"""Segmentation of simulated scenes beside SExtractor's algorithm (sep), given every chance.

    python benchmarks/scenes.py [--run RUN] [--picture docs/scenes_sep.png] [overrides of train.py ...]

A U-Net is trained by ``scripts/train.py model=unet data=scenes_segmentation``, unless the folder has a finished run.
sep works on the inverse-variance-weighted sum of the bands with a filter matched to the PSF; its threshold,
deblending and filter are tuned on training scenes for each figure separately, and a random forest on its shapes,
concentrations and colours says the class of each of its sources. Its magnitudes are of Kron's ellipses, with the
pixels of neighbours masked, corrected for what these lose of isolated training objects. Differences are those of the
same test scenes, with a 95 % interval from a bootstrap over scenes.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sep_baseline as baseline
import torch
from common import interval, machine, print_table, trained
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scenes_sep import RADIUS_PIX, Forest, Magnitudes, Said, Scene, WithoutClasses, noise2

import astrocnn
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.datamodules.scenes import SceneDataModule
from astrocnn.functional.matching import match_instances
from astrocnn.functional.objects import measure_objects
from astrocnn.functional.scene_figures import paired_differences, scene_estimates
from astrocnn.functional.segmentation import PixelFigures, join_pixel_counts, pixel_counts
from astrocnn.functional.source_figures import SourceFigures
from astrocnn.functional.source_matches import match_scenes
from astrocnn.functional.source_scores import summarise_objects
from astrocnn.inference.objects import instances_of
from astrocnn.runtime.image_sky import sky_of_images
from astrocnn.runtime.truth_objects import TrueObjects, magnitude
from astrocnn.tasks.segmentation import SegmentationTask, truth

TUNED_ON = 40  # training scenes; the forest sees all of them
GRID = {
    "threshold": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0),
    "contrast": (1e-6, 1e-5, 1e-4, 5e-4, 0.005),
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


def by_network(task: SegmentationTask, data: SegmentationMapDataModule, split: str) -> list[Said]:
    """What the network says of the scenes of a split."""
    found, rows = [], data.rows(split)
    levels = sky_of_images(data, rows, task.normalize)
    for row in rows.tolist():
        batch = data.gather(np.array([row]))
        with torch.inference_mode():
            said = task.predict(batch)
        labels = instances_of(said, 0, batch, task)
        p = said["p"][0].numpy()
        image, valid = (batch[key][0].numpy() for key in ("image", "valid"))
        objects = measure_objects(labels, image, valid, p, **levels)
        found.append(Said(objects | {"mag": magnitude(objects["flux"], data.spec)}, labels, p))
    return found


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
        self.measured, self.true, self.classes = measured, true, classes
        sources = match_scenes(measured, true, radius_pix=RADIUS_PIX, star=star)
        self.parts = (pixels, SourceFigures(sources, n_classes=len(classes), star=star))
        self.n_scenes = len(scenes)
        self.names = [name for part in self.parts for name in part.names]

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([part(counts) for part in self.parts], axis=1)

    def against_magnitude(self) -> dict[str, Any]:
        """Completeness against true magnitude, purity against measured magnitude."""
        found = summarise_objects(
            self.measured, self.true, classes=self.classes, radius_pix=RADIUS_PIX, n_bootstrap=0
        )
        return {name: found[name] for name in ("completeness", "purity")}

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
) -> tuple[dict[str, Any], dict[str, Any], dict[str, baseline.Settings]]:
    """Print each figure of both, and their difference; return both against magnitude, and the settings of sep."""
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
    method = WithoutClasses(settings["f1"], len(classes), Magnitudes(train, settings["f1"], data.spec))
    measured = Scored([method(scene) for scene in test], test, classes)
    return ours.against_magnitude(), measured.against_magnitude(), settings


def print_magnitudes(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Both beside each other, magnitude by magnitude."""

    def at(of: dict[str, Any], edge: float, *kinds: str) -> list[str]:
        curve, cells = of[kinds[0]], []
        for kind in kinds[1:]:
            known = edge in curve["edges"][:-1] and kind in curve
            value = curve[kind]["value"][curve["edges"].index(edge)] if known else None
            cells.append("–" if value is None else f"{value:.3f}")
        return cells

    rows = []
    for edge in np.arange(18.0, 26.5, 0.5).tolist():
        found = [
            at(of, edge, "completeness", "all", "blended") + at(of, edge, "purity", "all")
            for of in (ours, theirs)
        ]
        pairs = [f"{a} / {b}" for a, b in zip(*found, strict=True)]
        rows.append([f"{edge:.1f} to {edge + 0.5:.1f}", *pairs])
    print_table(["i", "completeness, U-Net / sep", "of blended objects", "purity, U-Net / sep"], rows)


def draw(ours: dict[str, Any], theirs: dict[str, Any], path: Path) -> None:
    """Completeness and purity of both against magnitude."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = [("completeness", "all"), ("completeness", "blended"), ("purity", "all")]
    for axes, (name, kind) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        for of, label, colour in ((ours, "U-Net", "#0b6aa8"), (theirs, "sep", "#d2500a")):
            middle = np.array(of[name]["edges"])[:-1] + 0.25
            value, low, high = (
                np.array(of[name][kind][part], dtype=float) for part in ("value", "low", "high")
            )
            axes.errorbar(
                middle,
                value,
                [value - low, high - value],
                color=colour,
                label=label,
                lw=1.4,
                marker="o",
                ms=3,
            )
        axes.set(title=f"{name} of {kind} objects", xlim=(17.5, 26.7), ylim=(0, 1.03))
        axes.set_xlabel("true magnitude i" if name == "completeness" else "measured magnitude i")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower left")
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("outputs/scenes/unet"))
    parser.add_argument("--picture", type=Path)
    options, overrides = parser.parse_known_args()
    seconds = trained(options.run, "model=unet", "data=scenes_segmentation", *overrides)
    task = astrocnn.load(options.run)
    assert isinstance(task, SegmentationTask)
    data = SceneDataModule()
    data.prepare_data()
    data.setup()
    rows: list[list[str]] = []
    ours, theirs, settings = compare(task, data, rows.append)
    print(f"\n{machine()}\n")
    print_table(["on the test scenes", "U-Net", "sep, tuned for it", "difference"], rows)
    print()
    for name, each in settings.items():
        chosen = ", ".join(f"{key} {getattr(each, key)}" for key in GRID)
        print(f"sep for {FIGURES[name]}: {chosen}")
    print()
    print_magnitudes(ours, theirs)
    if options.picture:
        draw(ours, theirs, options.picture)
    if seconds is not None:
        print(f"\n{seconds:.0f} s from the command to the report")


if __name__ == "__main__":
    main()
