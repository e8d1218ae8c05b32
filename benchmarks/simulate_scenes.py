"""How fast scenes are simulated, FITS files included, and what is in them.

python benchmarks/simulate_scenes.py                  # 600 scenes, year10
python benchmarks/simulate_scenes.py --density 65 --n-scenes 100
"""

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table
from common import cores, cpu_seconds, folder_bytes, machine, print_table

from astrocnn.simulate.scenes import simulate_scenes

FORMS = {1: "stars", 2: "spheroids", 3: "discs", 4: "irregulars"}
MAGNITUDES = (17, 20, 22, 24, 25, 26)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-scenes", type=int, default=600)
    parser.add_argument("--n-workers", type=int)
    parser.add_argument("--depth", default="year10")
    parser.add_argument("--density", type=float, default=80.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the set here (default: a temporary folder)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "set"
        start, before = time.perf_counter(), cpu_seconds()
        simulate_scenes(
            folder,
            n_scenes=options.n_scenes,
            depth=options.depth,
            density=options.density,
            seed=options.seed,
            n_workers=options.n_workers,
        )
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - before
        report(folder, options.n_scenes, seconds, cpu)


def report(folder: Path, n: int, seconds: float, cpu: float) -> None:
    print(f"machine                {machine()}, {cores()}")
    print(f"scenes                 {n}, {folder_bytes(folder) / 1e6:.0f} MB")
    print(f"wall time              {seconds:.1f} s ({n / seconds:.1f} scenes/s)")
    print(f"processor time         {cpu:.1f} s ({n / cpu:.1f} scenes/s a core)")
    print(f"600 scenes would take  {600 * seconds / n:.0f} s wall, {600 * cpu / n:.0f} s processor")
    table = Table.read(folder / "objects.fits")
    seen = table[~table["ignore"]]
    print(f"objects a scene        {len(table) / n:.1f}, ignored {np.mean(table['ignore']):.2%}")
    print(f"blended                {np.mean(seen['blended']):.1%} of those that are not ignored")
    print(f"scored                 {np.mean(table['scored']):.1%}")
    hidden = len(set(table["id"][table["saturated"]]))
    print(f"saturated              objects in {hidden} scenes")
    rows = [[name, *_shares(table, table["label"] == label)] for label, name in FORMS.items()]
    print_table(["form", "a scene", "blended", "scored", "median S/N", "median footprint, pixels"], rows)
    galaxies = table["label"] > 1
    for low, high in pairwise(MAGNITUDES):
        chosen = galaxies & (table["mag"] >= low) & (table["mag"] < high)
        if chosen.any():
            print(f"galaxies, {low} < i < {high}:  " + ", ".join(_shares(table, chosen)))


def _shares(table: Table, chosen: np.ndarray) -> list[str]:
    some, n = table[chosen], len(set(table["id"]))
    return [
        f"{len(some) / n:.1f}",
        f"{np.mean(some['blended']):.0%}",
        f"{np.mean(some['scored']):.0%}",
        f"{np.median(some['snr']):.0f}",
        f"{np.median(some['area_pix']):.0f}",
    ]


if __name__ == "__main__":
    main()
