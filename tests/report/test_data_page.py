import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.table import Table
from html_page import Page
from rich.console import Console

from astrocnn.batch import DataSpec
from astrocnn.report.data_facts import measure
from astrocnn.report.data_notes import notes
from astrocnn.report.data_page import write_data_page
from astrocnn.report.data_sheet import choose_objects
from astrocnn.report.data_terminal import print_inspection
from astrocnn.report.inspection import Inspection, split_counts
from astrocnn.transforms.normalize import Normalize

NOTHING = Table({name: np.array([], dtype=str) for name in ("id", "path", "reason")})
CLASSES = ("spiral", "merger")


class Data:
    """A set of objects of any shape (C, ...) with its inspection; ``change`` edits flux, validity or catalogue."""

    def __init__(self, shape=(3, 20, 20), *, n=120, classes=CLASSES, scale=1.0, change=None, variance=None):
        rng = np.random.default_rng(7)
        self.flux = rng.normal(0, 1, (n, *shape))
        self.valid = np.ones(self.flux.shape, bool)
        self.catalog = Table(
            {
                "id": [f"o{i:04d}" for i in range(n)],
                "ra": 359.9 + rng.uniform(0, 0.2, n),
                "dec": rng.uniform(-0.1, 0.1, n),
                "label": np.arange(n) % len(classes) if classes else np.full(n, -1),
                "split": np.array(["train", "val", "test"])[np.arange(n) // 2 % 3] if classes else [""] * n,
            }
        )
        if change is not None:
            change(self)
        self.batch = {
            "image": torch.from_numpy(np.where(self.valid, scale * self.flux, 0).astype(np.float32)),
            "valid": torch.from_numpy(self.valid),
        }
        if variance is not None:
            self.batch["variance"] = torch.full(self.flux.shape, scale**2 * variance)
        bands = tuple("grizy"[: shape[0]]) if shape[0] <= 5 else tuple(f"f{i}" for i in range(shape[0]))
        self.normalize = Normalize(n_bands=len(bands), sharpen=0.0)
        self.normalize.fit(self.batch["image"], self.batch["valid"])
        images = len(shape) == 3
        self.found = Inspection(
            title="my data: what will be trained on",
            spec=DataSpec(bands, shape, tuple(classes), 0.2 if images else None, ("nJy",) * shape[0]),
            catalog=self.catalog,
            skipped=NOTHING,
            valid_fraction=self.valid.reshape(n, -1).mean(1).astype(np.float32),
            pixels=measure(
                self.batch,
                bands=bands,
                normalise=self.normalize,
                labels=np.asarray(self.catalog["label"]),
                n_classes=len(classes) if len(shape) == 1 else 0,
            ),
            n_files=n,
            file_bytes=1_310_000_000,
            packed_bytes=608_000_000,
            fitted_on="40 training objects, as in training",
            sky=self.normalize.sky.numpy().astype(float),
            noise=self.normalize.noise.numpy().astype(float),
        )

    def read(self, rows):
        return {key: value[np.asarray(rows)] for key, value in self.batch.items()}


@pytest.fixture
def write(tmp_path):
    def make(data, found=None, **options):
        path = write_data_page(
            tmp_path / "data.html", found or data.found, read=data.read, normalise=data.normalize, **options
        )
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
        assert "http" not in text
        assert "<script" not in text
        assert "@import" not in text
        assert len(page.ids) == len(set(page.ids))
        assert all(address[1:] in page.ids for address in page.addresses if address.startswith("#"))
        assert not re.search(r"\bnan\b", page.text.lower())
        return text, page

    return make


def shown(found):
    console = Console(width=100, record=True, file=io.StringIO())
    print_inspection(found, "data.html", console=console)
    return console.export_text()


def test_every_section_is_there_and_nothing_is_fetched(write):
    def lack(data):
        data.valid[::3, :, :, 15:] = False

    data = Data(change=lack, variance=1.0)
    info = {"date": "2026-11-21T14:03:22+00:00", "command": "inspect_data.py data=cutouts"}
    text, page = write(data, run_info=info)
    expected = ["At a glance", "Objects", "Contact sheet", "Pixels", "Missing data", "Noise and variance"]
    expected += ["How this was made", "Balance of the classes", "Sky coverage", "spiral", "merger"]
    expected += ["As the network sees them", "Before normalisation", "After normalisation"]
    expected += ["How much is missing", "Where it is missing", "Is the variance right?"]
    assert set(expected) <= set(page.headings)
    for part in ("120 objects of 3 × 20 × 20 pixels (4″ wide)", "nJy", "1.31 GB", "120 files, packed 608 MB"):
        assert part in page.text
    assert "40 of 120 objects lack some of their values" in page.text
    assert text.count("<img") == 2 * 12 + 6
    assert len(text) < 1e6


def test_counts_are_of_all_objects():
    labels, split = np.array([0, 0, 1, 1, 1, -1]), np.array(["train", "test", "train", "val", "", ""])
    counts = split_counts(Table({"label": labels, "split": split}), ("a", "b", "never"))
    assert counts.rows == ("train", "val", "test", "no split", "all")
    assert counts.columns == ("a", "b", "never", "no label", "all")
    assert counts.numbers.tolist() == [
        [1, 1, 0, 0, 2],
        [0, 1, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [0, 1, 0, 1, 2],
        [2, 3, 0, 1, 6],
    ]
    unlabelled = split_counts(Table({"label": [-1, -1], "split": ["", ""]}), ("a", "b"))
    assert (unlabelled.rows, unlabelled.columns, unlabelled.numbers.tolist()) == (("all",), ("all",), [[2]])


def test_bands_are_told_in_their_own_unit(write):
    data = Data(scale=1e-11)
    text, page = write(data)
    assert "Flux (10⁻¹² nJy)" in page.text
    assert "Values are in 10⁻¹² nJy." in page.text
    sky, noise = data.found.sky[1], data.found.noise[1]
    row = re.search(r'<tr><th scope="row">r</th>(.*?)</tr>', text)[1]
    cells = [cell.replace("−", "-") for cell in re.findall("<td>(.*?)</td>", row)]
    assert float(cells[-2]) == pytest.approx(1e12 * sky, rel=1e-3)
    assert float(cells[-1]) == pytest.approx(1e12 * noise, rel=1e-3)
    assert "in 10⁻¹² nJy" in shown(data.found)


@pytest.mark.parametrize(
    ("shape", "classes"),
    [
        ((1, 16, 16), ()),
        ((2, 9, 30), ("only",)),
        ((5, 12, 12), ("a", "b", "c")),
        ((2, 700), ("only",)),
        ((1, 50), ()),
        ((6,), ("a", "b", "c")),
        ((2,), ()),
    ],
)
def test_any_shape_with_and_without_classes(write, shape, classes):
    def lack(data):
        data.valid[::2, 0, ...] &= np.arange(shape[-1]) > 3 if len(shape) > 1 else False

    data = Data(shape, classes=classes, change=lack, n=40)
    _, page = write(data)
    assert ("Balance of the classes" in page.headings) == bool(classes)
    assert "Missing data" in page.headings
    assert ("As the network sees them" in page.headings) == (len(shape) == 3)
    assert ("Contact sheet" in page.headings) == (len(shape) > 1)
    if len(shape) == 1:
        assert data.found.spec.bands[0] in page.headings
        assert "20 objects; 50\u00a0% have none." in page.text
    assert "40" in shown(data.found)


def test_light_curves_are_drawn_against_their_time(write):
    data = Data((2, 60), n=30)
    bands = ("time", "r")
    facts = measure(data.batch, bands=bands)
    found = replace(
        data.found, spec=replace(data.found.spec, bands=bands), pixels=facts, sky=None, noise=None
    )
    _, page = write(data, found)
    assert "Time" in page.text
    assert [band.name for band in found.flux_bands] == ["r"]


def test_spectra_are_drawn_against_their_wavelength(write):
    data = Data((1, 80), n=30)
    _, page = write(data, replace(data.found, axis=("Wavelength (Å)", np.geomspace(3600, 9800, 80))))
    assert "Wavelength (Å)" in page.text
    assert "8000" in page.text


def test_targets_are_shown_by_split(write):
    data = Data((4,), classes=(), n=60)
    redshift = np.where(np.arange(60) % 10 == 0, np.nan, np.linspace(0, 2, 60))
    _, page = write(data, replace(data.found, targets={"redshift": redshift}))
    assert "Redshift" in page.headings
    assert "54 of 60 objects have one." in page.text


def test_nothing_stands_out_in_good_data(write):
    data = Data(n=400, variance=1.0)
    assert notes(data.found) == []
    _, page = write(data)
    assert "Nothing stands out" in page.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d.flux.__setitem__((slice(0, 40), 1, slice(0, 3)), 0),
            "of the valid pixels of band r are exactly 0",
        ),
        (
            lambda d: d.flux.__setitem__((slice(0, 60), 2, 5, 5), 500),
            "60 pixels of band i hold exactly the greatest",
        ),
        (
            lambda d: d.flux.__setitem__((slice(0, 2), 0, 5, 5), -9e6),
            "2 pixels of band g hold exactly the least",
        ),
        (lambda d: d.flux.__setitem__((7, 1), 2.5), "1 of 400 objects with one and the same value"),
        (
            lambda d: d.valid.__setitem__((slice(0, 9), slice(0, 2)), False),
            "9 objects without data in more than half",
        ),
        (lambda d: d.flux.__imul__(2), "The noise of band g is 1.9"),
        (lambda d: d.catalog["ra"].__setitem__(slice(0, 5), np.nan), "5 objects without a position"),
        (
            lambda d: [d.catalog[c].__setitem__(slice(None), 10.5) for c in ("ra", "dec")],
            "All objects have one position",
        ),
        (lambda d: d.catalog["label"].__setitem__(slice(0, 380), 0), "unequal in the training set (merger "),
        (
            lambda d: d.catalog["split"].__setitem__(slice(30, 380), "train"),
            "The test set holds few objects of spiral",
        ),
    ],
)
def test_what_deserves_a_second_look_is_said(change, words):
    found = notes(Data(n=400, variance=1.0, change=change).found)
    assert any(words in note for note in found), found


def test_refusals_headers_and_lists_are_said(write):
    data = Data(n=400)
    doubles = Table(
        {
            "id": ["o0001", "o0002"],
            "duplicate_of": ["o0001"] * 2,
            "by": ["pixels"] * 2,
            "split": ["train", "test"],
        }
    )
    doubles["label"] = [0, -1]
    left_out = Table({"id": ["x", "y"], "path": ["/d/x.fits", "/d/y.fits"]})
    left_out["reason"] = ["/d/x.fits is cut short", "/d/y.fits is cut short"]
    found = replace(
        data.found,
        spec=replace(data.found.spec, pixel_scale_arcsec=None, units=(None,) * 3),
        skipped=left_out,
        refusals=["no <training> objects.", "no <training> objects."],
        unsplit={"without label": 3},
        split_rule="at random (data.split_seed=0)",
        duplicates=doubles,
    )
    _, page = write(data, found)
    for words in (
        "Training would stop: no <training> objects.",
        "state no unit",
        "do not state the pixel scale",
        "2 inputs left out; skipped.csv",
        "3 objects in no split: 3 without label.",
        "2 of the objects are 1 that stand more than once.",
        "… is cut short",
        "Split at random (data.split_seed=0).",
    ):
        assert words in page.text, words
    assert page.text.count("no <training> objects.") == 1
    assert {"Left out", "Objects that stand more than once"} <= set(page.headings)
    assert "o0002" in page.text
    said = notes(
        replace(found, duplicate_warning="the same object more than once: 1 object(s) stand on two sides.")
    )
    assert any(note.startswith("The same object more than once") for note in said)
    assert "! Training would stop" in shown(found)


def test_hostile_text_is_only_text(write):
    evil = "<script>alert(1)</script>\"'&"

    def change(data):
        data.catalog["id"] = [f"{evil}{i}" for i in range(len(data.catalog))]

    data = Data(classes=(evil, "<i>no"), change=change)
    bands = (evil, "<u>", "i")
    spec = replace(data.found.spec, bands=bands, units=("<b>", "<b>", None))
    found = replace(data.found, title=evil, spec=spec, pixels=measure(data.batch, bands=bands))
    text, page = write(data, replace(found, sky=None, noise=None), run_info={"command": evil, evil: evil})
    for part in ("<script", "<i>no", "<u>", "<b>"):
        assert part not in text
    assert evil in page.text


def test_random_objects_of_each_class_are_the_same_for_a_seed():
    labels = np.repeat([0, 1, 2, -1], 50)
    options = {"most": 6, "most_unlabelled": 24}
    chosen = choose_objects(labels, ("a", "b", "c", "none"), seed=3, **options)
    assert list(chosen) == ["a", "b", "c"]
    for k, rows in enumerate(chosen.values()):
        assert len(set(rows.tolist())) == 6
        assert (labels[rows] == k).all()
    again = choose_objects(labels, ("a", "b", "c", "none"), seed=3, **options)
    other = choose_objects(labels, ("a", "b", "c", "none"), seed=4, **options)
    assert all((again[name] == chosen[name]).all() for name in chosen)
    assert any((other[name] != chosen[name]).any() for name in chosen)
    alone = choose_objects(np.full(50, -1), (), seed=0, **options)
    assert [len(rows) for rows in alone.values()] == [24]


def test_the_network_is_shown_normalised_pixels(write):
    class Flat(Normalize):
        def forward(self, image, valid):
            return torch.zeros_like(image)

    data = Data()
    data.normalize = Flat(n_bands=3)
    _, page = write(data)
    assert "from black at 0 to white at 0" in page.text


def test_the_same_inputs_give_the_same_page(write):
    assert write(Data())[0] == write(Data())[0]
