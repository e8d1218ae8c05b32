"""How predicted images are measured against their targets, and shown."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.functional.image_summary import summarise_images
from astrocnn.functional.images import ImageSums, image_sums, joined, typical_and_worst
from astrocnn.networks.blocks import middle_of
from astrocnn.report.image_page import write_image_report
from astrocnn.report.image_tables import print_image_summary
from astrocnn.runtime.judge import About, Judge, Judged, Predicted
from astrocnn.tasks.image_to_image import TARGET, ImageToImageTask

__all__ = ["ImageJudge"]

EXAMPLES = 4  # of either kind
BINS = 64  # of true against predicted values


class ImageJudge(Judge):
    """Of predicted images, against the training mean and, where they are of one kind, the input itself."""

    facts = ("planes",)
    task: ImageToImageTask

    def measure(
        self,
        split: str,
        *,
        options: DictConfig,
        seed: int,
        said: Predicted | None = None,
        prevalence: Any = None,
    ) -> Judged:
        """Figures of every plane, and a table of the images."""
        del said, prevalence
        task, rows = self.task, self.data.rows(split)
        edges = task.target_scale.edges(BINS)
        ours: list[ImageSums] = []
        others: dict[str, list[ImageSums]] = {}
        for batch, said_of in self.said(rows, f"predicting {split}"):
            found = said_of[TARGET]
            sides = found.shape[2:]
            target, valid = task.compared(batch, sides)
            ours.append(image_sums(found, target, valid, edges=edges))
            for name, guess in task.trivial(batch, sides).items():
                others.setdefault(name, []).append(image_sums(guess, target, valid))
        sums = joined(ours)
        metrics = summarise_images(
            sums,
            planes=task.planes,
            trivial={name: joined(parts) for name, parts in others.items()},
            units=self.data.spec.target_units,
            edges=edges.double().cpu().numpy(),
            noun="volume" if len(self.data.spec.image_shape) == 4 else "image",
            n_bootstrap=options.n_bootstrap,
            seed=seed,
        )
        return Judged(metrics, {"images": self._table(sums, rows)}, shown=(sums, rows))

    def _table(self, sums: ImageSums, rows: NDArray[np.int64]) -> Table:
        """One row an image: its root-mean-square error, structural similarity and sums, plane by plane."""
        table = self.data.catalog[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            rmse = np.sqrt(sums.squares / sums.n)
        for k, plane in enumerate(self.task.planes):
            columns = {"rmse": rmse, "ssim": sums.ssim, "sum": sums.predicted, "true_sum": sums.true}
            for name, values in columns.items():
                table[f"{name}_{plane}"] = values[:, k]
        table.meta = {"PLANES": ",".join(self.task.planes)}
        return table

    def show(self, path: Path, judged: Judged, about: About) -> None:
        """The page with spectra and galleries, and the short table."""
        write_image_report(path, examples=self._examples(*judged.shown), **about.page)
        print_image_summary(about.metrics, path)

    def _examples(self, sums: ImageSums, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Images of ordinary error, and of the greatest."""
        typical, worst = typical_and_worst(sums, EXAMPLES)
        shown = rows[np.concatenate([typical, worst])]
        titles = iter(["Typical"] * len(typical) + ["Worst"] * len(worst))
        examples = []
        for batch, said_of in self.said(shown, "predicting examples"):
            found = said_of[TARGET]
            target, valid = self.task.compared(batch, found.shape[2:])
            image = {key: batch[key] for key in ("image", "valid")}
            if found.shape[-1] < batch["image"].shape[-1]:  # of a network without padding
                image = {key: middle_of(of, found.shape[2:]) for key, of in image.items()}
            planes = {**image, "target": target, "target_valid": valid, "prediction": found}
            for number, row in enumerate(batch["index"].tolist()):
                arrays = {key: of[number].cpu().numpy() for key, of in planes.items()}
                examples.append({"id": str(self.data.catalog["id"][row]), "title": next(titles)} | arrays)
        return examples
