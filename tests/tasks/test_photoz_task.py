"""The task's own arithmetic: what it hands the network, mixes, and refuses."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from astrocnn.batch import DataSpec
from astrocnn.errors import ConfigError, DataError
from astrocnn.losses.redshift_pdfs import CRPS, NLL, Pinball
from astrocnn.networks.mdn import MDN
from astrocnn.networks.table_mlp import TableMLP
from astrocnn.tasks.photoz import PhotozTask
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.normalize import Normalize
from astrocnn.transforms.pdf_heads import BinHead, GaussianHead
from astrocnn.transforms.photometry import NormalizePhotometry

N = 32
SGD = partial(torch.optim.SGD, lr=0.1)


def stamps(n: int = N) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(n, 2, 16, 16, generator=generator)
    return {
        "image": image,
        "valid": torch.ones_like(image, dtype=torch.bool),
        "redshift": torch.rand(n, generator=generator) + 0.1,
        "scalars": 5 + 3 * torch.randn(n, 2, generator=generator),
        "index": torch.arange(n),
    }


def of_images(**options) -> PhotozTask:
    torch.manual_seed(0)
    network = MDN(
        in_channels=2, n_outputs=6, n_scalars=2, features=8, hidden=8, dropout=0.2,
        trunk="dcmdn", image_size=16,
    )  # fmt: skip
    task = PhotozTask(
        network=network, loss=NLL(), optimizer=SGD, pdf=GaussianHead(components=2), n_scalars=2,
        normalize=Normalize(n_bands=2, stretch="linear", sharpen=0.0), augment=Augment(), **options,
    )  # fmt: skip
    task.prepare(stamps())
    return task.eval()


def test_scalars_are_normalised() -> None:
    task, batch = of_images(), stamps()
    taken = task._taken("scalars", batch)
    torch.testing.assert_close(taken.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(taken.std(0, correction=0), torch.ones(2))
    assert not torch.equal(task.outputs(batch), task.outputs(batch | {"scalars": batch["scalars"] + 1}))
    with pytest.raises(DataError, match="takes 2 numbers beside each image"):
        task.outputs({key: value for key, value in batch.items() if key != "scalars"})


def test_a_prediction_is_the_mixture_of_the_views() -> None:
    batch = stamps(3)
    grid = torch.linspace(-1, 3, 40).double()
    alone, all_views = of_images(test_time_augmentation=False), of_images()
    expected = torch.stack(
        [alone.predicted(view).density(grid) for view, _ in all_views.augment.exact_views(batch)]
    )
    assert len(expected) == 8
    torch.testing.assert_close(all_views.predicted(batch).density(grid), expected.mean(0))
    turned = batch | {"image": batch["image"].rot90(1, (2, 3))}
    torch.testing.assert_close(
        all_views.predicted(turned).median(), all_views.predicted(batch).median(), atol=1e-4, rtol=0
    )


def test_columns_of_a_prediction() -> None:
    task, batch = of_images(test_time_augmentation=False), stamps(5)
    said, pdf = task.predict(batch), task.predicted(batch)
    assert set(said) == {
        "z_mean", "z_mode", "z_median", "z_q025", "z_q16", "z_q84", "z_q975", "pdf_weight", "pdf_mean",
        "pdf_sigma", "z_low68", "z_high68", "z_low95", "z_high95",
    }  # fmt: skip
    assert all(values.dtype is torch.float32 and len(values) == 5 for values in said.values())
    for name, level in (("z_q025", 0.025), ("z_q975", 0.975)):
        torch.testing.assert_close(
            pdf.cdf(said[name].double()), torch.full((5,), level).double(), atol=1e-4, rtol=0
        )


def test_dropout_at_work_is_a_function_of_the_checkpoint_and_leaves_nothing_behind() -> None:
    task, batch = of_images(test_time_augmentation=False, dropout_samples=3), stamps(4)
    state = torch.get_rng_state()
    first = task.predicted(batch)
    assert torch.equal(state, torch.get_rng_state())
    assert first.component_mean.shape == (4, 6)
    assert first.component_mean[:, :2].sub(first.component_mean[:, 2:4]).abs().min() > 0
    torch.testing.assert_close(task.predicted(batch).median(), first.median(), atol=0, rtol=0)
    assert not any(layer.training for layer in task.modules())


def test_tables_hand_over_what_is_missing_and_the_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    image = 22 + torch.randn(N, 3, generator=generator)
    valid = torch.rand(N, 3, generator=generator) > 0.2
    batch = {"image": image, "valid": valid, "variance": 0.01 * torch.rand(N, 3, generator=generator) * valid}
    batch["redshift"] = torch.rand(N, generator=generator)
    task = PhotozTask(
        network=TableMLP(in_channels=3, n_outputs=6), loss=CRPS(), optimizer=SGD,
        pdf=GaussianHead(components=2), normalize=NormalizePhotometry(n_bands=3),
    )  # fmt: skip
    task.prepare(batch, bands=("g", "r", "i"))
    task.eval()
    errors = task.normalize.log_errors(batch["variance"], valid)
    expected = task.network(task.normalize(image, valid), valid, errors)
    torch.testing.assert_close(task.outputs(batch), expected)
    hidden = batch | {"image": torch.where(valid, image, 0)}
    torch.testing.assert_close(task.outputs(hidden), expected)
    assert len(task(image[0], valid[0])) == 1


def test_what_the_densities_cannot_hold_is_counted() -> None:
    task = PhotozTask(
        network=nn.Linear(3, 20), loss=NLL(), optimizer=SGD, pdf=BinHead(range=[0.0, 0.4], n_bins=20),
        normalize=NormalizePhotometry(n_bands=3),
    )  # fmt: skip
    redshift = np.array([0.1, 0.2, np.nan, 0.45, 1.5], np.float32)
    (note,) = task.notes({"redshift": redshift})
    assert note.startswith(
        "2 of 4 redshifts are outside 0 to 0.4, where pdf=bins has a density, such as 1.5, 0.45"
    )
    assert not list(task.notes({"redshift": redshift[:3]}))


def test_what_does_not_go_together() -> None:
    options = {"network": nn.Linear(3, 6), "optimizer": SGD, "normalize": NormalizePhotometry(n_bands=3)}
    with pytest.raises(ConfigError, match="loss=pinball is for pdf=quantiles"):
        PhotozTask(loss=Pinball(), pdf=GaussianHead(components=2), **options)
    with pytest.raises(ConfigError, match=r"task\.n_outputs=7, but pdf=gaussians needs 6"):
        PhotozTask(loss=NLL(), pdf=GaussianHead(components=2), n_outputs=7, **options)
    with pytest.raises(
        ConfigError, match=r"Linear takes nothing beside the image, and data\.scalars names 2"
    ):
        PhotozTask(loss=NLL(), pdf=GaussianHead(components=2), n_scalars=2, **options)
    with pytest.raises(ConfigError, match="dropout_samples=-1"):
        PhotozTask(loss=NLL(), pdf=GaussianHead(components=2), dropout_samples=-1, **options)
    with pytest.raises(DataError, match="these data have none"):
        PhotozTask.check_data(DataSpec(bands=("g",), image_shape=(1,)))
