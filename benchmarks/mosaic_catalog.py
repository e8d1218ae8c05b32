"""The catalogue of a whole mosaic against the truth, by positions on the sky.

    python benchmarks/mosaic_catalog.py --run outputs/scenes/unet [--size 2048] [--picture FILE]

``--run`` is a run of ``train.py model=unet data=scenes_segmentation``. One scene of that many pixels a side and of a
seed that nothing was trained on is simulated, mapped by ``scripts/predict.py data=mosaic`` in windows of 1024, and its
catalogue matched with the true one by right ascension and declination. ``--picture`` draws the found sources over
the middle of the image.
"""

import argparse
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from common import machine, print_table, script
from matplotlib.figure import Figure

from astrocnn.report.lupton import lupton_rgb
from astrocnn.simulate.scenes import simulate_scenes

SCALE_ARCSEC = 0.2
WITHIN_PIX = 4.0
SHOWN = 320  # pixels of the picture


def draw(image: Path, found: Table, true: Table, path: Path) -> None:
    """The middle of the image, with what was found and what is there, placed by their sky positions."""
    with fits.open(image) as hdus:
        planes, wcs = hdus[0].data, WCS(hdus[0].header).celestial
    first = (planes.shape[-1] - SHOWN) // 2
    part = planes[:, first : first + SHOWN, first : first + SHOWN]
    rgb = lupton_rgb(part[None], bands=list("griz"))[0]
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(rgb, origin="lower")
    for table, marker, size, colour, name in (
        (true, "o", 80, "#4cc3ff", "true"),
        (found, "+", 30, "#ffe14c", "found"),
    ):
        x, y = wcs.world_to_pixel_values(table["ra"], table["dec"])
        shown = (x > first) & (x < first + SHOWN - 1) & (y > first) & (y < first + SHOWN - 1)
        face = {"facecolors": "none", "edgecolors": colour} if marker == "o" else {"color": colour}
        axes.scatter(
            x[shown] - first, y[shown] - first, size, marker=marker, linewidths=0.9, label=name, **face
        )
    axes.set_axis_off()
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("outputs/mosaic_catalog"))
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    folder = simulate_scenes(options.out / f"sky_{options.size}", n_scenes=1, size=options.size, seed=99)
    (image,) = (folder / "images").iterdir()
    maps = options.out / "maps"
    seconds = script(
        "predict",
        f"run={options.run}",
        "data=mosaic",
        f"data.images={image}",
        "data.window=1024",
        f"output={maps}",
    )
    found = Table.read(maps / f"{image.stem}_catalog.fits")
    true = Table.read(folder / "objects.fits")
    faint = true["ignore"].astype(bool)
    places = [SkyCoord(table["ra"], table["dec"], unit="deg") for table in (found, true)]
    nearest, apart, _ = places[1].match_to_catalog_sky(places[0])
    back, _, _ = places[0].match_to_catalog_sky(places[1])
    pix = apart.to_value(u.arcsec) / SCALE_ARCSEC
    paired = (back[nearest] == np.arange(len(true))) & (pix < WITHIN_PIX)  # each is the other's nearest
    counted = paired & ~faint
    offset = places[1].spherical_offsets_to(places[0][nearest])
    rows = []
    for name, of in (
        ("all", counted),
        ("isolated", counted & (true["blended"] == 0)),
        ("blended", counted & (true["blended"] == 1)),
    ):
        east, north = (np.median(side[of].to_value(u.arcsec)) / SCALE_ARCSEC for side in offset)
        there = ~faint if name == "all" else ~faint & (true["blended"] == (name == "blended"))
        rows.append(
            [name, f"{there.sum()}", f"{of.sum() / there.sum():.3f}", f"{np.median(pix[of]):.3f}",
             f"{np.percentile(pix[of], 90):.3f}", f"{east:+.3f}, {north:+.3f}"]
        )  # fmt: skip
    print(f"\n{machine()}\n")
    print_table(
        [
            "objects",
            "true ones",
            "found",
            "distance on the sky, median (pix)",
            "90 % within",
            "median offset east, north",
        ],
        rows,
    )
    print(f"\n{options.size}² pixels, {len(found)} sources, {seconds:.0f} s")
    if options.picture:
        draw(image, found, true, options.picture)


if __name__ == "__main__":
    main()
