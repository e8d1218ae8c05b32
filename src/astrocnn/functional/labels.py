"""Instance maps whose every object is one connected part, numbered in order."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["TOUCHING", "numbered", "pieces_of", "whole"]

Labels = NDArray[np.int32]

TOUCHING = np.ones((3, 3), dtype=bool)  # pixels that share a corner are connected


def pieces_of(source: NDArray[np.bool_], least_pix: int) -> tuple[Labels, int]:
    """The connected pieces (H, W) of some size that a mask consists of, numbered from 1, and how many these are."""
    pieces, n_pieces = ndimage.label(source, TOUCHING)
    large = np.bincount(pieces.ravel(), minlength=n_pieces + 1) >= least_pix
    large[0] = False
    names = np.where(large, large.cumsum(), 0).astype(np.int32)
    return names[pieces], int(large.sum())


def whole(labels: Labels, least_pix: int) -> Labels:
    """Labels whose every object is one connected part of some size; what is not goes to a neighbour.

    Of the parts of an object the largest stays. Small parts that touch only each other become one object, or
    background.
    """
    labels = labels.copy()
    loose: list[tuple[tuple[slice, ...], NDArray[np.bool_]]] = []
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        window = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in window)
        parts, n_parts = ndimage.label(labels[window] == number, TOUCHING)
        sizes = np.bincount(parts.ravel(), minlength=n_parts + 1)[1:]
        stays = sizes.argmax() + 1 if sizes.max() >= least_pix else None
        loose += [(window, parts == part) for part in range(1, n_parts + 1) if part != stays]
    for window, part in loose:
        labels[window][part] = 0
    while loose:
        left = []
        for window, part in loose:
            beside = labels[window][ndimage.binary_dilation(part, TOUCHING) & ~part]
            beside = beside[beside > 0]
            if len(beside):
                labels[window][part] = np.bincount(beside).argmax()
            else:
                left.append((window, part))
        if len(left) == len(loose):
            break
        loose = left
    alone = np.zeros(labels.shape, dtype=bool)
    for window, part in loose:
        alone[window] |= part
    groups, _ = pieces_of(alone, least_pix)
    return np.where(groups > 0, groups + labels.max(), labels).astype(np.int32)


def numbered(labels: Labels) -> Labels:
    """Labels 1 to N in the order of their first pixels."""
    numbers, first = np.unique(labels, return_index=True)
    new = np.zeros(int(numbers.max()) + 1, dtype=np.int32)
    objects = numbers > 0
    new[numbers[objects][np.argsort(first[objects])]] = np.arange(1, objects.sum() + 1)
    return np.asarray(new[labels])
