"""Simulated galaxies with what is to come out of their images: made once as FITS, then read like anybody's pairs."""

from collections.abc import Sequence
from pathlib import Path

from astrocnn.batch import DataSpec
from astrocnn.datamodules.image_maps import ImagePairDataModule
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datamodules.simulated import SimulatedSet
from astrocnn.io.layers import TargetImage

__all__ = ["ResolvedGalaxyDataModule"]


class ResolvedGalaxyDataModule(ImagePairDataModule):
    """Galaxies as a survey sees them and their targets, simulated when they are not there yet.

    Args:
        root: folder of the simulated sets; each combination of options has its own sub-folder.
        n_images: how many galaxies.
        pair: what the target is: 'maps' of physical quantities, the image without 'noise', or one of finer
            'resolution'; see :mod:`astrocnn.simulate.resolved_galaxies`.
        size: pixels of 0.2″ along a side of the target.
        depth: depth of the survey, 'year1' or 'year10' of LSST.
        bands: LSST bands to simulate.
        sim_seed: seed of the simulation.
        n_workers: processes that simulate; None for one a core.

    The others are those of :class:`~astrocnn.datamodules.image_maps.ImagePairDataModule`.
    """

    carried = ImageDataModule.carried  # its images are in nJy

    def __init__(
        self,
        *,
        root: str = "data/resolved_galaxies",
        n_images: int = 3000,
        pair: str = "maps",
        size: int = 64,
        depth: str = "year10",
        bands: Sequence[str] = ("u", "g", "r", "i", "z"),
        sim_seed: int = 0,
        n_workers: int | None = None,
        target_bands: Sequence[str] | None = None,
        n_bands: int | None = None,
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        seed: int = 0,
        batch_size: int = 32,
        num_workers: int = 0,
        on_bad: str = "error",
    ) -> None:
        super().__init__(
            bands=tuple(bands),
            target_bands=target_bands,
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
        self.pair, self.bands = pair, tuple(bands)
        options = {
            "n_images": n_images,
            "pair": pair,
            "depth": depth,
            "bands": self.bands,
            "size": size,
            "seed": sim_seed,
        }
        label = f"{pair}_{depth}_{''.join(self.bands)}_{n_images}"
        self.simulated = SimulatedSet(root, label, options, n_workers)
        self.folder = self.simulated.folder

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole.

        Raises:
            ConfigError: galsim is missing (it is needed to simulate, not to read).
        """
        from astrocnn.simulate.resolved_galaxies import simulate_resolved_galaxies

        return self.simulated.made(simulate_resolved_galaxies)

    def probe(self) -> DataSpec:
        """As of any pairs; simulates the set first when it is not there."""
        if self.images is None:
            from astrocnn.simulate.stellar_maps import PLANES

            folder = self.simulate()
            self.images, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
            planes = list(PLANES) if self.pair == "maps" else None
            self.target = TargetImage(files=f"{folder}/targets/*.fits", hdu=planes)
            self.target_bands = self.target_bands or planes or self.bands
        return super().probe()
