"""A set in which each object stands four times, with labels that pixels do not tell: an honest AUROC is 0.5."""

from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.duplicates import DuplicateWarning

N_OBJECTS, N_TIMES, SIZE = 250, 4, 8
Planted = Callable[..., CutoutDataModule]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """``planted(**options)``: images of noise; an object's four differ by a hundredth of it and by 0.2 arcsec."""
    folder = tmp_path_factory.mktemp("planted")
    rng = np.random.default_rng(0)
    images = np.repeat(rng.normal(size=(N_OBJECTS, 1, SIZE, SIZE)), N_TIMES, axis=0)
    images = (images + 0.01 * rng.normal(size=images.shape)).astype(np.float32)
    place = np.repeat(rng.uniform(-1, 1, (N_OBJECTS, 2)) + np.array([0, 40]), N_TIMES, axis=0)
    place += rng.normal(0, 0.2 / 3600, place.shape)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-4, "CDELT2": 1e-4})
    head = fits.PrimaryHDU(images[0], header).header.tostring().encode()
    for i, image in enumerate(images):
        (folder / f"o{i:04d}.fits").write_bytes(head + image.astype(">f4").tobytes().ljust(2880, b"\0"))
    labels = np.repeat(rng.integers(0, 2, N_OBJECTS), N_TIMES)
    ids = [f"o{i:04d}" for i in range(len(images))]
    table = Table({"id": ids, "label": labels, "ra": place[:, 0] % 360, "dec": place[:, 1]})
    table.write(folder / "table.fits")

    def make(**options: object) -> CutoutDataModule:
        given = {"images": f"{folder}/o*.fits", "catalog": f"{folder}/table.fits", "id": "id"}
        return CutoutDataModule(**(given | {"test_fraction": 0.4} | options))  # type: ignore[arg-type]

    return make


def auroc_of_test(data: CutoutDataModule) -> float:
    """Of the nearest neighbour among the training images."""
    train, test = (data.gather(data.rows(split)) for split in ("train", "test"))
    learner = KNeighborsClassifier(1).fit(train["image"].flatten(1), train["label"])
    return float(roc_auc_score(test["label"], learner.predict_proba(test["image"].flatten(1))[:, 1]))


def test_a_random_split_flatters_and_says_so(planted: Planted) -> None:
    data = planted()
    with pytest.warns(
        DuplicateWarning, match=r"stand on two sides.*data\.split_by=sky.*data\.group=duplicate_of"
    ):
        data.setup("fit")
    assert auroc_of_test(data) > 0.85
    assert data.duplicates is not None
    summary = data.duplicates.summary(data.catalog)
    assert summary["rows"] == N_OBJECTS * N_TIMES
    assert summary["objects"] == N_OBJECTS
    assert summary["objects_on_two_sides"] > 0.5 * N_OBJECTS


@pytest.mark.parametrize("options", [{"split_by": "sky"}, {"split_by": "group", "group": "duplicate_of"}])
def test_a_split_by_place_or_by_object_is_honest(planted: Planted, options: dict[str, object]) -> None:
    data = planted(**options)
    data.setup("fit")  # a warning would be an error
    assert auroc_of_test(data) == pytest.approx(0.5, abs=0.15)  # of some 100 objects: 2.6 standard errors
    assert data.duplicates is not None
    assert data.duplicates.summary(data.catalog)["objects_on_two_sides"] == 0
