"""The level of the sky in crowded simulated scenes, of which it is known: python benchmarks/sky_level.py [--scenes 60].

The scenes of ``data=scenes_detection`` have a sky of 0; what is said of it is in units of the noise of the pixels, the
mean and the scatter over patches of 128 × 128 pixels.
"""

import argparse

import numpy as np
import torch
from common import print_table
from numpy.typing import NDArray

from astrocnn.datamodules.scene_boxes import SceneBoxDataModule
from astrocnn.functional.sky_level import sky_and_noise
from astrocnn.functional.sky_mesh import PATCH_PIX


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=60)
    data = SceneBoxDataModule(n_scenes=parser.parse_args().scenes)
    data.prepare_data()
    data.setup()
    measured: list[NDArray[np.floating]] = []
    medians: list[NDArray[np.floating]] = []
    for row in range(len(data.catalog)):
        batch = data.gather(np.array([row]))
        image = torch.where(batch["valid"][0], batch["image"][0], torch.nan).numpy()
        for top in range(0, image.shape[1], PATCH_PIX):
            for left in range(0, image.shape[2], PATCH_PIX):
                patch = image[:, top : top + PATCH_PIX, left : left + PATCH_PIX]
                level, noise = sky_and_noise(patch)
                measured.append(level / noise)
                medians.append(np.nanmedian(patch, axis=(1, 2)) / noise)
    rows = []
    for name, values in (("pixels without sources", measured), ("median of all pixels", medians)):
        of_bands = np.stack(values)
        cells = zip(np.nanmean(of_bands, 0), np.nanstd(of_bands, 0), strict=True)
        rows.append([name, *(f"{mean:.3f} ± {scatter:.3f}" for mean, scatter in cells)])
    print_table(["sky level / noise", *data.spec.bands], rows)


if __name__ == "__main__":
    main()
