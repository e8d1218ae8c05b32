"""What will be trained on, shown before it is."""

import re
import subprocess
import sys
import time
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def write_set(
    folder: Path, flux: np.ndarray, *, labels: list[str] | None = None, **header: object
) -> list[str]:
    """One FITS file an object of (N, H, W) or (N, C, H, W), and a table of labels; the words for the command."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(flux):
        fits.PrimaryHDU(image.astype(np.float32), fits.Header(header)).writeto(folder / f"o{number:02d}.fits")
    words = ["data=cutouts", f"data.images={folder}/*.fits", f"output={folder}/look"]
    if labels is not None:
        names = [f"o{number:02d}" for number in range(len(labels))]
        Table({"id": names, "label": labels}).write(folder / "labels.csv", overwrite=True)
        words.append(f"data.catalog={folder}/labels.csv")
    return words


def noise(n: int = 24, bands: int = 1, size: int = 16) -> np.ndarray:
    return (
        np.random.default_rng(0).normal(0, 1, (n, bands, size, size)).squeeze(1)
        if bands == 1
        else (np.random.default_rng(0).normal(0, 1, (n, bands, size, size)))
    )


def text_of(page: Path) -> str:
    """The page's text, without elements and pictures."""
    whole = page.read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script|@import", whole)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", whole.split("<body>")[1]))


def test_counts_bands_and_levels_are_those_of_the_files(cutouts: Path, command, tmp_path, capsys) -> None:
    words = [
        "data=cutouts", f"data.images={cutouts}/fits/*.fits", f"data.catalog={cutouts}/labels.csv", "data.id=name",
        "data.label=is_ring", "data.classes=[none,ring]", "normalize=linear", f"output={tmp_path}/look",
    ]  # fmt: skip
    assert command("inspect_data", *words) == 0
    said = capsys.readouterr().out
    text = text_of(tmp_path / "look" / "data.html")
    for part in ("120 objects of 2 × 32 × 32 pixels (6.4″ wide)", "0.2″ a pixel", "nJy", "120 files"):
        assert part in " ".join(said.split()), part
        assert part in text or part == "120 files"
    assert re.search(r"all\s*│\s*60 │\s*60 │\s*120 │", said)
    assert "normalize" not in said
    assert "Normalisation linear: n_bands=2, stretch=linear" in text
    assert "Sky coverage" in text
    assert f"page: {tmp_path}/look/data.html" in said

    # sky and noise as the files have them, of all pixels; the normalisation is fitted on the training objects
    flux = np.stack([fits.getdata(path) for path in sorted((cutouts / "fits").glob("*.fits"))])
    for c, band in enumerate("gr"):
        row = re.search(rf"│ {band}\s*│(.*)│\s*\n", said)
        assert row is not None
        least, median, _, greatest, sky, spread = (
            float(cell.replace("−", "-")) for cell in row[1].split("│")[1:]
        )
        pixels = flux[:, c]
        assert least == pytest.approx(pixels.min(), abs=5e-3)
        assert greatest == pytest.approx(pixels.max(), abs=5e-3)
        assert median == pytest.approx(np.median(pixels), abs=1e-3)
        assert sky == pytest.approx(np.median(pixels), abs=0.03)
        mad = np.median(np.abs(pixels - np.median(pixels)))
        assert spread == pytest.approx(1.4826 * mad, rel=0.03)


def test_the_normalisation_is_that_of_training(
    run: Path, small: list[str], command, tmp_path, monkeypatch
) -> None:
    import astrocnn
    from astrocnn.runtime import inspect_data

    found = []
    monkeypatch.setattr(inspect_data, "print_inspection", lambda data, page: found.append(data))
    words = [word for word in small if word.startswith("data")]
    assert command("inspect_data", *words, f"output={tmp_path}/look") == 0
    normalize = astrocnn.load(str(run)).normalize
    np.testing.assert_array_equal(found[0].sky, normalize.sky.numpy().astype(float))
    np.testing.assert_array_equal(found[0].noise, normalize.noise.numpy().astype(float))


def test_images_without_labels(command, tmp_path, capsys) -> None:
    flux = noise()
    flux[3, :4] = np.nan
    words = write_set(tmp_path / "plain", flux)
    assert command("inspect_data", *words) == 0
    text = text_of(tmp_path / "plain" / "look" / "data.html")
    assert "Training would stop: training and testing need labels" in text
    assert "24 objects of the whole set, which has no training split" in text
    assert "1 of 24 objects lack some of their values" in text
    assert "Balance of the classes" not in text
    assert "Sky coverage" not in text
    assert "state no unit" in capsys.readouterr().out


def test_one_class_and_files_that_cannot_be_read(command, tmp_path, capsys) -> None:
    words = write_set(tmp_path / "one", noise(), labels=["galaxy"] * 24, BUNIT="nJy")
    damaged = tmp_path / "one" / "o05.fits"
    damaged.write_bytes(damaged.read_bytes()[:2900])
    assert command("inspect_data", *words) == 1
    assert "o05.fits" in capsys.readouterr().err
    assert command("inspect_data", *words, "data.on_bad=skip") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "every label is 'galaxy'" in said
    assert "1 input left out; skipped.csv" in said
    assert Table.read(tmp_path / "one" / "look" / "skipped.csv")["id"].tolist() == ["o05"]
    text = text_of(tmp_path / "one" / "look" / "data.html")
    assert "23 objects" in text
    assert "galaxy 23" in text


def test_a_band_that_cannot_be_normalised_is_said(command, tmp_path, capsys) -> None:
    flux = noise(bands=2)
    flux[:, 1] = 7.0
    words = write_set(tmp_path / "flat", flux, labels=["a", "b"] * 12, BAND1="g", BAND2="r")
    assert command("inspect_data", *words) == 0
    assert "Training would stop: band r is constant" in " ".join(capsys.readouterr().out.split())
    text = text_of(tmp_path / "flat" / "look" / "data.html")
    assert "Before normalisation" in text
    assert "After normalisation" not in text


def test_duplicates_on_two_sides_are_said_and_listed(command, tmp_path, capsys) -> None:
    flux = noise()
    flux[1::2] = flux[::2]
    words = write_set(tmp_path / "twice", flux, labels=["a", "a", "b", "b"] * 6, BUNIT="nJy")
    assert command("inspect_data", *words) == 0
    assert "stand on two sides of the split" in " ".join(capsys.readouterr().out.split())
    assert len(Table.read(tmp_path / "twice" / "look" / "duplicates.csv")) == 24
    assert "Objects that stand more than once" in text_of(tmp_path / "twice" / "look" / "data.html")


def test_placeholders_and_fluxes_of_1e_11_of_the_lens_challenge(realdata, command, tmp_path, capsys) -> None:
    folder = realdata("lens_challenge") / "ground_based"
    bands = {"r": 1, "i": 2, "g": 3, "u": 4}
    images = ", ".join(
        f"{band}: '{folder}/*/Band{k}/imageSDSS_{band.upper()}-*.fits'" for band, k in bands.items()
    )
    assert (
        command("inspect_data", "data=cutouts", f"data.images={{{images}}}", f"output={tmp_path}/look") == 0
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "12 objects of 4 × 101 × 101 pixels" in said
    for band, k in bands.items():
        pixels = np.stack([fits.getdata(path) for path in sorted(folder.glob(f"*/Band{k}/*.fits"))])
        n = int((pixels == 100).sum())
        assert (f"{n} pixels of band {band} hold exactly the greatest value, 100" in said) == (n > 1), band
    text = text_of(tmp_path / "look" / "data.html")
    assert "Values are in units of 10⁻¹²." in text
    assert "Flux (10⁻¹²)" in text


def test_help_answers_at_once(command, capsys) -> None:
    assert command("inspect_data", "--help") == 0
    text = capsys.readouterr().out
    assert "Show what will be trained on" in text
    assert re.search(r"normalize: asinh, .*linear", text)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(SCRIPTS / "inspect_data.py"), "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert time.monotonic() - start < 20  # of a busy machine; what matters is what is not imported
    assert not re.search(r"\| +(torch|matplotlib|astropy|pytorch_lightning)$", done.stderr, re.MULTILINE)


def test_classes_of_pixels_are_counted(command, tmp_path: Path, capsys) -> None:
    """16² pixels: 3 of 16 rows of class 1, one of none, one without data."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    labels = np.zeros((16, 16), np.int16)
    labels[:3], labels[3] = 1, 255
    for n, image in enumerate(noise()):
        image[4] = np.nan
        fits.writeto(tmp_path / f"images/{n}.fits", image.astype(np.float32))
        fits.writeto(tmp_path / f"labels/{n}.fits", labels)
    words = [
        "data=segmentation_maps", f"data.images={tmp_path}/images/*.fits",
        f"data.class_map.files={tmp_path}/labels/*.fits", f"output={tmp_path}/look",
    ]  # fmt: skip
    assert command("inspect_data", *words) == 1
    assert "hold the values 0, 1, 255 and not all numbers from 0 to 255" in capsys.readouterr().err
    assert command("inspect_data", *words, "data.class_map.ignore=255") == 0
    said = capsys.readouterr().out
    assert re.search(r"│ 0\s+│\s*79\s%", said)
    assert re.search(r"│ 1\s+│\s*21\s%", said)
    assert re.search(r"│ of none, of all pixels\s+│\s*12\s%", said)


def write_boxes(folder: Path) -> list[str]:
    """Four noise images of 20 x 24 pixels with 3, 0, 1 and 1 objects; the words for the command."""
    folder.mkdir()
    for n, image in enumerate(np.random.default_rng(0).normal(0, 1, (4, 20, 24))):
        fits.writeto(folder / f"i{n}.fits", image.astype(np.float32))
    rows = [
        ("i0", 1.5, 2.5, 5.5, 6.5, "star", 0), ("i0", 9.5, 9.5, 17.5, 17.5, "galaxy", 0),
        ("i0", 18.5, 0.5, 22.5, 4.5, "galaxy", 1), ("i2", 3.5, 3.5, 7.5, 7.5, "star", 0),
        ("i3", 2.5, 10.5, 4.5, 18.5, "galaxy", 0),
    ]  # fmt: skip
    Table(rows=rows, names=["id", "x0", "y0", "x1", "y1", "label", "ignore"]).write(folder / "objects.csv")
    split = ["train", "train", "val", "test"]
    Table({"id": [f"i{n}" for n in range(4)], "split": split}).write(folder / "images.csv")
    return [
        "data=detection_boxes", f"data.images={folder}/*.fits", f"data.boxes={folder}/objects.csv",
        f"data.catalog={folder}/images.csv", f"output={folder}/look",
    ]  # fmt: skip


def test_objects_in_images_are_counted(command, tmp_path: Path, capsys) -> None:
    assert command("inspect_data", *write_boxes(tmp_path / "set")) == 0
    said = capsys.readouterr().out
    assert "4 images of 1 × 20 × 24 pixels" in said
    counts = {
        "train": "1 │ 1 │ 1 │ 3",
        "val": "0 │ 1 │ 0 │ 1",
        "test": "1 │ 0 │ 0 │ 1",
        "all": "2 │ 2 │ 1 │ 5",
    }
    assert re.search(r"objects ┃ galaxy ┃ star ┃ neither way ┃ all", said)
    for split, expected in counts.items():
        assert re.search(rf"│ {split}\s*│\s*" + r"\s*".join(expected.split()) + r"\s*│", said), split
    words = "5 objects, 0 to 3 (median 1) an image; boxes of 4 to 8 (median 4) pixels; 1 image without any."
    assert words in " ".join(said.split())
    text = text_of(tmp_path / "set/look/data.html")
    for part in (
        words,
        "5 1.25 an image",
        "Balance" not in text and "Sizes",
        "i1: 0 objects",
        "i3: 1 object ",
    ):
        assert part in text, part
    assert "the positive class" not in text
    assert "As the network sees them" in text


def test_boxes_are_drawn_on_the_images_in_the_colours_of_their_classes(command, tmp_path: Path) -> None:
    assert command("inspect_data", *write_boxes(tmp_path / "set")) == 0
    page = (tmp_path / "set/look/data.html").read_text(encoding="utf-8")
    whole = page[page.index("i0: 3 objects") :]
    plain, boxed = (
        np.asarray(Image.open(BytesIO(b64decode(data))).convert("RGB"))[
            ::-1
        ]  # the first row at the top again
        for data in re.findall(r'src="data:image/png;base64,([^"]+)"', whole)[:2]
    )
    assert boxed.shape == (40, 48, 3)  # each pixel as four
    edges = {
        "star": (2, 3, 5, 6),
        "galaxy": (10, 10, 17, 17),
        "ignored": (19, 1, 22, 4),
    }  # first and last pixels
    drawn, colours = np.zeros(boxed.shape[:2], bool), set()
    for x0, y0, x1, y1 in edges.values():
        line = np.zeros_like(drawn)
        line[2 * y0 : 2 * y1 + 2, 2 * x0 : 2 * x1 + 2] = True
        line[2 * y0 + 1 : 2 * y1 + 1, 2 * x0 + 1 : 2 * x1 + 1] = False
        (colour,) = {tuple(pixel) for pixel in boxed[line].tolist()}
        drawn |= line
        colours.add(colour)
    assert len(colours) == 3
    np.testing.assert_array_equal(boxed[~drawn], plain[~drawn])
    legend = page[page.index("Boxes: ") : page.index("i0: 3 objects")]
    assert {tuple(map(int, found)) for found in re.findall(r"rgb\((\d+), (\d+), (\d+)\)", legend)} == colours
