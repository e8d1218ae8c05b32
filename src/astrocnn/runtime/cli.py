"""The command line. Nothing heavy is imported before a job starts, so that --help answers at once."""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, ConfigCompositionException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from astrocnn.errors import AstrocnnError, AstrocnnWarning
from astrocnn.paths import config_dir
from astrocnn.processes import share_cores
from astrocnn.runtime.overrides import explained

__all__ = ["evaluate", "inspect_data", "predict", "simulate", "train"]

FULL_ERROR = "HYDRA_FULL_ERROR"  # set to 1, errors come with a traceback
OF_VALUES = (InterpolationResolutionError, MissingMandatoryValue)  # found when a value is needed
OF_WORDS = (ConfigCompositionException, OverrideParseException, *OF_VALUES)


class JobError(CompactHydraException):
    """Marks one job of a sweep as failed; its message has been printed."""


def short_hash(text: str) -> str:
    """Eight hexadecimal digits of the text's SHA-256: a folder name without characters that Hydra quotes."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@contextmanager
def warnings_as_sentences() -> Iterator[None]:
    """Have our own warnings printed as 'warning: ...', without the line of code that warns; others as they are."""
    given = warnings.formatwarning

    def formatted(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
        if issubclass(category, AstrocnnWarning):
            return f"warning: {message}\n"
        return given(message, category, *place, **line)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = given


def command(name: str, *, alone: bool = True) -> Callable[[], None]:
    """The entry point of ``configs/<name>.yaml``, served by ``runtime.<name>``'s function of that name.

    Args:
        name: of the command.
        alone: whether nothing else is computed while its network is.
    """

    def job(cfg: DictConfig) -> None:
        if not alone:
            share_cores()
        try:
            run = getattr(import_module(f"astrocnn.runtime.{name}"), name)
            with warnings_as_sentences():
                run(cfg)
        except (AstrocnnError, *OF_VALUES) as error:
            said = str(error) if isinstance(error, AstrocnnError) else explained(error)
            print(f"{name}: {said}", file=sys.stderr, flush=True)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise JobError(str(error)) from error
            raise SystemExit(1) from None

    def main() -> None:
        OmegaConf.register_new_resolver("short_hash", short_hash, replace=True)
        asked = os.environ.get(FULL_ERROR)
        os.environ[FULL_ERROR] = "1"  # so that Hydra leaves its errors to us
        try:
            hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=name)(job)()
        except KeyboardInterrupt:  # before or after the training, which has its own way to stop
            print(f"\n{name}: stopped.", file=sys.stderr, flush=True)
            raise SystemExit(130) from None
        except JobError:
            raise SystemExit(1) from None
        except OF_WORDS as error:
            if asked == "1":
                raise
            print(f"{name}: {explained(error)}", file=sys.stderr, flush=True)
            raise SystemExit(1) from None
        finally:
            os.environ.pop(FULL_ERROR, None)
            if asked is not None:
                os.environ[FULL_ERROR] = asked

    return main


train = command("train")
evaluate = command("evaluate")
predict = command("predict", alone=False)
simulate = command("simulate")
inspect_data = command("inspect_data")
