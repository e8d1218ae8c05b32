"""The picture of docs/scenes.md: python benchmarks/scenes_picture.py FOLDER [ID ...].

FOLDER is a set of simulated scenes. Writes docs/scenes.png: each scene beside its class map and its instance map with
the objects' boxes.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from common import ROOT
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from astrocnn.report.lupton import lupton_rgb

BANDS = ["g", "r", "i", "z"]
CLASSES = {"star": "#f2c14e", "spheroid": "#d1495b", "disc": "#4c8bdb", "irregular": "#57b894"}
BOXES = {"alone": "white", "blended": "#ff9f1c"}


def scene_row(axes: list[Axes], folder: Path, name: str, objects: Table) -> None:
    """One scene, its class map over it, and its instances with their boxes."""
    image = fits.getdata(folder / "images" / f"{name}.fits")
    picture = lupton_rgb(image[None], np.isfinite(image)[None], bands=BANDS)[0]
    with fits.open(folder / "labels" / f"{name}.fits") as hdus:
        classes, instances = hdus["CLASS"].data, hdus["INSTANCE"].data
    for ax in axes[:2]:
        ax.imshow(picture, origin="lower")
    colours = ListedColormap(list(CLASSES.values()))
    axes[1].imshow(np.ma.masked_less(classes, 1), origin="lower", cmap=colours, vmin=1, vmax=4, alpha=0.6)
    shades = np.random.default_rng(1).uniform(0.25, 0.8, (instances.max() + 1, 3))
    shades[0] = 0
    axes[2].imshow(shades[np.maximum(instances, 0)], origin="lower")
    for row in objects[objects["id"] == name]:
        corner, sides = (row["x0"], row["y0"]), (row["x1"] - row["x0"], row["y1"] - row["y0"])
        colour = BOXES["blended" if row["blended"] else "alone"]
        axes[2].add_patch(Rectangle(corner, *sides, fill=False, ec=colour, lw=0.7))
    for ax in axes:
        ax.set(xticks=[], yticks=[])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("ids", nargs="*", default=["000001", "000006"])
    options = parser.parse_args()
    objects = Table.read(options.folder / "objects.fits", character_as_bytes=False)
    figure = Figure(figsize=(12, 4 * len(options.ids) + 0.4))
    grid = figure.subplots(len(options.ids), 3, squeeze=False)
    for axes, name in zip(grid, options.ids, strict=True):
        scene_row(list(axes), options.folder, name, objects)
    handles = [Patch(color=colour, label=name) for name, colour in CLASSES.items()]
    handles += [
        Patch(facecolor="0.3", edgecolor=colour, label=f"box, {name}") for name, colour in BOXES.items()
    ]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
    figure.subplots_adjust(0, 0.4 / figure.get_figheight(), 1, 1, 0.01, 0.01)
    figure.savefig(ROOT / "docs" / "scenes.png", dpi=72)


if __name__ == "__main__":
    main()
