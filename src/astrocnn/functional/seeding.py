"""Seeds that are functions of what they are for."""

import numpy as np

__all__ = ["seed_of"]


def seed_of(*key: int) -> int:
    """A seed in [0, 2⁶³) from a key such as (seed, epoch, batch, rank): equal keys, equal seeds.

    Keys that differ anywhere give independent streams (numpy's ``SeedSequence`` hashes the key).
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
