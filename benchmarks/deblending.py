"""Fluxes of blended galaxies by a deblender, beside SExtractor's algorithm (sep) given every chance.

    python benchmarks/deblending.py [--run RUN] [--picture docs/deblending.png] [overrides of train.py ...]

A U-Net is trained by ``scripts/train.py experiment=boucaud_deblend``, unless the folder has a finished run; its flux of
a galaxy is the sum of the image that it predicts. sep works on the inverse-variance-weighted sum of the bands; the
width of its filter, its threshold, deblending and aperture are tuned on blends of the training split, and its fluxes
corrected on isolated galaxies. A galaxy that sep has no source for, within 0.8 arcsec, counts as an error of 100 %.
Intervals are 95 %, by a bootstrap over galaxies, paired in the ratio.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sep_baseline as baseline
import torch
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from common import machine, print_table, trained
from matplotlib.figure import Figure
from numpy.typing import NDArray
from omegaconf import OmegaConf

import astrocnn
from astrocnn.datamodules.galaxy_pairs import GalaxyPairDataModule
from astrocnn.functional.bootstrap import percentile_interval
from astrocnn.report.lupton import lupton_rgb

Array = NDArray[np.float64]

TUNED_ON = 400  # blends of the training split; as many galaxies alone correct the apertures
GRID = {
    "threshold": (1.0, 1.5, 2.5, 4.0),
    "contrast": (1e-6, 1e-5, 1e-4, 1e-3),
    "filter_width": (0.0, 0.5, 1.0),
    "noise": ("map", "one"),
}
KRON_FACTORS = (1.5, 2.0, 2.5, 3.0)
WITHIN_ARCSEC = 0.8
SCALE_ARCSEC = 0.2
ACROSS = 12  # blends in the picture


@dataclass
class Cutout:
    """One image with its noise, and where its central galaxy is."""

    image: Array
    valid: NDArray[np.bool_]
    variance: Array
    x: float
    y: float
    fwhm_pix: float


@dataclass
class Measured:
    """What sep says of N central galaxies; of those not found the flux is 0."""

    flux: Array
    error: Array
    found: NDArray[np.bool_]
    n_sources: NDArray[np.int64]


def cutouts(folder: Path, table: Table, bands: list[str], *, alone: bool = False) -> Iterator[Cutout]:
    """The images of the table's rows; ``alone`` those of the targets, with the sky's noise."""
    rng = np.random.default_rng(0)
    for row in table:
        with fits.open(folder / "images" / f"{row['id']}.fits") as hdus:
            image, variance = (hdus[name].data.astype(np.float64) for name in (0, "VARIANCE"))
            x, y = WCS(hdus[0].header).celestial.world_to_pixel_values(row["ra"], row["dec"])
        if alone:
            sky = np.nanmedian(variance, axis=(1, 2), keepdims=True)
            target = fits.getdata(folder / "targets" / f"{row['id']}.fits").astype(np.float64)
            image = target + np.sqrt(sky) * rng.standard_normal(target.shape)
            variance = np.broadcast_to(sky, target.shape)
        valid = np.isfinite(image)
        seeing = float(np.mean([row[f"seeing_{band}"] for band in bands])) / SCALE_ARCSEC
        planes = (np.where(valid, values, 0.0) for values in (image, variance))
        image, variance = planes
        yield Cutout(image, valid, variance, float(x), float(y), seeing)


def measured(images: list[Cutout], settings: baseline.Settings) -> Measured:
    """Kron fluxes of the sources nearest to the central galaxies' places."""
    n, bands = len(images), len(images[0].image)
    said = Measured(np.zeros((n, bands)), np.ones((n, bands)), np.zeros(n, bool), np.zeros(n, np.int64))
    for k, cutout in enumerate(images):
        planes = (cutout.image, cutout.valid, cutout.variance)
        sources = baseline.detect(*planes, cutout.fwhm_pix, settings)
        said.n_sources[k] = len(sources.objects)
        row = baseline.nearest(sources, cutout.x, cutout.y, WITHIN_ARCSEC / SCALE_ARCSEC)
        if row is not None:
            flux, error = baseline.kron_fluxes(*planes, sources, settings, which=np.array([row]))
            said.flux[k], said.error[k], said.found[k] = flux[0], error[0], True
    return said


def corrected(
    images: list[Cutout], settings: baseline.Settings, alone: list[Cutout], true: Array
) -> tuple[Array, Measured]:
    """Fluxes with the aperture's losses made up for, as on galaxies ``alone`` of ``true`` flux."""
    isolated, said = measured(alone, settings), measured(images, settings)
    seen = isolated.found
    correction = baseline.ApertureCorrection.fitted(isolated.flux[seen], isolated.error[seen], true[seen])
    return np.where(said.found[:, None], correction(said.flux, said.error), 0.0), said


def relative_errors(flux: Array, true: Array) -> Array:
    """|F - F_true| / F_true, (N, C)."""
    return np.asarray(np.abs(flux - true) / true)


def tuned(images: list[Cutout], alone: list[Cutout], true: Array) -> baseline.Settings:
    """The settings of the least median error over galaxies and bands: detection first, then the aperture."""

    def error(settings: baseline.Settings) -> float:
        return float(np.median(relative_errors(corrected(images, settings, alone, true)[0], true)))

    best, _ = baseline.tune(baseline.grid(**GRID, kron_factor=(2.0,)), error)
    chosen = {name: (getattr(best, name),) for name in GRID}
    best, least = baseline.tune(baseline.grid(**chosen, kron_factor=KRON_FACTORS), error)
    print(f"sep: {best}, median error on the training blends {least:.3f}")
    return best


def figure(values: Array, *, percent: bool = True) -> str:
    """The first value with the interval of the others."""
    low, high = percentile_interval(values[1:])
    return (
        f"{values[0]:.1%} [{low:.1%}, {high:.1%}]" if percent else f"{values[0]:.2f} [{low:.2f}, {high:.2f}]"
    )


def rows_of(
    subsets: dict[str, NDArray[np.bool_]], ours: Array, theirs: Array, bands: list[str]
) -> list[list[str]]:
    """Median and mean errors of both methods in each subset and band, and the ratio of the medians."""
    rng, rows = np.random.default_rng(0), []
    for name, chosen in subsets.items():
        n = int(chosen.sum())
        draws = np.concatenate([np.arange(n)[None], rng.integers(n, size=(1000, n))])
        for band in bands:
            b = bands.index(band)
            own, other = ours[chosen, b][draws], theirs[chosen, b][draws]  # (1001, n)
            medians = [np.median(errors, axis=1) for errors in (own, other)]
            means = [f"{errors[0].mean():.1%}" for errors in (own, other)]
            ratio = figure(medians[1] / medians[0], percent=False)
            rows.append([f"{name} ({n})", band, figure(medians[0]), figure(medians[1]), ratio, *means])
    return rows


def _data(run: Path) -> GalaxyPairDataModule:
    """The run's own blends."""
    config = OmegaConf.to_container(OmegaConf.load(run / "config.yaml").data, resolve=False)
    names = ("n_images", "size", "depth", "bands", "max_neighbours", "sim_seed")
    root = os.path.join(os.environ.get("ASTROCNN_DATA", "data"), "galaxy_pairs")
    return GalaxyPairDataModule(root=root, **{name: config[name] for name in names})


def compare(run: Path) -> list[list[str]]:
    """The table of one run on its test split."""
    data = _data(run)
    folder, bands = data.simulate(), list(data.bands)
    catalog = Table.read(folder / "catalog.fits", character_as_bytes=False)
    said = Table.read(run / "images.fits", character_as_bytes=False)
    said = said[(said["split"] == "test") & said["blended"]]
    place = {name: row for row, name in enumerate(catalog["id"])}
    test = catalog[[place[name] for name in said["id"]]]
    train = catalog[(catalog["split"] == "train") & catalog["blended"]][:TUNED_ON]

    def fluxes(table: Table) -> Array:
        return np.stack([np.asarray(table[f"flux_{band}"]) for band in bands], axis=1)

    alone = list(cutouts(folder, train, bands, alone=True))
    settings = tuned(list(cutouts(folder, train, bands)), alone, fluxes(train))
    flux, found = corrected(list(cutouts(folder, test, bands)), settings, alone, fluxes(train))
    ours = relative_errors(
        np.stack([np.asarray(said[f"sum_{band}"]) for band in bands], axis=1), fluxes(test)
    )
    theirs = relative_errors(flux, fluxes(test))
    parted = found.found & (found.n_sources > 1)
    subsets = {
        "blended": np.ones(len(test), bool),
        "sep has a source": found.found,
        "sep has two sources": parted,
    }
    lonely, _ = corrected(list(cutouts(folder, test, bands, alone=True)), settings, alone, fluxes(train))
    limit = np.median(relative_errors(lonely, fluxes(test)), axis=0)
    print(
        "sep on the same galaxies without neighbours: "
        + ", ".join(f"{b} {e:.1%}" for b, e in zip(bands, limit, strict=True))
    )
    return rows_of(subsets, ours, theirs, bands)


def picture(run: Path, target: Path) -> None:
    """Blends of the test split, the galaxies that are true and predicted, what is left over, and the difference."""
    task, data = astrocnn.load(run), _data(run)
    data.setup()
    table = data.catalog[data.rows("test")]
    chosen = np.flatnonzero(table["blended"] & (table["mag"] < 24))[:ACROSS]
    batch = data.gather(data.rows("test")[chosen])
    image, valid, true = (batch[key].numpy() for key in ("image", "valid", "target_image"))
    with torch.inference_mode():
        said = task.predict(batch)["target_image"].numpy()
    bands, everywhere = list(data.spec.bands), np.ones_like(valid)
    colour = {
        "blend": lupton_rgb(image, valid, bands=bands),
        "true": lupton_rgb(true, everywhere, bands=bands),
        "predicted": lupton_rgb(said, everywhere, bands=bands),
        "blend less\nprediction": lupton_rgb(np.where(valid, image - said, 0), valid, bands=bands),
    }
    figure = Figure(figsize=(ACROSS, len(colour) + 1))
    axes = figure.subplots(len(colour) + 1, ACROSS, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
    for line, (name, pictures) in zip(axes, colour.items(), strict=False):
        for ax, shown in zip(line, pictures, strict=True):
            ax.imshow(shown, origin="lower")
        line[0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    noise = task.normalize.noise.numpy()[:, None, None]
    for ax, error in zip(axes[-1], ((said - true) / noise)[:, bands.index("i")], strict=True):
        ax.imshow(error, origin="lower", cmap="RdBu_r", vmin=-3, vmax=3)
    axes[-1, 0].set_ylabel("error in i,\n±3σ of the sky", fontsize=8, rotation=0, ha="right", va="center")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    figure.savefig(target, dpi=80, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, help="write a picture of some blends here")
    parser.add_argument("--run", type=Path, default=Path("outputs/deblending/boucaud"))
    options, overrides = parser.parse_known_args()
    seconds = trained(options.run, "experiment=boucaud_deblend", *overrides)
    if options.picture:
        picture(options.run, options.picture)
    rows = compare(options.run)
    print(f"\n{machine()}\n")
    head = ["test galaxies", "band", "median, network", "median, sep", "ratio", "mean, network", "mean, sep"]
    print_table(head, rows)
    if seconds is not None:
        print(f"\n{seconds:.0f} s from the command to the report")


if __name__ == "__main__":
    main()
