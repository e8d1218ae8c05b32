"""Blended HST galaxies with exact truth: a U-Net and SExtractor's algorithm (sep), each cross-validated by scene.

    python benchmarks/scenes_hst.py [--out FOLDER] [--folds 5] [--from-scratch] [overrides of train.py ...]

The scenes are those of ``shared/realdata/scenes_hst`` (its README says where they come from). In each fold a U-Net is
trained on the other scenes, by ``scripts/train.py model=unet data=segmentation_maps``, straight from the ``.npz`` file;
unless ``--from-scratch`` is given it begins with the weights of one that was trained on 600 simulated scenes of a band.
Threshold, deblending and filter of sep are tuned on the fold's training scenes, for each figure separately. Both are
scored on the fold's other scenes; intervals are 95 % of a bootstrap over all scenes.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import sep_baseline as baseline
from astropy.table import Table
from common import ROOT, interval, machine, print_table, trained
from scenes import Scored, by_network
from scenes_sep import Said, Scene, noise2

import astrocnn
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.datamodules.scenes import SceneDataModule
from astrocnn.functional.scene_figures import paired_differences, scene_estimates
from astrocnn.progress import track
from astrocnn.tasks.segmentation import SegmentationTask

REALDATA = Path(os.environ.get("ASTROCNN_REALDATA", ROOT.parent / "shared" / "realdata"))
FWHM_PIX = 3.3  # of HST's F814W at 0.03 arcsec
GRID = {
    "threshold": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0),
    "contrast": (1e-4, 5e-4, 0.001, 0.005, 0.02),
    "filter_width": (0.0, 0.5, 1.0, 1.5),
}
FIGURES = {
    "foreground_iou": "source against background, IoU",
    "instance_iou": "pixels of each source, mean IoU",
    "f1": "sources, F1",
}
CLASSES = ("background", "object")
TRAINING = (  # 48 scenes are few: they are turned, magnified and cut at random for many short epochs
    "augment=crops", "augment.crops=2", "augment.rotate=any", "augment.zoom=[0.8,1.25]", "augment.noise=0.2",
    "trainer.max_epochs=60", "data.batch_size=8", "scheduler.warmup_fraction=0.2", "loss=cross_entropy_dice",
)  # fmt: skip


def truth_of(number: int, objects: Table) -> dict[str, np.ndarray]:
    """The sources of a scene: their places, and their numbers in its map."""
    mine = objects[objects["scene"] == number]
    numbers = np.arange(1, len(mine) + 1)
    return {
        "x": np.asarray(mine["x"]),
        "y": np.asarray(mine["y"]),
        "number": numbers,
        "blended": np.ones(len(mine), bool),
    }


def by_sep(scene: Scene, settings: baseline.Settings) -> Said:
    """What sep says of a scene."""
    found = baseline.detect(scene.image, scene.valid, scene.variance, FWHM_PIX, settings)
    source = (found.segments > 0).astype(np.float32)
    n = len(found.objects)
    objects = {"x": found.x, "y": found.y, "number": np.arange(1, n + 1), "label": np.ones(n, int)}
    return Said(objects, found.segments, np.stack([1 - source, source]))


def simulated(run: Path) -> Path:
    """A run on simulated scenes of one band, whose objects are numbered but not classed."""
    if not (run / "metrics.json").exists():
        data = SceneDataModule(root=f"{os.environ.get('ASTROCNN_DATA', 'data')}/scenes", bands=("i",))
        folder = data.simulate()
        trained(
            run, "model=unet", "data=segmentation_maps", f"data.images={folder}/images/*.fits",
            "data.instances.hdu=INSTANCE", f"data.instances.files={folder}/labels/*.fits",
            f"data.catalog={folder}/catalog.fits", f"data.objects={folder}/objects.fits",
            "augment=crops", "augment.rotate=any", "augment.zoom=[0.8,1.6]",
            "augment.noise=1.0", "trainer.max_epochs=8",
        )  # fmt: skip
    return run


def tuned(scenes: list[Scene], fold: np.ndarray) -> list[dict[str, baseline.Settings]]:
    """For each fold the settings that are best for each figure on the scenes of the other folds."""
    others = (fold != np.arange(fold.max() + 1)[:, None]).astype(float)  # (folds, scenes)
    best: list[dict[str, tuple[float, baseline.Settings]]] = [{} for _ in others]
    for settings in track(list(baseline.grid(**GRID)), "tuning sep"):
        scored = Scored([by_sep(scene, settings) for scene in scenes], scenes, CLASSES)
        for found, values in zip(best, scored(others), strict=True):
            for name in FIGURES:
                value = float(values[scored.names.index(name)])
                if name not in found or value > found[name][0]:
                    found[name] = (value, settings)
    return [{name: settings for name, (_, settings) in found.items()} for found in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/scenes_hst"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--from-scratch", action="store_true")
    options, overrides = parser.parse_known_args()
    path = REALDATA / "scenes_hst" / "dev.npz"
    with np.load(path) as file:
        images, labels, columns = (
            file["images"],
            file["labels"].astype(np.int64),
            [str(c) for c in file["truth_cols"]],
        )
        objects = Table(dict(zip(columns, file["truth"].T, strict=True)))
    n = len(images)
    fold = np.random.default_rng(0).permutation(n) % options.folds
    scenes = []
    for k in range(n):
        image, valid = images[k][None], np.ones((1, *images[k].shape), bool)
        class_map = np.sign(labels[k])
        scenes.append(
            Scene(
                image,
                valid,
                noise2(image, valid),
                class_map,
                class_map,
                labels[k],
                truth_of(k, objects),
            )
        )
    ours: list[Said | None] = [None] * n
    theirs: dict[str, list[Said | None]] = {name: [None] * n for name in FIGURES}
    options.out.mkdir(parents=True, exist_ok=True)
    begin = (
        []
        if options.from_scratch
        else [f"start_from={simulated(options.out / 'simulated')}", "optimizer.lr=1e-3"]
    )
    settings = tuned(scenes, fold)
    for number in range(options.folds):
        test = np.flatnonzero(fold == number)
        rest = np.flatnonzero(fold != number)
        split = np.full(n, "train ")
        split[test], split[rest[:6]] = "test", "val"
        catalog = options.out / f"fold{number}.csv"
        Table({"id": np.arange(n), "split": np.char.strip(split)}).write(catalog, overwrite=True)
        data = [
            f"data.images={path}", "data.hdu=images", "data.instances.hdu=labels", f"data.catalog={catalog}",
        ]  # fmt: skip
        run = options.out / f"fold{number}"
        trained(run, "model=unet", "data=segmentation_maps", *data, *TRAINING, *begin, *overrides)
        task = astrocnn.load(run)
        assert isinstance(task, SegmentationTask)
        module = SegmentationMapDataModule(
            images=str(path), hdu="images", instances={"hdu": "labels"}, catalog=str(catalog)
        )
        module.prepare_data()
        module.setup()
        for k, said in zip(test, by_network(task, module, "test"), strict=True):
            ours[k] = said
        for name, each in settings[number].items():
            for k in test:
                theirs[name][k] = by_sep(scenes[k], each)
    network = Scored(ours, scenes, CLASSES)
    own = scene_estimates(network, n_resamples=1000, seed=0)
    rows = []
    for name, meaning in FIGURES.items():
        other = Scored(theirs[name], scenes, CLASSES)
        value = scene_estimates(other, n_resamples=1000, seed=0)[name]
        gap = paired_differences(network, other, n_resamples=1000, seed=0)[name]
        verdict = "ahead" if gap["low"] > 0 else "behind" if gap["high"] < 0 else "tie"
        rows.append([meaning, interval(own[name]), interval(value), f"{interval(gap)} {verdict}"])
    print(f"\n{machine()}\n")
    for number, found in enumerate(settings):
        chosen = (
            f"{name} {', '.join(f'{getattr(each, key)}' for key in GRID)}" for name, each in found.items()
        )
        print(f"fold {number}, sep ({', '.join(GRID)}): {'; '.join(chosen)}")
    print()
    print_table([f"{n} scenes, {options.folds} folds", "U-Net", "sep, tuned for it", "difference"], rows)


if __name__ == "__main__":
    main()
