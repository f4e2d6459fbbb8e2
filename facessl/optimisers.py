"""Optimisers, and what happens to the gradients and the learning rate between the steps.

Nothing here waits for a GPU: norms and rates stay on the device.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NAMES = ("adam", "adamw", "lars", "sgd")
MOMENTUM = 0.9  # of lars and sgd


def build(
    name: str,
    modules: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    factors: Mapping[str, float] | None = None,
) -> Optimizer:
    """Return the optimiser of all parameters of ``modules`` that learn, which must be on their device already.

    ``factors`` says for parameters, by name, at which share of the learning rate they learn; others do at 1.

    ``adam`` adds the decay of every parameter to its gradient, as Adam's paper has it. ``adamw`` takes it from the
    weights themselves, ``lars`` and ``sgd`` add it to the gradient; these three spare biases and the scales and
    shifts of normalisation, which is what parameters of one dimension are. What ``state_dict`` gives can be loaded
    on another device.

    Raises:
        ValueError: There is no optimiser of this name.

    References: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980; Loshchilov and Hutter 2019,
        https://arxiv.org/abs/1711.05101; LARS: see there.
    """
    device = next(modules.parameters()).device
    on_gpu = device.type == "cuda"
    rate = torch.tensor(learning_rate, device=device) if on_gpu else learning_rate  # a recorded graph keeps a number
    optimizer = _of_groups(name, _groups(modules, weight_decay, factors or {}, spare=name != "adam"), rate, on_gpu)

    def as_built(loaded: Optimizer) -> None:
        """A state brings the kind of rate that suits the device it was saved on; make it this device's."""
        for group in loaded.param_groups:
            value = float(group["lr"])
            group["lr"] = torch.tensor(value, device=device) if on_gpu else value
            if "capturable" in group:
                group["capturable"] = on_gpu

    if on_gpu:
        for group in optimizer.param_groups:
            group["lr"] = group["lr"].clone()  # each group has its own: they may differ
    optimizer.register_load_state_dict_post_hook(as_built)
    return optimizer


def _of_groups(name: str, groups: list[dict[str, Any]], rate: float | Tensor, on_gpu: bool) -> Optimizer:
    match name:
        case "adam":
            return torch.optim.Adam(groups, rate, fused=True, capturable=on_gpu)
        case "adamw":
            return torch.optim.AdamW(groups, rate, fused=True, capturable=on_gpu)
        case "lars":
            adapted = [{**group, "adapt": _is_weight(group["params"][0])} for group in groups]
            return LARS(adapted, rate, momentum=MOMENTUM)
        case "sgd":
            return torch.optim.SGD(groups, rate, momentum=MOMENTUM, fused=True)
    raise ValueError(f"there is no optimiser called {name}; have {', '.join(NAMES)}")


def _groups(
    modules: nn.Module, weight_decay: float, factors: Mapping[str, float], *, spare: bool
) -> list[dict[str, Any]]:
    """Return the parameters that learn, those of one rate together, the slowest first.

    With ``spare`` a rate has two groups: the weights, which decay, and the rest, which does not.
    """
    found: dict[tuple[float, bool], list[Tensor]] = {}
    for name, parameter in modules.named_parameters():
        if parameter.requires_grad:
            kind = (factors.get(name, 1.0), spare and not _is_weight(parameter))
            found.setdefault(kind, []).append(parameter)
    return [
        {"params": found[factor, spared], "weight_decay": 0.0 if spared else weight_decay, "factor": factor}
        for factor, spared in sorted(found)
    ]


def _is_weight(parameter: Tensor) -> bool:
    return parameter.ndim > 1


class LARS(Optimizer):
    """Momentum SGD in which each layer's step is in proportion to the length of its weights.

        local = trust · ‖w‖ / (‖g‖ + decay · ‖w‖)
        v ← momentum · v + rate · local · (g + decay · w)
        w ← w − v

    A group with ``adapt`` False has local = 1; so has a layer of zeros, which could never leave them otherwise, as
    in SimCLR's own code. That code takes ‖g + decay · w‖ in the denominator, the paper the sum of the two norms.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate >= 0, a number, or a tensor of one element on the parameters' device.
        momentum: Share of the last step in the next, 0 <= momentum < 1.
        weight_decay: Pull of the weights towards zero, >= 0.
        trust: Length of a step at rate 1 as a share of the weights' length, > 0.

    Reference: You et al. 2017, Algorithm 1, https://arxiv.org/abs/1708.03888
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
    ) -> None:
        named = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust}
        super().__init__(params, {**named, "adapt": True})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; parameters without a gradient stay."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self._step_together(weights, group)
        return loss

    def _step_together(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [w.grad for w in weights if w.grad is not None]  # all of them, by the caller
        for w in weights:
            if "momentum_buffer" not in self.state[w]:
                self.state[w]["momentum_buffer"] = torch.zeros_like(w)
        velocity = [self.state[w]["momentum_buffer"] for w in weights]
        change = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
        if group["adapt"]:
            w_norm = torch.stack(torch._foreach_norm(weights))
            g_norm = torch.stack(torch._foreach_norm(gradients)) + group["weight_decay"] * w_norm
            local = torch.where((w_norm > 0) & (g_norm > 0), group["trust"] * w_norm / g_norm, 1.0)
            torch._foreach_mul_(change, list((group["lr"] * local).unbind()))
        else:
            torch._foreach_mul_(change, group["lr"])
        torch._foreach_mul_(velocity, group["momentum"])
        torch._foreach_add_(velocity, change)
        torch._foreach_sub_(weights, velocity)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate, of each group its share; where it is a tensor, in place and without waiting for it."""
    for group in optimizer.param_groups:
        own = rate * group.get("factor", 1.0)  # a state written before there were factors has none
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def rate_of(optimizer: Optimizer) -> float:
    """Return the learning rate of those who learn fastest; waits for the device."""
    return max(float(group["lr"]) for group in optimizer.param_groups)


def clip(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Shorten the gradients, together, to ``max_norm``, and return the norm they had; 0 only measures.

    The norm is a tensor on the gradients' device, nan or inf where they are.
    """
    held = [p for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in held if p.grad is not None])
    if max_norm > 0:
        nn.utils.clip_grads_with_norm_(held, max_norm, norm)
    return norm


def learning_rate_at(step: int, steps: int, base: float, schedule: str, warm_up: float = 0.05) -> float:
    """Return the learning rate of ``step`` (from 0) of ``steps``: a linear warm-up, then cosine or constant.

    Args:
        step: 0 <= step < steps.
        steps: Of the whole run.
        base: The rate at the end of the warm-up.
        schedule: ``cosine``, down to almost 0 at the last step, or ``constant``.
        warm_up: Share of the steps with a rising rate, 0 to 0.5: an optimiser's first steps are its wildest.

    Raises:
        ValueError: The schedule is another, or the share outside its range.

    Reference: Loshchilov and Hutter 2017, eq. 5 without restarts, https://arxiv.org/abs/1608.03983
    """
    if not 0 <= warm_up <= 0.5:
        raise ValueError(f"warm_up must be within 0 and 0.5, got {warm_up}")
    if schedule not in ("cosine", "constant"):
        raise ValueError(f"there is no schedule called {schedule}; have cosine, constant")
    rising = max(1, round(warm_up * steps))
    if step < rising:
        return base * (step + 1) / rising
    if schedule == "constant":
        return base
    return base * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
