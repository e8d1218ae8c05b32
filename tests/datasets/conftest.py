"""Small FITS cutouts on disc."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits


@pytest.fixture
def write_cubes(tmp_path: Path) -> Callable[..., np.ndarray]:
    """``write_cubes(n)``: files ``img/obj<i>.fits`` with a VARIANCE HDU; gives the pixels (n, 2, 5, 7)."""

    def write(n: int = 6, *, bands: tuple[str, ...] | None = ("g", "r"), nan: bool = False) -> np.ndarray:
        cubes = np.random.default_rng(1).normal(size=(n, 2, 5, 7)).astype(np.float32)
        if nan:
            cubes[1, 0, 2, :3] = np.nan
        (tmp_path / "img").mkdir(exist_ok=True)
        header = fits.Header({f"BAND{i + 1}": name for i, name in enumerate(bands or ())})
        header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=4.0, CRPIX2=3.0, CDELT1=-1e-4, CDELT2=1e-4)
        for i, cube in enumerate(cubes):
            header.update(CRVAL1=10.0 + i, CRVAL2=-5.0)
            hdus = [fits.PrimaryHDU(cube, header), fits.ImageHDU(np.abs(cube) + 1, name="VARIANCE")]
            fits.HDUList(hdus).writeto(tmp_path / "img" / f"obj{i:02d}.fits")
        return cubes

    return write
