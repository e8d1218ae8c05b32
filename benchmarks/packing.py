"""Packing small FITS files beside astropy's getdata in a loop: python benchmarks/packing.py.

All read the same files from the page cache, in turns. Ours uses all cores, finds the files, checks every pixel and
writes the packed array: to a disc, and waits until that has it, or into memory (/dev/shm, where there is one), which
leaves the disc out of the measurement. getdata uses one core and leaves the pixels where they are.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from common import cores, in_turns, machine, print_table, ratio

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.packed import pack
from astrocnn.io.layers import Variance

SHAPE, BANDS = (3, 64, 64), ("g", "r", "i")


def write(folder: Path, n: int, *, variance: bool) -> str:
    """``n`` cutouts with a WCS, and perhaps a second HDU; gives their pattern."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    header = fits.Header({f"BAND{i + 1}": band for i, band in enumerate(BANDS)})
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=32.5, CRPIX2=32.5, CRVAL2=-5.0, RADESYS="ICRS")
    header.update(CD1_1=-7e-5, CD1_2=0.0, CD2_1=0.0, CD2_2=7e-5, BUNIT="nJy", MAGZERO=31.4, EXPTIME=90.0)
    for i in range(n):
        header["CRVAL1"] = i * 360 / n
        image = rng.normal(size=SHAPE).astype(np.float32)
        hdus: list[fits.PrimaryHDU | fits.ImageHDU] = [fits.PrimaryHDU(image, header)]
        if variance:
            hdus.append(fits.ImageHDU(image**2, header, name="VARIANCE"))
        fits.HDUList(hdus).writeto(folder / f"c{i:06d}.fits")
    return f"{folder}/c*.fits"


def by_astropy(pattern: str, *, variance: bool) -> Callable[[], None]:
    paths = CutoutFiles(pattern).paths

    def run() -> None:
        for (path,) in paths:
            fits.getdata(path)
            if variance:
                fits.getdata(path, 1)

    return run


def by_us(pattern: str, cache: str, *, variance: bool, sky: bool) -> Callable[[], None]:
    def run() -> None:
        os.environ["ASTROCNN_CACHE"] = cache
        files = CutoutFiles(pattern, variance=Variance(hdu="VARIANCE") if variance else None)
        pack(files, np.arange(len(files)), shape=SHAPE, bands=BANDS, sky=sky)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=4000, help="files")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rows = []
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=memory) as in_memory:
        caches = {"to disc": f"{folder}/cache", "into memory": f"{in_memory}/cache"}

        def clear() -> None:
            for cache in caches.values():
                shutil.rmtree(cache, ignore_errors=True)

        one = write(Path(folder) / "one", options.n, variance=False)
        two = write(Path(folder) / "two", options.n, variance=True)
        os.sync()  # else the disc is busy with them while the first rounds are timed
        for name, pattern, variance, sky in (
            ("one HDU, positions from a catalogue", one, False, False),
            ("one HDU, positions from the WCS", one, False, True),
            ("image and variance", two, True, False),
        ):
            sides = {"astropy": by_astropy(pattern, variance=variance)}
            sides |= {to: by_us(pattern, at, variance=variance, sky=sky) for to, at in caches.items()}
            taken = in_turns(sides, options.rounds + 1, between=clear)
            astropy, *ours = (times[1:] for times in taken.values())  # the first round warms up
            row = [name, f"{options.n / statistics.median(astropy):,.0f}"]
            for times in ours:
                row += [f"{options.n / statistics.median(times):,.0f}", ratio(astropy, times)]
            rows.append(row)
    print(f"\n{machine()}, {cores()}; {options.n:,} files of 3×64×64 float32, {options.rounds} rounds\n")
    head = ["files", "getdata, files/s", "packing to disc", "ratio", "packing into memory", "ratio"]
    print_table(head, rows)


if __name__ == "__main__":
    main()
