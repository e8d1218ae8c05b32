"""Memory while a large set is packed: python benchmarks/packing_memory.py [--n 200000] [--distinct 2000].

Anonymous memory (Pss_Anon, over all its processes) is what a program holds for itself; pages of mapped files, which the
system takes back when it needs them, do not count. It is sampled every 50 ms from before the files are found until
batches have been read. So that the input needs little disc, the files are hard links to --distinct different ones; the
packed set is of full size (10 GB for 200,000), and is removed at the end.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from common import cores, machine, print_table

from astrocnn.datamodules.cutouts import CutoutDataModule

MIB = 2**20


def write(folder: Path, n: int, distinct: int) -> None:
    """``n`` files of which ``distinct`` differ, and a catalogue."""
    rng = np.random.default_rng(0)
    for i in range(n):
        path = folder / f"field{i % 100:02d}" / f"cutout_{i:07d}.fits"
        path.parent.mkdir(exist_ok=True)
        if i < distinct:
            image = rng.normal(size=(3, 64, 64)).astype(np.float32)
            image[:, :2] = np.nan
            fits.PrimaryHDU(image).writeto(path)
        else:
            first = i % distinct
            os.link(folder / f"field{first % 100:02d}" / f"cutout_{first:07d}.fits", path)
    columns = {"id": [f"{i:07d}" for i in range(n)], "label": np.arange(n) % 2, "snr": rng.random(n)}
    columns |= {"ra": rng.uniform(0, 360, n), "dec": rng.uniform(-60, 60, n)}
    Table(columns).write(folder / "catalogue.csv")


def anonymous() -> int:
    """Anonymous memory of this process and of the processes that share its work, in bytes.

    What they still have in common is counted once: Pss_Anon of each process, its share of every page.
    """
    total = 0
    for pid in (os.getpid(), *(process.pid for process in multiprocessing.active_children())):
        with suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += 1024 * int(text.partition("Pss_Anon:")[2].split()[0])
    return total


class Peak:
    """The greatest anonymous memory since the last look."""

    def __init__(self) -> None:
        self.most = anonymous()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, anonymous())
            time.sleep(0.05)

    def take(self) -> float:
        """MiB."""
        most, self.most = max(self.most, anonymous()), anonymous()
        return most / MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200_000, help="cutouts of 3×64×64")
    parser.add_argument("--distinct", type=int, default=2000, help="different files among them")
    options = parser.parse_args()
    n, distinct = options.n, min(options.n, options.distinct)
    with tempfile.TemporaryDirectory() as name:
        need = n * 49152 * 1.04 + distinct * 55000 + n * 2000
        if shutil.disk_usage(name).free < need:
            raise SystemExit(
                f"{name} needs {need / 1e9:.3g} GB free; set TMPDIR to a larger disc, or a smaller --n."
            )
        os.environ["ASTROCNN_CACHE"] = f"{name}/cache"
        write(Path(name), n, distinct)
        rows, peak = [], Peak()
        rows.append(["python and its libraries", "", f"{peak.take():,.0f}"])
        data = CutoutDataModule(
            images=f"{name}/field*/cutout_*.fits", catalog=f"{name}/catalogue.csv", batch_size=256,
            duplicate_radius_arcsec=1.0 if distinct == n else None,  # links are duplicates
        )  # fmt: skip
        for step, work in (
            ("files and catalogue joined", data.probe),
            ("packing", data.prepare_data),
            ("split, catalogue, packed array opened", data.setup),
            ("200 batches of 256", lambda: sum(1 for _ in islice(data.train_dataloader(), 200))),
        ):
            start = time.perf_counter()
            work()
            rows.append([step, f"{time.perf_counter() - start:.1f}", f"{peak.take():,.0f}"])
        size = sum(path.stat().st_size for path in Path(f"{name}/cache").rglob("*.npy")) / 1e9
        print(
            f"\n{machine()}, {cores()}; {n:,} cutouts of 3×64×64 ({distinct:,} different files), {size:.2f} GB packed\n"
        )
        print_table(["step", "s", "most anonymous memory, MiB"], rows)


if __name__ == "__main__":
    main()
