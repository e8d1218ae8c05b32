"""Geometric augmentation: what the sky does not care about. One rule for each key of the batch."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.functional.affine import affine_matrix, resample

__all__ = ["dihedral_turn", "dihedral_views", "random_affine", "random_dihedral"]

PLANES = ("image", "valid", "variance")  # keys that move with the pixels; every other key stays


def dihedral_turn(planes: Tensor, element: Tensor) -> Tensor:
    """Turn each square picture by one of the eight exact symmetries, without interpolation.

    Args:
        planes: (B, C, N, N), any dtype.
        element: (B,) int64 in 0…7: quarter turns (0–3), then the same after a mirror (4–7).

    Returns:
        (B, C, N, N).
    """
    if not any(planes.stride()[-2:]):  # one value expanded to all pixels
        return planes
    size = planes.shape[-1]
    pixels = torch.arange(size * size, device=planes.device).view(size, size)
    turned = [torch.rot90(pixels, k) for k in range(4)]
    turned += [torch.rot90(pixels.flip(-1), k) for k in range(4)]
    source = torch.stack(turned).flatten(1)[element]  # (B, N*N)
    flat = planes.flatten(2)  # (B, C, N*N)
    return flat.gather(2, source[:, None].expand_as(flat)).view_as(planes)


def random_dihedral(batch: Batch, *, quarter_turns: bool, mirror: bool) -> Batch:
    """Exact symmetries of the pixel grid; images that are not square turn by half turns only.

    Args:
        batch: with (B, C, H, W) ``image``, ``valid`` and perhaps ``variance``.
        quarter_turns: whether to turn.
        mirror: whether to mirror half of the images.
    """
    image = batch["image"]
    n, device, (rows, columns) = len(image), image.device, image.shape[-2:]
    turns = torch.randint(0, 4 if quarter_turns else 1, (n,), device=device)
    mirrored = torch.rand(n, device=device) < (0.5 if mirror else 0.0)
    if rows == columns:
        element = turns + 4 * mirrored
        return batch | {key: dihedral_turn(batch[key], element) for key in PLANES if key in batch}
    half_turn, mirrored = (turns % 2 == 1).view(-1, 1, 1, 1), mirrored.view(-1, 1, 1, 1)
    moved = {}
    for key in PLANES:
        if key in batch:
            planes = torch.where(mirrored, batch[key].flip(-1), batch[key])
            moved[key] = torch.where(half_turn, planes.flip(-1, -2), planes)
    return batch | moved


def dihedral_views(batch: Batch, *, quarter_turns: bool, mirror: bool) -> Iterator[Batch]:
    """The batch in each of the orientations from which :func:`random_dihedral` draws, as it stands first.

    Args:
        batch: with (B, C, H, W) ``image``, ``valid`` and perhaps ``variance``.
        quarter_turns: whether to turn; by half turns only where H ≠ W.
        mirror: whether to mirror.
    """
    rows, columns = batch["image"].shape[-2:]
    turns = ((0, 1, 2, 3) if rows == columns else (0, 2)) if quarter_turns else (0,)
    for flipped in (False, True) if mirror else (False,):
        for turn in turns:
            moved = {key: batch[key].flip(-1) if flipped else batch[key] for key in PLANES if key in batch}
            yield batch | {key: torch.rot90(planes, turn, (-2, -1)) for key, planes in moved.items()}


def random_affine(
    batch: Batch, *, rotate: str, mirror: bool, zoom: tuple[float, float], shift_pix: float
) -> Batch:
    """Rotation by any angle, mirror, zoom and sub-pixel shift in one bilinear resampling.

    Corners that turn in from outside the frame hold no data (``valid`` False). The variance is resampled as
    a map; that neighbouring pixels become correlated is not followed.

    Args:
        batch: with (B, C, H, W) ``image`` and ``valid``.
        rotate: turn by 'any' angle, by 'quarter' turns or by 'none'.
        mirror: whether to mirror half of the images.
        zoom: least and greatest magnification; drawn uniformly in its logarithm.
        shift_pix: greatest shift in x and in y, in pixels.
    """
    image, valid = batch["image"], batch["valid"]
    n, device = len(image), image.device
    turns = torch.rand(n, device=device) * 4
    angle = {"any": turns, "quarter": turns.floor(), "none": 0 * turns}[rotate] * (math.pi / 2)
    low, high = (math.log(factor) for factor in zoom)
    magnification = torch.exp(low + (high - low) * torch.rand(n, device=device))
    shift = (2 * torch.rand(n, 2, device=device) - 1) * shift_pix
    mirrored = torch.rand(n, device=device) < (0.5 if mirror else 0.0)
    matrix = affine_matrix(angle, magnification, shift, mirrored)
    moved, inside = resample(image, valid, matrix)
    result = batch | {"image": moved, "valid": inside}
    if "variance" in batch:
        result["variance"] = resample(batch["variance"], valid, matrix)[0]
    return result
