from pathlib import Path

import numpy as np
from astropy.io import fits

from astrocnn.io.stamps import Stamp, write_stamps


def test_astropy_reads_stamps_of_any_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stamps = [
        Stamp(x, y, rng.normal(size=(2, ny, nx)).astype(np.float32))
        for x, y, ny, nx in [(0, 3, 4, 5), (17, 2, 1, 1), (9, 250, 33, 8)]
    ]
    write_stamps(tmp_path / "a.fits", stamps, bands=("g", "i"))
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        table = hdus["STAMPS"]
        assert (table.header["BAND1"], table.header["BAND2"]) == ("g", "i")
        assert table.columns["pixels"].unit == "nJy"
        assert table.data["number"].tolist() == [1, 2, 3]
        for row, stamp in zip(table.data, stamps, strict=True):
            assert (row["xmin"], row["ymin"]) == (stamp.xmin, stamp.ymin)
            assert np.array_equal(row["pixels"].reshape(2, row["ny"], row["nx"]), stamp.image)
            assert stamp.place == (
                slice(row["ymin"], row["ymin"] + row["ny"]),
                slice(row["xmin"], row["xmin"] + row["nx"]),
            )


def test_no_stamps(tmp_path: Path) -> None:
    write_stamps(tmp_path / "a.fits", [], bands=("g",))
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        assert len(hdus["STAMPS"].data) == 0
