"""The pictures of the README: python benchmarks/pictures.py RUN.

RUN is a finished run on ``data=lenses``. Writes docs/lenses.png, a few images of each kind, and docs/report.png, the
head of the run's report as a browser shows it (needs chromium).
"""

import argparse
import shutil
import subprocess
from pathlib import Path

import numpy as np
from astropy.table import Table
from common import ROOT
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from astrocnn.datamodules.lenses import LensDataModule
from astrocnn.report.lupton import lupton_rgb

ACROSS = 12
KINDS = {
    "lens": "lenses",
    "deflector": "deflectors\nalone",
    "spiral": "spirals",
    "ring": "rings",
    "edge_on": "edge-on\ndiscs",
    "companions": "companions",
    "merger": "mergers",
    "star_galaxy": "star-galaxy\nblends",
}


def kinds_picture(run: Path, target: Path) -> None:
    """A row of test images of each kind, the lenses among the clear ones."""
    config = OmegaConf.to_container(OmegaConf.load(run / "config.yaml").data, resolve=False)
    data = LensDataModule(**{key: config[key] for key in ("n_images", "depth", "bands", "sim_seed")})
    data.probe()
    data.setup()
    table: Table = data.catalog
    rng = np.random.default_rng(0)
    figure = Figure(figsize=(ACROSS, len(KINDS)))
    axes = figure.subplots(len(KINDS), ACROSS, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
    for line, (kind, name) in zip(axes, KINDS.items(), strict=True):
        chosen = (np.asarray(table["kind"]) == kind) & (np.asarray(table["split"]) == "test")
        if kind == "lens":
            chosen &= (np.asarray(table["theta_E"]) > 1.2) & (np.asarray(table["snr_arc"]) > 20)
        rows = rng.choice(np.flatnonzero(chosen), ACROSS, replace=False)
        batch = data.gather(rows)
        pictures = lupton_rgb(batch["image"].numpy(), batch["valid"].numpy(), bands=list(data.spec.bands))
        for ax, picture in zip(line, pictures, strict=True):
            ax.imshow(picture, origin="lower")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    figure.savefig(target, dpi=72, bbox_inches="tight")


def report_picture(run: Path, target: Path) -> None:
    """The upper part of the report."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("no chromium: the picture of the report is left as it is")
        return
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,1700"]
    page = (run / "report.html").resolve().as_uri()
    subprocess.run([browser, *words, f"--screenshot={target}", page], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    kinds_picture(run, ROOT / "docs" / "lenses.png")
    report_picture(run, ROOT / "docs" / "report.png")


if __name__ == "__main__":
    main()
