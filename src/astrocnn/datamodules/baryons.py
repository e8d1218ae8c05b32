"""Simulated volumes of dark matter and of the gas in it: made once as FITS, then read like anybody's volumes."""

from collections.abc import Sequence
from pathlib import Path

from astrocnn.batch import DataSpec
from astrocnn.datamodules.simulated import SimulatedSet
from astrocnn.datamodules.volume_pairs import VolumePairDataModule
from astrocnn.io.layers import TargetImage

__all__ = ["BaryonDataModule"]


class BaryonDataModule(VolumePairDataModule):
    """Matter and gas in periodic volumes, simulated when they are not there yet.

    Args:
        root: folder of the simulated sets; each combination of options has its own sub-folder.
        n_volumes: how many.
        cells: of a volume, along an axis.
        box_mpc_h: its side, comoving Mpc/h.
        redshift: 0 to 10.
        sim_seed: seed of the simulation.
        n_workers: processes that simulate; None for one a core.
        bands: channels of the matter to use; None takes density and velocity.

    The others are those of :class:`~astrocnn.datamodules.volume_pairs.VolumePairDataModule`.
    """

    def __init__(
        self,
        *,
        root: str = "data/baryons",
        n_volumes: int = 400,
        cells: int = 32,
        box_mpc_h: float = 8.0,
        redshift: float = 3.0,
        sim_seed: int = 0,
        n_workers: int | None = None,
        bands: Sequence[str] | None = None,
        n_bands: int | None = None,
        target_bands: Sequence[str] | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        seed: int = 0,
        batch_size: int = 4,
        num_workers: int = 0,
        on_bad: str = "error",
    ) -> None:
        super().__init__(
            bands=bands,
            n_bands=n_bands,
            target_bands=target_bands,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            seed=seed,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad=on_bad,
        )
        options = {
            "n_volumes": n_volumes,
            "cells": cells,
            "box_mpc_h": box_mpc_h,
            "redshift": redshift,
            "seed": sim_seed,
        }
        self.simulated = SimulatedSet(root, f"z{redshift:g}_{cells}_{n_volumes}", options, n_workers)
        self.folder = self.simulated.folder

    def simulate(self) -> Path:
        """The folder of the set, simulated when it is not whole."""
        from astrocnn.simulate.baryons import simulate_baryons

        return self.simulated.made(simulate_baryons)

    def probe(self) -> DataSpec:
        """As of any volumes; simulates the set first when it is not there."""
        if self.volumes is None:
            folder = self.simulate()
            self.volumes, self.table = f"{folder}/images/*.fits", f"{folder}/catalog.fits"
            self.target = TargetImage(files=f"{folder}/targets/*.fits")
        return super().probe()
