"""Objects that stand more than once in a set: at one place of the sky, or with the same pixels."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from astrocnn.datamodules.catalog import DUPLICATE_OF
from astrocnn.datasets.packed import PackedArray
from astrocnn.errors import AstrocnnWarning, ConfigError, listed
from astrocnn.functional.sphere import chord, unit_vectors

__all__ = [
    "DuplicateWarning",
    "Duplicates",
    "checked_radius",
    "find_duplicates",
    "same_pixels",
    "same_place",
    "told",
]

MOST_LINKS = 20_000_000
FINENESS = 8
NOWHERE_DEG = 1e-9  # a WCS that was left at (0, 0) comes back from its projection as 4e-31

Ints = NDArray[np.int64]


class DuplicateWarning(AstrocnnWarning):
    """One object stands on two sides of a split, or with two labels."""


@dataclass(frozen=True)
class Duplicates:
    """Which objects are one: ``group`` (N,) int64 counts from 0, −1 for an object that stands alone.

    ``by_position`` and ``by_pixels`` (N,) bool say what shows it.
    """

    group: Ints
    by_position: NDArray[np.bool_]
    by_pixels: NDArray[np.bool_]

    @property
    def rows(self) -> Ints:
        """The objects that stand more than once, group after group."""
        rows = np.flatnonzero(self.group >= 0)
        ordered: Ints = rows[np.argsort(self.group[rows], kind="stable")]
        return ordered

    def first(self, ids: NDArray[np.str_]) -> NDArray[np.str_]:
        """For each object (N,) the first id of its group, in the order of ids; '' for one that stands alone."""
        named = np.full(len(ids), "", dtype=ids.dtype)
        rows = self.rows[np.argsort(ids[self.rows], kind="stable")]
        groups, index = np.unique(self.group[rows], return_index=True)
        named[self.rows] = ids[rows[index]][np.searchsorted(groups, self.group[self.rows])]
        return named

    def differing(self, values: NDArray[np.generic], known: NDArray[np.bool_]) -> Ints:
        """Rows of two objects (n, 2) for each group whose ``known`` members have more than one of ``values`` (N,)."""
        _, number = np.unique(values, return_inverse=True)
        rows = self.rows[known[self.rows]]
        rows = rows[np.lexsort((number[rows], self.group[rows]))]  # by group, then value
        group = self.group[rows]
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(rows) else rows
        ends = np.r_[starts[1:], len(rows)] - 1
        pairs = np.stack([rows[starts], rows[ends]], axis=1) if len(rows) else np.zeros((0, 2), np.int64)
        differ: Ints = pairs[number[pairs[:, 0]] != number[pairs[:, 1]]]
        return differ

    def across(self, catalog: Table) -> Ints:
        """Rows of two members (n, 2) of each group that is on two sides of the split."""
        split = np.asarray(catalog["split"])
        return self.differing(split, split != "")

    def contradicting(self, catalog: Table) -> Ints:
        """Rows of two members (n, 2) of each group that has two labels."""
        labels = np.asarray(catalog["label"])
        return self.differing(labels, labels >= 0)

    def summary(self, catalog: Table) -> dict[str, int]:
        """How many rows stand for how many objects, what shows it, and what is wrong with them."""
        return {
            "rows": len(self.rows),
            "objects": len(np.unique(self.group[self.rows])),
            "rows_by_position": int(self.by_position.sum()),
            "rows_by_pixels": int(self.by_pixels.sum()),
            "objects_on_two_sides": len(self.across(catalog)),
            "objects_with_two_labels": len(self.contradicting(catalog)),
        }

    def table(self, catalog: Table) -> Table:
        """The objects that stand more than once, group after group, with what shows it."""
        rows = self.rows
        by = np.where(self.by_position, "position", "pixels")
        by[self.by_position & self.by_pixels] = "both"
        named = self.first(np.asarray(catalog["id"]))
        columns = {name: catalog[name][rows] for name in ("id", "split", "label", "ra", "dec")}
        return Table({"id": columns.pop("id"), DUPLICATE_OF: named[rows], "by": by[rows], **columns})


def checked_radius(radius_arcsec: float | None, *, group: str | None) -> float | None:
    """The radius as it came.

    Raises:
        ConfigError: it is negative, or None where duplicates are the groups.
    """
    if radius_arcsec is None and group == DUPLICATE_OF:
        raise ConfigError(
            f"data.group={DUPLICATE_OF} keeps duplicates together, but data.duplicate_radius_arcsec=null looks for "
            "none; give a radius, 0 for the very same position."
        )
    if radius_arcsec is not None and not radius_arcsec >= 0:
        raise ConfigError(
            f"data.duplicate_radius_arcsec={radius_arcsec} is no distance; give 0 or more, or null to look for none."
        )
    return radius_arcsec


def find_duplicates(
    position: NDArray[np.float64], packed: PackedArray, row: Ints, *, radius_arcsec: float
) -> Duplicates:
    """Join the objects that lie within ``radius_arcsec`` of each other or have the same pixels, and those joined
    by others.

    Args:
        position: (N, 2) right ascension and declination in degrees, NaN where unknown.
        packed: the pixels.
        row: (N,) row of each object in ``packed``.
        radius_arcsec: in arcsec; 0 joins by position only what has the very same one.

    Raises:
        ConfigError: the radius joins everything with everything.
    """
    n = len(row)
    found = [same_place(position, radius_arcsec=radius_arcsec), same_pixels(packed, row)]
    shown = np.zeros((2, n), np.bool_)
    for kind, links in zip(shown, found, strict=True):
        kind[links.reshape(-1)] = True
    links = np.concatenate(found)
    graph = coo_array((np.ones(len(links), np.bool_), (links[:, 0], links[:, 1])), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    multiple = shown.any(0)
    group = np.where(multiple, group, -1).astype(np.int64)
    group[multiple] = np.unique(group[multiple], return_inverse=True)[1]
    return Duplicates(group, shown[0], shown[1])


def same_place(position: NDArray[np.float64], *, radius_arcsec: float) -> Ints:
    """Pairs of rows (n, 2) that join all objects with others within ``radius_arcsec``.

    A position that all objects share, and (0, 0), are taken to stand for none. Where more than 20 million pairs
    are that near, positions are rounded to an eighth of the radius first.

    Raises:
        ConfigError: the radius joins everything with everything.
    """
    nowhere = (np.abs(position) < NOWHERE_DEG).all(1)
    placed = np.flatnonzero(np.isfinite(position).all(1) & ~nowhere)
    points = unit_vectors(position[placed])
    reach = chord(radius_arcsec)
    places, links = _merged(points, placed)
    if len(places) < 2:
        return np.zeros((0, 2), np.int64)
    tree = cKDTree(points[places])
    if _n_links(tree, reach) > MOST_LINKS:
        places, links = _merged(np.round(points * (FINENESS / reach)), placed)
        tree = cKDTree(points[places])
        if (n_links := _n_links(tree, reach)) > MOST_LINKS:
            raise ConfigError(
                f"data.duplicate_radius_arcsec={radius_arcsec:g} joins each of {len(places)} places with "
                f"{n_links // len(places)} others; choose a smaller radius, or null to look for no duplicates."
            )
    near = tree.query_pairs(reach, output_type="ndarray")
    return np.concatenate([links, placed[places[near]].reshape(-1, 2)])


def _merged(points: NDArray[np.float64], rows: Ints) -> tuple[Ints, Ints]:
    """The first of all equal ``points`` (N, 3), and the pairs of ``rows`` that join it with the others."""
    order = np.lexsort(points.T)
    new = np.r_[True, (np.diff(points[order], axis=0) != 0).any(1)] if len(order) else np.zeros(0, np.bool_)
    places = order[new]
    of_point = np.empty(len(order), np.int64)
    of_point[order] = places[np.cumsum(new) - 1]
    others = np.flatnonzero(of_point != np.arange(len(order)))
    return places, np.stack([rows[of_point[others]], rows[others]], axis=1)


def _n_links(tree: cKDTree, reach: float) -> int:
    return int((tree.count_neighbors(tree, reach) - tree.n) // 2)


def same_pixels(packed: PackedArray, row: Ints) -> Ints:
    """Pairs (n, 2) that join each object with the first that has the same pixels, or the same image altogether."""
    unique, example, inverse = np.unique(row, return_index=True, return_inverse=True)
    first = example[np.searchsorted(unique, packed.equal_rows(unique))][inverse]
    others = np.flatnonzero(first != np.arange(len(row)))
    return np.stack([first[others], others], axis=1)


def told(duplicates: Duplicates, catalog: Table, classes: tuple[str, ...], *, remedy: str) -> str | None:
    """What is wrong with the duplicates: on two sides of the split, or with two labels; None when nothing is."""
    ids, split = np.asarray(catalog["id"]), np.asarray(catalog["split"])
    labels = np.asarray(catalog["label"])
    across, contradicting = duplicates.across(catalog), duplicates.contradicting(catalog)
    said = []
    if len(across):
        examples = [f"{ids[a]} ({split[a]}) and {ids[b]} ({split[b]})" for a, b in across]
        said.append(
            f"{len(across)} object(s) stand on two sides of the split, such as {listed(examples, most=3)}: figures "
            f"on the test split would be too good; {remedy}"
        )
    if len(contradicting):
        examples = [
            f"{ids[a]} ({classes[labels[a]]}) and {ids[b]} ({classes[labels[b]]})" for a, b in contradicting
        ]
        said.append(
            f"{len(contradicting)} object(s) have two labels, such as {listed(examples, most=3)}; mend the labels, "
            "or leave such objects out"
        )
    return None if not said else f"the same object more than once: {'. Besides, '.join(said)}."
