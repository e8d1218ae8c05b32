"""Classical photometric redshifts: points by a random forest, PDFs by kernels on neighbours and on leaves, FlexZBoost.

A method takes training and validation features and redshifts, and the features to predict; it chooses its options by
the CDE loss on the validation rows, then learns from both, and gives densities on a grid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.neighbors import NearestNeighbors

from astrocnn.functional.redshift_pdfs import PdfScores

Floats = NDArray[np.float64]

N_TREES = 200
GRID_STEP = 5e-4  # a fifth of the narrowest kernel


@dataclass
class Rows:
    """Features (N, F) and redshifts (N,) of some objects."""

    x: Floats
    z: Floats

    def __getitem__(self, rows: object) -> "Rows":
        return Rows(self.x[rows], self.z[rows])

    def with_rows(self, other: "Rows") -> "Rows":
        return Rows(np.concatenate([self.x, other.x]), np.concatenate([self.z, other.z]))


@dataclass
class Found:
    """Point estimates (N,) by name, and scores of the PDFs; None of a method that gives points."""

    points: dict[str, Floats]
    scores: PdfScores | None


def grid_of(z: Floats) -> Floats:
    return np.arange(-0.1, z.max() + 0.3, GRID_STEP)


def scored(density: Floats, grid: Floats, z: Floats) -> Found:
    """Scores of densities (N, G) on an even grid, linear between its points, at true redshifts (N,)."""
    step, parts = grid[1] - grid[0], []
    for start in range(0, len(z), 500):
        rows = slice(start, start + 500)
        p, true = density[rows].astype(np.float64).clip(0), z[rows]
        p /= (p[:, 1:] + p[:, :-1]).sum(1, keepdims=True) * step / 2
        cdf = np.concatenate([np.zeros((len(p), 1)), ((p[:, 1:] + p[:, :-1]) * step / 2).cumsum(1)], axis=1)
        at = ((true - grid[0]) / step).clip(0, len(grid) - 1.001)
        left = at.astype(int)
        share, row = at - left, np.arange(len(p))
        density_at = p[row, left] * (1 - share) + p[row, left + 1] * share
        pit = cdf[row, left] + (p[row, left] + density_at) / 2 * share * step
        square = ((p[:, 1:] ** 2 + p[:, 1:] * p[:, :-1] + p[:, :-1] ** 2) / 3).sum(1) * step
        crps = np.trapezoid((cdf - (grid >= true[:, None])) ** 2, dx=step, axis=1)
        quantiles = [grid[(cdf < level).sum(1)] for level in (0.5,)]
        mean, mode = (p * grid).sum(1) / p.sum(1), grid[p.argmax(1)]
        parts.append((pit.clip(0, 1), crps, density_at, square, mean, quantiles[0], mode))
    pit, crps, density_at, square, mean, median, mode = (
        np.concatenate(of) for of in zip(*parts, strict=True)
    )
    return Found({"mean": mean, "median": median, "mode": mode}, PdfScores(pit, crps, density_at, square))


def kernels(centres: Floats, width: float, grid: Floats) -> Floats:
    """N(z; z_j, width (1 + z_j)) of each centre on a grid, float32 (N, G)."""
    sigma = (width * (1 + centres))[:, None]
    density = np.exp(-0.5 * ((grid - centres[:, None]) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return density.astype(np.float32)


def tuned(
    weights: Callable[[Rows, Rows, Any], sparse.csr_matrix],
    options: Sequence[Any],
    widths: Sequence[float],
    train: Rows,
    val: Rows,
    test: Rows,
) -> Found:
    """Scores of Σ_j w_ij N(z; z_j, width (1 + z_j)), its options and width chosen by the validation's CDE loss.

    ``weights`` gives w (N, N_train) of training rows, rows to predict and an option.
    """
    grid = grid_of(train.z)
    of_val = [(option, weights(train, val, option).astype(np.float32)) for option in options]
    losses = {}
    for width in widths:
        kernel = kernels(train.z, width, grid)
        for option, w in of_val:
            losses[option, width] = scored(w @ kernel, grid, val.z).scores.cde_loss.mean()
    option, width = min(losses, key=losses.get)
    both = train.with_rows(val)
    return scored(weights(both, test, option).astype(np.float32) @ kernels(both.z, width, grid), grid, test.z)


def random_forest(train: Rows, val: Rows, test: Rows, *, seed: int) -> Found:
    """Point estimates of scikit-learn's forest of 200 trees."""
    both = train.with_rows(val)
    forest = RandomForestRegressor(N_TREES, random_state=seed, n_jobs=1).fit(both.x, both.z)
    point = forest.predict(test.x)
    return Found({"mean": point, "median": point}, None)


def neighbours(train: Rows, val: Rows, test: Rows, *, seed: int) -> Found:
    """Gaussian kernels on the k nearest training objects; k, width and whether features are standardised are tuned."""
    del seed

    def weights(of: Rows, at: Rows, option: tuple[int, bool]) -> sparse.csr_matrix:
        k, scaled = option
        scale = of.x.std(0) if scaled else np.ones(of.x.shape[1])
        near = NearestNeighbors(n_neighbors=k).fit(of.x / scale)
        columns = near.kneighbors(at.x / scale, return_distance=False)
        starts = np.arange(len(at.z) + 1) * k
        values = np.full(columns.size, 1 / k)
        return sparse.csr_matrix((values, columns.ravel(), starts), (len(at.z), len(of.z)))

    options = [(k, scaled) for k in (5, 10, 20, 40) for scaled in (True, False)]
    return tuned(weights, options, (0.005, 0.0075, 0.01, 0.015, 0.02, 0.03), train, val, test)


def leaves(train: Rows, val: Rows, test: Rows, *, seed: int) -> Found:
    """Kernels on training objects weighted by how often they share a leaf (Meinshausen 2006); leaf and width tuned."""

    def weights(of: Rows, at: Rows, least: int) -> sparse.csr_matrix:
        forest = RandomForestRegressor(N_TREES, min_samples_leaf=least, random_state=seed, n_jobs=1)
        forest.fit(of.x, of.z)
        ours, theirs = forest.apply(of.x), forest.apply(at.x)
        total = sparse.csr_matrix((len(at.z), len(of.z)))
        for tree in range(N_TREES):
            n_nodes = max(ours[:, tree].max(), theirs[:, tree].max()) + 1
            places = (ours[:, tree], np.arange(len(of.z)))
            member = sparse.csr_matrix((np.ones(len(of.z)), places), (n_nodes, len(of.z)))
            member = sparse.diags(1 / np.maximum(np.asarray(member.sum(1)).ravel(), 1)) @ member
            total = total + member[theirs[:, tree]]
        return total / N_TREES

    return tuned(weights, (1, 3, 5), (0.0025, 0.005, 0.0075, 0.01, 0.015), train, val, test)


def training_distribution(train: Rows, val: Rows, test: Rows, *, seed: int) -> Found:
    """The same PDF for every object: the redshifts of the training set."""
    del seed
    both, grid = train.with_rows(val), grid_of(train.z)
    return scored(np.repeat(stats.gaussian_kde(both.z)(grid)[None], len(test.z), 0), grid, test.z)


def flexzboost(train: Rows, val: Rows, test: Rows, *, seed: int) -> Found:
    """FlexCode with XGBoost (Izbicki & Lee 2017; Dalmasso+20), sharpening and bumps tuned; needs both packages."""
    import flexcode
    from flexcode.regression_models import XGBoost

    low, high = 0.0, float(train.z.max() * 1.02)
    grid = np.linspace(low, high, 2000)
    params = {"max_depth": 8, "objective": "reg:squarederror", "seed": seed, "n_jobs": 1}
    model = flexcode.FlexCodeModel(
        XGBoost, max_basis=35, basis_system="cosine", z_min=low, z_max=high, regression_params=params
    )
    model.fit(train.x, train.z)
    model.tune(val.x, val.z)

    def loss(bump: float, sharpen: float) -> float:
        model.bump_threshold, model.sharpen_alpha = bump, sharpen
        return float(scored(model.predict(val.x, 2000)[0], grid, val.z).scores.cde_loss.mean())

    options = [(bump, sharpen) for bump in (0.02, 0.05, 0.1, 0.2) for sharpen in (0.8, 1.0, 1.2, 1.5, 2.0)]
    model.bump_threshold, model.sharpen_alpha = min(options, key=lambda option: loss(*option))
    return scored(model.predict(test.x, 2000)[0], grid, test.z)


METHODS: dict[str, Callable[..., Found]] = {
    "random forest": random_forest,
    "kNN kernel density": neighbours,
    "random-forest leaf weights": leaves,
    "FlexZBoost": flexzboost,
    "training n(z)": training_distribution,
}
