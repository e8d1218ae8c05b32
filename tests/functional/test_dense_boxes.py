"""Grids of boxes against loops and cases by hand."""

import math

import pytest
import torch

from astrocnn.functional.dense_boxes import CELL, assign, decode, heat_of, peaks, upright
from astrocnn.transforms.geometric import dihedral_views

STRIDE, SHAPE = 4, (6, 8)  # cells of an image of 24 × 32 pixels
NO_BOX = [torch.nan] * 4


def box(x, y, width, height):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def assigned(boxes, counted=None, **options):
    boxes = torch.tensor(boxes)
    counted = boxes.isfinite().all(-1) if counted is None else torch.tensor(counted)
    found = assign(boxes, counted, **({"stride": STRIDE, "shape": SHAPE} | options))
    rows = zip(found.image, found.row, found.column, found.object, strict=True)
    return {tuple(map(int, row)) for row in rows}, found


def test_an_object_belongs_to_the_cell_with_its_centre():
    boxes = [
        [box(0.0, 0.0, 2, 2), box(3.4, 3.6, 2, 2), box(31.4, 23.4, 2, 2)],  # cells end at 3.5, 7.5, ...
        [NO_BOX, box(14.0, 9.0, 30, 20), NO_BOX],
    ]
    cells, found = assigned(boxes)
    assert cells == {(0, 0, 0, 0), (0, 1, 0, 1), (0, 5, 7, 2), (1, 2, 3, 1)}
    for image, number, own in zip(found.image, found.object, found.boxes, strict=True):
        assert own.tolist() == torch.tensor(boxes)[image, number].tolist()


def test_of_two_in_a_cell_the_smaller_one_is_assigned():
    large, small = box(5.0, 5.0, 9, 9), box(6.0, 6.0, 3, 4)
    assert assigned([[large, small]])[0] == {(0, 1, 1, 1)}
    assert assigned([[small, large]])[0] == {(0, 1, 1, 0)}
    assert assigned([[small, small]])[0] == {(0, 1, 1, 0)}  # of equal ones the first
    assert assigned([[large, small]], [[True, False]])[0] == {(0, 1, 1, 0)}
    assert assigned([[large], [small]])[0] == {(0, 1, 1, 0), (1, 1, 1, 0)}


def test_objects_are_assigned_as_by_a_loop():
    generator = torch.Generator().manual_seed(0)
    centre = (
        torch.rand(3, 60, 2, generator=generator) * torch.tensor([40.0, 30.0]) - 4
    )  # some beyond the image
    sizes = 1 + 9 * torch.rand(3, 60, 2, generator=generator)
    boxes = torch.cat([centre - sizes / 2, centre + sizes / 2], -1)
    counted = torch.rand(3, 60, generator=generator) < 0.8
    best = {}
    for image in range(3):
        for number in range(60):
            column, row = (math.floor((c + 0.5) / 4) for c in centre[image, number].tolist())
            if counted[image, number] and 0 <= row < 6 and 0 <= column < 8:
                area = sizes[image, number].prod().item()
                place = (image, row, column)
                if place not in best or area < best[place][0]:
                    best[place] = (area, number)
    expected = {(*place, number) for place, (_, number) in best.items()}
    cells, _ = assigned(boxes.tolist(), counted.tolist())
    assert cells == expected
    assert len(cells) < counted.sum()


def test_none_are_assigned_to_none():
    for boxes in (torch.empty(2, 0, 4), torch.full((2, 3, 4), torch.nan)):
        found = assign(boxes, torch.ones(boxes.shape[:2], dtype=torch.bool), stride=4, shape=SHAPE)
        assert found.boxes.shape == (0, 4)


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_what_is_written_into_cells_is_read_from_them(stride):
    generator = torch.Generator().manual_seed(0)
    centre = 32 * torch.rand(2, 20, 2, generator=generator) - 0.5
    sizes = 1 + 12 * torch.rand(2, 20, 2, generator=generator)
    boxes = torch.cat([centre - sizes / 2, centre + sizes / 2], -1)
    shape = (32 // stride, 32 // stride)
    found = assign(boxes, torch.ones(2, 20, dtype=torch.bool), stride=stride, shape=shape)
    raw = torch.zeros(2, 5, *shape)
    for image, row, column, (x0, y0, x1, y1) in zip(
        found.image, found.row, found.column, found.boxes.tolist(), strict=True
    ):
        raw[image, 1:, row, column] = torch.tensor(
            [
                ((x0 + x1) / 2 - (column * stride + (stride - 1) / 2)) / stride,
                ((y0 + y1) / 2 - (row * stride + (stride - 1) / 2)) / stride,
                math.log((x1 - x0) / stride),
                math.log((y1 - y0) / stride),
            ]
        )
    own = raw[found.image, :, found.row, found.column]
    said = decode(own, found.row, found.column, stride=stride)
    torch.testing.assert_close(said, found.boxes, atol=1e-4, rtol=0)
    assert (raw[:, 1:3].abs() <= 0.5 + 1e-5).all()  # a centre lies in its own cell


def test_zeros_are_boxes_that_fill_their_cells():
    boxes = decode(torch.zeros(2, 5), torch.tensor([0, 1]), torch.tensor([0, 2]), stride=4)
    assert boxes.tolist() == [[-0.5, -0.5, 3.5, 3.5], [7.5, 3.5, 11.5, 7.5]]


def test_wild_sizes_stay_finite():
    raw, cell = torch.full((1, 5), 1000.0), torch.zeros(1)
    raw[:, 1:3] = 0
    assert decode(raw, cell, cell, stride=4).isfinite().all()
    (least,) = decode(-raw, cell, cell, stride=4)
    assert least[2] > least[0]


@pytest.mark.parametrize(("share", "least"), [(0.1, 0.5), (0.5, 0.1)])
def test_heat_is_the_greatest_of_gaussians(share, least):
    rows = [box(5.0, 9.0, 6, 12), box(7.0, 8.0, 3, 3), box(30.0, 1.0, 20, 25)]
    heat = heat_of(
        torch.tensor([[*rows, NO_BOX], 4 * [NO_BOX]]), stride=4, shape=SHAPE, share=share, least=least
    )
    for row in range(6):
        for column in range(8):
            expected = 0.0
            for x0, y0, x1, y1 in rows:
                deviation = max(4 * least, share * math.sqrt((x1 - x0) * (y1 - y0)))  # pixels
                away = math.hypot(4 * column + 1.5 - (x0 + x1) / 2, 4 * row + 1.5 - (y0 + y1) / 2)
                expected = max(expected, math.exp(-0.5 * (away / deviation) ** 2))
            assert heat[0, row, column].item() == pytest.approx(expected, abs=1e-6)
    assert (heat[1] == 0).all()


def test_heat_of_many_is_that_of_its_parts():
    generator = torch.Generator().manual_seed(0)
    low = 30 * torch.rand(2, 700, 2, generator=generator)
    boxes = torch.cat([low, low + 1 + torch.rand(2, 700, 2, generator=generator)], -1)
    options = {"stride": 4, "shape": SHAPE, "share": 0.1, "least": 0.3}
    parts = [heat_of(boxes[:, k : k + 7], **options) for k in range(0, 700, 7)]
    torch.testing.assert_close(heat_of(boxes, **options), torch.stack(parts).amax(0))
    assert heat_of(boxes[:, :0], **options).shape == (2, *SHAPE)


@pytest.mark.parametrize("stride", [1, 4])
def test_heat_of_objects_of_any_size_is_that_of_whole_planes(stride):
    """Points to galaxies larger than the image, some at its corners and borders."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(2, 40, 2, generator=generator) * torch.tensor([150.0, 90.0]) - 0.5
    centre[:, :4] = torch.tensor([[-0.5, -0.5], [149.4, 89.4], [-0.5, 89.4], [149.4, 0.0]])
    sizes = 10 ** (2.7 * torch.rand(2, 40, 2, generator=generator))
    boxes = torch.cat([centre - sizes / 2, centre + sizes / 2], -1)
    shape = (-(-90 // stride), -(-150 // stride))
    y, x = (torch.arange(side) + 0.5 for side in shape)
    at = ((centre + 0.5) / stride)[..., None]
    deviation = (0.1 * sizes.prod(-1).sqrt() / stride).clamp_min(0.5)[..., None]
    planes = [torch.exp(-(((of - at[:, :, k]) / deviation) ** 2) / 2) for k, of in enumerate((x, y))]
    expected = (planes[1][..., :, None] * planes[0][..., None, :]).amax(1)
    heat = heat_of(boxes, stride=stride, shape=shape, share=0.1, least=0.5)
    torch.testing.assert_close(heat, expected, atol=1e-6, rtol=1e-5)


def test_peaks_are_as_high_as_their_neighbours():
    score = torch.tensor(
        [[[0.9, 0.2, 0.3, 0.3], [0.1, 0.8, 0.1, 0.1], [0.1, 0.1, 0.1, 0.4], [0.35, 0.1, 0.1, 0.1]]]
    )
    found = peaks(score, threshold=0.3)[0].nonzero().tolist()
    assert found == [[0, 0], [0, 3], [2, 3], [3, 0]]  # (0, 2) and (1, 1) have a higher neighbour
    assert peaks(score, threshold=0.36)[0].nonzero().tolist() == [[0, 0], [2, 3]]
    assert peaks(score, threshold=0.9)[0].sum() == 1


def grid_of(boxes, shape):
    """The grid that says these boxes exactly."""
    raw = torch.zeros(len(boxes), CELL + 1, *shape)
    found = assign(boxes, boxes.isfinite().all(-1), stride=STRIDE, shape=shape)
    at = (found.image, slice(None), found.row, found.column)
    x0, y0, x1, y1 = found.boxes.unbind(-1)
    dx = ((x0 + x1) / 2 + 0.5) / STRIDE - (found.column + 0.5)
    dy = ((y0 + y1) / 2 + 0.5) / STRIDE - (found.row + 0.5)
    sizes = [((b - a) / STRIDE).log() for a, b in ((x0, x1), (y0, y1))]
    raw[at] = torch.stack([torch.ones_like(dx), dx, dy, *sizes, found.object.float()], -1)
    return raw


@pytest.mark.parametrize("shape", [(8, 8), (6, 8)])
def test_grids_of_turned_images_come_upright(shape):
    rows, columns = (STRIDE * side for side in shape)
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(2, 9, 2, generator=generator) * torch.tensor([columns, rows]) - 0.5
    sizes = 1 + 6 * torch.rand(2, 9, 2, generator=generator)
    boxes = torch.cat([centre - sizes / 2, centre + sizes / 2], -1)
    wanted = grid_of(boxes, shape)
    image = torch.zeros(2, 1, rows, columns)
    batch = {"image": image, "valid": image == 0, "boxes": boxes}
    views = list(dihedral_views(batch, quarter_turns=True, mirror=True))
    assert len(views) == (8 if rows == columns else 4)
    for view, (turns, mirrored) in views:
        raw = grid_of(view["boxes"], tuple(side // STRIDE for side in view["image"].shape[-2:]))
        torch.testing.assert_close(upright(raw, turns=turns, mirrored=mirrored), wanted, atol=1e-4, rtol=0)
