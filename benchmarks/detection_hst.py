"""Blended HST galaxies with exact truth: a detector and SExtractor's algorithm (sep), each cross-validated by scene.

    python benchmarks/detection_hst.py [--out FOLDER] [--folds 5] [--from-scratch] [overrides of train.py ...]

As benchmarks/scenes_hst.py, with ``model=yolo_dense data=detection_boxes``: in each fold a detector is trained on the
other scenes; unless ``--from-scratch`` is given it begins with the weights of one that was trained on 600 simulated
scenes of a band. A box is as large as the pixels in which its source outshines the others, about the source's true
place. A source is found where one is said within 6 pixels, one to one. The detector's least score is that of the best
F1 on its validation scenes; threshold, deblending and filter of sep are tuned for F1 on all of the fold's other
scenes. Intervals are 95 % of a bootstrap over scenes.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import sep_baseline as baseline
from astropy.table import Table, vstack
from common import interval, machine, print_table, trained
from detection import Objects, Scored, compared, estimate
from numpy.typing import NDArray
from scenes_hst import FWHM_PIX, GRID, REALDATA, truth_of
from scenes_sep import noise2

import astrocnn
from astrocnn.inference.detected import measure_detections
from astrocnn.progress import track
from astrocnn.simulate.scenes import simulate_scenes
from astrocnn.tasks.detection import DetectionTask

RADIUS_PIX = 6.0
VALIDATION = 8  # scenes of a fold
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
FIGURES = {
    "f1": "sources, F1",
    "completeness": "blended sources found",
    "purity": "purity",
}
TRAINING = (  # 48 scenes are few: they are turned, magnified and cut at random for many short epochs
    "augment=crops", "augment.crops=2", "augment.rotate=quarter", "augment.zoom=[0.8,1.25]", "augment.noise=0.2",
    "trainer.max_epochs=60", "data.batch_size=8", "scheduler.warmup_fraction=0.2", "task.threshold=0.2",
    "task.test_time_augmentation=true",
)  # fmt: skip


def boxes_of(labels: NDArray[np.int64], true: Objects, scene: int) -> Table:
    """The boxes of the sources of a scene."""
    rows = []
    for number, x, y in zip(true["number"], true["x"], true["y"], strict=True):
        pixels = np.argwhere(labels == number)
        if len(pixels):
            height, width = np.ptp(pixels, axis=0) + 1
            rows.append((str(scene), x, y, width, height))
    return Table(rows=rows, names=("id", "x", "y", "width", "height"))


def simulated(run: Path) -> Path:
    """A run on simulated scenes of one band, whose objects are not classed."""
    if not (run / "metrics.json").exists():
        folder = simulate_scenes(
            f"{os.environ.get('ASTROCNN_DATA', 'data')}/scenes_i", n_scenes=600, bands=("i",)
        )
        objects = Table.read(folder / "objects.fits")
        objects.remove_column("label")
        boxes = run.parent / "simulated.fits"
        objects.write(boxes, overwrite=True)
        trained(
            run, "model=yolo_dense", "data=detection_boxes", f"data.images={folder}/images/*.fits",
            f"data.boxes={boxes}", f"data.catalog={folder}/catalog.fits", "augment.zoom=[0.8,1.6]",
            "augment.noise=1.0", "trainer.max_epochs=8",
        )  # fmt: skip
    return run


def by_sep(image: NDArray[np.float32], settings: baseline.Settings) -> Objects:
    """What sep finds in a scene."""
    valid = np.ones((1, *image.shape), bool)
    found = baseline.detect(image[None], valid, noise2(image[None], valid), FWHM_PIX, settings)
    return {"x": found.x, "y": found.y}


def by_network(task: DetectionTask, image: NDArray[np.float32], threshold: float) -> Objects:
    """What the detector finds in a scene."""
    task.threshold = threshold
    valid = np.ones((1, *image.shape), bool)
    found, _ = measure_detections(task(image[None]), image[None], valid, sky=task.normalize.sky.numpy())
    return {"x": found["x"], "y": found["y"]}


def best_threshold(task: DetectionTask, images: list[NDArray[np.float32]], true: list[Objects]) -> float:
    """The least score of the best F1 in some scenes."""
    values = []
    for threshold in THRESHOLDS:
        said = [by_network(task, image, threshold) for image in images]
        values.append(Scored(said, true, radius_pix=RADIUS_PIX).value("f1"))
    return THRESHOLDS[int(np.argmax(values))]


def tuned(images: NDArray[np.float32], true: list[Objects], fold: NDArray[np.int64]) -> list[Objects]:
    """What sep finds in each scene with the settings of the best F1 on the other folds' scenes."""
    tried = [
        [by_sep(image, each) for image in images] for each in track(list(baseline.grid(**GRID)), "tuning sep")
    ]
    chosen: list[Objects] = [{} for _ in images]
    for number in range(fold.max() + 1):
        rest = np.flatnonzero(fold != number).tolist()
        of_rest = [true[k] for k in rest]
        values = [
            Scored([said[k] for k in rest], of_rest, radius_pix=RADIUS_PIX).value("f1") for said in tried
        ]
        for k in np.flatnonzero(fold == number).tolist():
            chosen[k] = tried[int(np.argmax(values))][k]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/detection_hst"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--from-scratch", action="store_true")
    options, overrides = parser.parse_known_args()
    path = REALDATA / "scenes_hst" / "dev.npz"
    with np.load(path) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
        names = [str(name) for name in file["truth_cols"]]
        objects = Table(dict(zip(names, file["truth"].T, strict=True)))
    n = len(images)
    true = [truth_of(k, objects) for k in range(n)]
    fold = np.random.default_rng(0).permutation(n) % options.folds
    options.out.mkdir(parents=True, exist_ok=True)
    boxes = options.out / "boxes.fits"
    vstack([boxes_of(labels[k], true[k], k) for k in range(n)]).write(boxes, overwrite=True)
    begin = [] if options.from_scratch else [
        f"start_from={simulated(options.out.parent / 'detection_hst_simulated')}", "optimizer.lr=3e-4"
    ]  # fmt: skip
    ours: list[Objects] = [{} for _ in range(n)]
    for number in range(options.folds):
        test, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        split = np.full(n, "train")
        known = rest[:VALIDATION]
        split[test], split[known] = "test", "val"
        catalog, run = options.out / f"fold{number}.csv", options.out / f"fold{number}"
        Table({"id": np.arange(n), "split": split}).write(catalog, overwrite=True)
        trained(
            run, "model=yolo_dense", "data=detection_boxes", f"data.images={path}", "data.hdu=images",
            f"data.boxes={boxes}", f"data.catalog={catalog}", *TRAINING, *begin, *overrides,
        )  # fmt: skip
        task = astrocnn.load(run)
        assert isinstance(task, DetectionTask)
        threshold = best_threshold(task, [images[k] for k in known], [true[k] for k in known])
        for k in test:
            ours[k] = by_network(task, images[k], threshold)
    theirs = tuned(images, true, fold)
    own, other = (Scored(said, true, radius_pix=RADIUS_PIX) for said in (ours, theirs))
    rows = []
    for name, meaning in FIGURES.items():
        rows.append(
            [
                meaning,
                interval(estimate(own, name)),
                interval(estimate(other, name)),
                compared(own, other, name),
            ]
        )
    print(f"\n{machine()}\n")
    print_table([f"{n} scenes, {options.folds} folds", "detector", "sep, tuned for F1", "difference"], rows)


if __name__ == "__main__":
    main()
