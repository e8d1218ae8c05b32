"""Cutouts from a tile in random order, by astropy's ``.section`` and ordered by compressed stripe, as we cut them.

    python benchmarks/tile_order.py [--side 4096] [--cutouts 2000] [--runs 3]

Tiles of noise and stars, compressed by RICE (rows, as fpack does by default, and parts of 100 × 100) and plain, are
made in a temporary folder. Both cut the same whole pixels; a third column centres each object by cubic splines. The
ways take turns, and of each the best run counts.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from common import machine, print_table

from astrocnn.datasets.tile_placement import Targets
from astrocnn.datasets.tiles import TileCutouts

SIZE = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=4096, help="rows and columns of the tile")
    parser.add_argument("--cutouts", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    image = rng.normal(1000, 10, (options.side, options.side)).astype(np.float32)
    corners = rng.integers(0, options.side - SIZE, (options.cutouts, 2))
    kinds = {
        "RICE, by rows": {"compression_type": "RICE_1", "quantize_level": 16},
        "RICE, 100 × 100": {"compression_type": "RICE_1", "quantize_level": 16, "tile_shape": (100, 100)},
        "plain float32": None,
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, compression in kinds.items():
            path = Path(folder) / "tile.fits"
            hdu = fits.ImageHDU(image) if compression is None else fits.CompImageHDU(image, **compression)
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
            sources = {whole: ours(path, corners, whole=whole) for whole in (True, False)}
            ways: dict[str, Callable[[], object]] = {
                "astropy": lambda path=path: astropy_sections(path, corners),
                "ours": lambda source=sources[True]: list(source.read_many(np.arange(len(source)))),
                "centred": lambda source=sources[False]: list(source.read_many(np.arange(len(source)))),
            }
            check(path, sources[True], corners)
            best = dict.fromkeys(ways, 0.0)
            for _ in range(options.runs):
                for way, run in ways.items():
                    start = time.perf_counter()
                    run()
                    best[way] = max(best[way], len(corners) / (time.perf_counter() - start))
            rates = [f"{best[way]:,.0f}" for way in ways]
            rows.append(
                [
                    name,
                    *rates,
                    f"{best['ours'] / best['astropy']:.1f}",
                    f"{best['centred'] / best['astropy']:.1f}",
                ]
            )
    print(f"{options.cutouts} cutouts of {SIZE} × {SIZE} from {options.side}², one thread; {machine()}\n")
    print_table(
        ["tile", "astropy.section, a second", "ours", "ours, centred", "ratio", "ratio, centred"], rows
    )


def astropy_sections(path: Path, corners: np.ndarray) -> list[np.ndarray]:
    """The cutouts in the order of the catalogue, from an open file."""
    with fits.open(path) as hdus:
        section = hdus[1].section
        return [np.array(section[y : y + SIZE, x : x + SIZE]) for y, x in corners]


def ours(path: Path, corners: np.ndarray, *, whole: bool) -> TileCutouts:
    """The same objects, by pixel; exactly centred they lie half a pixel aside, so that there is something to do."""
    centre = corners + (SIZE - 1) / 2 + (0.0 if whole else 0.3)
    nowhere = np.full(len(corners), np.nan)
    ids = [str(i) for i in range(len(corners))]
    targets = Targets(ids, nowhere, nowhere, x=centre[:, 1], y=centre[:, 0])
    return TileCutouts(str(path), targets, size_pix=SIZE, subpixel=not whole)


def check(path: Path, source: TileCutouts, corners: np.ndarray) -> None:
    """Both ways give the same pixels."""
    some = np.arange(0, len(source), max(1, len(source) // 20))
    expected = astropy_sections(path, corners[[int(source.ids[i]) for i in some]])
    for sample, truth in zip(source.read_many(some), expected, strict=True):
        np.testing.assert_array_equal(sample.flux[0], truth)


if __name__ == "__main__":
    main()
