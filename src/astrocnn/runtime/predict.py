"""``scripts/predict.py``: a catalogue of probabilities, or redshifts, for objects without labels."""

import hashlib
from pathlib import Path

from omegaconf import DictConfig

from astrocnn import __version__
from astrocnn.datamodules.mosaic import MosaicDataModule
from astrocnn.errors import ConfigError, several
from astrocnn.inference.predict import predict_all
from astrocnn.io.tables import write_table
from astrocnn.runtime.attach import attach
from astrocnn.runtime.build import class_of
from astrocnn.runtime.checkpoint import best_checkpoint, load, read_config
from astrocnn.runtime.evaluate import device_of, prevalence_of
from astrocnn.runtime.judge_classification import predictions_table
from astrocnn.runtime.judge_photoz import densities_of, recalibrate_mixture, redshift_table, write_pdfs
from astrocnn.runtime.predict_maps import predict_maps
from astrocnn.runtime.predict_objects import predict_objects
from astrocnn.tasks.classification import ClassificationTask
from astrocnn.tasks.detection import DetectionTask
from astrocnn.tasks.photoz import PhotozTask

__all__ = ["predict"]


def predict(cfg: DictConfig) -> None:
    """Read the images, predict, write id, ra, dec, probability and the fraction of valid pixels; or, of a network that
    is per pixel, maps of mosaics; or, of one that detects, their objects.

    Raises:
        AstrocnnError: the images do not fit the run, or the output exists.
    """
    saved = read_config(cfg.run)
    task = load(
        cfg.run, device=device_of(cfg.device), ensemble=cfg.ensemble, dropout_samples=cfg.dropout_samples
    )
    if isinstance(task, DetectionTask):
        predict_objects(cfg, saved, task)
        return
    if getattr(task.network, "per_pixel", False):
        predict_maps(cfg, saved, task)
        return
    output = Path(cfg.output or "predictions.fits")
    if output.exists() and not cfg.overwrite:
        raise ConfigError(f"{output} exists; give another output=..., or overwrite=true.")
    if not isinstance(task, ClassificationTask | PhotozTask):
        raise ConfigError(
            f"the run in {cfg.run} has a network that gives no maps, classes or redshifts; use "
            f"astrocnn.load({str(cfg.run)!r})(images) in Python."
        )
    if class_of(cfg.get("data")) is MosaicDataModule:
        raise ConfigError(
            f"the run in {cfg.run} says one thing of each image, and data=mosaic is for runs that give maps or detect; "
            "name cutouts with data=cutouts data.images=..., or cut them from images with data=tiles data.tiles=... "
            "data.catalog=..."
        )
    if cfg.qp and not isinstance(task, PhotozTask):
        raise ConfigError(
            f"qp={cfg.qp} is for densities over redshift, and {cfg.run} has none; leave it out."
        )
    if cfg.qp and Path(cfg.qp).exists() and not cfg.overwrite:
        raise ConfigError(f"{cfg.qp} exists; give another qp=..., or overwrite=true.")
    recalibrate_mixture(cfg, saved, task)
    datamodule = attach(cfg, saved)
    predicted = predict_all(task, datamodule.loader(datamodule.rows("all")))
    if isinstance(task, PhotozTask):
        table = redshift_table(task, predicted, datamodule.catalog)
        of_object = [name for name in predicted if name not in ("index", "valid_fraction")]
        if cfg.qp:
            write_pdfs(Path(cfg.qp), task.recalibration(densities_of(task, predicted)), table)
    else:
        table = predictions_table(task, predicted, datamodule.catalog, prevalence=prevalence_of(cfg))
        every = ("p", "predicted", *(f"p_{k}" for k in range(len(task.classes))))
        of_object = [name for name in every if name in table.colnames]
    table = table["id", "ra", "dec", *of_object, "valid_fraction"]
    checkpoint = best_checkpoint(cfg.run)
    table.meta |= {
        "RUN": str(cfg.run),
        "CKPTSHA": hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:16],
        "CREATOR": f"astrocnn {__version__}",
    }
    write_table(table, output, header=table.meta)
    if len(datamodule.skipped):
        skipped = output.with_name(f"{output.stem}_skipped.csv")
        write_table(datamodule.skipped, skipped)
        print(f"{several(len(datamodule.skipped), 'input')} skipped, listed in {skipped}")
    print(f"{several(len(table), 'prediction')} in {output}")
