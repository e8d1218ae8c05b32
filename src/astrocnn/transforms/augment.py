"""The augmentation of a training batch: on the device, in flux units, before the normalisation."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.errors import ConfigError, choose, listed
from astrocnn.functional.boxes import clip_boxes, visible_fraction
from astrocnn.transforms.geometric import dihedral_views, random_affine, random_crops, random_dihedral
from astrocnn.transforms.instrument import blur, drop_bands
from astrocnn.transforms.photometric import add_errors, add_noise, scale_bands

__all__ = ["Augment"]

ROTATIONS = ("any", "quarter", "none")
CUT_BOXES = ("clip", "keep", "drop")
WHOLE = 1 - 1e-5  # share of a box that is not cut, but for rounding


class Augment:
    """Random views of the same objects; a call changes a batch and nothing else.

    Args:
        mirror: whether a mirrored object keeps its label (it does not for the sense of spiral arms).
        rotate: 'any' angle (bilinear), 'quarter' turns (exact: pixels only change places) or 'none'.
        zoom: least and greatest magnification; [1, 1] leaves the size.
        shift_pix: greatest shift in x and y, in pixels; not an integer, so that it resamples.
        noise: greatest deviation of added white noise, in units of the bands' noise.
        errors: deviation of noise added to every value, in units of its own error; for data with a variance.
        zero_point_mag: deviation of a random change of every band's zero-point, in magnitudes.
        blur_pix: greatest σ of a Gaussian that widens the point-spread function, drawn for each band, in pixels.
        band_dropout: probability of losing a band, so that the network does not rely on any; one is always left.
        crop_pix: rows and columns of random parts to train on; None takes the images whole.
        crops: parts of each image in a batch.
        cut_boxes: what becomes of boxes that a moved frame cuts: 'clip' them at its edge, 'keep' them as they are, or
            'drop' them.
        visible: least share of a box's area within the frame; boxes of which less is seen are dropped.

    Raises:
        ConfigError: a name is not known or a number is out of its range.
    """

    def __init__(
        self,
        *,
        mirror: bool = True,
        rotate: str = "quarter",
        zoom: Sequence[float] = (1.0, 1.0),
        shift_pix: float = 0.0,
        noise: float = 0.0,
        errors: float = 0.0,
        zero_point_mag: float = 0.0,
        blur_pix: float = 0.0,
        band_dropout: float = 0.0,
        crop_pix: int | None = None,
        crops: int = 1,
        cut_boxes: str = "clip",
        visible: float = 0.3,
    ) -> None:
        if rotate not in ROTATIONS:
            raise ConfigError(f"augment.rotate={rotate!r} is not known; choose from {listed(ROTATIONS)}.")
        self.mirror, self.rotate = mirror, rotate
        if len(zoom) != 2 or not 0 < zoom[0] <= zoom[1]:
            raise ConfigError(
                f"augment.zoom={list(zoom)} is not a range; give least and greatest factor, as [0.9, 1.1]."
            )
        self.zoom = (float(zoom[0]), float(zoom[1]))
        amounts = {
            "shift_pix": shift_pix,
            "noise": noise,
            "errors": errors,
            "zero_point_mag": zero_point_mag,
            "blur_pix": blur_pix,
            "band_dropout": band_dropout,
        }
        for name, value in amounts.items():
            if value < 0:
                raise ConfigError(f"augment.{name}={value} is negative; give 0 to switch it off.")
        if band_dropout >= 1:
            raise ConfigError(f"augment.band_dropout={band_dropout} loses every band; give less than 1.")
        self.shift_pix, self.noise, self.zero_point_mag = shift_pix, noise, zero_point_mag
        self.errors = errors
        self.blur_pix, self.band_dropout = blur_pix, band_dropout
        if crops < 1 or (crop_pix is not None and crop_pix < 1) or (crops > 1 and crop_pix is None):
            raise ConfigError(
                f"augment.crop_pix={crop_pix} and augment.crops={crops}: a part has at least 1 pixel, an image at "
                "least 1 part, and several only where their size is given."
            )
        self.crop_pix, self.crops = crop_pix, crops
        choose("augment.cut_boxes", cut_boxes, dict.fromkeys(CUT_BOXES))
        if not 0 <= visible <= 1:
            raise ConfigError(f"augment.visible={visible} is no share; give a number from 0 to 1.")
        self.cut_boxes, self.visible = cut_boxes, visible
        self.resamples = rotate == "any" or self.zoom != (1.0, 1.0) or shift_pix > 0

    def __call__(self, batch: Batch, noise: Tensor) -> Batch:
        """A random view of every image.

        Args:
            batch: see :mod:`astrocnn.batch`; what it holds is not changed.
            noise: (C,) noise of the bands, in flux units.
        """
        if self.crop_pix is not None:
            batch = random_crops(batch, size_pix=self.crop_pix, crops=self.crops)
        if self.resamples:
            batch = random_affine(
                batch, rotate=self.rotate, mirror=self.mirror, zoom=self.zoom, shift_pix=self.shift_pix
            )
        elif self.mirror or self.rotate == "quarter":
            batch = random_dihedral(batch, quarter_turns=self.rotate == "quarter", mirror=self.mirror)
        if "boxes" in batch:
            batch = self.framed(batch)
        if self.blur_pix:
            batch = blur(batch, sigma_pix=self.blur_pix)
        if self.zero_point_mag:
            batch = scale_bands(batch, zero_point_mag=self.zero_point_mag)
        if self.noise:
            batch = add_noise(batch, fraction=self.noise, noise=noise)
        if self.errors:
            batch = add_errors(batch, factor=self.errors)
        if self.band_dropout:
            batch = drop_bands(batch, probability=self.band_dropout)
        return batch

    def framed(self, batch: Batch) -> Batch:
        """The batch with what its frame leaves of the boxes."""
        shape = (batch["image"].shape[-2], batch["image"].shape[-1])
        boxes = batch["boxes"]
        seen = visible_fraction(boxes, shape)  # NaN, and so dropped, where there is none
        kept = (seen >= self.visible) & (seen > 0)
        if self.cut_boxes == "drop":
            kept &= seen >= WHOLE
        if self.cut_boxes == "clip":
            boxes = clip_boxes(boxes, shape)
        left = {
            "boxes": torch.where(kept[..., None], boxes, torch.nan),
            "box_labels": batch["box_labels"].where(kept, -1),
        }
        if "box_numbers" in batch:
            left["box_numbers"] = batch["box_numbers"].where(kept, 0)
        return batch | left

    def exact_views(self, batch: Batch) -> Iterator[tuple[Batch, tuple[int, bool]]]:
        """The batch in each orientation that training met and that needs no interpolation, as it stands first; each
        with its quarter turns, and whether it was mirrored before them.
        """
        return dihedral_views(batch, quarter_turns=self.rotate != "none", mirror=self.mirror)
