"""Simulated survey scenes: made once as FITS with their truth, then read like anybody's data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.table import Table

from astrocnn.batch import DataSpec
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datamodules.simulated import SimulatedSet
from astrocnn.io.layers import ClassMap, InstanceMap

__all__ = ["SceneDataModule", "scene_set", "simulated"]

CLASSES = ("background", "star", "spheroid", "disc", "irregular")


class SceneDataModule(SegmentationMapDataModule):
    """Crowded survey scenes with the class and the object of every pixel, simulated when they are not there yet.

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
        tell_apart: whether the objects are numbered, so that touching ones are told apart.

    The others are those of :class:`~astrocnn.datamodules.image_maps.SegmentationMapDataModule`.
    """

    carried = ImageDataModule.carried  # its images are in nJy
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
        tell_apart: bool = True,
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
            image_size=image_size,
            pixel_scale_arcsec=pixel_scale_arcsec,
            seed=seed,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad=on_bad,
        )
        self.bands, self.tell_apart = tuple(bands), tell_apart
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

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole.

        Raises:
            ConfigError: galsim is missing (it is needed to simulate, not to read).
        """
        return simulated(self.simulated)

    def probe(self) -> DataSpec:
        """As of any images with maps; simulates the set first when it is not there."""
        if self.images is None:
            folder = self.simulate()
            self.images, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
            self.object_table = f"{folder}/objects.fits"
            self.class_map = ClassMap(hdu="CLASS", files=f"{folder}/labels/*.fits")
            if self.tell_apart:
                self.instances = InstanceMap(hdu="INSTANCE", files=f"{folder}/labels/*.fits")
        return super().probe()

    def objects(self) -> Table | None:
        """The objects of the scenes with their truth."""
        self.probe()
        return super().objects()


def scene_set(root: str, n_workers: int | None, **options: Any) -> SimulatedSet:
    """The set of these ``options`` of :func:`astrocnn.simulate.scenes.simulate_scenes`."""
    label = f"{options['depth']}_{''.join(options['bands'])}_{options['n_scenes']}"
    return SimulatedSet(root, label, options, n_workers)


def simulated(scenes: SimulatedSet) -> Path:
    """The folder of the set, simulated when it is not whole.

    Raises:
        ConfigError: galsim is missing (it is needed to simulate, not to read).
    """
    from astrocnn.simulate.scenes import simulate_scenes

    return scenes.made(simulate_scenes)
