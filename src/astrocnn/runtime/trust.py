"""What a saved configuration may build. A ``_target_`` read from a file is code, so it is looked at first."""

from collections.abc import Iterable
from typing import Any

from hydra.utils import get_object

from astrocnn.errors import RunError

__all__ = ["check_targets"]

OURS = tuple(
    f"astrocnn.{room}" for room in ("networks", "losses", "transforms", "tasks")
)  # none of them opens files
TRUSTED = (*OURS, "torch.nn", "torch.optim", "torchvision.models", "timm")
TRAINING = (
    *(f"astrocnn.{room}" for room in ("callbacks", "datamodules")),
    *(f"pytorch_lightning.{room}" for room in ("trainer", "callbacks", "loggers")),
)
SHORT = ("pytorch_lightning.Trainer",)  # names that a package exports above the module that defines them


def check_targets(config: Any, *, trust: Iterable[str] = (), training: bool = False) -> None:
    """Refuse any target that does not come from a trusted package.

    A name is looked up and the *object's* own module is judged, so that ``astrocnn.paths.os.system`` is
    refused; a name outside the trusted packages is refused before anything is imported for it.

    Args:
        config: containers of primitives, as OmegaConf gives them.
        trust: further packages that the caller trusts.
        training: whether Lightning's trainer, callbacks and loggers are allowed too.

    Raises:
        RunError: a target is not trusted.
    """
    packages = (*TRUSTED, *trust, *(TRAINING if training else ()))
    for target in targets(config):
        named = target if isinstance(target, str) else repr(target)
        inside = isinstance(target, str) and (_within(target, packages) or (training and target in SHORT))
        if inside:
            found = get_object(named)
            inside = _within(f"{getattr(found, '__module__', '')}.", packages)
        if not inside:
            raise RunError(
                f"the saved configuration wants to build {named!r}, which is not trusted; if you trust it, "
                f"load with astrocnn.load(run, trust=({named.split('.')[0]!r},))."
            )


def targets(config: Any) -> Iterable[Any]:
    """Every value of a ``_target_`` key, however deep."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "_target_":
                yield value
            else:
                yield from targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from targets(value)


def _within(name: str, packages: Iterable[str]) -> bool:
    return any(name.startswith(f"{package}.") for package in packages)
