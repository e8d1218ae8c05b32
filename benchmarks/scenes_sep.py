"""What SExtractor's algorithm (sep) says of whole scenes: objects, their pixels, magnitudes and classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sep
import sep_baseline as baseline
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from astrocnn.batch import DataSpec
from astrocnn.functional.source_matches import match_scenes
from astrocnn.io.flux_units import ab_zero_point
from astrocnn.runtime.truth_objects import magnitude, reference_band

RADIUS_PIX = 4.0  # two positions are one object's
FWHM_PIX = 3.8  # of the band sum's PSF: 0.76 arcsec, the median seeing of i


@dataclass
class Scene:
    """One scene with its truth."""

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    variance: NDArray[np.float64]
    class_map: NDArray[np.int64]
    scored_map: NDArray[np.int64]
    instances: NDArray[np.int64]
    true: dict[str, NDArray[Any]]


@dataclass
class Said:
    """What a method says of one scene: its objects, their pixels, and the class of every pixel."""

    objects: dict[str, NDArray[Any]]
    segments: NDArray[np.int32]
    p: NDArray[np.float32]


def noise2(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The sky's variance in each band, from its scatter."""
    planes = []
    for plane, seen in zip(image, valid, strict=True):
        sky = plane[seen]
        for _ in range(8):  # what is brighter than the sky is cut off
            sky = sky[sky < np.median(sky) + 3 * 1.4826 * np.median(np.abs(sky - np.median(sky)))]
        planes.append(np.full(plane.shape, (1.4826 * np.median(np.abs(sky - np.median(sky)))) ** 2))
    return np.stack(planes)


def detected(scene: Scene, settings: baseline.Settings) -> baseline.Found:
    return baseline.detect(scene.image, scene.valid, scene.variance, FWHM_PIX, settings)


def kron(scene: Scene, found: baseline.Found) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fluxes of sep's sources in their Kron ellipses, neighbours masked, and their errors, (N, C) each."""
    objects = found.objects
    total, _, empty = baseline.band_sum(scene.image, scene.valid, scene.variance)
    own = of_source(found)
    axes = (np.maximum(np.nan_to_num(objects[name]), 0.3) for name in "ab")  # of a row of pixels sep says 0
    place = objects["x"], objects["y"], *axes, np.clip(objects["theta"], -np.pi / 2, np.pi / 2)
    radius, _ = sep.kron_radius(np.ascontiguousarray(total), *place, 6.0, mask=empty, **own)
    radius = 2.5 * np.clip(np.nan_to_num(radius, nan=3.0), 1.5, 6.0)
    bands = [
        sep.sum_ellipse(np.ascontiguousarray(plane), *place, radius, var=noise, mask=~seen, subpix=5, **own)[
            :2
        ]
        for plane, noise, seen in zip(scene.image, scene.variance, scene.valid, strict=True)
    ]
    flux, error = (np.stack(planes, axis=1) for planes in zip(*bands, strict=True))
    return flux, error


def of_source(found: baseline.Found) -> dict[str, NDArray[np.int32]]:
    """What has sep leave out the pixels of other sources."""
    return {"segmap": found.segments, "seg_id": np.arange(1, len(found.objects) + 1, dtype=np.int32)}


class Magnitudes:
    """Kron magnitudes of sep's sources, corrected by those of isolated training objects."""

    def __init__(self, scenes: Sequence[Scene], settings: baseline.Settings, spec: DataSpec) -> None:
        self.spec = spec
        self.band = list(spec.bands).index(reference_band(spec))
        zero = ab_zero_point(spec.units[self.band]) or 0.0
        measured: list[NDArray[np.float64]] = []
        for scene in scenes:
            found = detected(scene, settings)
            if not len(found.objects):
                continue
            matched = match_scenes([{"x": found.x, "y": found.y}], [scene.true], radius_pix=2.0)
            partner = matched.found["partner"]
            alone = (partner >= 0) & (matched.true["blended"][partner] == 0)
            flux, error = (of[alone, self.band] for of in kron(scene, found))
            true = 10 ** (-0.4 * (matched.true["mag"][partner[alone]] - zero))
            measured.append(np.stack([flux, error, true]))
        flux, error, true = np.concatenate(measured, axis=1)[..., None]
        self.correction = baseline.ApertureCorrection.fitted(flux, error, true)

    def __call__(self, scene: Scene, found: baseline.Found) -> NDArray[np.float64]:
        flux, error = kron(scene, found)
        one = slice(self.band, self.band + 1)
        flux[:, one] = self.correction(flux[:, one], error[:, one])
        return magnitude(flux, self.spec)


def features(scene: Scene, found: baseline.Found) -> NDArray[np.float64]:
    """Radius, concentration, shape, surface brightness and colours of sep's sources, (N, F)."""
    objects = found.objects
    total, _, empty = baseline.band_sum(scene.image, scene.valid, scene.variance)
    flux, _ = kron(scene, found)
    radii, _ = sep.flux_radius(
        np.ascontiguousarray(total), objects["x"], objects["y"], 6.0 * objects["a"], [0.2, 0.5, 0.8], mask=empty,
        subpix=5, **of_source(found),
    )  # fmt: skip
    mag = -2.5 * np.log10(np.maximum(flux, 1e-3 * np.abs(flux).max(initial=1e-30)))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [
            *radii.T, radii[:, 2] / radii[:, 0], objects["a"], objects["b"] / objects["a"], np.log10(objects["npix"]),
            np.log10(objects["peak"]), objects["peak"] / objects["flux"], objects["cpeak"] / objects["cflux"],
            mag[:, -2], *(mag[:, b] - mag[:, b + 1] for b in range(flux.shape[1] - 1)),
        ]  # fmt: skip
    return np.nan_to_num(np.stack(columns, 1), nan=0.0, posinf=0.0, neginf=0.0)


class Forest:
    """The class of sep's sources from what it measures, trained on its sources in training scenes."""

    def __init__(self, scenes: Sequence[Scene], settings: baseline.Settings, n_classes: int) -> None:
        self.settings, self.n_classes = settings, n_classes
        measured, labels = [], []
        for scene in scenes:
            found = detected(scene, settings)
            if not len(found.objects):
                continue
            matched = match_scenes([{"x": found.x, "y": found.y}], [scene.true], radius_pix=RADIUS_PIX)
            known = matched.found["partner"] >= 0
            measured.append(features(scene, found)[known])
            labels.append(matched.found["truly"][known])
        self.forest = RandomForestClassifier(300, min_samples_leaf=3, n_jobs=2, random_state=0)
        self.forest.fit(np.concatenate(measured), np.concatenate(labels))

    def __call__(self, scene: Scene) -> Said:
        found = detected(scene, self.settings)
        n = len(found.objects)
        p_class = np.zeros((n, self.n_classes))
        if n:
            p_class[:, self.forest.classes_] = self.forest.predict_proba(features(scene, found))
        return said_by_sep(found, p_class)


class WithoutClasses:
    """sep's sources, all of one class, with magnitudes where asked for."""

    def __init__(
        self, settings: baseline.Settings, n_classes: int, magnitudes: Magnitudes | None = None
    ) -> None:
        self.settings, self.n_classes, self.magnitudes = settings, n_classes, magnitudes

    def __call__(self, scene: Scene) -> Said:
        found = detected(scene, self.settings)
        p_class = np.zeros((len(found.objects), self.n_classes))
        p_class[:, 1] = 1.0
        said = said_by_sep(found, p_class)
        if self.magnitudes is None:
            return said
        return replace(said, objects={**said.objects, "mag": self.magnitudes(scene, found)})


def said_by_sep(found: baseline.Found, p_class: NDArray[np.float64]) -> Said:
    """sep's sources with the probabilities of their classes, and a map that gives each pixel those of its source."""
    background = np.eye(1, p_class.shape[1])
    p = np.concatenate([background, p_class])[found.segments]  # (H, W, K)
    label = p_class[:, 1:].argmax(1) + 1 if len(p_class) else np.empty(0, np.int64)
    objects = {
        "x": found.x,
        "y": found.y,
        "label": label,
        "p_class": p_class,
        "number": np.arange(1, len(label) + 1),
    }
    return Said(objects, found.segments, np.moveaxis(p, -1, 0).astype(np.float32))
