import pytest
import torch
from torch import nn

from facessl.methods import masked
from facessl.methods.masked import Options


class Seen(nn.Module):
    """A backbone that remembers what it was shown."""

    feature_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.faces = torch.zeros(0)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        self.faces = faces
        return faces.mean(dim=(2, 3))


def build(seed: int = 0, **options: object):
    torch.manual_seed(seed)
    return masked.build(Seen(), Options(**options), 0)


def faces(n: int, size: int) -> torch.Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(n)) + 5  # never 0


@pytest.mark.parametrize("size", [32, 40, 64, 112, 225])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_square_of_the_size_asked_is_hidden_and_the_rest_untouched(size, share):
    method = build(hidden_share=share)
    pictures = faces(40, size)
    method.outputs([pictures])
    shown = method.modules["backbone"].faces
    hidden = (shown == 0).all(dim=1)
    assert torch.equal(shown, pictures.where(~hidden[:, None], torch.zeros(())))
    places = set()
    for each in hidden:
        rows, columns = each.any(dim=1).nonzero().flatten(), each.any(dim=0).nonzero().flatten()
        assert each.sum() == len(rows) * len(columns)  # a rectangle without holes
        assert rows[-1] - rows[0] == len(rows) - 1 and columns[-1] - columns[0] == len(columns) - 1
        for length in (len(rows), len(columns)):
            assert abs(length - share * size) <= size / 64 + 1
        places.add((int(rows[0]), int(columns[0])))
    assert len(places) > 5


def test_the_errors_are_those_of_the_hidden_square_alone():
    """A decoder that draws one colour: its error in each cell is that colour less the mean of the cell's pixels."""
    method = build(hidden_place="middle")
    colour = torch.tensor([0.5, -1.0, 2.0])
    nn.init.zeros_(method.modules["decoder"][-1].weight)
    method.modules["decoder"][-1].bias.data = colour.clone()
    pictures = faces(2, 64)
    (errors,) = method.outputs([pictures])
    cells = pictures.unflatten(2, (32, 2)).unflatten(4, (32, 2)).mean(dim=(3, 5))
    wanted = colour[:, None, None] - cells[:, :, 8:24, 8:24]
    torch.testing.assert_close(errors, wanted)
    by_hand = sum(error**2 for error in wanted.flatten().tolist()) / wanted.numel()
    assert method.loss((errors,), torch.zeros(2)).item() == pytest.approx(by_hand, rel=1e-5)


def test_what_is_drawn_does_not_know_what_was_hidden():
    """Another content of the hidden square changes what is wanted there, and nothing of what is drawn."""
    method = build(hidden_place="middle")
    pictures = faces(3, 64)
    others = pictures.clone()
    others[:, :, 16:48, 16:48] += 2.0
    before, after = (method.outputs([some])[0] for some in (pictures, others))
    torch.testing.assert_close(before - after, torch.full_like(before, 2.0))


def test_who_only_looks_has_the_middle_hidden():
    method = build()
    method.modules.eval()
    method.outputs([faces(4, 32)])
    hidden = (method.modules["backbone"].faces == 0).all(dim=1)
    assert hidden[:, 8:24, 8:24].all() and hidden.sum() == 4 * 16 * 16


def test_there_is_no_loss_of_chance():
    assert build().chance(16) is None


def test_each_face_is_judged_where_it_was_hidden():
    method = build()
    for weight in method.modules["decoder"][-1].parameters():
        nn.init.zeros_(weight)
    pictures = faces(20, 32)  # a cell is a pixel
    (errors,) = method.outputs([pictures])
    hidden = (method.modules["backbone"].faces == 0).all(dim=1)
    for error, picture, square in zip(errors, pictures, hidden, strict=True):
        torch.testing.assert_close(error, -picture[:, square].view(3, 16, 16))
