"""Objects of an instance map: what a network learns of them, and how its maps become objects again.

The idea is Panoptic-DeepLab's (Cheng+20, arXiv:1911.10194): a map of centres says how many objects there are and
where, and an offset from every pixel to the centre of its object says which of them the pixel belongs to.
"""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from torch import Tensor

from astrocnn.errors import ConfigError
from astrocnn.functional.labels import TOUCHING, numbered, pieces_of, whole

__all__ = ["find_instances", "instance_targets", "watershed_instances"]

Floats = NDArray[np.floating]
Labels = NDArray[np.int32]

REACH = 3.0  # where the Gaussian of a centre is cut off, in units of its σ


def instance_targets(instances: Tensor, *, sigma_pix: float) -> tuple[Tensor, Tensor, Tensor]:
    """Centre heat map, offsets and where these count, of instance maps.

    Args:
        instances: (B, H, W) int64: 0 background, 1 and above objects (numbers may be left out), −1 ignored.
        sigma_pix: σ of the Gaussian at each centre, above 0; it is cut off at 3σ.

    Returns:
        ``heat`` (B, H, W) float32 in [0, 1], the highest of the Gaussians exp(−r²/2σ²) around the objects'
        centres; ``offset`` (B, 2, H, W) float32, (dy, dx) in pixels from each pixel to the centre of its object,
        0 outside objects; ``weight`` (B, H, W) bool, True inside objects. A centre is the mean position of the
        object's pixels in this map.

    Raises:
        ConfigError: ``sigma_pix`` not above 0.
    """
    if not sigma_pix > 0:
        raise ConfigError(f"sigma_pix={sigma_pix} must be above 0; 2 pixels suit a seeing of 3 to 5 pixels.")
    B, H, W = instances.shape
    weight = instances > 0
    places = weight.flatten().nonzero()[:, 0]  # (P,) of the pixels inside objects
    row, column, image = places // W % H, places % W, places // (H * W)
    number = instances.flatten()[places]
    n_numbers = int(number.max()) + 1 if len(number) else 1
    if n_numbers > H * W:  # numbers of a large catalogue: count those that are here
        ordered, order = number.sort()
        number = torch.empty_like(order).scatter_(0, order, (ordered.diff(prepend=ordered[:1]) > 0).cumsum(0))
        n_numbers = int(number.max()) + 1
    key = image * n_numbers + number
    # Whole numbers are summed: the result does not depend on the order, on no device.
    n_pix, rows, columns = (
        key.new_zeros(B * n_numbers).index_add_(0, key, values)
        for values in (torch.ones_like(row), row, column)
    )
    share = n_pix.clamp(min=1)
    centre = torch.stack([rows / share, columns / share])  # (2, B * numbers) float32
    offset = centre.new_zeros(2, B * H * W)
    offset[:, places] = centre[:, key] - torch.stack([row, column])
    present = n_pix.nonzero()[:, 0]
    heat = _gaussians(centre[:, present], present // n_numbers, sigma_pix, shape=(B, H, W))
    return heat, offset.reshape(2, B, H, W).transpose(0, 1), weight


def _gaussians(centre: Tensor, image: Tensor, sigma_pix: float, *, shape: tuple[int, int, int]) -> Tensor:
    """(B, H, W) highest Gaussian around centres (2, N), each in the image of its number (N,)."""
    _, H, W = shape
    reach = math.ceil(REACH * sigma_pix)
    window = torch.arange(-reach, reach + 1, device=centre.device)
    y, x = (c.round().long()[:, None] + window for c in centre)  # (N, window) each
    height_y, height_x = (
        torch.where((p >= 0) & (p < size), (-0.5 * ((p - c[:, None]) / sigma_pix) ** 2).exp(), 0)
        for p, c, size in zip((y, x), centre, (H, W), strict=True)
    )
    place = (image[:, None] * H + y.clamp(0, H - 1)) * W  # (N, window)
    place = place[:, :, None] + x.clamp(0, W - 1)[:, None]  # (N, window, window)
    height = height_y[:, :, None] * height_x[:, None]
    heat = centre.new_zeros(math.prod(shape))
    return heat.scatter_reduce_(0, place.flatten(), height.flatten(), "amax").reshape(shape)


def find_instances(
    p_source: ArrayLike,
    centre: ArrayLike,
    offset: ArrayLike,
    *,
    threshold: float = 0.5,
    centre_threshold: float = 0.3,
    core_pix: float = 2.5,
    least_pix: int = 4,
    merge_pix: float = 2.0,
) -> Labels:
    """Objects of a network's maps: every source pixel goes to the centre nearest to where its offset points.

    Centres are local maxima of the centre map; a connected piece of source without any is one object. A pixel goes
    to a centre of its own piece only. Of an object in several parts the largest stays, the
    others go to the neighbours with which they share most of their border.

    Args:
        p_source: (H, W) probability that a pixel belongs to any object; NaN is no data.
        centre: (H, W) centre map in [0, 1].
        offset: (2, H, W) (dy, dx) in pixels from each pixel to the centre of its object.
        threshold: of ``p_source``, from which on a pixel is source.
        centre_threshold: least height of a centre.
        core_pix: pixels within this distance of a centre go to it wherever they point: a small object on a
            large one is drowned by the other's offsets.
        least_pix: smallest number of pixels of an object; the pixels of a smaller one go to the other centres
            of its piece, or are dropped with it.
        merge_pix: of two centres within this distance only the higher counts.

    Returns:
        (H, W) int32: 0 background, 1 to N objects in the order of their first pixels.
    """
    p, heat = np.nan_to_num(np.asarray(p_source)), np.nan_to_num(np.asarray(centre))
    shift = np.nan_to_num(np.asarray(offset, dtype=np.float32))
    pieces, n_pieces = pieces_of(p >= threshold, least_pix)
    seeds = _seeds(np.where(pieces > 0, heat, -np.inf), least=centre_threshold, merge_pix=merge_pix)
    y, x = seeds.round().astype(np.intp).T
    of_piece = pieces[y, x]  # 0 for the middle of a plateau that is no source itself
    order = np.argsort(of_piece, kind="stable")
    by_piece = np.split(order, np.bincount(of_piece, minlength=n_pieces + 1)[:-1].cumsum())[1:]
    found: Labels = np.zeros(p.shape, dtype=np.int32)
    for number, (window, inside) in enumerate(zip(ndimage.find_objects(pieces), by_piece, strict=True)):
        member = pieces[window] == number + 1
        if len(inside) < 2:
            found[window][member] = len(seeds) + 1 + number
            continue
        pixels = np.argwhere(member) + np.array([side.start for side in window])  # (P, 2)
        y, x = pixels.T
        tree = cKDTree(seeds[inside])
        distance, nearest = tree.query(pixels)
        pointed_at = tree.query(pixels + shift[:, y, x].T)[1]
        found[y, x] = inside[np.where(distance < core_pix, nearest, pointed_at)] + 1
    return numbered(whole(found, least_pix))


def watershed_instances(
    p_source: ArrayLike,
    brightness: ArrayLike,
    *,
    threshold: float = 0.5,
    smoothing_pix: float = 1.0,
    least_dip: float = 2.0,
    least_contrast: float = 0.05,
    least_pix: int = 4,
) -> Labels:
    """Objects of a network without centres: connected pieces of source, cut along the valleys of brightness.

    Every local maximum of the smoothed brightness floods its surroundings; two basins are one object unless the
    lower maximum rises above the pass between them by both bounds. Pixels of a piece that hold no maximum of
    their own follow the steepest way to one.

    Args:
        p_source: (H, W) probability that a pixel belongs to any object; NaN is no data.
        brightness: (H, W) S/N of every pixel, of all bands together; NaN is no data.
        threshold: of ``p_source``, from which on a pixel is source.
        smoothing_pix: σ of the Gaussian by which brightness is smoothed.
        least_dip: least rise of a maximum above its pass, in units of the noise.
        least_contrast: least rise of a maximum above its pass, as a fraction of the maximum.
        least_pix: smallest number of pixels of an object; smaller ones are joined to a neighbour, or dropped.

    Returns:
        (H, W) int32: 0 background, 1 to N objects in the order of their first pixels.
    """
    source = pieces_of(np.nan_to_num(np.asarray(p_source)) >= threshold, least_pix)[0] > 0
    sigma = max(smoothing_pix, 0.3)  # below that no smoothing is left
    smooth = ndimage.gaussian_filter(np.nan_to_num(np.asarray(brightness, dtype=np.float64)), sigma)
    if smoothing_pix >= 0.3:
        smooth *= 2 * math.sqrt(math.pi) * sigma  # white noise of 1 is 1 again
    basins, heights = _basins(smooth, source)
    merged = _merged(basins, heights, smooth, least_dip=least_dip, least_contrast=least_contrast)
    return numbered(whole(merged, least_pix))


def _seeds(heat: Floats, *, least: float, merge_pix: float) -> Floats:
    """Positions (N, 2) of the local maxima of a map, −∞ outside source, without those too near to a higher one."""
    highest = (heat == ndimage.maximum_filter(heat, size=3)) & (heat >= least)
    plateaus, n_plateaus = ndimage.label(highest, TOUCHING)  # equal neighbours are one centre
    y, x = np.nonzero(highest)
    number = plateaus[y, x] - 1
    n_pix = np.bincount(number, minlength=n_plateaus)
    positions = np.stack([np.bincount(number, axis, n_plateaus) / n_pix for axis in (y, x)], axis=1)
    heights = np.bincount(number, heat[y, x], n_plateaus) / n_pix
    positions = positions[np.argsort(-heights, kind="stable")]
    return positions[_without_near(positions, merge_pix)]


def _without_near(positions: Floats, radius: float) -> NDArray[np.intp]:
    """Numbers of the positions (N, 2), the best first, that have no better one among those kept within the radius."""
    pairs = cKDTree(positions).query_pairs(radius) if len(positions) else set()
    dropped: set[int] = set()
    for better, worse in sorted(pairs):  # when a pair comes, whether its first is kept is settled
        if better not in dropped:
            dropped.add(worse)
    return np.setdiff1d(np.arange(len(positions)), list(dropped)).astype(np.intp)


def _basins(height: Floats, source: NDArray[np.bool_]) -> tuple[Labels, Floats]:
    """The local maximum that the steepest way up leads to, as labels (H, W), and the maxima's heights from 1 on."""
    H, W = height.shape
    order = np.full((H + 2, W + 2), -1, dtype=np.int64)  # of the pixels by height: no two are equal
    order[1:-1, 1:-1][source] = np.argsort(np.argsort(height[source], kind="stable"), kind="stable")
    place = np.arange(order.size).reshape(order.shape)
    shifts = [(dy, dx) for dy in range(3) for dx in range(3)]
    around = np.stack([order[dy : dy + H, dx : dx + W][source] for dy, dx in shifts])  # (9, P)
    there = np.stack([place[dy : dy + H, dx : dx + W][source] for dy, dx in shifts])
    next_up = place.ravel().copy()
    inner = place[1:-1, 1:-1][source]
    next_up[inner] = np.take_along_axis(there, around.argmax(0)[None], 0)[0]
    while not np.array_equal(further := next_up[next_up], next_up):
        next_up = further
    tops, labels = np.unique(next_up[inner], return_inverse=True)
    basins: Labels = np.zeros((H, W), dtype=np.int32)
    basins[source] = labels + 1
    return basins, np.append(-np.inf, height[tops // (W + 2) - 1, tops % (W + 2) - 1])


def _merged(
    basins: Labels, heights: Floats, height: Floats, *, least_dip: float, least_contrast: float
) -> Labels:
    """Basins (H, W) of which those are one that no valley of the least depth parts."""
    lower, higher, passes = _passes(basins, height)
    top = np.arange(len(heights))

    def root(number: int) -> int:
        while top[number] != number:
            top[number] = top[top[number]]
            number = top[number]
        return number

    falling = np.argsort(-passes, kind="stable")
    for one, other, saddle in zip(lower[falling], higher[falling], passes[falling], strict=True):
        low, high = sorted((root(one), root(other)), key=heights.__getitem__)
        if heights[low] - saddle < max(least_dip, least_contrast * heights[low]):
            top[low] = high
    return np.array([root(number) for number in range(len(top))], dtype=np.int32)[basins]


def _passes(basins: Labels, height: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Pairs of basins that touch, and the height of the highest way from one to the other."""
    keys, values = [], []
    n = int(basins.max()) + 1
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, basins.shape[0] - dy), slice(max(-dx, 0), basins.shape[1] - max(dx, 0)))
        there = (slice(dy, None), slice(max(dx, 0), basins.shape[1] + min(dx, 0)))
        a, b = basins[here], basins[there]
        border = (a != b) & (a > 0) & (b > 0)
        pair = np.sort(np.stack([a[border], b[border]]), axis=0).astype(np.int64)
        keys.append(pair[0] * n + pair[1])
        values.append(np.minimum(height[here][border], height[there][border]))
    key, value = np.concatenate(keys), np.concatenate(values)
    pairs, inverse = np.unique(key, return_inverse=True)
    highest = np.full(len(pairs), -np.inf)
    np.maximum.at(highest, inverse, value)
    return pairs // n, pairs % n, highest
