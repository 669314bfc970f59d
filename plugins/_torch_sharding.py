"""Weights and gradients on several workers with PyTorch: summed where each has all, or sharded by blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from workbench.plugin import ParameterError

#: Bytes that are sent at once: enough for the network's full speed, small beside a model.
_BUCKET_BYTES = 32 << 20


class TorchGroup:
    """See `_tuning_group.Group`; needs a process group that was started."""

    def __init__(self) -> None:
        import torch.distributed

        self._torch = torch
        # NCCL sends from CUDA's memory alone, gloo from the machine's.
        self._device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"

    @property
    def rank(self) -> int:
        return int(self._torch.distributed.get_rank())

    @property
    def size(self) -> int:
        return int(self._torch.distributed.get_world_size())

    def sum(self, values: Sequence[float]) -> list[float]:
        sums = self._torch.tensor(values, dtype=self._torch.float64, device=self._device)
        self._torch.distributed.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found

    def sum_gradients(self, backend: Any) -> None:
        whole = [each for each in backend.weights if not is_sharded(each)]
        for weight in whole:
            if weight.grad is None:
                weight.grad = self._torch.zeros_like(weight)
        for bucket in _buckets([weight.grad for weight in whole]):
            flat = self._torch.cat([each.reshape(-1) for each in bucket]).to(self._device)
            self._torch.distributed.all_reduce(flat)
            for each, summed in zip(bucket, flat.split([each.numel() for each in bucket]), strict=True):
                each.copy_(summed.view_as(each))

    def barrier(self) -> None:
        self._torch.distributed.barrier()


def same_weights(weights: Iterable[Any]) -> None:
    """Give every worker the first one's weights, which random numbers of another machine may have begun."""
    import torch

    for weight in weights:
        torch.distributed.broadcast(weight.data, src=0)


def shard(model: Any, device: str) -> Any:
    """Split the blocks of a model among the workers (FSDP2; ZeRO stage 3, arXiv 1910.02054).

    A block's weights are gathered while it is computed, and given up again. Embeddings, the last norm and the
    output layer stay whole on every worker: they are used outside of the blocks, and often are one tensor.
    Gradients are summed over the workers.

    Raises:
        ParameterError: The model has no row of blocks.
    """
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    decoder = base.get_decoder() if hasattr(base, "get_decoder") else base
    rows = [each for each in decoder.modules() if isinstance(each, torch.nn.ModuleList)]
    if not rows:
        raise ParameterError("sharding", "This model has no row of blocks that could be split.")
    blocks = max(rows, key=_numbers)
    mesh = init_device_mesh(device, (torch.distributed.get_world_size(),))
    for block in blocks:
        fully_shard(block, mesh=mesh)
    whole = {each for each in model.parameters() if not is_sharded(each)}
    for weight in whole:
        weight.data = weight.data.to(device)
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))
    # The root prefetches from block to block.
    fully_shard(decoder, mesh=mesh, ignored_params=whole)
    for module in decoder.modules():
        if hasattr(module, "set_gradient_divide_factor"):
            # Sums, not means; gloo knows no other reduction.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    return model


def whole(tensor: Any) -> Any:
    """A tensor with all its numbers, in the memory of this machine; every worker has to ask."""
    full = tensor.full_tensor() if is_sharded(tensor) else tensor
    return full.detach().cpu().contiguous()


def placed_like(tensor: Any, weight: Any) -> Any:
    """A whole tensor, split as a weight of the same shape is."""
    if not is_sharded(weight) or tensor.shape != weight.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    there = tensor.to(weight.device)
    # Every worker has read all of it: nothing needs to be sent.
    return distribute_tensor(there, weight.device_mesh, weight.placements, src_data_rank=None)


def clip_norm(weights: Sequence[Any], clip: float) -> float:
    """The norm of all gradients, which are scaled to `clip` where it is larger; 0 for no limit."""
    import torch

    sharded = [each.grad for each in weights if is_sharded(each) and each.grad is not None]
    if not sharded:
        return float(torch.nn.utils.clip_grad_norm_(weights, clip or math.inf))
    local = [each.to_local() for each in sharded]
    square = sum(each.double().square().sum() for each in local)
    torch.distributed.all_reduce(square)
    kept_whole = [each.grad for each in weights if not is_sharded(each) and each.grad is not None]
    norm = math.sqrt(float(square) + sum(float(each.double().square().sum()) for each in kept_whole))
    if clip and norm > clip:
        for each in (*local, *kept_whole):
            # As PyTorch has it.
            each.mul_(clip / (norm + 1e-6))
    return norm


def is_sharded(tensor: Any) -> bool:
    """Whether a tensor lies on several workers, a part on each."""
    return hasattr(tensor, "full_tensor")


def alike(weights: Sequence[Any]) -> list[list[Any]]:
    """The weights in groups that an optimizer can update together: sharded ones, and whole ones."""
    ordered = sorted(weights, key=is_sharded)
    return [list(group) for _sharded, group in groupby(ordered, key=is_sharded)]


def _numbers(module: Any) -> int:
    return sum(each.numel() for each in module.parameters())


def _buckets(tensors: Sequence[Any]) -> list[list[Any]]:
    """Runs of tensors of one type, of about `_BUCKET_BYTES` each."""
    found: list[list[Any]] = []
    held = 0
    for each in tensors:
        size = each.numel() * each.element_size()
        if not found or held + size > _BUCKET_BYTES or found[-1][0].dtype != each.dtype:
            found.append([])
            held = 0
        found[-1].append(each)
        held += size
    return found
