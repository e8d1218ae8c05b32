"""Simulated strong lenses: made once as FITS and a catalogue, then read like anybody's data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from astrocnn.batch import DataSpec
from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datamodules.simulated import SimulatedSet

__all__ = ["LensDataModule"]

CLEAR = MappingProxyType({"clear": {"theta_E": 1.2, "snr_arc": 20}})


class LensDataModule(CutoutDataModule):
    """Lenses and what resembles them, simulated when they are not there yet.

    Args:
        root: folder of the simulated sets; each combination of options has its own sub-folder.
        n_images: how many images, half of them lenses.
        depth: depth of the survey, 'year1' or 'year10' of LSST.
        bands: LSST bands to simulate.
        sim_seed: seed of the simulation.
        n_workers: processes that simulate; None for one a core.

    The others are those of :class:`CutoutDataModule`.
    """

    carried = ImageDataModule.carried  # its images are in nJy

    def __init__(
        self,
        *,
        root: str = "data/lenses",
        n_images: int = 12000,
        depth: str = "year10",
        bands: Sequence[str] = ("g", "r", "i"),
        sim_seed: int = 0,
        n_workers: int | None = None,
        group: str | None = None,
        variance: Mapping[str, Any] | None = None,
        n_bands: int | None = None,
        classes: Sequence[str] = ("non-lens", "lens"),
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        seed: int = 0,
        batch_size: int = 64,
        num_workers: int = 0,
        on_bad: str = "error",
        selections: Mapping[str, Mapping[str, float]] = CLEAR,
        strata: Sequence[str] = ("theta_E", "snr_arc"),
        kind: str | None = "kind",
    ) -> None:
        super().__init__(
            group=group,
            variance=variance,
            bands=tuple(bands),
            n_bands=n_bands,
            classes=classes,
            image_size=image_size,
            pixel_scale_arcsec=pixel_scale_arcsec,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            seed=seed,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad=on_bad,
            selections=selections,
            strata=strata,
            kind=kind,
        )
        self.bands = tuple(bands)
        options = {"n_images": n_images, "depth": depth, "bands": self.bands, "seed": sim_seed}
        label = f"{depth}_{''.join(self.bands)}_{n_images}"
        self.simulated = SimulatedSet(root, label, options, n_workers)
        self.folder = self.simulated.folder

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole.

        Raises:
            ConfigError: galsim or caustics are missing (they are needed to simulate, not to read).
        """
        from astrocnn.simulate.lenses import simulate_lenses

        return self.simulated.made(simulate_lenses)

    def probe(self) -> DataSpec:
        """As of cutouts; simulates the set first when it is not there."""
        if self.images is None:
            folder = self.simulate()
            self.images, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
        return super().probe()
