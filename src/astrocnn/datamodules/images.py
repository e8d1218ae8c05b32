"""What datamodules of images share beside the rest: size and pixel scale."""

from collections.abc import Sequence
from typing import Any

from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datamodules.sky_split import reach

__all__ = ["ImageDataModule"]


class ImageDataModule(ObjectDataModule):
    """Objects whose values are images.

    Args:
        image_size: rows and columns in pixels.
        pixel_scale_arcsec: arcsec per pixel.
        redshift: column whose values become ``redshift`` (B,) float32 of the batch, NaN where unknown.
        scalars: columns of further inputs of each object, ``scalars`` (B, S) float32 of the batch: E(B−V), seeing.

    None of the size and the scale takes the files'; another value than theirs is an error. The others are those of
    :class:`~astrocnn.datamodules.objects.ObjectDataModule`.
    """

    def __init__(
        self,
        *,
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        redshift: str | None = None,
        scalars: Sequence[str] = (),
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.targets = {} if redshift is None else {"redshift": redshift}
        self.scalars = tuple(scalars)
        self.wanted |= {"image_size": image_size, "pixel_scale_arcsec": pixel_scale_arcsec}

    def filled(self) -> dict[str, Any]:
        """As of any objects, with size and pixel scale."""
        spec = self.probe()
        size = {"image_size": list(spec.image_shape[1:]), "pixel_scale_arcsec": spec.pixel_scale_arcsec}
        return super().filled() | size

    def _reach(self) -> float | None:
        """How far apart two cutouts must be not to overlap, arcsec; None where the pixel scale is unknown."""
        own = reach(self.spec.image_shape, self.spec.pixel_scale_arcsec)
        return None if own is None else max(own, super()._reach() or 0.0)
