"""NT-Xent over several processes is NT-Xent of one process on the joined batch: the loss, and the gradients."""

import copy
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from facessl import losses
from facessl.losses import nt_xent

N, D, PROCESSES = 5, 6, 2  # pairs a process
TEMPERATURE = 0.1
SIDES = (3, 1024)  # of blocks: the process's own rows in several, and in one


def views() -> Tensor:
    """What the joined batch holds, shape (2, PROCESSES * N, D)."""
    return torch.randn(2, PROCESSES * N, D, generator=torch.Generator().manual_seed(0))


def network(*, batch_norm: bool = False) -> nn.Module:
    torch.manual_seed(1)
    middle = [nn.BatchNorm1d(8)] if batch_norm else []
    return nn.Sequential(nn.Linear(D, 8), *middle, nn.Tanh(), nn.Linear(8, 4))


def outcome(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """Return the loss of this batch, and its gradients in the network and in the batch."""
    batch = batch.clone().requires_grad_()
    loss = nt_xent(*model(torch.cat(tuple(batch))).chunk(2), TEMPERATURE)  # both views in one pass, as SimCLR does
    loss.backward()
    named = {name.removeprefix("module."): p.grad.cpu() for name, p in model.named_parameters()}
    return {"loss": loss.detach().cpu(), "batch": batch.grad.cpu(), **named}


def one_of_several(rank: int, folder: Path, device: str) -> None:
    """Be one process: compute on a share of the batch, and write what came out for blocks of each side."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "nccl" if device == "cuda" else "gloo"
    where = torch.device(device, rank) if device == "cuda" else torch.device(device)
    distributed.init_process_group(backend, init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    try:
        model = network(batch_norm=device == "cuda").to(where)
        if device == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        share = views()[:, rank * N : (rank + 1) * N].to(where)
        results = []
        for side in SIDES:
            losses._SIDE[device] = side
            results.append(outcome(DistributedDataParallel(copy.deepcopy(model)), share))
        with pytest.raises(ValueError, match="at least 2 pairs, got 0"):
            nt_xent(torch.ones(0, 4), torch.ones(0, 4))
        one_pair_each = nt_xent(*share[:, :1], TEMPERATURE)
        torch.save({"results": results, "one pair each": one_pair_each.cpu()}, folder / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()


def run(folder: Path, device: str) -> list[dict]:
    multiprocessing.spawn(one_of_several, (folder, device), nprocs=PROCESSES)
    return [torch.load(folder / f"{rank}.pt") for rank in range(PROCESSES)]


def compare(found: list[dict], *, batch_norm: bool) -> None:
    """Within 1e-6 of the largest gradient, which is float32's rounding and no more."""
    wanted = outcome(network(batch_norm=batch_norm), views())
    for rank, each in enumerate(found):
        share = wanted["batch"][:, rank * N : (rank + 1) * N] * PROCESSES
        for result in each["results"]:
            assert result["loss"].item() == pytest.approx(wanted["loss"].item(), rel=1e-6)
            assert (result["batch"] - share).abs().max() < 1e-6 * share.abs().max()
            for name in set(wanted) - {"loss", "batch"}:  # DistributedDataParallel has averaged them
                assert (result[name] - wanted[name]).abs().max() < 1e-6 * wanted[name].abs().max(), name


def test_two_processes_are_one_on_the_joined_batch(tmp_path: Path) -> None:
    found = run(tmp_path, "cpu")
    compare(found, batch_norm=False)
    first_of_each = views()[:, ::N]
    assert found[0]["one pair each"].item() == pytest.approx(nt_xent(*first_of_each, TEMPERATURE).item(), rel=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < PROCESSES, reason="SyncBatchNorm needs two GPUs")
def test_two_gpus_with_synchronised_batch_norm_are_one_process_on_the_joined_batch(tmp_path: Path) -> None:
    compare(run(tmp_path, "cuda"), batch_norm=True)
