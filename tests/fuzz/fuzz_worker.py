"""Open damaged files in a process of its own: run with the numbers of cases, it prints a line of JSON for each.

A process of its own, so that a crash of the interpreter, a hang or a greed for memory is seen and costs one case.
``python tests/fuzz/fuzz_worker.py 4711 4712 --keep out`` repeats one case and leaves its file.
"""

import argparse
import faulthandler
import gc
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fuzz_mutations import mutated
from fuzz_seeds import Seed, real_seeds, written_seeds

from astrocnn.errors import AstrocnnError
from astrocnn.io.sample import Sample

SECONDS, WALL_SECONDS = 30, 180  # of computing, and of waiting
MEMORY = 3 * 2**30  # addresses, above those of the libraries
PEAK = 400 * 2**20  # resident
REMEDY = re.compile(
    r"\b(copy|download|check|choose|give|leave|mend|write|set|take|name|use|rename|raise|make|keep|sort|compress|subtract"
    r"|gunzip|need|start again|save|bring|say|read one|ask for)\b", re.I
)  # fmt: skip


def check(sample: Sample) -> None:
    """What holds of every sample, whatever it was read from."""
    assert sample.flux.dtype == np.float32
    assert sample.flux.dtype.isnative
    assert sample.flux.shape == sample.valid.shape == sample.info.shape
    assert sample.valid.dtype == np.bool_
    assert np.isfinite(sample.flux).all()
    assert (sample.flux[~sample.valid] == 0).all()
    if sample.variance is not None:
        assert sample.variance.shape == sample.flux.shape
        assert np.isfinite(sample.variance).all()
        assert (sample.variance >= 0).all()


def n_zeros(seed: Seed, path: str) -> tuple[int, int]:
    """How many pixels (values of series without their times) are valid and exactly 0, and how many there are."""
    zeros = values = 0
    for sample in seed.opener(path):
        check(sample)
        zeros += int(((sample.flux == 0) & sample.valid).sum())
        values += sample.flux.size
    return zeros, values


def refusal(error: AstrocnnError, path: str) -> str | None:
    """What is wrong with a message; None for nothing."""
    text = str(error)
    if os.path.basename(path) not in text:
        return "does not name the file"
    if not REMEDY.search(text):
        return "names no remedy"
    if "\n" in text:
        return "is more than one line"
    if len(text) > 1200:
        return "is too long"
    return None


def peak_bytes() -> int:
    """The most memory that was resident since :func:`reset_peak`."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def run(
    number: int, seeds: list[Seed], clean: Callable[[Seed], tuple[int, int]], folder: Path
) -> dict[str, object]:
    """Open the file of case ``number``."""
    seed = seeds[number % len(seeds)]
    rng = np.random.default_rng([number, zlib.crc32(seed.name.encode())])
    data, done = mutated(seed.data, rng, form=seed.form, packed=seed.packed)
    path = str(folder / f"{number}-{seed.name}")
    Path(path).write_bytes(data)
    found: dict[str, object] = {"case": number, "seed": seed.name, "done": done, "message": ""}
    gc.collect()
    reset_peak()
    before, start = peak_bytes(), time.perf_counter()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # which ends the process, whatever it is in
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)  # likewise
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            zeros, values = n_zeros(seed, path)
        before_zeros, before_values = clean(seed)
        found["end"] = "read"
        # a few random bytes may be zeros by themselves, a lost stripe of pixels may not; but what pads a file may lie
        # where its header says that pixels are, JPEG makes some colour of everything, and a GIF may be a small picture
        # on a large screen
        may_be_zero = "card" in done or "piece" in done or seed.name.endswith((".jpeg", ".gif"))
        if not may_be_zero and zeros * before_values > (before_zeros + 0.05 * before_values) * values:
            found["end"], found["message"] = "FAILED", f"{zeros} of {values} valid pixels are 0"
    except AstrocnnError as error:
        wrong = refusal(error, path)
        found["end"], found["message"] = ("FAILED", f"{wrong}: {error}") if wrong else ("refused", str(error))
    except BaseException:
        found["end"], found["message"] = "FAILED", traceback.format_exc(limit=-8)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    # those of files left open come late and at random, from what an exception of a library still holds; those of
    # pictures tell of odd metadata
    strange = [
        warning
        for warning in caught
        if os.path.basename(path) not in str(warning.message)
        if warning.category is not ResourceWarning and "/PIL/" not in warning.filename
    ]
    if strange and found["end"] != "FAILED":
        found["end"], found["message"] = "FAILED", f"warned: {strange[0]}"
    found["seconds"] = round(time.perf_counter() - start, 3)
    found["peak"] = (peak_bytes() - before) >> 20
    if peak_bytes() - before > PEAK and found["end"] != "FAILED":
        found["end"], found["message"] = (
            "FAILED",
            f"took {found['peak']} MiB for {len(data)} bytes: {found['message']}",
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--real", type=Path, help="folder of the real data; left out without")
    options = parser.parse_args()
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)
    used = 1024 * int(re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    warnings.simplefilter("ignore")  # astropy's, about names of columns
    seeds = [*written_seeds(), *(real_seeds(options.real) if options.real else ())]
    known: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        os.environ.setdefault("ASTROCNN_CACHE", temporary)
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)

        def clean(seed: Seed) -> tuple[int, int]:
            if seed.name not in known:
                path = folder / f"whole-{seed.name}"
                path.write_bytes(seed.data)
                known[seed.name] = n_zeros(seed, str(path))
            return known[seed.name]

        for number in range(options.first, options.end):
            print(json.dumps({"begin": number}), flush=True)
            print(json.dumps(run(number, seeds, clean, folder)), flush=True)
            if not options.keep:
                for path in folder.glob(f"{number}-*"):
                    path.unlink()


if __name__ == "__main__":
    sys.exit(main())
