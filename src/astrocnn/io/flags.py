"""Which bits of a column of flags are bad, as an option lists them."""

from collections.abc import Sequence

from astrocnn.errors import ConfigError

__all__ = ["flag_bits"]

HIGHEST = 62  # the next one is the sign of a 64-bit integer


def flag_bits(option: str, bits: Sequence[int] | None) -> int:
    """The integer with the bits set that count, numbered from 0, the lowest; every bit for None.

    Raises:
        ConfigError: what ``option`` lists are no numbers of bits.
    """
    if bits is None:
        return -1
    chosen = 0
    for bit in bits:
        if isinstance(bit, bool) or not isinstance(bit, int) or not 0 <= bit <= HIGHEST:
            raise ConfigError(
                f"{option}={list(bits)}: bits are whole numbers from 0 to {HIGHEST}, 0 the lowest; give the numbers of "
                "the bits that are bad, not their values, [] for none of them or null for all."
            )
        chosen |= 1 << bit
    return chosen
