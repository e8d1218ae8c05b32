"""Detection in simulated scenes beside SExtractor's algorithm (sep), given every chance.

    python benchmarks/detection.py [--run RUN] [--others faster_rcnn ...] [overrides of train.py ...]

A detector is trained by ``scripts/train.py model=yolo_dense data=scenes_detection``, unless the folder has a finished
run; ``--others`` are trained beside it. sep works on the inverse-variance-weighted sum of the bands with a filter
matched to the PSF; its threshold, deblending and filter are tuned on training scenes for each figure separately. "At
sep's completeness" means that the least score is raised until as many objects are found. Differences are those of the
same test scenes, with a 95 % interval from a bootstrap over scenes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sep_baseline as baseline
from common import interval, machine, print_table, trained
from numpy.typing import NDArray
from scenes_sep import RADIUS_PIX, noise2
from scipy.spatial import cKDTree

import astrocnn
from astrocnn.datamodules.scene_boxes import SceneBoxDataModule
from astrocnn.functional.scene_figures import paired_differences, scene_estimates
from astrocnn.functional.source_figures import SourceFigures
from astrocnn.functional.source_matches import match_scenes
from astrocnn.functional.source_pairs import PairFigures
from astrocnn.inference.detected import measure_detections
from astrocnn.progress import track
from astrocnn.runtime.image_sky import sky_of_images
from astrocnn.runtime.judge_detection import true_objects
from astrocnn.tasks.detection import DetectionTask

FWHM_PIX = 3.8
TUNED_ON = 40
GRID = {
    "threshold": (1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
    "contrast": (1e-6, 1e-5, 1e-4, 1e-3, 0.005),
    "filter_width": (0.0, 0.5, 1.0),
}
PAIR_PIX = (4.0, 10.0)  # 0.8 to 2 arcsec
FIGURES = {
    "f1": "objects, F1",
    "completeness": "objects, completeness",
    "purity": "objects, purity",
    "blended_f1": "blended objects, F1",
    "pairs": "blended pairs, 0.8 to 2 arcsec, both found",
    "position_median_pix": "position, median distance (pix)",
}

Objects = dict[str, NDArray[Any]]


class Scored:
    """Every figure of a method on some scenes; what lies next to a blended object is measured as blended."""

    def __init__(
        self, measured: Sequence[Objects], true: Sequence[Objects], *, radius_pix: float = RADIUS_PIX
    ) -> None:
        placed = [
            found | {"blended": by_a_blended(found, of)} for found, of in zip(measured, true, strict=True)
        ]
        matched = match_scenes(placed, true, radius_pix=radius_pix)
        self.parts = (SourceFigures(matched, n_classes=0), PairFigures(matched, between_pix=PAIR_PIX))
        self.n_scenes = matched.n_scenes
        self.names = [name for part in self.parts for name in part.names]

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([part(counts) for part in self.parts], axis=1)

    def value(self, name: str) -> float:
        return float(self(np.ones((1, self.n_scenes)))[0, self.names.index(name)])


def by_a_blended(found: Objects, true: Objects) -> NDArray[np.bool_]:
    """Whether the true object nearest to each one found is blended."""
    if not len(true["x"]):
        return np.zeros(len(found["x"]), bool)
    _, nearest = cKDTree(np.stack([true["x"], true["y"]], 1)).query(np.stack([found["x"], found["y"]], 1))
    return np.asarray(true["blended"], bool)[nearest]


class Scenes:
    """The images of a split, their sky's noise, and their true objects."""

    def __init__(self, data: SceneBoxDataModule, split: str, n: int | None = None) -> None:
        self.data, self.rows = data, data.rows(split)[:n]
        self.true = [true_objects(data, row) for row in self.rows.tolist()]

    def by_network(self, task: DetectionTask) -> list[Objects]:
        """What is found above a low score, and how sure."""
        found = []
        levels = sky_of_images(self.data, self.rows, task.normalize)
        for row in track(self.rows.tolist(), type(task.network).__name__):
            batch = self.data.gather(np.array([row]))
            (said,) = task.detections(batch, threshold=0.02)
            image, valid = (batch[key][0].numpy() for key in ("image", "valid"))
            found.append(measure_detections(said, image, valid, **levels)[0])
        return found

    def by_sep(self, settings: baseline.Settings) -> list[Objects]:
        """What sep finds."""
        found = []
        for row in self.rows.tolist():
            batch = self.data.gather(np.array([row]))
            image, valid = (batch[key][0].numpy() for key in ("image", "valid"))
            said = baseline.detect(image, valid, noise2(image, valid), FWHM_PIX, settings)
            found.append({"x": said.x, "y": said.y})
        return found


def tuned(scenes: Scenes) -> dict[str, baseline.Settings]:
    """The settings of sep that are best for F1, for blended objects and for pairs."""
    best: dict[str, tuple[float, baseline.Settings]] = {}
    for settings in track(list(baseline.grid(**GRID)), "tuning sep"):
        scored = Scored(scenes.by_sep(settings), scenes.true)
        for name in ("f1", "blended_f1", "pairs"):
            if name not in best or scored.value(name) > best[name][0]:
                best[name] = (scored.value(name), settings)
    return {name: settings for name, (_, settings) in best.items()}


def above(found: Sequence[Objects], least: float) -> list[Objects]:
    """The detections of at least that score."""
    return [{name: of[each["score"] >= least] for name, of in each.items()} for each in found]


def at_completeness(found: Sequence[Objects], true: Sequence[Objects], wanted: float) -> float:
    """The score above which as many objects are found."""
    low, high = 0.02, 0.98
    for _ in range(12):
        middle = (low + high) / 2
        if Scored(above(found, middle), true).value("completeness") >= wanted:
            low = middle
        else:
            high = middle
    return low


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("outputs/detection/yolo_dense"))
    parser.add_argument("--others", nargs="*", default=[])
    options, overrides = parser.parse_known_args()
    seconds: dict[str, float] = {}
    runs = {"yolo_dense": options.run} | {name: options.run.parent / name for name in options.others}
    for name, run in runs.items():
        taken = trained(run, f"model={name}", "data=scenes_detection", *overrides)
        if taken is not None:
            seconds[name] = taken
    data = SceneBoxDataModule()
    data.prepare_data()
    data.setup()
    train, test = Scenes(data, "train", TUNED_ON), Scenes(data, "test")
    settings = tuned(train)
    theirs = {name: Scored(test.by_sep(each), test.true) for name, each in settings.items()}
    of_figure = {name: theirs[name if name in theirs else "f1"] for name in FIGURES}
    tasks = {name: astrocnn.load(run) for name, run in runs.items()}
    said = {name: test.by_network(task) for name, task in tasks.items()}
    print(f"\n{machine()}\n")
    for name, found in said.items():
        task = tasks[name]
        ours = Scored(above(found, task.threshold), test.true)
        own = scene_estimates(ours, n_resamples=1000, seed=0)
        rows = []
        for key, meaning in FIGURES.items():
            other = of_figure[key]
            rows.append(
                [meaning, interval(own[key]), interval(estimate(other, key)), compared(ours, other, key)]
            )
        level = theirs["f1"].value("completeness")
        equal = Scored(above(found, at_completeness(found, test.true, level)), test.true)
        purity = [interval(estimate(of, "purity")) for of in (equal, theirs["f1"])]
        rows.append(
            [f"purity at sep's completeness ({level:.3f})", *purity, compared(equal, theirs["f1"], "purity")]
        )
        print_table(["on the test scenes", name, "sep, tuned for it", "difference"], rows)
        ratio = ours.value("pairs") / of_figure["pairs"].value("pairs")
        print(f"\nblended pairs recovered: {ratio:.2f} times as many as sep")
        if name in seconds:
            print(f"{seconds[name]:.0f} s from the command to the report")
        print()
    for name, each in settings.items():
        print(f"sep for {name}: {', '.join(f'{key} {getattr(each, key)}' for key in GRID)}")


def estimate(scored: Scored, name: str) -> dict[str, Any]:
    """A figure with its interval."""
    return scene_estimates(scored, n_resamples=1000, seed=0)[name]


def compared(ours: Scored, theirs: Scored, name: str) -> str:
    """The difference of a figure on the same scenes, and who is ahead."""
    gap = paired_differences(ours, theirs, n_resamples=1000, seed=0)[name]
    ahead, behind = gap["low"] > 0, gap["high"] < 0
    if name == "position_median_pix":  # the less the better
        ahead, behind = behind, ahead
    return f"{interval(gap)} {'ahead' if ahead else 'behind' if behind else 'tie'}"


if __name__ == "__main__":
    main()
