"""Which numbers of metrics.json are shown, on the page and in the terminal alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astrocnn.errors import DataError
from astrocnn.report.words import FIGURES, Estimate, condition

__all__ = ["Population", "figure_name", "figure_rows", "populations", "shown_split"]

ORDER = ("test", "all", "val", "train")


@dataclass(frozen=True)
class Population:
    """Objects that are scored together: the whole split, or the positives of a selection and all negatives."""

    name: str
    where: str
    figures: Mapping[str, Any]
    n_positive: int | None
    n_negative: int | None

    def estimate(self, key: str) -> Estimate:
        """The figure ``key`` of this population; empty where it was not computed."""
        return Estimate(self.figures.get(key))


def shown_split(metrics: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name and summary of the split that a report is about: 'test' where there is one.

    Raises:
        DataError: the metrics hold no split.
    """
    splits = metrics.get("splits") or {}
    name = next((name for name in (*ORDER, *splits) if name in splits), None)
    if name is None:
        raise DataError("the metrics hold no split (key 'splits' is empty); evaluate a labelled set first.")
    return name, splits[name]


def populations(summary: Mapping[str, Any]) -> list[Population]:
    """The whole population, then each selection."""
    binary = len(summary.get("classes", ())) <= 2
    sizes = (summary.get("n_positive"), summary.get("n_negative")) if binary else (None, None)
    found = [Population("all", "", summary["figures"], *sizes)]
    for name, part in (summary.get("selections") or {}).items():
        sizes = (part.get("n_positive"), part.get("n_negative"))
        found.append(
            Population(str(name), condition(part.get("where") or {}), part.get("figures") or {}, *sizes)
        )
    return found


def figure_rows(shown: list[Population]) -> list[str]:
    """Keys of the figures that any population has, the known ones in a fixed order, then the others."""
    present = [key for population in shown for key in population.figures]
    return [key for key in FIGURES if key in present] + sorted({key for key in present if key not in FIGURES})


def figure_name(key: str) -> str:
    """'AUROC' of 'auroc'; 'recall spiral' of a figure that has no name of its own."""
    return FIGURES[key][0] if key in FIGURES else key.replace("_", " ")
