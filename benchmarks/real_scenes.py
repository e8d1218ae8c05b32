"""Images of other telescopes without labels, mapped by networks that were trained on simulated scenes.

    python benchmarks/real_scenes.py --run outputs/any_survey [--picture docs/decam.png] [--out outputs/real_scenes]

``--run`` is a run of ``experiment=scenes_any_survey``. Maps DECam's g, r and z images as PhoSim simulates them
(``fits/decam_grz``), an i image of M 67's field and a Spitzer image (``fits/photutils``), a radio image with gaps
(``radio``), and single exposures of the Legacy Surveys (``fits/legacysurvey``), each by its own sky and noise, draws
DECam's, and prints how many of the unsaturated Gaia stars in the exposures are found and called stars.
"""

import argparse
import glob
import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from common import ROOT, machine, print_table, script, trained
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from astrocnn.io.tables import read_table
from astrocnn.report.lupton import lupton_rgb

REALDATA = Path(os.environ.get("ASTROCNN_REALDATA", ROOT.parent / "shared" / "realdata"))
CLASSES = {"star": "#f2c14e", "spheroid": "#d1495b", "disc": "#4c8bdb", "irregular": "#57b894"}
WITHIN_ARCSEC = 1.0
LEGACY = ("testcase3", "testcase4", "mzlsbass3")


def mapped(run: Path, output: Path, **data: str) -> Path:
    """The folder of the maps of some images, made where it is not there yet."""
    if not list(output.glob("*_catalog.fits")):
        given = [f"data.{name}={value}" for name, value in data.items()]
        script(
            "predict", f"run={run}", "data=mosaic", *given, "data.missing_band=invalid", "levels=own", "instances=true",
            f"output={output}",
        )  # fmt: skip
    return output


def gaia(case: Path) -> Table | None:
    """The Gaia stars of a field."""
    files = sorted(glob.glob(f"{case}/gaia/*.fits"))
    return vstack([Table.read(name) for name in files], metadata_conflicts="silent") if files else None


def stars_of(case: Path, folder: Path) -> tuple[int, int, int]:
    """Gaia stars on pixels with data that are not saturated: how many, found, and called stars."""
    stars = gaia(case)
    if stars is None:
        return 0, 0, 0
    n = found = called = 0
    for path in sorted(folder.glob("*_maps.fits")):
        from astropy.wcs import WCS

        with fits.open(path) as hdus:
            header, classes = hdus["CLASS"].header, hdus["CLASS"].data
        height, width = classes.shape
        x, y = WCS(header).all_world2pix(stars["ra"], stars["dec"], 0)
        inside = (x > 3) & (x < width - 4) & (y > 3) & (y < height - 4)
        table = read_table(path.with_name(path.name.replace("_maps", "_catalog")))
        label = np.asarray(table["label"]) if "label" in table.colnames else np.asarray(table["class"])
        for row in np.flatnonzero(inside):
            around = classes[round(y[row]) - 1 : round(y[row]) + 2, round(x[row]) - 1 : round(x[row]) + 2]
            if (around < 0).any():  # no data, or flagged as saturated
                continue
            n += 1
            if not len(table):
                continue
            cosine = np.cos(np.radians(stars["dec"][row]))
            off = 3600 * np.hypot((table["ra"] - stars["ra"][row]) * cosine, table["dec"] - stars["dec"][row])
            nearest = int(np.argmin(off))
            if off[nearest] <= WITHIN_ARCSEC:
                found += 1
                called += str(label[nearest]) in ("star", "1")
    return n, found, called


def picture(folder: Path, target: Path) -> None:
    """DECam's image, with the classes of its pixels over it, and its objects."""
    base = REALDATA / "fits" / "decam_grz"
    image = np.stack([fits.getdata(base / f"decam_img_{band}.fits") for band in "grz"]).astype(np.float32)
    with fits.open(next(folder.glob("*_maps.fits"))) as hdus:
        classes = hdus["CLASS"].data
    with fits.open(next(folder.glob("*_instances.fits"))) as hdus:
        numbers = hdus["INSTANCE"].data
    objects = read_table(next(folder.glob("*_catalog.fits")))
    rgb = lupton_rgb(image[None], np.isfinite(image)[None], bands=["g", "r", "z"])[0]
    figure = Figure(figsize=(13.2, 4.8))
    axes: list[Axes] = list(figure.subplots(1, 3))
    for ax in (axes[0], axes[2]):
        ax.imshow(rgb, origin="lower")
    colours = ListedColormap(["#14181f", *CLASSES.values()])
    axes[1].imshow(classes, origin="lower", cmap=colours, vmin=0, vmax=len(CLASSES), interpolation="nearest")
    for number, kind in zip(objects["number"], objects["class"], strict=True):
        own = (numbers == number).astype(float)
        axes[2].contour(own, [0.5], colors=CLASSES[str(kind)], linewidths=0.9)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in CLASSES.items()],
        loc="lower center", ncols=4, frameon=False,
    )  # fmt: skip
    figure.subplots_adjust(left=0.005, right=0.995, top=0.995, bottom=0.075, wspace=0.01)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("outputs/any_survey"))
    parser.add_argument("--out", type=Path, default=Path("outputs/real_scenes"))
    parser.add_argument("--picture", type=Path, default=None)
    options = parser.parse_args()
    trained(options.run, "experiment=scenes_any_survey")
    base = REALDATA / "fits"
    decam = ",".join(f"{band}: {base}/decam_grz/decam_img_{band}.fits" for band in "grz")
    folder = mapped(options.run, options.out / "decam_grz", images=f"{{{decam}}}")
    rows = [["decam_grz", str(len(read_table(next(folder.glob("*_catalog.fits"))))), "–", "–", "–"]]
    if options.picture is not None:
        picture(folder, options.picture)
    others = {
        "M6707HH": ([f"{base}/photutils/M6707HH.fits"], "i"),
        "spitzer": ([f"{base}/photutils/spitzer_example_image.fits"], "i"),
        "radio": ([f"{REALDATA}/radio/1904-66_SIN.fits"], "i"),
    }
    for name, (files, band) in others.items():
        images = [file for file in files if Path(file).exists() and ".fits" in file]
        if images:
            folder = mapped(options.run, options.out / name, images=f"{{{band}: {images[0]}}}")
            rows.append([name, str(len(read_table(next(folder.glob("*_catalog.fits"))))), "–", "–", "–"])
    total = np.zeros(3, int)
    for case in LEGACY:
        found = glob.glob(f"{base}/legacysurvey/{case}/images/**/*_ooi_*.fits*", recursive=True)
        for k, file in enumerate(sorted(found)):
            band = next(b for b in "grz" if f"_ooi_{b}" in file)
            out = mapped(
                options.run, options.out / case / f"{k:02d}", images=f"{{{band}: {file}}}",
                **{"mask.files": file.replace("_ooi_", "_ood_")},
            )  # fmt: skip
            total += stars_of(base / "legacysurvey" / case, out)
    rows.append(["legacysurvey", "–", *(str(value) for value in total)])
    print(f"\n{machine()}\n")
    print_table(["images", "sources", "unsaturated Gaia stars", "found", "called stars"], rows)


if __name__ == "__main__":
    main()
