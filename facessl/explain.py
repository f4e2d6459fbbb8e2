"""Where a classifier looked when it named somebody: Grad-CAM, for the three backbones and both kinds of classifier."""

from typing import TYPE_CHECKING, cast

import numpy as np

from facessl import views
from facessl.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from facessl.encoder import Encoder

_LEAST_PLACES = 4  # a side: a map of two by two says no more than which quarter


def grad_cam(encoder: "Encoder", face: np.ndarray, person: str) -> np.ndarray:
    """Return how much each place of a face spoke for a person, in the eyes of a classifier.

    The maps of a late stage, each weighed by how much the person's logit rises with it, are added; what speaks against
    the person is left out. Where the classifier reads averages over the picture, a map has one weight, as Grad-CAM has
    it; where it reads what is at which place, each place has its own, for the average of them says nothing: often it
    would leave no place at all. Read are the last maps that are at least 4 places a side,
    or the finest there are: small pictures leave fewer at the end of a network. A linear layer on embeddings that
    keep where things are reads maps of its own, and none behind them is looked at. Where an embedding is made of the
    face and its mirror image, both are.

    Args:
        encoder: With a classifier, as a fine-tuning leaves it.
        face: Shape (S, S, 3) uint8, any S.
        person: One of ``encoder.people``; also one whom the classifier did not choose.

    Returns:
        Shape (S, S) float32, 0-1 with 1 at the strongest place; zeros where no place speaks for the person.

    Raises:
        ModelError: The model has no classifier, or its classifier does not know this person.

    Reference: Selvaraju et al. 2017, eq. 1 and 2, https://arxiv.org/abs/1610.02391; by place: Draelos and Carin 2020,
        HiResCAM, https://arxiv.org/abs/2011.08891; computed by captum.
    """
    import torch
    from captum.attr import LayerAttribution, LayerGradCam, LayerGradientXActivation

    if encoder.classifier is None:
        raise ModelError("This model was never fine-tuned, so it names nobody; fine-tune it first.")
    if person not in encoder.people:
        raise ModelError(f"This model does not know {person}; choose one of those it learnt to name.")
    small = views.plain(np.ascontiguousarray(face[None]), encoder.image_size)
    inputs = views.to_input(small).to(encoder.device.kind).requires_grad_()
    with encoder.held(), torch.enable_grad():
        kind = LayerGradientXActivation if _reads_places(encoder) else LayerGradCam
        looked = kind(lambda x: _logits(encoder, x), _layer(encoder, inputs))
        found = looked.attribute(inputs, target=encoder.people.index(person)).detach()
    found = found.sum(dim=1, keepdim=True)  # (1 or 2, 1, h, w); Grad-CAM's is summed already
    if len(found) == 2:
        found = found[:1] + found[1:].flip(3)
    shown = LayerAttribution.interpolate(found.clamp(min=0), face.shape[:2], "bilinear")[0, 0]
    strongest = shown.max()
    scaled: np.ndarray = (shown / strongest if strongest > 0 else shown).float().cpu().numpy()
    return scaled


def _reads_places(encoder: "Encoder") -> bool:
    """Return whether the classifier sees what is at which place, and not only averages over the picture."""
    return not encoder.maps or (encoder.linear_probe and encoder.grid > 0)


def _logits(encoder: "Encoder", inputs: "Tensor") -> "Tensor":
    """Return what ``Encoder.logits`` computes, from inputs (N, 3, S, S) and with a gradient."""
    import torch
    from torch.nn import functional

    assert encoder.classifier is not None
    if not encoder.linear_probe:
        return cast("Tensor", encoder.classifier(encoder.backbone(inputs)))
    if encoder.mirror:  # in one pass, for captum hears of a layer once
        face, mirrored = encoder.described(torch.cat([inputs, inputs.flip(3)])).chunk(2)
        rows = (face + mirrored) / 2
    else:
        rows = encoder.described(inputs)
    if encoder.whitening is not None:
        mean, matrix = (torch.from_numpy(part).to(rows) for part in (encoder.whitening.mean, encoder.whitening.matrix))
        rows = (rows - mean) @ matrix.T
    unit = functional.normalize(rows, dim=1)
    return cast("Tensor", encoder.classifier(unit * unit.shape[1] ** 0.5))


def _layer(encoder: "Encoder", inputs: "Tensor") -> "nn.Module":
    """Return the module whose maps are read: all that the classifier sees of the picture passes through it."""
    import torch

    backbone = encoder.backbone
    names = cast("tuple[tuple[str, ...], ...]", backbone.stages)
    ends = [backbone.get_submodule(stage[-1]) for stage in names]
    if encoder.linear_probe and encoder.grid and encoder.maps:
        ends = ends[: ends.index(encoder.maps[0]) + 1]
    sides: dict[nn.Module, int] = {}

    def remember(module: "nn.Module", _: object, output: "Tensor") -> None:
        sides[module] = min(output.shape[2:])

    hooks = [end.register_forward_hook(remember) for end in ends]
    try:
        with torch.no_grad():
            backbone(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    fine = [end for end in ends if sides[end] >= _LEAST_PLACES]
    return fine[-1] if fine else ends[0]
