"""How long the command line takes to answer: python benchmarks/startup.py."""

import subprocess
import sys
import time

from common import ROOT, machine, print_table


def seconds(*words: str) -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.monotonic() - start


def main() -> None:
    rows = []
    for name, words in {
        "python -c pass": ["-c", "pass"],
        "import hydra": ["-c", "import hydra"],
        "train.py --help": [str(ROOT / "scripts/train.py"), "--help"],
        "train.py --cfg job": [str(ROOT / "scripts/train.py"), "--cfg", "job"],
        "predict.py --help": [str(ROOT / "scripts/predict.py"), "--help"],
    }.items():
        runs = sorted(seconds(*words) for _ in range(7))
        rows.append([name, f"{runs[0]:.2f}", f"{runs[3]:.2f}"])
    print(machine(), "\n")
    print_table(["command", "least, s", "median, s"], rows)


if __name__ == "__main__":
    main()
