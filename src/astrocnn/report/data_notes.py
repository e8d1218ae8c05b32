"""What of a data set deserves a second look before training."""

import numpy as np

from astrocnn.errors import listed
from astrocnn.report.data_facts import AXES, BandFacts
from astrocnn.report.inspection import SPLITS, Inspection
from astrocnn.report.words import count, percent, scientific, some

__all__ = ["notes"]

FEW = 20  # objects of a class, below which figures measured on them say little
RARE = 0.1  # share of the training set, below which a class is called rare
MANY_ZEROS = 0.01  # of the valid pixels
MANY_ALIKE, FAR_IN_WIDTHS = 50, 20.0  # equal pixels that far from the sky are suspicious,
ABSURD_IN_WIDTHS = 1e6  # that far already two of them
NOISE_TOLERANCE = 0.1
AT_PRECISION = "average precision, and consider loss.class_weights=balanced."
CORRELATED = 0.9  # scatter of neighbours over that of pixels three apart


def notes(data: Inspection) -> list[str]:
    """What deserves a second look before training, the gravest first; each a sentence with its remedy."""
    return [
        *(f"Training would stop: {reason}" for reason in dict.fromkeys(data.refusals)),
        *_left_out(data),
        *_classes(data),
        *_headers(data),
        *_pixels(data),
        *(note for band in data.pixels.bands for note in _band(band, data)),
    ]


def _left_out(data: Inspection) -> list[str]:
    found = []
    if n := len(data.skipped):
        found.append(f"{some(n, 'input')} left out; skipped.csv says which and why.")
    if data.unsplit:
        parts = ", ".join(f"{count(n)} {reason}" for reason, n in data.unsplit.items())
        found.append(f"{some(sum(data.unsplit.values()), data.noun)} in no split: {parts}.")
    if data.duplicate_warning:
        found.append(data.duplicate_warning[:1].upper() + data.duplicate_warning[1:])
    elif data.duplicates is not None and (n := len(data.duplicates)):
        objects = len(set(np.asarray(data.duplicates["duplicate_of"]).tolist()))
        found.append(f"{count(n)} of the {data.noun}s are {count(objects)} that stand more than once.")
    ra, dec, known = data.position
    if known.any() and not known.all():
        found.append(f"{some(int((~known).sum()), data.noun)} without a position.")
    if known.sum() > 1 and len(np.unique(ra[known])) == len(np.unique(dec[known])) == 1:
        found.append(
            f"All {data.noun}s have one position, {ra[known][0]:.5f} {dec[known][0]:+.5f} degrees: their headers (or "
            "data.ra and data.dec) do not say where they are."
        )
    return found


def _classes(data: Inspection) -> list[str]:
    classes, (labels, split) = data.spec.classes, data.of_classes
    found = []
    numbers = {
        name: np.bincount(labels[(split == name) & (labels >= 0)], minlength=len(classes)) for name in SPLITS
    }
    train = numbers["train"]
    rare = [k for k in range(len(classes)) if 0 < train[k] < RARE * train.sum() * 2 / len(classes)]
    if rare:
        shares = listed([f"{classes[k]} {percent(train[k] / train.sum())}" for k in rare])
        found.append(
            f"The classes are unequal in the training set ({shares}): accuracy will say little; look at "
            + ("the figures of each class." if data.boxes is not None else AT_PRECISION)
        )
    for name in ("val", "test"):
        few = [f"{classes[k]} ({numbers[name][k]})" for k in range(len(classes)) if numbers[name][k] < FEW]
        if few and numbers[name].sum():
            found.append(
                f"The {SPLITS[name]} set holds few objects of {listed(few)}: figures there will have wide intervals."
            )
    return found


def _headers(data: Inspection) -> list[str]:
    found = []
    if data.n_spatial == 2 and not any(data.spec.units):
        found.append("The files state no unit of the flux (BUNIT); it is taken as it stands.")
    if data.n_spatial == 2 and data.spec.pixel_scale_arcsec is None:
        found.append(
            "The files do not state the pixel scale; give it with data.pixel_scale_arcsec where it is known."
        )
    return found


def _pixels(data: Inspection) -> list[str]:
    found = []
    if n := int((data.valid_fraction < 0.5).sum()):
        found.append(f"{some(n, data.noun)} without data in more than half of the values.")
    if data.n_spatial and (n := int(data.pixels.constant.sum())):
        found.append(
            f"{count(n)} of {some(data.pixels.n_objects, data.noun)} with one and the same value all over a band: "
            "empty images that are not marked as such?"
        )
    return found


def _band(band: BandFacts, data: Inspection) -> list[str]:
    if not data.n_spatial or not band.n_valid or band.name in AXES:
        return []
    found = []
    if band.n_zero > MANY_ZEROS * band.n_valid:
        found.append(
            f"{percent(band.n_zero / band.n_valid)} of the valid pixels of band {band.name} are exactly 0: where "
            "that means no data, mark them as such (NaN, BLANK or a mask)."
        )
    for n, value, word in (
        (band.n_least, band.quantiles[0], "least"),
        (band.n_greatest, band.quantiles[-1], "greatest"),
    ):
        distance = abs(value - band.middle) / band.width if band.width > 0 else 0.0
        if (n >= MANY_ALIKE and distance > FAR_IN_WIDTHS) or (n > 1 and distance > ABSURD_IN_WIDTHS):
            found.append(
                f"{count(n)} pixels of band {band.name} hold exactly the {word} value, {scientific(value)}: "
                f"{'saturated, or ' if word == 'greatest' else ''}a placeholder where there are no data?"
            )
    if (ratio := band.median_noise_ratio) is not None and abs(ratio - 1) > NOISE_TOLERANCE:
        found.append(
            f"The noise of band {band.name} is {ratio:.2f} times what its variance states: "
            + ("the variance is too small, or not a variance." if ratio > 1 else "the variance is too large.")
        )
    if ratio and band.neighbours is not None and band.neighbours < CORRELATED * ratio:
        found.append(
            f"The noise of neighbouring pixels of band {band.name} is correlated (their differences scatter "
            f"{band.neighbours / ratio:.2f} times as much as those of pixels further apart), as after resampling."
        )
    return found
