"""Simulated survey scenes with the boxes of their objects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from astrocnn.batch import DataSpec
from astrocnn.datamodules.boxes import BoxDataModule
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datamodules.scenes import scene_set, simulated
from astrocnn.io.layers import InstanceMap

__all__ = ["SceneBoxDataModule"]

CLASSES = ("star", "spheroid", "disc", "irregular")


class SceneBoxDataModule(BoxDataModule):
    """Crowded survey scenes with the box and the class of every object, simulated when they are not there yet.

    They are those of :class:`~astrocnn.datamodules.scenes.SceneDataModule` of equal options.

    Args:
        root: folder of the simulated sets; each combination of options has its own sub-folder.
        n_scenes: how many; two thirds train, two fifteenths validate, a fifth tests.
        size: rows and columns of a scene in pixels of 0.2″.
        depth: depth of the survey, 'year1' or 'year10' of LSST.
        bands: LSST bands to simulate.
        density: galaxies a scene of 256² pixels.
        correlated_noise: whether the noise of neighbouring pixels is correlated, as resampled images have it.
        sim_seed: seed of the simulation.
        n_workers: processes that simulate; None for one a core.
        masks: whether the batches have the instance maps too, for networks that learn the pixels of each object.

    The others are those of :class:`~astrocnn.datamodules.boxes.BoxDataModule`.
    """

    carried = (*ImageDataModule.carried, "box_values", "masks")  # its images are in nJy
    size_option = "data.n_scenes"

    def __init__(
        self,
        *,
        root: str = "data/scenes",
        n_scenes: int = 600,
        size: int = 256,
        depth: str = "year10",
        bands: Sequence[str] = ("g", "r", "i", "z"),
        density: float = 80.0,
        correlated_noise: bool = False,
        sim_seed: int = 0,
        n_workers: int | None = None,
        masks: bool | None = None,
        box_values: Sequence[str] = (),
        n_bands: int | None = None,
        classes: Sequence[str] = CLASSES,
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        seed: int = 0,
        batch_size: int = 4,
        num_workers: int = 0,
        on_bad: str = "error",
    ) -> None:
        super().__init__(
            bands=tuple(bands),
            n_bands=n_bands,
            classes=classes,
            box_values=box_values,
            image_size=image_size,
            pixel_scale_arcsec=pixel_scale_arcsec,
            seed=seed,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad=on_bad,
        )
        self.bands, self.masks = tuple(bands), bool(masks)
        self.simulated = scene_set(
            root,
            n_workers,
            n_scenes=n_scenes,
            size=size,
            bands=self.bands,
            depth=depth,
            density=density,
            correlated_noise=correlated_noise,
            seed=sim_seed,
        )
        self.folder = self.simulated.folder
        self.box_files = f"{self.folder}/objects.fits"

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole.

        Raises:
            ConfigError: galsim is missing (it is needed to simulate, not to read).
        """
        return simulated(self.simulated)

    def read_boxes(self) -> Table:
        """The objects of the scenes with their truth, those too faint to count among them."""
        self.simulate()
        table = super().read_boxes()
        table["label"] = np.asarray(table["label"]) - 1  # 0 is the background of the class map
        return table

    def probe(self) -> DataSpec:
        """As of any images with boxes; simulates the set first when it is not there."""
        if self.images is None:
            folder = self.simulate()
            self.images, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
            if self.masks:
                self.instances = InstanceMap(hdu="INSTANCE", files=f"{folder}/labels/*.fits")
        return super().probe()
