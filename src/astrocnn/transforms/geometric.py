"""Geometric augmentation: what the sky does not care about. One rule for each key of the batch."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.errors import ConfigError
from astrocnn.functional.affine import affine_matrix, nearest, resample
from astrocnn.functional.boxes import move_boxes

__all__ = ["dihedral_turn", "dihedral_views", "random_affine", "random_crops", "random_dihedral"]

# Keys that move with the pixels; every other key stays. What a pixel that turns in from outside holds, or of which key
# it is that says what is valid: planes of numbers are interpolated, numbers of classes and objects are not. Boxes
# become the bounds of their moved corners.
INTERPOLATED = {"image": "valid", "variance": "valid", "target_image": "target_valid"}
NUMBERED = {"class_map": -1, "instances": -1}
PLANES = ("valid", "target_valid", *INTERPOLATED, *NUMBERED)


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
        batch: with (B, C, H, W) ``image``, ``valid``, and perhaps variance and maps.
        quarter_turns: whether to turn.
        mirror: whether to mirror half of the images.
    """
    image = batch["image"]
    n, device, (rows, columns) = len(image), image.device, image.shape[-2:]
    turns = torch.randint(0, 4 if quarter_turns else 1, (n,), device=device)
    mirrored = torch.rand(n, device=device) < (0.5 if mirror else 0.0)
    if rows == columns:
        element = turns + 4 * mirrored
        moved = _moved(batch, lambda planes: dihedral_turn(planes, element))
        return batch | moved | _boxes(batch, _dihedral_matrix(turns, mirrored))
    half_turn, flipped = (turns % 2 == 1).view(-1, 1, 1, 1), mirrored.view(-1, 1, 1, 1)

    def turn(planes: Tensor) -> Tensor:
        planes = torch.where(flipped, planes.flip(-1), planes)
        return torch.where(half_turn, planes.flip(-1, -2), planes)

    return batch | _moved(batch, turn) | _boxes(batch, _dihedral_matrix(turns % 2 * 2, mirrored))


def _moved(batch: Batch, move: Callable[[Tensor], Tensor]) -> Batch:
    """What ``move`` makes of the planes (B, C, H, W) of each key that has them; maps (B, H, W) count as one plane."""
    planes = {key: batch[key] for key in PLANES if key in batch}
    return {key: move(of) if of.ndim == 4 else move(of[:, None])[:, 0] for key, of in planes.items()}


def _dihedral_matrix(turns: Tensor, mirrored: Tensor) -> Tensor:
    """From output to input positions, (B, 2, 3), of quarter turns (B,) after a mirror (B,) bool."""
    angle = turns * (math.pi / 2)
    cos, sin = angle.cos().round(), angle.sin().round()
    sign = 1 - 2 * mirrored.to(cos.dtype)
    turn = torch.stack([torch.stack([sign * cos, -sign * sin], -1), torch.stack([sin, cos], -1)], -2)
    return torch.cat([turn, torch.zeros_like(turn[..., :1])], -1)


def _boxes(batch: Batch, matrix: Tensor, after: tuple[int, int] | None = None) -> Batch:
    """The boxes, where there are any, of images that are read by ``matrix``; ``after``: their new rows and columns."""
    if "boxes" not in batch:
        return {}
    before = (batch["image"].shape[-2], batch["image"].shape[-1])
    return {"boxes": move_boxes(batch["boxes"], matrix, before=before, after=after or before)}


def dihedral_views(
    batch: Batch, *, quarter_turns: bool, mirror: bool
) -> Iterator[tuple[Batch, tuple[int, bool]]]:
    """The batch in each of the orientations from which :func:`random_dihedral` draws, as it stands first; each with its
    quarter turns, and whether it was mirrored before them.

    Args:
        batch: with (B, C, H, W) ``image``, ``valid``, and perhaps variance and maps.
        quarter_turns: whether to turn; by half turns only where H ≠ W.
        mirror: whether to mirror.
    """
    rows, columns = batch["image"].shape[-2:]
    turns = ((0, 1, 2, 3) if rows == columns else (0, 2)) if quarter_turns else (0,)
    for flipped in (False, True) if mirror else (False,):
        for turn in turns:

            def move(planes: Tensor, turn: int = turn, flipped: bool = flipped) -> Tensor:
                return torch.rot90(planes.flip(-1) if flipped else planes, turn, (-2, -1))

            image = batch["image"]
            of = [torch.full((len(image),), value, device=image.device) for value in (turn, flipped)]
            after = (columns, rows) if turn % 2 else (rows, columns)
            yield batch | _moved(batch, move) | _boxes(batch, _dihedral_matrix(*of), after), (turn, flipped)


def random_crops(batch: Batch, *, size_pix: int, crops: int) -> Batch:
    """Square parts of each image at random places, the same of every plane and map.

    Args:
        batch: with (B, C, H, W) ``image`` and maps; a target that is finer by a factor is cut in its own pixels.
        size_pix: rows and columns of a part.
        crops: parts of each image; the batch becomes so many times as large, and what is not cut is repeated.

    Raises:
        ConfigError: the images are smaller than the part.
    """
    image = batch["image"]
    rows, columns = image.shape[-2:]
    if size_pix > min(rows, columns):
        raise ConfigError(
            f"augment.crop_pix={size_pix} is larger than the images of {rows} × {columns} pixels; give at most "
            f"{min(rows, columns)}, or null to take them whole."
        )
    n = len(image) * crops
    tops = torch.randint(0, rows - size_pix + 1, (n,), device=image.device)
    lefts = torch.randint(0, columns - size_pix + 1, (n,), device=image.device)
    top, left = tops.tolist(), lefts.tolist()

    def cut(planes: Tensor) -> Tensor:
        if not any(planes.stride()[-2:]):  # one value expanded to all pixels
            return planes[:1, ..., :size_pix, :size_pix].expand(n, -1, -1, -1)
        times = planes.shape[-1] // columns
        side = size_pix * times
        parts = [
            planes[i // crops, :, top[i] * times :, left[i] * times :][:, :side, :side] for i in range(n)
        ]
        return torch.stack(parts)

    whole = {key: values.repeat_interleave(crops, 0) for key, values in batch.items() if key not in PLANES}
    shift = torch.stack([lefts + (size_pix - columns) / 2, tops + (size_pix - rows) / 2], -1)  # (n, 2)
    matrix = torch.cat([torch.eye(2, device=image.device).expand(n, 2, 2), shift[..., None]], -1)
    moved = _moved(batch, cut)
    if "boxes" in whole:
        whole["boxes"] = move_boxes(
            whole["boxes"], matrix, before=(rows, columns), after=(size_pix, size_pix)
        )
    return whole | moved


def random_affine(
    batch: Batch, *, rotate: str, mirror: bool, zoom: tuple[float, float], shift_pix: float
) -> Batch:
    """Rotation by any angle, mirror, zoom and sub-pixel shift in one bilinear resampling.

    Corners that turn in from outside the frame hold no data (``valid`` False). The variance is resampled as
    a map; that neighbouring pixels become correlated is not followed.

    Args:
        batch: with (B, C, H, W) ``image`` and ``valid``, and perhaps variance and maps.
        rotate: turn by 'any' angle, by 'quarter' turns or by 'none'.
        mirror: whether to mirror half of the images.
        zoom: least and greatest magnification; drawn uniformly in its logarithm.
        shift_pix: greatest shift in x and in y, in pixels.
    """
    image = batch["image"]
    n, device = len(image), image.device
    turns = torch.rand(n, device=device) * 4
    angle = {"any": turns, "quarter": turns.floor(), "none": 0 * turns}[rotate] * (math.pi / 2)
    low, high = (math.log(factor) for factor in zoom)
    magnification = torch.exp(low + (high - low) * torch.rand(n, device=device))
    shift = (2 * torch.rand(n, 2, device=device) - 1) * shift_pix
    mirrored = torch.rand(n, device=device) < (0.5 if mirror else 0.0)
    matrix = affine_matrix(angle, magnification, shift, mirrored)
    moved = {}
    for key, of in INTERPOLATED.items():
        if key in batch:
            scaled = matrix.clone()
            scaled[..., 2] *= batch[key].shape[-1] / image.shape[-1]  # of a target in finer pixels
            moved[key], moved[of] = resample(batch[key], batch[of], scaled)
    moved |= {key: nearest(batch[key], matrix, fill) for key, fill in NUMBERED.items() if key in batch}
    return batch | moved | _boxes(batch, matrix)
