"""One small simulated set for the tests of the files and of the noise."""

from pathlib import Path

import pytest

pytest.importorskip("galsim", reason="simulating needs galsim: pip install 'astrocnn[sim]'")
pytest.importorskip("caustics", reason="simulating needs caustics: pip install 'astrocnn[sim]'")


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 cutouts in three chunks."""
    from astrocnn.simulate.lenses import simulate_lenses

    return simulate_lenses(tmp_path_factory.mktemp("simulated") / "set", n_images=600, seed=11, n_workers=1)
