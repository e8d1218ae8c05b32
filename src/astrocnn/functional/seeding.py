"""Seeds that are functions of what they are for."""

import numpy as np

from astrocnn.errors import ConfigError

__all__ = ["seed_of"]


def seed_of(*key: int) -> int:
    """A seed in [0, 2⁶³) from a key such as (seed, epoch, batch, rank): equal keys, equal seeds.

    Keys that differ anywhere give independent streams (numpy's ``SeedSequence`` hashes the key).

    Raises:
        ConfigError: a part of the key, of which a user's seed is the first, is no whole number or negative.
    """
    if not all(isinstance(part, (int, np.integer)) and part >= 0 for part in key):
        raise ConfigError(f"seed={key[0]}: a seed is a whole number, 0 or more.")
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
