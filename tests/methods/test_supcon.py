import math

import pytest
import torch

from facessl.losses import nt_xent, sup_con
from facessl.methods import supcon
from tests.methods.test_methods import TinyBackbone, batch, build, loss_of


def test_the_loss_is_that_of_the_projections_and_the_names():
    method = build("supcon", temperature=0.3)
    method.modules.eval()  # batch norm by fixed figures: one pass over both views equals a pass over each
    (view0, view1), labels = batch(method)
    backbone, head = method.modules["backbone"], method.modules["head"]
    wanted = sup_con(head(backbone(view0)), head(backbone(view1)), labels, 0.3)
    found = loss_of(method, [view0, view1], labels).item()
    assert method.needs_labels and supcon.NEEDS_NAMES
    assert found == pytest.approx(wanted.item(), abs=1e-5)
    assert abs(found - loss_of(method, [view0, view1], labels.sort().values).item()) > 0.01


def test_faces_that_nobody_has_named_are_learnt_from_as_simclr_does():
    method = build("supcon", temperature=0.2)
    views, labels = batch(method)
    z = method.outputs(views)
    nameless = torch.full_like(labels, -1)
    assert method.loss(z, nameless).item() == pytest.approx(nt_xent(*z, 0.2).item(), abs=1e-5)


def test_a_network_that_tells_nobody_apart_scores_chance():
    method = build("supcon")
    torch.nn.init.zeros_(method.modules["head"][-1].weight)  # only its bias speaks: all projections are alike
    assert method.chance(16) == math.log(31)
    assert loss_of(method, *batch(method)).item() == pytest.approx(method.chance(16), abs=1e-4)


@pytest.mark.parametrize("people", [0, 1])
def test_one_person_alone_cannot_be_told_apart(people):
    with pytest.raises(ValueError, match=f"at least 2 of them, got {people}"):
        supcon.build(TinyBackbone(), supcon.Options(), people)
