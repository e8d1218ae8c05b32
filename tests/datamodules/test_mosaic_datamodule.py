"""The options of data=mosaic."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from astrocnn.datamodules.mosaic import MosaicDataModule
from astrocnn.errors import ConfigError, DataError
from astrocnn.paths import config_dir


@pytest.fixture
def image(tmp_path: Path) -> str:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": -5.0})
    header.update(CRPIX1=10, CRPIX2=10, CDELT1=-1e-4, CDELT2=1e-4, BUNIT="nJy", BAND1="g", BAND2="r")
    fits.PrimaryHDU(np.ones((2, 30, 40), np.float32), header).writeto(tmp_path / "a.fits")
    return str(tmp_path / "a.fits")


def test_the_headers_fill_the_options(image: str) -> None:
    data = MosaicDataModule(images=image)
    spec = data.probe()
    assert spec.bands == ("g", "r")
    assert spec.image_shape == (2, 30, 40)
    assert spec.units == ("nJy", "nJy")
    assert spec.pixel_scale_arcsec == pytest.approx(0.36)
    assert data.filled() == {"bands": ["g", "r"], "n_bands": 2, "pixel_scale_arcsec": spec.pixel_scale_arcsec}


def test_the_configuration_makes_it(image: str) -> None:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("predict", overrides=["run=x", "data=mosaic", f"data.images={image}", "data.bands=[r]"])
    data = instantiate(cfg.data)
    assert isinstance(data, MosaicDataModule)
    assert data.probe().bands == ("r",)
    assert data.window is None


def test_what_is_not_so_is_refused(image: str) -> None:
    with pytest.raises(DataError, match=r"no images given; .* data.images=\{g: g.fits, r: r.fits\}"):
        MosaicDataModule().probe()
    with pytest.raises(DataError, match=r"data.n_bands=3 but .*a.fits has 2"):
        MosaicDataModule(images=image, n_bands=3).probe()
    with pytest.raises(DataError, match=r"data.pixel_scale_arcsec=0.2 but .*a.fits has 0.36 by its WCS"):
        MosaicDataModule(images=image, pixel_scale_arcsec=0.2).probe()
    with pytest.raises(ConfigError, match=r"data.batch_size=0: at least 1 window"):
        MosaicDataModule(images=image, batch_size=0)
    with pytest.raises(ConfigError, match=r"data=mosaic is for predict.py"):
        MosaicDataModule(images=image).require_labels()
    with pytest.raises(ConfigError, match=r"data.flux_unit"):
        MosaicDataModule(images=image, flux_unit="mag")
