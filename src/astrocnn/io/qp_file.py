"""Redshift PDFs as an ensemble of qp (https://github.com/LSSTDESC/qp), which RAIL's evaluation reads."""

import os
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from astrocnn.io.atomic import atomic_path

__all__ = ["write_qp"]


def write_qp(
    path: str | os.PathLike[str],
    *,
    parameterization: str,
    data: Mapping[str, NDArray[Any]],
    shared: Mapping[str, Any],
    ancil: Mapping[str, NDArray[Any]],
) -> None:
    """Write the HDF5 file that ``qp.read`` gives back as an ensemble of N PDFs.

    Args:
        path: of the file; one that exists is replaced.
        parameterization: qp's name of it: 'mixmod', 'hist', 'interp'.
        data: (N, ...) parameters of each PDF, by qp's names.
        shared: parameters that all PDFs have alike, by qp's names.
        ancil: (N,) columns that go with the PDFs: id, true redshift, point estimates.
    """
    meta = {"pdf_name": parameterization.encode(), "pdf_version": 0, **shared}
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        for name, values in data.items():
            file.create_dataset(f"data/{name}", data=values, compression="gzip", shuffle=True)
        for name, value in meta.items():
            file[f"meta/{name}"] = np.asarray(value)[None]
        for name, column in ancil.items():
            values = np.asarray(column)
            if values.dtype.kind in "UO":
                values = np.char.encode(values.astype(str), "utf-8")
            file[f"ancil/{name}"] = values
