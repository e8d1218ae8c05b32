"""What flows from the files to the network: a plain dict of tensors, described here and nowhere else.

====================  ==============================  =====================================================
key                   shape, dtype                    meaning
====================  ==============================  =====================================================
``image``             (B, C, H, W) float32            flux in the bands' physical units
``valid``             (B, C, H, W) bool               False = no data (NaN, flagged, chip gap)
``variance``          (B, C, H, W) float32            per-pixel noise variance, when asked for
``weight``            (B,) float32                    sample weights, when given
``index``             (B,) int64                      row of the catalogue; ids, positions and truth stay there
``label``             (B,) int64                      class number, −1 where unknown
``redshift``          (B,) float32                    redshift, NaN where unknown, when asked for
``class_map``         (B, H, W) int64                 class of every pixel, −1 ignored
``instances``         (B, H, W) int64                 number of the object in every pixel: 0 none, −1 ignored
``target_image``      (B, K, H', W') float32          the image that is to come out, in its own units
``target_valid``      (B, K, H', W') bool             False = nothing to compare with
``boxes``             (B, N, 4) float32               x0, y0, x1, y1 of each object; NaN behind the last one
``box_labels``        (B, N) int64                    its class, from 0; −1: counts neither way, or there is none
``box_values``        (B, N, K) float32               numbers that go with it, NaN where unknown
``box_numbers``       (B, N) int64                    its number in ``instances``; 0: it has none, or there is none
====================  ==============================  =====================================================

Spectra and light curves are (B, C, L) instead of (B, C, H, W): the flux of a spectrum has one channel, a light
curve has time first; shorter series are padded with ``valid`` False. Features of a table are (B, F). Volumes and their
targets are (B, C, D, H, W).

A pixel that is not valid holds flux 0. Pixels are 0-based: the centre of the first pixel is (0, 0).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["Batch", "DataSpec", "to_device"]

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class DataSpec:
    """What is known of a data set from its headers and its table, before any pixel is read.

    ``image_shape`` is that of an object: (C, H, W), (C, L) or (F,). ``classes`` are the names of the classes, in
    the order of the labels; a two-class set has the positive class second. ``pixel_scale_arcsec`` is None where
    the files do not say, and so is the unit of a band in ``units`` (one a band). ``maps`` are the shapes of the maps
    that batches have beside the image, by their key: 'class_map', 'instances', 'target_image'; ``target_bands`` and
    ``target_units`` belong to the planes of the last. ``box_values`` are the names of the numbers that go with each
    box, None where there are no boxes. ``targets`` are the keys of numbers that objects have to learn: 'redshift';
    ``scalars`` are the names of further inputs.
    """

    bands: tuple[str, ...]
    image_shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    pixel_scale_arcsec: float | None = None
    units: tuple[str | None, ...] = ()
    maps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    target_bands: tuple[str, ...] = ()
    target_units: tuple[str | None, ...] = ()
    box_values: tuple[str, ...] | None = None
    targets: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()

    @property
    def truth(self) -> tuple[str, ...]:
        """What images have beside labels: keys of maps, and 'boxes'."""
        return (*self.maps, *(() if self.box_values is None else ("boxes",)))


def to_device(batch: Batch, device: str) -> Batch:
    """The same batch with every tensor on ``device``."""
    return {key: value.to(device, non_blocking=True) for key, value in batch.items()}
