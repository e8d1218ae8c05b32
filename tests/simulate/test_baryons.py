"""Gas against its own rules in cases that can be solved by hand, and the set on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import gaussian_filter

from astrocnn.errors import ConfigError
from astrocnn.simulate.baryons import GAS, MATTER, gas_of, simulate_baryons


def test_gas_is_smoothed_matter_and_warmer_where_denser() -> None:
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(16, 16, 16, generator=generator, dtype=torch.float64) + 0.1
    gas = gas_of(density, torch.zeros(3, 16, 16, 16, dtype=torch.float64))
    want = gaussian_filter(density.numpy(), 1.2, mode="wrap", truncate=6)
    np.testing.assert_allclose(gas["gas_density"], want, rtol=1e-6)
    np.testing.assert_allclose(gas["temperature"], 1.2e4 * np.sqrt(want), rtol=1e-6)
    assert list(gas) == list(GAS)


def test_a_converging_flow_heats_as_a_strong_shock() -> None:
    """v = −100 sin x km/s along one axis: in the middle it falls by 2·100·sin(2π/n) over two cells."""
    n = 32
    x = 2 * np.pi * torch.arange(n, dtype=torch.float64) / n
    momentum = torch.zeros(3, n, n, n, dtype=torch.float64)
    momentum[1] = -100 * x.sin()[:, None]
    gas = gas_of(torch.ones(n, n, n, dtype=torch.float64), momentum)
    smoothing = np.exp(-0.5 * (1.2 * 2 * np.pi / n) ** 2)
    falls = 2 * 100 * smoothing * np.sin(2 * np.pi / n)
    m_p_over_k = 1.67262192e-27 * 1e6 / 1.380649e-23  # K for (km/s)²
    heated = 3 * 0.59 * m_p_over_k * falls**2 / 16
    assert gas["temperature"][:, 0].mean().item() == pytest.approx(1.2e4 + heated, rel=1e-3)
    assert gas["temperature"][:, n // 2].mean().item() == pytest.approx(1.2e4)  # where it flows apart
    torch.testing.assert_close(gas["gas_vy"], smoothing * momentum[1], rtol=1e-4, atol=1e-6)


def test_the_set_on_disk_is_a_function_of_its_options(tmp_path: Path) -> None:
    one, same, other = (
        simulate_baryons(tmp_path / name, n_volumes=12, cells=8, box_mpc_h=4.0, seed=seed, n_workers=1)
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    for path in sorted(one.rglob("*.fits")):
        assert path.read_bytes() == (same / path.relative_to(one)).read_bytes(), path
        assert path.read_bytes() != (other / path.relative_to(one)).read_bytes(), path
    with (
        fits.open(one / "images" / "000003.fits") as matter,
        fits.open(one / "targets" / "000003.fits") as gas,
    ):
        assert [hdu.name for hdu in matter[1:]] == list(MATTER)
        assert [hdu.header.get("BUNIT", "") for hdu in gas[1:]] == list(GAS.values())
        assert matter[1].data.shape == (8, 8, 8)
        assert matter[1].data.mean() == pytest.approx(1, rel=1e-4)
        assert gas[1].data.mean() == pytest.approx(1, rel=1e-4)
        assert (gas[2].data > 0).all()
    table = Table.read(one / "catalog.fits")
    assert len(table) == 12
    assert (table["density_variance"] > 0).all()


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cells=7 cannot be simulated; it must be even"):
        simulate_baryons(tmp_path, cells=7)
    with pytest.raises(ConfigError, match="redshift=11"):
        simulate_baryons(tmp_path, redshift=11)
