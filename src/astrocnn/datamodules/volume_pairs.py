"""Volumes and the volumes that are to come out of them, as a user has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from astrocnn.batch import DataSpec
from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datasets.source import Source
from astrocnn.datasets.volumes import VolumeFiles
from astrocnn.datasets.with_maps import WithMaps
from astrocnn.errors import DataError
from astrocnn.io.layers import TargetImage
from astrocnn.io.select import HDUS

__all__ = ["VolumePairDataModule"]


class VolumePairDataModule(ObjectDataModule):
    """Volumes (C, D, H, W) with targets (K, D, H, W), with or without a catalogue.

    Args:
        volumes: glob pattern of the files, one a volume, with an HDU of three axes for each channel.
        hdu: names or numbers of these HDUs, in the order of the channels; None takes all.
        target: ``files`` (and ``hdu``) of the volumes that shall come out, of the same size or finer by a whole number.
        target_bands: names of the target's channels; None takes those of its HDUs.

    The others are those of :class:`~astrocnn.datamodules.objects.ObjectDataModule`; ``bands`` are the channels.
    """

    def __init__(
        self,
        *,
        volumes: str | None = None,
        hdu: HDUS = None,
        target: Mapping[str, Any] | None = None,
        target_bands: Sequence[str] | None = None,
        label: None = None,
        batch_size: int = 4,
        **common: Any,
    ) -> None:
        super().__init__(label=label, batch_size=batch_size, **common)
        self.volumes, self.hdu = volumes, hdu
        self.target, self.target_bands = TargetImage.of(target), target_bands

    def source(self, catalog: Catalog | None) -> Source:
        """The volumes with their targets."""
        del catalog
        if self.volumes is None:
            raise DataError("no volumes given; name them with data.volumes='folder/*.fits'.")
        if self.target is None:
            raise DataError(
                "no target volumes given; name them with data.target.files='targets/*.fits' (or data.target.hdu=[...], "
                "in the volumes' own files)."
            )
        files = self.target.files or self.volumes
        if not isinstance(files, str):
            raise DataError(
                f"data.target.files={files}: a volume's channels are HDUs of one file; give a pattern."
            )
        targets = VolumeFiles(files, hdu=self.target.hdu, option=f"{self.target.option}.files")
        return WithMaps(VolumeFiles(self.volumes, hdu=self.hdu), [(self.target, targets)])

    def probe(self) -> DataSpec:
        """As of any objects, with the names of the target's channels.

        Raises:
            DataError: other names were given than the target has channels.
        """
        spec = super().probe()
        named = self.target_bands or spec.target_bands
        if len(named) != spec.maps["target_image"][0]:
            raise DataError(
                f"data.target_bands={list(named)}: {len(named)} names for {spec.maps['target_image'][0]} channels of "
                "the target; name each."
            )
        self.spec = replace(spec, target_bands=tuple(str(name) for name in named))
        return self.spec

    def filled(self) -> dict[str, Any]:
        """As of any objects, with the names of the target's channels."""
        return super().filled() | {"target_bands": list(self.probe().target_bands)}
