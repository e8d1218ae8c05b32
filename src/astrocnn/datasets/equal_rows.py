"""Which rows of an array hold the same values, found without reading all of it."""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["equal_rows", "probes"]

PROBED_BYTES = 256  # of the middle of a row: one page of the disc, where equal rows must be equal
CHUNK = 65536
LEAST_VALUES = 8  # different ones; of fewer (padding, a few whole numbers) equality says nothing


def probes(image: NDArray[Any]) -> NDArray[np.uint64]:
    """A number for each row of ``image`` (n_rows, ...), from the bytes in its middle: equal rows have equal ones."""
    flat = image.reshape(len(image), -1).view(np.uint8)  # (n_rows, n_bytes)
    width = min(PROBED_BYTES, flat.shape[1])
    start = (flat.shape[1] - width) // 2
    odd = np.random.default_rng(0).integers(0, 2**63, PROBED_BYTES // 8, dtype=np.uint64) * 2 + 1
    found = np.empty(len(flat), np.uint64)
    for begin in range(0, len(flat), CHUNK):
        middle = flat[begin : begin + CHUNK, start : start + width]
        block = np.zeros((len(middle), PROBED_BYTES), np.uint8)
        block[:, :width] = middle
        found[begin : begin + len(middle)] = (block.view(np.uint64) * odd).sum(1)  # modulo 2⁶⁴
    return found


def equal_rows(
    image: NDArray[Any],
    bits: NDArray[np.uint8] | None,
    rows: NDArray[np.int64],
    probed: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """For each of ``rows`` (N,), the first of them that has the same values and validity; itself if none has.

    Only rows with another's probe are read. Rows of fewer than eight different valid values are equal to none.

    Args:
        image: (n_rows, ...) values, in memory or mapped.
        bits: (n_rows, ceil(n_values / 8)) uint8, validity packed by ``np.packbits``; None where all is valid.
        rows: to compare, each once.
        probed: (n_rows,) what :func:`probes` says of ``image``.
    """
    first = rows.copy()
    seen: dict[bytes, int] = {}
    telling: dict[bytes, bool] = {}
    _, inverse, counts = np.unique(probed[rows], return_inverse=True, return_counts=True)
    for i in np.flatnonzero(counts[inverse] > 1):
        values, valid = image[rows[i]], None if bits is None else bits[rows[i]]
        digest = blake2b(values.tobytes(), digest_size=16)
        if valid is not None:
            digest.update(valid.tobytes())
        key = digest.digest()
        if key not in seen:
            seen[key] = int(rows[i])
            continue
        if key not in telling:
            telling[key] = _tells(values, valid)
        if telling[key]:
            first[i] = seen[key]
    return first


def _tells(values: NDArray[Any], bits: NDArray[np.uint8] | None) -> bool:
    flat = values.reshape(-1)
    if bits is not None:
        flat = flat[np.unpackbits(bits, count=len(flat)).view(np.bool_)]
    return len(np.unique(flat)) >= LEAST_VALUES
