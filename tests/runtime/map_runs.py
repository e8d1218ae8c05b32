"""Runs of segmentations whose maps are known: a U-Net with weights set by hand, saved as a training saves it."""

from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from astrocnn.networks.unet import UNet
from astrocnn.paths import config_dir
from astrocnn.runtime.build import build_task, set_values

CLASSES = ["background", "star", "galaxy"]


def pass_on(network: UNet) -> None:
    """Weights by which the logits are those of s, the sum of the normalised bands where positive: background 0,
    star 2s − 12, galaxy s − 4. So s > 8 is a star, 4 < s < 8 a galaxy.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for block in (network.down[0], network.join[-1]):
            first, second = (layer for layer in block if isinstance(layer, torch.nn.Conv2d))
            first.weight[0, : network.in_channels if block is network.down[0] else 1, 1, 1] = 1
            second.weight[0, 0, 1, 1] = 1
        network.head.weight[1, 0], network.head.bias[1] = 2, -12
        network.head.weight[2, 0], network.head.bias[2] = 1, -4


def probabilities(image: np.ndarray) -> np.ndarray:
    """(3, H, W) of an image (C, H, W), by the closed form; NaN where no band is valid."""
    s = np.maximum(np.nan_to_num(image).sum(0), 0)
    logits = np.stack([0 * s, 2 * s - 12, s - 4])
    p = np.exp(logits - logits.max(0))
    return np.where(np.isnan(image).all(0), np.nan, p / p.sum(0))


def save_run(folder: Path, *, bands: list[str], depth: int = 2, **data: object) -> Path:
    """The folder of a run of such a network, of noise 1 and sky 0."""
    GlobalHydra.instance().clear()
    words = [
        "model=unet",
        "data=segmentation_maps",
        "normalize=linear",
        "normalize.softening=1",
        "model.width=2",
        "model.batch_norm=false",
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=[*words, f"model.depth={depth}"])
    OmegaConf.set_struct(cfg, False)
    set_values(cfg, {"data.bands": bands, "data.n_bands": len(bands), "data.classes": CLASSES})
    set_values(
        cfg, {"task.n_outputs": len(CLASSES), **{f"data.{name}": value for name, value in data.items()}}
    )
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    task = build_task(cfg)
    pass_on(task.network)
    (folder / "checkpoints").mkdir()
    torch.save({"state_dict": task.state_dict()}, folder / "checkpoints" / "best.ckpt")
    return folder


def sources(
    positions: list[tuple[float, float, float]], shape: tuple[int, int], sigma: float = 1.5
) -> np.ndarray:
    """Noise-free Gaussians (x, y, peak) on a sky of 0."""
    image = np.zeros(shape)
    for x, y, peak in positions:
        top, left = max(int(y) - 12, 0), max(int(x) - 12, 0)
        rows, columns = np.mgrid[top : min(int(y) + 13, shape[0]), left : min(int(x) + 13, shape[1])]
        image[rows, columns] += peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


def sky_header(shape: tuple[int, int], **more: object) -> fits.Header:
    """A gnomonic WCS, turned by 20°."""
    step, angle = 0.2 / 3600, np.radians(20)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.1, "CRVAL2": 2.2})
    header.update(CRPIX1=shape[1] / 2, CRPIX2=shape[0] / 3, RADESYS="ICRS", BUNIT="nJy")
    header.update(CD1_1=-step * np.cos(angle), CD1_2=step * np.sin(angle))
    header.update(CD2_1=step * np.sin(angle), CD2_2=step * np.cos(angle), **more)
    return header
