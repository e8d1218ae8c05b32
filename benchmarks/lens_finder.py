"""The lens finders on the embedded data, in one table.

    python benchmarks/lens_finder.py [--models resnet simple_cnn deeplens] [--out FOLDER] [overrides of train.py ...]

Each network is trained by ``scripts/train.py model=… data=lenses``; a finished run in the folder is read, not repeated,
so that a stopped benchmark goes on where it was.
"""

import argparse
import json
from pathlib import Path

from common import interval, machine, metrics, print_table, trained


def row(model: str, run: Path) -> list[str]:
    """One network's figures on the test set."""
    record, test = json.loads((run / "run.json").read_text()), metrics(run)["splits"]["test"]
    figures, clear = test["figures"], test["selections"]["clear"]["figures"]
    negatives = test["n_negative"]
    return [
        model,
        interval(clear["auroc"]),
        interval(figures["auroc"]),
        interval(figures["tpr_at_fpr_1e-2"]),
        f"{figures['tpr0']['value']:.3f} ({negatives})",
        f"{interval(figures['tpr10'])} ({negatives})",
        interval(figures["ece"]),
        f"{record['seconds']:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["resnet", "simple_cnn", "deeplens"])
    parser.add_argument("--out", type=Path, default=Path("outputs/lens_finder"))
    options, overrides = parser.parse_known_args()
    rows, whole = [], {}
    for model in options.models:
        run = options.out / model
        taken = trained(run, f"model={model}", *overrides)
        if taken is not None:
            whole[model] = taken
        rows.append(row(model, run))
    print(f"\n{machine()}\n")
    head = [
        "model", "AUROC, clear lenses", "AUROC, all lenses", "TPR at FPR 1 %", "TPR0 (negatives)", "TPR10 (negatives)",
        "ECE", "training, s",
    ]  # fmt: skip
    print_table(head, rows)
    for model, seconds in whole.items():
        print(f"\n{model}: {seconds:.0f} s from the command to the report")


if __name__ == "__main__":
    main()
