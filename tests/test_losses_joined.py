"""VICReg and the supervised contrastive loss over several processes are those of one process on the joined batch."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from facessl.losses import sup_con, vicreg

N, D, PROCESSES = 5, 6, 2  # pairs a process
LABELS = torch.tensor([0, 1, 1, -1, 2, 1, 0, -1, 3, 3])  # of the joined batch: people on one side and on both
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "vicreg": lambda z0, z1, labels: vicreg(z0, z1),
    "sup_con": lambda z0, z1, labels: sup_con(z0, z1, labels, 0.1),
}


def views() -> Tensor:
    return torch.randn(2, PROCESSES * N, D, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(D, 8), nn.Tanh(), nn.Linear(8, 4))


def outcome(model: nn.Module, batch: Tensor, labels: Tensor, loss_of: Loss) -> dict[str, Tensor]:
    """Return the loss of this batch, and its gradients in the network and in the batch."""
    batch = batch.clone().requires_grad_()
    loss = loss_of(*model(torch.cat(tuple(batch))).chunk(2), labels)
    loss.backward()
    named = {name.removeprefix("module."): p.grad for name, p in model.named_parameters()}
    return {"loss": loss.detach(), "batch": batch.grad, **named}


def one_of_several(rank: int, folder: Path) -> None:
    """Be one process: compute on a share of the batch, and write what came out."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    try:
        mine = slice(rank * N, (rank + 1) * N)
        found = {
            name: outcome(DistributedDataParallel(network()), views()[:, mine], LABELS[mine], loss)
            for name, loss in LOSSES.items()
        }
        torch.save(found, folder / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()


def test_two_processes_are_one_on_the_joined_batch(tmp_path: Path) -> None:
    multiprocessing.spawn(one_of_several, (tmp_path,), nprocs=PROCESSES)
    for name, loss in LOSSES.items():
        wanted = outcome(network(), views(), LABELS, loss)
        for rank in range(PROCESSES):
            found = torch.load(tmp_path / f"{rank}.pt")[name]
            share = wanted["batch"][:, rank * N : (rank + 1) * N] * PROCESSES
            assert found["loss"].item() == pytest.approx(wanted["loss"].item(), rel=2e-6), name
            assert (found["batch"] - share).abs().max() < 2e-6 * share.abs().max(), name
            weights = set(wanted) - {"loss", "batch"}
            # VICReg's gradient in the last bias is nothing but rounding: where the cloud lies does not matter to it.
            limit = 2e-6 * max(wanted[weight].abs().max() for weight in weights)
            for weight in weights:  # DistributedDataParallel has averaged them
                assert (found[weight] - wanted[weight]).abs().max() < limit, (name, weight)
