"""The kinds of scenes without a lens, and how common each is among the non-lenses."""

from astrocnn.simulate import blends, discs
from astrocnn.simulate.draw import Generator

__all__ = ["KINDS", "SHARES"]

KINDS: dict[str, Generator] = {
    "deflector": blends.deflector,
    "spiral": discs.spiral,
    "ring": discs.ring,
    "edge_on": discs.edge_on,
    "companions": blends.companions,
    "merger": discs.merger,
    "star_galaxy": blends.star_galaxy,
}

SHARES = {
    "deflector": 0.18,
    "spiral": 0.35,
    "ring": 0.05,
    "edge_on": 0.14,
    "companions": 0.08,
    "merger": 0.17,
    "star_galaxy": 0.03,
}
