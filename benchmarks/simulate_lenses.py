"""How fast lenses are simulated, FITS files included.

python benchmarks/simulate_lenses.py                 # 8,000 images, year10
python benchmarks/simulate_lenses.py --n-images 2000 --depth year1
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table
from common import cpu_seconds, folder_bytes, machine

from astrocnn.simulate.lenses import simulate_lenses


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-images", type=int, default=8000)
    parser.add_argument("--n-workers", type=int)
    parser.add_argument("--depth", default="year10")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the set here (default: a temporary folder)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "set"
        start, before = time.perf_counter(), cpu_seconds()
        simulate_lenses(
            folder,
            n_images=options.n_images,
            depth=options.depth,
            seed=options.seed,
            n_workers=options.n_workers,
        )
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - before
        report(folder, options.n_images, seconds, cpu)


def report(folder: Path, n_images: int, seconds: float, cpu: float) -> None:
    table = Table.read(folder / "catalog.fits", character_as_bytes=False)
    lens = table[table["label"] == 1]
    print(f"machine                  {machine()}")
    print(f"images                   {n_images}, {folder_bytes(folder) / 1e6:.0f} MB")
    print(f"wall time                {seconds:.1f} s ({n_images / seconds:.0f} images/s)")
    print(f"processor time           {cpu:.1f} s ({n_images / cpu:.0f} images/s a core)")
    print(
        f"8,000 images would take  {8000 * seconds / n_images:.0f} s wall, {8000 * cpu / n_images:.0f} s processor"
    )
    kinds, counts = np.unique(table["kind"], return_counts=True)
    print("kinds                    " + ", ".join(f"{k} {c}" for k, c in zip(kinds, counts, strict=True)))
    for name in ("theta_E", "snr_arc", "z_l", "z_s", "mag_lens_i", "mag_source_i", "mag_arc_i", "seeing_r"):
        if name in table.colnames:
            low, middle, high = np.percentile(np.array(lens[name]), [16, 50, 84])
            print(f"lenses: {name:<16} {middle:.2f} (16 to 84 %: {low:.2f} to {high:.2f})")
    clear = (lens["theta_E"] > 1.2) & (lens["snr_arc"] > 20)
    print(f"clear lenses             {clear.mean():.1%} (theta_E > 1.2 arcsec, snr_arc > 20)")


if __name__ == "__main__":
    main()
