"""Raw outputs into densities: where they begin, what they can hold, and that gradient descent finds the truth."""

import math

import pytest
import torch

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.pdf_families import FAMILIES, read_pdf
from astrocnn.losses.redshift_pdfs import CRPS, NLL, Pinball
from astrocnn.transforms.pdf_heads import BinHead, GaussianHead, LogitNormalHead, LogNormalHead, QuantileHead

HEADS = [
    GaussianHead(components=3),
    LogNormalHead(components=3),
    LogitNormalHead(components=3, range=[0.0, 4.0]),
    BinHead(range=[0.0, 4.0], n_bins=40),
    QuantileHead(),
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.description["family"])
def test_heads_give_their_family(head) -> None:
    head.fit(torch.rand(100) + 0.2)
    raw = torch.randn(7, head.n_outputs)
    pdf = head(raw)
    assert type(pdf) is FAMILIES[head.description["family"]]
    assert pdf.description == head.description
    assert pdf.support == head.support
    columns = {name: values.numpy() for name, values in pdf.columns().items()}
    torch.testing.assert_close(
        read_pdf(columns, head.description).median().float(), pdf.median(), atol=1e-4, rtol=1e-4
    )
    z = torch.tensor([0.5, 0.7, 0.9, 1.1, 0.3, 2.0, 3.0])
    assert head.inside(z).all()
    assert not head.inside(torch.tensor([math.nan])).any()


def test_networks_begin_where_the_redshifts_are() -> None:
    z = torch.distributions.LogNormal(0.0, 0.3).sample((4000,))
    for head in (GaussianHead(components=1), LogNormalHead(components=1)):
        head.fit(z)
        pdf = head(torch.zeros(1, head.n_outputs))
        assert pdf.median().item() == pytest.approx(z.median().item(), abs=0.06)
        assert 0.1 < (pdf.quantile([0.84]) - pdf.quantile([0.16])).item() / 2 < 0.6
    head = QuantileHead(levels=[0.1, 0.5, 0.9])
    head.fit(z)
    begun = head(torch.zeros(1, 3)).z[0]
    torch.testing.assert_close(begun, z.quantile(torch.tensor([0.1, 0.5, 0.9])))


@pytest.mark.parametrize(
    ("head", "loss"),
    [
        *((head, NLL()) for head in HEADS[:4]),
        (HEADS[0], CRPS()),
        (HEADS[2], CRPS()),
        (QuantileHead(), Pinball()),
    ],
    ids=lambda of: type(of).__name__,
)
def test_training_finds_the_distribution_of_the_redshifts(head, loss) -> None:
    """Of objects that cannot be told apart: their own quantiles."""
    torch.manual_seed(0)
    z = 0.8 + 0.3 * torch.randn(2000).clamp(-2.4, 2.4)
    head.fit(z)
    raw = torch.zeros(1, head.n_outputs).normal_(std=0.1).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        loss(head(raw.expand(len(z), -1)), z).backward()
        optimizer.step()
    found = head(raw.detach()).quantile([0.16, 0.5, 0.84])[0]
    torch.testing.assert_close(found, z.quantile(torch.tensor([0.16, 0.5, 0.84])), atol=0.05, rtol=0)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pdf\.components=0"):
        GaussianHead(components=0)
    with pytest.raises(ConfigError, match=r"pdf\.n_bins=1"):
        BinHead(n_bins=1)
    with pytest.raises(ConfigError, match="no range"):
        LogitNormalHead(range=[1.0])
    with pytest.raises(DataError, match="no training redshift is within 2 and 3"):
        LogitNormalHead(range=[2.0, 3.0]).fit(torch.rand(9))
    assert BinHead(edges=[0.0, 0.1, 0.5, 2.0]).n_outputs == 3
