"""Simulated galaxies with known redshifts: made once as FITS and a catalogue, then read like anybody's data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astrocnn.batch import DataSpec
from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datamodules.simulated import SimulatedSet
from astrocnn.datamodules.training_rows import TrainingRows

__all__ = ["PhotozDataModule"]


class PhotozDataModule(CutoutDataModule):
    """Galaxies of a photometric-redshift survey, simulated when they are not there yet.

    Args:
        root: folder of the simulated sets; each combination of options has its own sub-folder.
        n_images: how many.
        size: rows and columns in pixels of 0.2″.
        depth: depth of the survey, 'year1' or 'year10' of LSST.
        bands: LSST bands to simulate.
        sim_seed: seed of the simulation.
        n_workers: processes that simulate; None for one a core.
        train_where, reweight: which galaxies train and how much each counts, as of
            :class:`~astrocnn.datamodules.training_rows.TrainingRows`.

    The others are those of :class:`CutoutDataModule`.
    """

    carried = ImageDataModule.carried  # its images are in nJy
    size_option = "data.n_images"

    def __init__(
        self,
        *,
        root: str = "data/photoz",
        n_images: int = 20000,
        size: int = 32,
        depth: str = "year10",
        bands: Sequence[str] = ("u", "g", "r", "i", "z", "y"),
        sim_seed: int = 0,
        n_workers: int | None = None,
        redshift: str | None = "redshift",
        scalars: Sequence[str] = (),
        train_where: str | None = None,
        reweight: Sequence[str] | str | None = None,
        variance: Mapping[str, Any] | None = None,
        n_bands: int | None = None,
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        seed: int = 0,
        batch_size: int = 64,
        num_workers: int = 0,
        on_bad: str = "error",
    ) -> None:
        super().__init__(
            label=None,
            redshift=redshift,
            scalars=scalars,
            variance=variance,
            bands=tuple(bands),
            n_bands=n_bands,
            image_size=image_size,
            pixel_scale_arcsec=pixel_scale_arcsec,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            seed=seed,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad=on_bad,
        )
        self.training_rows = TrainingRows(train_where, reweight)
        self.bands = tuple(bands)
        options = {"n_images": n_images, "size": size, "depth": depth, "bands": self.bands, "seed": sim_seed}
        label = f"{depth}_{''.join(self.bands)}_{n_images}"
        self.simulated = SimulatedSet(root, label, options, n_workers)
        self.folder = self.simulated.folder

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole.

        Raises:
            ConfigError: galsim is missing (it is needed to simulate, not to read).
        """
        from astrocnn.simulate.photoz import simulate_photoz

        return self.simulated.made(simulate_photoz)

    def probe(self) -> DataSpec:
        """As of cutouts; simulates the set first when it is not there."""
        if self.images is None:
            folder = self.simulate()
            self.images, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
        return super().probe()
