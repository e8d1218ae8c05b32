"""Weights of a network from a file that somebody else wrote."""

from pathlib import Path

import torch
from torch import Tensor

from astrocnn.errors import DataError, reason

__all__ = ["read_weights"]

INSIDE = ("state_dict", "model")  # keys under which training programs keep the weights


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name of a file of safetensors (``*.safetensors``) or of PyTorch; nothing in the file is executed.

    Raises:
        DataError: the file is missing, damaged, or holds more than tensors and primitives.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"{path} is not a file of weights; give the path of one that is there.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise DataError(f"{path} needs safetensors ({error}); run: pip install safetensors") from error
    except Exception as error:  # safetensors, pickle and zip files have each their own
        raise DataError(f"{path} cannot be read as weights ({reason(error)}).") from error
    for key in INSIDE:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(
            f"{path} holds {type(content).__name__} and not tensors by name; save a state_dict()."
        )
    return content
