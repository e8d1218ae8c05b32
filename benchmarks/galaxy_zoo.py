"""Elliptical against spiral on real SDSS galaxies: a ResNet trained from scratch, beside a random forest.

    python benchmarks/galaxy_zoo.py [--source FOLDER] [--out FOLDER] [overrides of train.py ...]

Writes the galaxies of ``gz1_dev.npz`` (label 0 elliptical; 1, 2, 3 spiral) as FITS cutouts, trains on its training
split (a sixth of it as validation) and tests on its validation split.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from common import ROOT, interval, machine, metrics, print_table, script
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

BANDS = ("i", "r", "g")  # the colour image's red, green and blue


def write_fits(source: Path, folder: Path) -> Table:
    """One FITS cube for each galaxy and a catalogue with label and split; returns the catalogue."""
    data = np.load(source)
    keep = np.isin(data["label"], (0, 1, 2, 3))
    images, objid = data["images"][keep], data["objid"][keep]
    label = (data["label"][keep] > 0).astype(int)
    split = np.where(data["split"][keep] == 1, "test", "train").astype("U5")
    train = np.flatnonzero(split == "train")
    split[np.random.default_rng(0).permutation(train)[: len(train) // 6]] = "val"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    names = [f"{number:04d}_{identity}" for number, identity in enumerate(objid)]
    for name, image in zip(names, images, strict=True):
        hdu = fits.PrimaryHDU(np.ascontiguousarray(image.transpose(2, 0, 1)))
        for number, band in enumerate(BANDS, start=1):
            hdu.header[f"BAND{number}"] = band
        hdu.writeto(folder / "images" / f"{name}.fits", overwrite=True)
    table = Table({"id": names, "spiral": label, "split": split})
    table.write(folder / "catalog.fits", overwrite=True)
    return table


def features(image: np.ndarray) -> list[float]:
    """Colours, concentration, asymmetry, ellipticity and size of a (64, 64, 3) picture."""
    flux = image.astype(float)
    total = flux.sum(-1)
    sky = np.median(np.concatenate([total[:4].ravel(), total[-4:].ravel()]))
    light = np.clip(total - sky, 0, None) + 1e-9
    y, x = np.mgrid[:64, :64] - 31.5
    radius = np.hypot(x, y)
    sums = [light[radius < r].sum() for r in (4, 8, 16, 28)]
    moments = np.array([[(light * a * b).sum() for a in (x, y)] for b in (x, y)]) / light.sum()
    low, high = np.linalg.eigvalsh(moments)
    turned = np.abs(light - np.rot90(light, 2)).sum() / light.sum()
    inner = flux[radius < 8].mean(0) + 1
    outer = flux[(radius >= 8) & (radius < 20)].mean(0) + 1
    colours = [np.log(inner[0] / inner[2]), np.log(outer[0] / outer[2]), np.log(inner[1] / inner[2])]
    return [*np.log(np.array(sums) / sums[-1]), np.log(sums[-1]), low / high, np.log(high), turned, *colours]


def random_forest(source: Path) -> float:
    """AUROC of a random forest on hand-made features: trained on the training split, tested on the other."""
    data = np.load(source)
    keep = np.isin(data["label"], (0, 1, 2, 3))
    x = np.array([features(image) for image in data["images"][keep]])
    y, test = data["label"][keep] > 0, data["split"][keep] == 1
    forest = RandomForestClassifier(500, min_samples_leaf=2, random_state=0, n_jobs=-1).fit(
        x[~test], y[~test]
    )
    return float(roc_auc_score(y[test], forest.predict_proba(x[test])[:, 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(os.environ.get("ASTROCNN_REALDATA", ROOT.parent / "shared" / "realdata"))
    parser.add_argument("--source", type=Path, default=folder / "galaxy_zoo" / "gz1_dev.npz")
    parser.add_argument("--out", type=Path, default=Path("outputs/galaxy_zoo"))
    options, overrides = parser.parse_known_args()
    write_fits(options.source, options.out)
    run = options.out / "run"
    number = 0
    while run.exists():
        number += 1
        run = options.out / f"run{number}"
    seconds = script(
        "train", "experiment=galaxy_zoo", f"data.images={options.out}/images/*.fits",
        f"data.catalog={options.out}/catalog.fits", f"run_dir={run}", *overrides,
    )  # fmt: skip
    test = metrics(run)["splits"]["test"]
    print(f"\n{machine()}; {test['n']} test galaxies, {seconds:.0f} s\n")
    rows = [
        ["model=resnet", interval(test["figures"]["auroc"]), interval(test["figures"]["accuracy"])],
        ["random forest, 11 hand-made features", f"{random_forest(options.source):.3f}", "–"],
    ]
    print_table(["elliptical against spiral", "AUROC", "accuracy"], rows)


if __name__ == "__main__":
    main()
