"""Simulated blends of galaxies: made once as FITS with the isolated galaxies, then read like anybody's data."""

from collections.abc import Sequence
from pathlib import Path

from astrocnn.batch import DataSpec
from astrocnn.datamodules.image_maps import ImagePairDataModule
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datamodules.simulated import SimulatedSet
from astrocnn.io.layers import TargetImage

__all__ = ["GalaxyPairDataModule"]


class GalaxyPairDataModule(ImagePairDataModule):
    """Blends, each with the galaxy in its middle alone and without noise, simulated when they are not there yet.

    Args:
        root: folder of the simulated sets; each combination of options has its own sub-folder.
        n_images: how many; eight tenths train, a tenth validates, a tenth tests.
        size: rows and columns in pixels of 0.2″.
        depth: depth of the survey, 'year1' or 'year10' of LSST.
        bands: LSST bands to simulate.
        max_neighbours: each central galaxy has one to so many neighbours; 0 for galaxies that are alone.
        sim_seed: seed of the simulation.
        n_workers: processes that simulate; None for one a core.

    The others are those of :class:`~astrocnn.datamodules.image_maps.ImagePairDataModule`.
    """

    carried = ImageDataModule.carried  # its images are in nJy
    size_option = "data.n_images"

    def __init__(
        self,
        *,
        root: str = "data/galaxy_pairs",
        n_images: int = 12000,
        size: int = 64,
        depth: str = "year10",
        bands: Sequence[str] = ("g", "r", "i", "z"),
        max_neighbours: int = 1,
        sim_seed: int = 0,
        n_workers: int | None = None,
        n_bands: int | None = None,
        target_bands: Sequence[str] | None = None,
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        seed: int = 0,
        batch_size: int = 32,
        num_workers: int = 0,
        on_bad: str = "error",
    ) -> None:
        super().__init__(
            bands=tuple(bands),
            n_bands=n_bands,
            target_bands=target_bands,
            image_size=image_size,
            pixel_scale_arcsec=pixel_scale_arcsec,
            seed=seed,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad=on_bad,
        )
        self.bands = tuple(bands)
        options = {
            "n_images": n_images,
            "size": size,
            "depth": depth,
            "bands": self.bands,
            "max_neighbours": max_neighbours,
            "seed": sim_seed,
        }
        label = f"{depth}_{''.join(self.bands)}_{n_images}"
        self.simulated = SimulatedSet(root, label, options, n_workers)
        self.folder = self.simulated.folder

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole.

        Raises:
            ConfigError: galsim is missing (it is needed to simulate, not to read).
        """
        from astrocnn.simulate.pairs import simulate_pairs

        return self.simulated.made(simulate_pairs)

    def probe(self) -> DataSpec:
        """As of any images with targets; simulates the set first when it is not there."""
        if self.images is None:
            folder = self.simulate()
            self.images, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
            self.target = TargetImage(files=f"{folder}/targets/*.fits")
        return super().probe()
