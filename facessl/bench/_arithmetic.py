"""How much there is to multiply, and how fast a card can."""

from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from facessl import registry
from facessl.config import PretrainRecipe
from facessl.encoder import build_backbone

_SIDE = 8192  # of the matrices: large enough that nothing but multiplying counts
_COPIED = 1 << 30  # bytes
_WARM_UP, _TIMES = 5, 20


def flops(forward: "Callable[[], Sequence[Tensor]]") -> int:
    """Return the floating-point operations of the convolutions and matrix products of a pass and its gradient.

    A multiplication and an addition count two, as for a card's limit. Batch norm and the like do not count.
    """
    with FlopCounterMode(display=False) as counter:
        total = sum((output.sum() for output in forward()), torch.zeros(()))
        total.backward()
    return int(counter.get_total_flops())


def flops_per_image(recipe: PretrainRecipe) -> float:
    """Return what a step's passes through the network cost a face, both its views; the loss is not counted."""
    faces = 2  # batch norm wants more than one
    with torch.device("meta"):  # shapes without numbers: nothing is computed
        backbone = build_backbone(recipe.backbone, recipe.backbone_options)
        method = registry.load("methods", recipe.method).build(backbone, recipe.plugin_options("methods"), 0)
        inputs = [torch.empty(faces, 3, recipe.image_size, recipe.image_size) for _ in range(method.views)]
        return flops(lambda: method.outputs(inputs)) / faces


def card_limits() -> dict[str, float]:
    """Return what the present GPU reaches: bf16 products of large matrices, and copies inside its memory."""
    a, b = (torch.randn(_SIDE, _SIDE, device="cuda", dtype=torch.bfloat16) for _ in "ab")
    product = torch.empty_like(a)
    seconds = _seconds(lambda: torch.mm(a, b, out=product))
    source = torch.empty(_COPIED, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copying = _seconds(lambda: target.copy_(source))
    return {
        "matmul_bf16_tflops": 2 * _SIDE**3 / seconds / 1e12,
        "copy_gb_per_s": 2 * _COPIED / copying / 1e9,  # each byte is read and written
    }


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time that the GPU is at some work."""
    events = []
    for _ in range(_WARM_UP + _TIMES):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in "be")
        begin.record()
        work()
        end.record()
        events.append((begin, end))
    torch.cuda.synchronize()
    return median(begin.elapsed_time(end) for begin, end in events[_WARM_UP:]) / 1000
