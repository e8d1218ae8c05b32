"""Real images with catalogues: how many of the catalogued sources are found, beside SExtractor's algorithm (sep).

    python benchmarks/detection_real.py [--run outputs/detection/any_survey] [--out outputs/detection_real]
                                        [--threshold 0.3] [--picture FILE]

``--run`` is a run of ``experiment=detection_any_survey``, trained on simulated scenes only; it is made if it is not
there. Each image is seen by its own sky and noise (``levels=own``). The catalogues are parts of what is visible, so
purity cannot be said; the number of all that is found stands beside. sep takes the image over its own background at
its usual threshold of 1.5 sigma; of several meshes, filters and contrasts of deblending those count that find the most
of the catalogue in each image.
"""

import argparse
import glob
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
import sep
from astropy.coordinates import SkyCoord
from astropy.io import ascii as tables
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from common import machine, print_table, trained
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from real_scenes import LEGACY, REALDATA, gaia, mapped

from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.matching import match_positions

Floats = NDArray[np.floating]
WITHIN_PIX = 2.5
EDGE_PIX = 3
SHOWN = (400, 640), (150, 250)  # columns and rows of the picture
SIGMAS = 1.5
MESHES, CONTRASTS = (32, 64), (0.005, 0.001)
KERNELS = (None, np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], float))  # SExtractor's own


@dataclass(frozen=True)
class Case:
    """An image and the positions (0-based pixels) of sources that are known to be in it.

    Attributes:
        name: of the group that it is counted in.
        path: of the image.
        band: as which the network is to take it.
        x, y: of the sources.
        mask: file of pixels that are not to be used, where not 0.
    """

    name: str
    path: Path
    band: str
    x: Floats
    y: Floats
    mask: Path | None = None


def cases() -> list[Case]:
    """The images with catalogues."""
    base, found = REALDATA / "fits", []
    path = base / "photutils/spitzer_example_image.fits"
    with fits.open(path) as hdus:
        wcs = WCS(hdus[0].header)
    catalog = Table.read(base / "photutils/spitzer_example_catalog.xml")
    places = SkyCoord(np.asarray(catalog["l"]) * u.deg, np.asarray(catalog["b"]) * u.deg, frame="galactic")
    found.append(Case("Spitzer", path, "i", *wcs.world_to_pixel(places)))
    catalog = tables.read(base / "sextractor/image.cat", format="sextractor")
    x, y = (np.asarray(catalog[name], float) - 1 for name in ("X_IMAGE", "Y_IMAGE"))
    found.append(Case("SExtractor's", base / "sextractor/image.fits", "i", x, y))
    path = REALDATA / "radio/1904-66_SIN.fits"
    catalog = Table.read(REALDATA / "radio/1904_comp.fits")
    with fits.open(path) as hdus:
        x, y = WCS(hdus[0].header).celestial.all_world2pix(catalog["ra"], catalog["dec"], 0)
    found.append(Case("radio", path, "i", x, y))
    for name in LEGACY:
        stars = gaia(base / "legacysurvey" / name)
        for file in sorted(
            glob.glob(f"{base}/legacysurvey/{name}/images/**/*_ooi_*.fits*", recursive=True) if stars else ()
        ):
            with fits.open(file) as hdus:
                header = next(hdu.header for hdu in hdus if hdu.header.get("NAXIS", 0) == 2)
            x, y = WCS(header).all_world2pix(stars["ra"], stars["dec"], 0)
            band = next(b for b in "grz" if f"_ooi_{b}" in file)
            found.append(Case("Gaia", Path(file), band, x, y, Path(file.replace("_ooi_", "_ood_"))))
    return found


def pixels_of(case: Case) -> tuple[Floats, NDArray[np.bool_]]:
    """Image (H, W) and which of its pixels are to be used."""
    with fits.open(case.path) as hdus:
        image = next(np.squeeze(hdu.data) for hdu in hdus if hdu.data is not None).astype(np.float64)
    valid = np.isfinite(image)
    if case.mask is not None:
        with fits.open(case.mask) as hdus:
            valid &= next(hdu.data for hdu in hdus if hdu.data is not None) == 0
    return image, valid


def by_sep(image: Floats, valid: NDArray[np.bool_]) -> Iterator[tuple[Floats, Floats]]:
    """Positions of what sep finds, for each of the settings that are tried."""
    clean = np.where(valid, image, 0.0)
    for mesh, contrast, kernel in itertools.product(MESHES, CONTRASTS, KERNELS):
        sky = sep.Background(clean, mask=~valid, bw=mesh, bh=mesh)
        found = sep.extract(
            clean - sky, SIGMAS, err=sky.globalrms, mask=~valid, filter_kernel=kernel, deblend_cont=contrast
        )
        yield found["x"], found["y"]


def picture(case: Case, table: Table, target: Path) -> None:
    """A part of an image with the boxes of what is found, and crosses where the catalogue has sources."""
    image, valid = pixels_of(case)
    low, high = np.percentile(image[valid], [1, 99])
    figure = Figure(figsize=(13.2, 5.5))
    ax: Axes = figure.subplots()
    ax.imshow(np.arcsinh((image - low) / (high - low) * 10), origin="lower", cmap="gray")
    for row in table:
        sides = row["x1"] - row["x0"], row["y1"] - row["y0"]
        ax.add_patch(Rectangle((row["x0"], row["y0"]), *sides, fill=False, ec="#f2c14e", lw=0.9))
    ax.plot(case.x, case.y, "+", color="#4cc9f0", ms=7, mew=1.2)
    ax.set(xticks=[], yticks=[], xlim=SHOWN[0], ylim=SHOWN[1])
    figure.subplots_adjust(left=0.005, right=0.995, top=0.995, bottom=0.005)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("outputs/detection/any_survey"))
    parser.add_argument("--out", type=Path, default=Path("outputs/detection_real"))
    parser.add_argument("--threshold", type=float, default=0.3, help="least score of a source")
    parser.add_argument("--picture", type=Path, default=None, help="file to draw Spitzer's boxes to")
    options = parser.parse_args()
    trained(options.run, "experiment=detection_any_survey")
    counts: dict[str, NDArray[np.int64]] = {}
    said: dict[str, tuple[Case, Table]] = {}
    for k, case in enumerate(cases()):
        image, valid = pixels_of(case)
        mask = {} if case.mask is None else {"mask.files": str(case.mask)}
        out = mapped(options.run, options.out / f"{k:02d}", images=f"{{{case.band}: {case.path}}}", **mask)
        table = Table.read(next(out.glob("*_catalog.fits")))
        table = table[table["score"] >= options.threshold]
        said[case.name] = case, table
        near = [np.round(of).astype(int) for of in (case.y, case.x)]
        inside = np.ones(len(case.x), bool)
        for place, side in zip(near, image.shape, strict=True):
            inside &= (place >= EDGE_PIX) & (place < side - EDGE_PIX)
        rows = np.flatnonzero(inside)
        seen = [
            valid[y - 1 : y + 2, x - 1 : x + 2].all()
            for y, x in zip(near[0][rows], near[1][rows], strict=True)
        ]
        x, y = case.x[rows[seen]], case.y[rows[seen]]
        ours = np.asarray(table["x"]), np.asarray(table["y"])
        hits, n_ours = len(match_positions(*ours, x, y, WITHIN_PIX)[0]), len(ours[0])
        theirs = max(
            (len(match_positions(*of, x, y, WITHIN_PIX)[0]), -len(of[0])) for of in by_sep(image, valid)
        )
        row = np.array([len(x), hits, theirs[0], n_ours, -theirs[1]])
        counts[case.name] = counts.get(case.name, 0) + row
    print(f"\n{machine()}\n")
    lines = []
    for name, (n, ours, theirs, all_ours, all_theirs) in counts.items():
        shares = []
        for hits in (ours, theirs):
            low, high = (side.item() for side in wilson_interval(np.array([hits]), np.array([n])))
            shares.append(f"{hits / n:.3f} [{low:.3f}, {high:.3f}]")
        lines.append([name, str(n), *shares, f"{all_ours} / {all_theirs}"])
    head = ["catalogue", "sources", "found by the network", "by sep", "all that is found"]
    print_table(head, lines)
    if options.picture is not None:
        picture(*said["Spitzer"], options.picture)


if __name__ == "__main__":
    main()
