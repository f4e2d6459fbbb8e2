import itertools
import math

import pytest
import torch
from torch import nn

from facessl.methods import context
from facessl.methods._patches import cut
from facessl.methods.context import Options, layout
from tests.methods.test_methods import batch, build, loss_of


class Middle(nn.Module):
    """A backbone that says where the middle of what it sees was: its pictures have their coordinates as colours."""

    feature_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[torch.Size] = []

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        self.sizes.append(patches.shape)
        return patches.mean(dim=(2, 3))[:, :2]


def coordinates(n: int, size: int) -> torch.Tensor:
    line = torch.arange(size).float()
    return torch.stack(torch.meshgrid(line, line, torch.zeros(1), indexing="ij"))[..., 0].expand(n, -1, -1, -1)


@pytest.mark.parametrize("size", [*range(32, 130), 224, 512])
def test_nine_patches_fit_into_every_picture_wherever_jitter_puts_them(size):
    for gap, jitter in itertools.product((0, 0.1, 0.25, 0.5, 1), (0, 0.1, 0.33, 0.5)):
        side, step, most = layout(size, Options(gap=gap, patch_jitter=jitter))
        first = (size - side) // 2 - step
        assert first - most >= 0 and first + 2 * step + side + most <= size, (gap, jitter)
        assert side >= 5 and step >= side and abs(step - side - gap * side) <= 1.5, (gap, jitter)
        assert most <= max(1, jitter * side + 0.5) and (most == 0) == (jitter == 0), (gap, jitter)


def compared(backbone: Middle, size: int, *, training: bool, **options: float) -> torch.Tensor:
    """Return for each face and pair the middles of its two patches, shape (n, 8, 4)."""
    method = context.build(backbone, Options(**options), 0)
    method.modules.train(training)
    method.modules["classifier"][0] = nn.Identity()
    method.modules["classifier"][1] = nn.Identity()
    method.modules["classifier"][2] = nn.Identity()
    torch.manual_seed(0)
    return method.outputs([coordinates(6, size)])[0]


@pytest.mark.parametrize("size", [32, 64, 113])
def test_the_pairs_are_the_middle_and_its_neighbours_row_by_row(size):
    backbone = Middle()
    found = compared(backbone, size, training=False)
    side, step, _ = layout(size, Options())
    middle = (size - side) // 2 + (side - 1) / 2
    places = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    for pair, (y, x) in enumerate(places):
        wanted = torch.tensor([middle, middle, middle + y * step, middle + x * step]).expand(6, 4)
        torch.testing.assert_close(found[:, pair], wanted, msg=f"pair {pair}")


def test_jitter_moves_each_patch_by_itself_and_not_too_far():
    still, moved = (compared(Middle(), 96, training=training, patch_jitter=0.3) for training in (False, True))
    most = layout(96, Options(patch_jitter=0.3))[2]
    by = (moved - still).round()
    assert most >= 3 and by.abs().max() == most
    assert len(by[:, :, 2:].flatten().unique()) == 2 * most + 1
    assert len({tuple(row) for row in by[:, :, 2:].flatten(0, 1).tolist()}) > 20  # of 48


@pytest.mark.parametrize(("size", "seen"), [(32, 32), (64, 32), (112, 32), (224, 60)])
def test_small_patches_are_enlarged_to_what_every_backbone_is_made_for(size, seen):
    backbone = Middle()
    compared(backbone, size, training=False)
    assert backbone.sizes == [(54, 3, seen, seen)]


def test_squares_are_cut_where_they_lie():
    pictures = torch.randn(3, 2, 9, 7, generator=torch.Generator().manual_seed(0))
    tops, lefts = torch.tensor([[0, 5], [2, 2], [1, 4]]), torch.tensor([[3, 0], [1, 1], [0, 2]])
    found = cut(pictures, tops, lefts, 4)
    for i, m in itertools.product(range(3), range(2)):
        top, left = tops[i, m], lefts[i, m]
        assert torch.equal(found[i, m], pictures[i, :, top : top + 4, left : left + 4])


def test_a_network_that_cannot_tell_them_apart_scores_chance():
    method = build("context")
    for weight in method.modules["classifier"][-1].parameters():
        nn.init.zeros_(weight)
    assert loss_of(method, *batch(method)).item() == pytest.approx(math.log(8), abs=1e-6)
    assert method.chance(16) == math.log(8)


def test_the_loss_is_the_mean_surprise_at_the_true_place():
    logits = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    surprise = [-logits[i, place].softmax(0)[place].log().item() for i in range(3) for place in range(8)]
    assert build("context").loss((logits,), torch.zeros(3)).item() == pytest.approx(sum(surprise) / 24, abs=1e-6)
