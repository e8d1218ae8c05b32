"""The recipes of image to image on their simulated data, in one table.

    python benchmarks/image_recipes.py [--recipes buck_maps denoise ...] [--out FOLDER] [overrides of train.py ...]

Each is trained by ``scripts/train.py experiment=…``; a finished run in the folder is read, not repeated, so that a
stopped benchmark goes on where it was.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from common import interval, machine, metrics, print_table, trained

RECIPES = ["buck_maps", "denoise", "super_resolution", "harrington_baryons"]


def rows(recipe: str, run: Path) -> Iterator[list[str]]:
    """A recipe's figures on the test set, one row a plane."""
    record, test = json.loads((run / "run.json").read_text()), metrics(run)["splits"]["test"]
    for plane, unit in zip(test["planes"], test["units"], strict=True):
        figures = test["figures"][plane]
        gains = [
            interval(test["gain"].get(name, {}).get(plane, {}).get("rmse")) for name in ("input", "mean")
        ]
        flux = figures.get("flux_error_median")
        yield [
            recipe,
            f"{plane} ({unit})" if unit else plane,
            f"{figures['rmse']['value']:.3g}",
            *gains,
            interval(figures["r2"]),
            interval(figures["ssim"]),
            f"{100 * flux['value']:.2g} %" if flux else "–",
            f"{record['splits']['train']['n']} / {test['n']}",
            f"{record['seconds']:.0f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--out", type=Path, default=Path("outputs/image_recipes"))
    options, overrides = parser.parse_known_args()
    found = []
    for recipe in options.recipes:
        run = options.out / recipe
        trained(run, f"experiment={recipe}", *overrides)
        found += rows(recipe, run)
    print(f"\n{machine()}\n")
    head = [
        "recipe", "plane", "RMSE", "over the input's", "over the training mean's", "R²", "SSIM",
        "flux error, median", "train / test", "training, s",
    ]  # fmt: skip
    print_table(head, found)


if __name__ == "__main__":
    main()
