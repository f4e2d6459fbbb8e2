"""Losses as pure functions that read like their papers."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.autograd.function import once_differentiable

# Rows of a block of logits. 4 MiB on a CPU, where larger ones leave the cache; on a GPU 16, where smaller ones cost
# more to launch than to compute.
_SIDE = {"cpu": 1024}
_SIDE_ELSEWHERE = 2048


def nt_xent(z0: Tensor, z1: Tensor, temperature: float = 0.5) -> Tensor:
    """SimCLR's contrastive loss over one batch of positive pairs.

    Exact, and computed in blocks: memory grows with N, not N², forward and backward. The arithmetic is float32 also
    under autocast and for half precision (torch's setting for TF32 is left as it is); float64 stays float64.

    Where torch.distributed runs, every process calls this with N pairs of its own, the same N everywhere, and the
    batch is all of them together. Each gets the loss of that joined batch, and the gradients of the sum of what all
    processes got: averaged over the processes, as DistributedDataParallel does, the gradients of a network equal
    those of one process on the joined batch.

    Args:
        z0: Projections of the first view, shape (N, D), any scale, any float type. A row of zeros has no direction:
            it is as far from everything as a right angle, and gets no gradient.
        z1: Projections of the second view; row i is the positive of z0[i].
        temperature: Divides the cosine similarities, > 0.

    Returns:
        Scalar float32, mean over the 2N anchors; ln(2N - 1) when nothing is learnt.

    Raises:
        ValueError: The shapes differ, fewer than 2 pairs in the joined batch, or temperature <= 0.

    Reference: Chen et al. 2020, Algorithm 1, https://arxiv.org/abs/2002.05709
    """
    if z0.shape != z1.shape or z0.ndim != 2:
        raise ValueError(f"z0 and z1 must both have the shape (N, D), got {tuple(z0.shape)} and {tuple(z1.shape)}")
    if len(z0) * _world_size() < 2:
        raise ValueError(f"a contrastive batch needs at least 2 pairs, got {len(z0)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    # bfloat16 has 8 bits: at temperature 0.1 its rounding alone moves a logit by 0.04.
    with torch.autocast(z0.device.type, enabled=False):
        z = torch.cat([z0, z1])  # (2N, D)
        return _NTXent.apply(_unit(z.to(torch.promote_types(z.dtype, torch.float32))), temperature)


def sup_con(z0: Tensor, z1: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """The supervised contrastive loss over one batch of pairs, in the form that averages outside the logarithm, L_out.

    With s_ij = z_i · z_j / T of unit rows and P(i) all other views of anchor i's person, it is the mean over the 2N
    anchors of lse_i − mean_{p in P(i)} s_ip. NT-Xent has the same lse_i and the one positive; so this is NT-Xent with
    another positive term, which the sums of each person's rows give: memory grows with N, not N². Precision, and
    several processes, are as there.

    Args:
        z0: Projections of the first view, shape (N, D), any scale, any float type; zeros as in ``nt_xent``.
        z1: Projections of the second view; row i is the same photo as z0[i].
        labels: Who it is, shape (N,), any integers. Below 0 nobody has said: such a face has its own other view as
            its only positive.
        temperature: Divides the cosine similarities, > 0.

    Returns:
        Scalar float32; ln(2N - 1) when nothing is learnt, ``nt_xent`` when no two labels are the same.

    Raises:
        ValueError: The shapes differ, fewer than 2 pairs in the joined batch, or temperature <= 0.

    Reference: Khosla et al. 2020, equation 2, https://arxiv.org/abs/2004.11362
    """
    of_pairs = nt_xent(z0, z1, temperature)
    if labels.shape != z0.shape[:1]:
        raise ValueError(f"labels must have the shape ({len(z0)},), got {tuple(labels.shape)}")
    with torch.autocast(z0.device.type, enabled=False):
        wide = torch.promote_types(z0.dtype, torch.float32)
        z0, z1 = (_joined(_unit(z.to(wide))) for z in (z0, z1))
        person = _numbered(_gather(labels)[0])
        views = z0 + z1  # of a face: both
        everyones = torch.zeros_like(views).index_add(0, person, views)  # row k: the sum of person k's views
        counts = torch.zeros_like(z0[:, 0]).index_add(0, person, torch.full_like(z0[:, 0], 2))
        # Over the anchors, two a face: with all views of their person, but not with themselves.
        others = (views * everyones[person]).sum(dim=1) - (z0 * z0 + z1 * z1).sum(dim=1)
        with_all = (others / (2 * (counts[person] - 1))).mean()
        with_own = (z0 * z1).sum(dim=1).mean()
        return of_pairs + (with_own - with_all) / temperature


def _numbered(labels: Tensor) -> Tensor:
    """Return labels from 0 to N - 1 that are the same where these are; each one below 0 becomes a label of its own.

    torch.unique would have a GPU waited for.
    """
    alone = -1 - torch.arange(len(labels), device=labels.device)
    ordered, order = torch.where(labels < 0, alone, labels.long()).sort()
    changes = torch.cat([ordered.new_zeros(min(1, len(labels))), (ordered[1:] != ordered[:-1]).long()])
    return torch.empty_like(order).scatter(0, order, changes.cumsum(0))


def vicreg(z0: Tensor, z1: Tensor, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0) -> Tensor:
    """VICReg's loss over one batch of positive pairs, as the paper's Algorithm 1 has it.

    The mean squared difference of the pairs; how far each column's standard deviation falls short of 1; and the
    squared covariances of different columns: each times its weight, the last two of both views. The authors' code
    halves the variance term besides; Algorithm 1 and equation 6 do not.

    Where torch.distributed runs, the columns' figures are those of the joined batch of all processes, and loss and
    gradients follow the rule of ``nt_xent``. The arithmetic is float32, float64 stays float64.

    Args:
        z0: Projections of the first view, shape (N, D), any float type.
        z1: Projections of the second view; row i is the positive of z0[i].
        invariance: Weight of the pairs' difference, the paper's λ.
        variance: Weight of the missing deviation, the paper's μ.
        covariance: Weight of the covariances, the paper's ν.

    Returns:
        Scalar float32, >= 0; 1.98 times ``variance`` where all rows are one point.

    Raises:
        ValueError: The shapes differ, or there are fewer than 2 pairs in the joined batch.

    Reference: Bardes et al. 2022, Algorithm 1, https://arxiv.org/abs/2105.04906
    """
    if z0.shape != z1.shape or z0.ndim != 2:
        raise ValueError(f"z0 and z1 must both have the shape (N, D), got {tuple(z0.shape)} and {tuple(z1.shape)}")
    if len(z0) * _world_size() < 2:
        raise ValueError(f"a variance needs at least 2 pairs, got {len(z0)}")
    with torch.autocast(z0.device.type, enabled=False):
        wide = torch.promote_types(z0.dtype, torch.float32)
        z0, z1 = (_joined(z.to(wide)) for z in (z0, z1))
        loss = invariance * (z0 - z1).square().mean()
        for z in (z0, z1):
            deviation = (z.var(dim=0) + 1e-4).sqrt()  # without the 1e-4 it has no gradient where all rows are alike
            loss = loss + variance * (1 - deviation).relu().mean()
            centred = z - z.mean(dim=0)
            cov = centred.T @ centred / (len(z) - 1)  # (D, D)
            loss = loss + covariance * (cov - cov.diag().diag()).square().sum() / z.shape[1]
        return loss


def _joined(own: Tensor) -> Tensor:
    """Return the rows of all processes, of which this process's get gradients.

    They are multiplied by the number of processes, over whose gradients an average will be taken.
    """
    return _Joined.apply(own) if _world_size() > 1 else own


class _Joined(torch.autograd.Function):
    """Every process computes the same loss of the joined rows, so going back needs no message."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        joined, first = _gather(own)
        ctx.mine = slice(first, first + len(own))
        return joined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return upstream[ctx.mine] * _world_size()


def _unit(z: Tensor) -> Tensor:
    """Return the rows at length 1, whatever their length; rows of zeros stay, without a gradient."""
    largest = z.detach().abs().amax(dim=1, keepdim=True)
    nothing = largest < torch.finfo(z.dtype).tiny
    z = z / largest.masked_fill(nothing, math.inf)  # the squares of 1e30 and 1e-30 would leave float32's range
    length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    return z / length.masked_fill(nothing, 1)


class _NTXent(torch.autograd.Function):
    """The loss of unit rows, those of the first views before those of the second.

    With s_ij = z_i · z_j / T over the M rows of all processes, lse_i = ln Σ_{j≠i} exp(s_ij) and p_ij =
    exp(s_ij − lse_i), the loss is the mean of lse_i − s_i,positive(i), and

        M · T · dloss/dz_i = Σ_{j≠i} (p_ij + p_ji) z_j − 2 z_positive(i)

    so the backward pass needs the lse of all rows, and no second message between the processes. The logits are
    symmetric: of two mirrored blocks of the process's own rows one is computed, and used twice.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, temperature: float) -> Tensor:
        z, first = _gather(own)
        mine = slice(first, first + len(own))
        lse = own.new_full((len(z),), -math.inf)
        for rows, columns, mirrored, logits in _blocks_of_logits(z, mine, temperature):
            lse[rows] = torch.logaddexp(lse[rows], logits.logsumexp(dim=1))
            if mirrored:
                lse[columns] = torch.logaddexp(lse[columns], logits.logsumexp(dim=0))
        lse, _ = _gather(lse[mine])
        ctx.save_for_backward(z, lse)
        ctx.mine, ctx.temperature = mine, temperature
        z0, z1 = z.view(-1, 2, len(own) // 2, z.shape[1]).unbind(1)  # each (processes, N, D)
        positive = (z0 * z1).sum(dim=2) / temperature
        return (lse.view(-1, 2, len(own) // 2) - positive[:, None]).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        z, lse = ctx.saved_tensors
        mine, temperature = ctx.mine, ctx.temperature
        gradient = torch.zeros_like(z)
        gradient[mine] = z[mine].roll((mine.stop - mine.start) // 2, 0).mul_(-2)
        scratch = _largest_block(z, mine)
        # In place or into `out`, where autocast, which may still be on here, changes no type.
        for rows, columns, mirrored, logits in _blocks_of_logits(z, mine, temperature):
            p = torch.sub(logits, lse[rows, None], out=_corner(scratch, logits.shape)).exp_()
            p += logits.sub_(lse[columns]).exp_()
            gradient[rows].addmm_(p, z[columns])
            if mirrored:
                gradient[columns].addmm_(p.T, z[rows])
        # The mean over all M rows, times the processes over whose gradients an average will be taken.
        return gradient[mine].mul_(upstream / (temperature * (mine.stop - mine.start))), None


def _blocks_of_logits(z: Tensor, mine: slice, temperature: float) -> Iterator[tuple[slice, slice, bool, Tensor]]:
    """Yield (rows, columns, mirrored, logits) until all logits of the rows ``mine`` were seen.

    A mirrored block stands for itself and its transpose. Every block lies where the last one lay, and may be spoilt.
    """
    side, buffer = _side(z), _largest_block(z, mine)
    others = [*_blocks(0, mine.start, side), *_blocks(mine.stop, len(z), side)]
    for rows in _blocks(mine.start, mine.stop, side):
        for columns in [*_blocks(mine.start, rows.stop, side), *others]:
            a, b = z[rows], z[columns]
            block = _corner(buffer, (len(a), len(b)))
            logits = torch.addmm(block, a, b.T, beta=0, alpha=1 / temperature, out=block)
            if rows == columns:
                logits.fill_diagonal_(-math.inf)  # an anchor is not its own negative
            yield rows, columns, mine.start <= columns.start < rows.start, logits


def _side(z: Tensor) -> int:
    return _SIDE.get(z.device.type, _SIDE_ELSEWHERE)


def _largest_block(z: Tensor, mine: slice) -> Tensor:
    return z.new_empty(min(_side(z), mine.stop - mine.start), min(_side(z), len(z)))


def _blocks(start: int, stop: int, side: int) -> list[slice]:
    return [slice(i, min(i + side, stop)) for i in range(start, stop, side)]


def _corner(buffer: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the beginning of the buffer in this shape, without gaps."""
    return buffer.view(-1)[: math.prod(shape)].view(shape)


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _gather(own: Tensor) -> tuple[Tensor, int]:
    """Return the rows of all processes in the order of their ranks, and where this process's begin."""
    processes = _world_size()
    if processes == 1:
        return own, 0
    joined = own.new_empty(processes * len(own), *own.shape[1:])
    dist.all_gather(list(joined.chunk(processes)), own.contiguous())
    return joined, dist.get_rank() * len(own)
