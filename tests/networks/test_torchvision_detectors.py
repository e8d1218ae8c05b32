"""torchvision's detectors, on other bands and smaller objects."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import roi_align

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.masks import labels_of_masks
from astrocnn.networks.torchvision_detectors import FCOS, FasterRCNN, MaskRCNN, RetinaNet

KINDS = (FasterRCNN, RetinaNet, FCOS)


def scene(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Bright squares of two sizes on noise: images (n, 4, 64, 64), boxes and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(n, 4, 64, 64, generator=generator)
    boxes, labels = torch.full((n, 4, 4), torch.nan), torch.full((n, 4), -1)
    for image in range(n):
        for k, (y, x) in enumerate(((8, 8), (8, 40), (40, 8), (40, 40))):
            if torch.rand((), generator=generator) < 0.3:
                continue
            kind = int(torch.randint(2, (), generator=generator))
            side = (6, 12)[kind]
            images[image, :, y : y + side, x : x + side] += 3.0
            boxes[image, k] = torch.tensor([x - 0.5, y - 0.5, x + side - 0.5, y + side - 0.5])
            labels[image, k] = kind
    return images, boxes, labels


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_squares_are_found_where_they_are(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind(in_channels=4, n_outputs=7, most=20)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for step in range(60):
        terms = network.losses(*scene(4, step))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    images, boxes, labels = scene(4, 1000)
    with torch.no_grad():
        found = network.eval()(images)
    for image in range(4):
        true = boxes[image, labels[image] >= 0]
        best = found[image, : len(true)]
        order = [int((best[:, :4] - box).abs().sum(1).nan_to_num(1e9).argmin()) for box in true]
        assert (best[order, :4] - true).abs().max() < 2.0
        assert (best[order, 5:].argmax(1) == labels[image, labels[image] >= 0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_images_without_objects_have_a_loss(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind(in_channels=2, n_outputs=6, most=20)
    boxes, labels = torch.full((2, 0, 4), torch.nan), torch.full((2, 0), -1)
    terms = network.losses(torch.randn(2, 2, 64, 48), boxes, labels)
    assert torch.stack(list(terms.values())).sum().isfinite()
    assert network.eval()(torch.randn(1, 2, 64, 48)).shape[2] == 6


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="five sides above 0"):
        FCOS(in_channels=1, n_outputs=6, anchors=(4.0,))
    with pytest.raises(ConfigError, match="in_channels"):
        FCOS(in_channels=1, n_outputs=6)(torch.zeros(1, 2, 64, 64))


ANCHORS = (4.0, 8.0, 16.0, 32.0, 64.0)


def torchvisions(network: MaskRCNN) -> nn.Module:
    """torchvision's own Mask R-CNN of two bands and two classes, with the weights of ours."""
    trunk = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
    )
    trunk.body["conv1"] = nn.Conv2d(2, 64, 7, 2, 3, bias=False)
    theirs = detection.MaskRCNN(
        trunk, num_classes=3, image_mean=[0.0] * 2, image_std=[1.0] * 2, min_size=128, max_size=128, _skip_resize=True,
        rpn_anchor_generator=AnchorGenerator(tuple((side,) for side in ANCHORS), ((0.5, 1.0, 2.0),) * 5),
        box_detections_per_img=20, box_score_thresh=0.02, box_nms_thresh=0.5,
        **{f"rpn_pre_nms_top_n_{mode}": 80 for mode in ("train", "test")},
        **{f"rpn_post_nms_top_n_{mode}": 40 for mode in ("train", "test")},
    )  # fmt: skip
    weights = {
        name.replace("mask_predictor.0", "mask_head").replace("mask_predictor.1", "mask_predictor"): values
        for name, values in network.model.state_dict().items()
    }
    theirs.load_state_dict(weights)
    return theirs


def disc_scene(n: int, seed: int) -> dict[str, Tensor]:
    """Bright rings and squares on noise: images (n, 2, 128, 128), boxes, labels, instance maps and numbers."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(n, 2, 128, 128, generator=generator)
    instances = torch.zeros(n, 128, 128, dtype=torch.int64)
    boxes, labels = torch.full((n, 9, 4), torch.nan), torch.full((n, 9), -1)
    y, x = torch.meshgrid(torch.arange(20.0) - 9.5, torch.arange(20.0) - 9.5, indexing="ij")
    away = torch.hypot(x, y)
    shapes = [(away < 10) & (away > 5), ((x + y).abs() < 4)]  # what no ellipse in a box is
    for image in range(n):
        for k in range(9):
            kind = int(torch.randint(2, (), generator=generator))
            at = torch.randint(0, 16, (2,), generator=generator) + torch.tensor([k // 3, k % 3]) * 40
            top, left = at.tolist()
            images[image, :, top : top + 20, left : left + 20][:, shapes[kind]] += 3.0
            instances[image, top : top + 20, left : left + 20][shapes[kind]] = 10 - k
            boxes[image, k] = torch.tensor([left - 0.5, top - 0.5, left + 19.5, top + 19.5])
            labels[image, k] = kind
    numbers = torch.arange(10, 1, -1).repeat(n, 1)
    return {"images": images, "boxes": boxes, "labels": labels, "instances": instances, "numbers": numbers}


@pytest.mark.parametrize("magnify", [1.0, 2.0])
def test_masks_are_torchvisions(magnify: float) -> None:
    """With its weights, on its images: the same boxes, scores, classes and grids."""
    torch.manual_seed(0)
    ours = MaskRCNN(in_channels=2, n_outputs=7, most=20, magnify=magnify).eval()
    nn.init.normal_(ours.model.roi_heads.mask_predictor[1].mask_fcn_logits.weight, std=1.0)
    side = int(128 / magnify)
    theirs, images = torchvisions(ours).eval(), disc_scene(2, 5)["images"][..., :side, :side]
    grids: list[Tensor] = []
    theirs.roi_heads.register_forward_hook(
        lambda _, __, found: grids.extend(each["masks"] for each in found[0])
    )
    with torch.no_grad():
        found = ours(images)
        larger = (
            nn.functional.interpolate(images, size=(128, 128), mode="bilinear") if magnify > 1 else images
        )
        expected = theirs(list(larger))
    for said, each, grid in zip(found, expected, grids, strict=True):
        n = len(each["scores"])
        assert n > 5
        torch.testing.assert_close(said[:n, :4], each["boxes"] / magnify - 0.5, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(said[:n, 4], each["scores"])
        assert torch.equal(said[:n, 5:7].argmax(1) + 1, each["labels"])
        torch.testing.assert_close(said[:n, 7:].reshape(n, 28, 28), grid[:, 0], atol=1e-4, rtol=1e-4)


def test_losses_are_torchvisions() -> None:
    """On the same regions, drawn with the same seed; torchvision's masks are shifted by half a pixel."""
    torch.manual_seed(0)
    ours = MaskRCNN(in_channels=2, n_outputs=7, most=20)
    theirs, truth = torchvisions(ours), disc_scene(2, 0)
    targets = [
        {"boxes": boxes + 0.5, "labels": labels + 1, "masks": (of == numbers[:, None, None]).to(torch.uint8)}
        for boxes, labels, of, numbers in zip(
            truth["boxes"], truth["labels"], truth["instances"], truth["numbers"], strict=True
        )
    ]
    torch.manual_seed(1)
    expected = theirs(list(truth["images"]), targets)
    torch.manual_seed(1)
    found = ours.losses(**truth)
    assert set(found) == set(expected)
    for name in set(found) - {"loss_mask"}:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
    assert abs(found["loss_mask"] / expected["loss_mask"] - 1) < 0.1
    torch.stack(list(found.values())).sum().backward()
    assert all(parameter.grad is not None for parameter in ours.parameters())


@pytest.mark.parametrize("magnify", [1.0, 2.0])
def test_the_truth_of_the_cells_lies_on_the_pixels(magnify: float) -> None:
    """A head that reads the cells from the true image itself, by aligned RoIAlign, has hardly any loss."""
    torch.manual_seed(0)
    network = MaskRCNN(in_channels=2, n_outputs=7, most=20, magnify=magnify, mask_layers=(8,))
    truth, seen = disc_scene(2, 0), []
    whole = (truth["instances"] > 0).float()[:, None]

    class Knows(nn.Module):
        off_pix = 0.0

        def forward(self, pooled: Tensor) -> Tensor:
            boxes = [of + self.off_pix * magnify for of in seen[-1]]
            cells = roi_align(whole, boxes, (28, 28), 1 / magnify, aligned=True)
            return 20 * (cells - 0.5).expand(-1, 3, -1, -1)

    heads = network.model.roi_heads
    heads.mask_predictor = Knows()
    heads.mask_roi_pool.register_forward_hook(lambda _, given, __: seen.append(given[1]))
    exact = network.losses(**truth)["loss_mask"]
    heads.mask_predictor.off_pix = 0.5
    assert exact < 0.1
    assert exact < 0.5 * network.losses(**truth)["loss_mask"]


def test_objects_without_a_pixel_teach_no_mask() -> None:
    torch.manual_seed(0)
    network, truth = MaskRCNN(in_channels=2, n_outputs=7, most=20, mask_layers=(8,)), disc_scene(1, 0)
    half = truth | {"numbers": torch.where(truth["numbers"] % 2 == 0, truth["numbers"], 99)}
    torch.manual_seed(1)
    some = network.losses(**half)["loss_mask"]
    none = network.losses(**truth | {"numbers": torch.full((1, 9), 99)})["loss_mask"]
    assert none == 0
    torch.manual_seed(1)
    seen = truth["boxes"].masked_fill((truth["numbers"] % 2 == 1)[..., None], torch.nan)
    assert abs(some / network.losses(**truth | {"boxes": seen})["loss_mask"] - 1) < 0.2


@pytest.mark.slow
def test_shapes_are_learnt() -> None:
    """Rings and bars: their pixels are found, which no ellipse has."""
    torch.manual_seed(0)
    network = MaskRCNN(in_channels=2, n_outputs=7, most=20, mask_layers=(32, 32))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for step in range(60):
        terms = network.losses(**disc_scene(2, step))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    truth = disc_scene(4, 1000)
    with torch.no_grad():
        found = network.eval()(truth["images"])
    for rows, instances in zip(found, truth["instances"].numpy(), strict=True):
        sure = rows[rows[:, 4] > 0.5].numpy()
        masks = labels_of_masks(sure[:, :4], sure[:, 7:].reshape(-1, 28, 28), instances.shape)
        assert ((masks > 0) & (instances > 0)).sum() / ((masks > 0) | (instances > 0)).sum() > 0.7


def test_bad_options_of_masks() -> None:
    with pytest.raises(ConfigError, match=r"model\.mask_layers=\[\]: give the channels"):
        MaskRCNN(in_channels=1, n_outputs=6, mask_layers=())
    network, image = MaskRCNN(in_channels=1, n_outputs=6, mask_layers=(4,)), torch.zeros(1, 1, 64, 64)
    with pytest.raises(DataError, match="learns the pixels of objects"):
        network.losses(image, torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64))
    none = torch.zeros(1, 0, dtype=torch.int64)
    terms = network.losses(image, torch.zeros(1, 0, 4), none, torch.zeros(1, 64, 64, dtype=torch.int64), none)
    assert terms["loss_mask"] == 0
