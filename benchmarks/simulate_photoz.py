"""How fast galaxies with redshifts are simulated, FITS files included, and what they are like.

python benchmarks/simulate_photoz.py                 # 20,000 stamps of 32 × 32 pixels in six bands, year10
python benchmarks/simulate_photoz.py --n-images 2000 --table ../shared/realdata/photoz/test_dc2_training_9816.hdf5
"""

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table
from common import cpu_seconds, folder_bytes, machine, print_table

from astrocnn.io.tables import read_table
from astrocnn.simulate.photoz import simulate_photoz
from astrocnn.simulate.templates import BANDS

Z_STEP = 0.2
PAIRS = tuple(pairwise(BANDS))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-images", type=int, default=20000)
    parser.add_argument("--n-workers", type=int)
    parser.add_argument("--folder", type=Path, help="keep the set here (default: a temporary folder)")
    parser.add_argument("--table", help="DC2's table of the README of the real data, to compare colours with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "set"
        start, before = time.perf_counter(), cpu_seconds()
        simulate_photoz(folder, n_images=options.n_images, n_workers=options.n_workers)
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - before
        table = Table.read(folder / "catalog.fits", character_as_bytes=False)
        n = options.n_images
        print(f"machine         {machine()}")
        print(f"stamps          {n}, {folder_bytes(folder) / 1e6:.0f} MB")
        print(f"wall time       {seconds:.1f} s ({n / seconds:.0f} stamps/s)")
        print(f"processor time  {cpu:.1f} s ({n / cpu:.0f} stamps/s a core)")
    population(table)
    if options.table:
        colours(table, read_table(options.table))


def population(table: Table) -> None:
    for name in ("redshift", "true_i", "true_radius_arcsec", "ebv", "seeing_r", "blending"):
        low, middle, high = np.percentile(np.array(table[name]), [16, 50, 84])
        print(f"{name:<20} {middle:.2f} (16 to 84 %: {low:.2f} to {high:.2f})")
    missing = {band: float(np.mean(np.array(table[f"mag_{band}"]) > 90)) for band in BANDS}
    print("not detected         " + ", ".join(f"{band} {share:.1%}" for band, share in missing.items()))
    print(f"with a spectrum      {np.mean(table['in_spec']):.1%}")


def colours(ours: Table, theirs: Table) -> None:
    """Median colours in steps of redshift: simulated with errors, and the table's."""
    rows = []
    for low in np.arange(0.0, 3.0, Z_STEP):
        row = [f"{low:.1f}–{low + Z_STEP:.1f}"]
        for one, other in PAIRS:
            found = [
                _median(ours, "redshift", f"mag_{one}", f"mag_{other}", low),
                _median(theirs, "redshift", f"mag_{one}_lsst", f"mag_{other}_lsst", low),
            ]
            row.append(" / ".join(found))
        rows.append(row)
    print_table(["z", *(f"{one} − {other}" for one, other in PAIRS)], rows)


def _median(table: Table, redshift: str, one: str, other: str, low: float) -> str:
    z, a, b = (np.asarray(table[name], float) for name in (redshift, one, other))
    rows = (z >= low) & (z < low + Z_STEP) & (a < 90) & (b < 90)
    return f"{np.median(a[rows] - b[rows]):.2f}" if rows.any() else "–"


if __name__ == "__main__":
    main()
