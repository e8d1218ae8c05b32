"""What the benchmarks share: the machine's name, running a command, reading a run's figures, printing a table."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def machine() -> str:
    """Processor, number of cores and torch version, for the head of a table."""
    import torch

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {torch.get_num_threads()} threads{gpu}, torch {torch.__version__}"


def script(name: str, *overrides: str) -> float:
    """Run ``scripts/<name>.py`` with overrides, show its output, and return the seconds that it took."""
    start = time.monotonic()
    subprocess.run([sys.executable, str(ROOT / "scripts" / f"{name}.py"), *overrides], check=True)
    return time.monotonic() - start


def trained(run: Path, *overrides: str) -> float | None:
    """Train to the end what is not trained yet: a run that was begun is resumed. The seconds; None if it was there."""
    if (run / "metrics.json").exists():
        return None
    begun = (run / "config.yaml").exists()
    return script("train", f"run_dir={run}", *(["resume=true"] if begun else overrides))


def metrics(run: str | Path) -> dict[str, Any]:
    """metrics.json of a run."""
    return json.loads((Path(run) / "metrics.json").read_text())


def interval(figure: dict[str, Any] | None, digits: int = 3) -> str:
    """A figure with its 95 % interval, where it has one."""
    if not figure or figure.get("value") is None:
        return "–"
    text = f"{figure['value']:.{digits}f}"
    return f"{text} [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]" if "low" in figure else text


def in_turns(
    sides: Mapping[str, Callable[[], object]], rounds: int, *, between: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Seconds of each of the functions, which run in turns, so that whatever else the machine does falls on all.

    ``between`` is called after each, and not timed.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            taken[name].append(time.perf_counter() - start)
            between()
    return taken


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    """The median of the ratios round by round, with the least and the greatest."""
    each = [a / b for a, b in zip(above, below, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def cores() -> str:
    """How many cores there are, and how busy others keep them."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """A Markdown table."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print(
            "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        )


def cpu_seconds() -> float:
    """User and system time of this process and of those that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
