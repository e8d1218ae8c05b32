"""Boxes of simulated scenes against the maps of their objects."""

import numpy as np
import pytest

pytest.importorskip("galsim", reason="simulating needs galsim: pip install 'astrocnn[sim]'")

from astrocnn.datamodules.scene_boxes import SceneBoxDataModule


def test_boxes_are_the_bounds_of_the_pixels_of_objects_that_are_alone(tmp_path):
    data = SceneBoxDataModule(root=str(tmp_path), n_scenes=6, size=128, density=30.0, n_workers=1, masks=True)
    data.prepare_data()
    data.setup()
    batch = data.gather(data.rows("all"))
    n = 0
    for k, row in enumerate(data.rows("all").tolist()):
        table, instances = data.objects_of(row), batch["instances"][k].numpy()
        for box, each in zip(batch["boxes"][k].tolist(), table, strict=False):
            y, x = np.nonzero(instances == each["number"])
            if each["blended"] or each["ignore"] or len(x) == 0 or min(np.ptp(x), np.ptp(y)) < 5:
                continue
            assert box == [x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5]
            n += 1
    assert n > 20
