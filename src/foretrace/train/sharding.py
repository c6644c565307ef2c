"""A model spread over the ranks of a run: tensor parallelism within, FSDP2 around it, context parallelism at attention.

    with torch.device("meta"):                                   # no memory yet
        model = CausalLM(config)
    shard(model, ranks, dtype=torch.bfloat16, reshard=True)
    materialise(model, device, seed)                             # each rank makes its own part

Tensor parallelism (Megatron-LM, arXiv:1909.08053): a rank has some of the heads, of the MLP's columns and of the
vocabulary's words; the residual stream and the norms are whole on each. FSDP2 (`fully_shard`; ZeRO, arXiv:1910.02054):
parameters are distributed tensors, of which each rank keeps and updates a part in float32; a layer is gathered in the dtype
of computing right before it is used, and its gradients are summed in float32.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    RowwiseParallel,
    parallelize_module,
)
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from foretrace.errors import UsageError
from foretrace.model.collectives import all_gather
from foretrace.model.config import ModelConfig
from foretrace.model.transformer import CausalLM
from foretrace.train.context import attend_to_all
from foretrace.train.ranks import Ranks


def shard(model: CausalLM, ranks: Ranks, *, dtype: torch.dtype, reshard: bool) -> None:
    """Spreads a model over the ranks; does nothing if there is only one.

    Args:
        model: on the meta device, or the same on all ranks.
        dtype: to compute in.
        reshard: give gathered weights back after each use, see `config.Parallel`.

    Raises:
        UsageError: its sizes do not divide by the number of ranks that share matrices.

    """
    if ranks.grid is None or ranks.weights is None:
        return
    if ranks.tensor.size > 1:
        _share_matrices(model, ranks.weights["tensor"])
    if ranks.context.size > 1:
        model.attend = attend_to_all(model.attend, ranks.grid["context"].get_group())
    policy = MixedPrecisionPolicy(
        param_dtype=None if dtype is torch.float32 else dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    mesh, embedding = ranks.weights["shards"], model.model.embed_tokens
    alone = () if model.config.tie_word_embeddings else (embedding,)  # tied it is the head, which the root gathers
    for module in (*alone, *model.model.layers, model):
        keep = module is model or not reshard  # the head is needed again as soon as the backward pass begins
        unit = fully_shard(module, mesh=mesh, mp_policy=policy, reshard_after_forward=not keep)
        unit.set_force_sum_reduction_for_comms(True)
        unit.set_gradient_divide_factor(1.0)  # losses are divided by the whole batch's weights already
        unit.set_unshard_in_backward(module is not embedding)  # whose gradient does not depend on it
    register_fsdp_forward_method(model, "predict")


def materialise(model: CausalLM, device: torch.device, seed: int) -> None:
    """Gives a model from the meta device its memory and its first values, which do not depend on how it is spread."""
    model.to_empty(device=device)
    if model.config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight  # giving memory has made two parameters of one
    model.reset_parameters(seed)


def _share_matrices(model: CausalLM, mesh: DeviceMesh) -> None:
    _require_divisible(model.config, mesh.size())
    whole = Replicate()
    layer: dict[str, ParallelStyle] = {
        # one distributed input for all projections, so that their gradients are summed in one go
        "self_attn": PrepareModuleInput(input_layouts=(whole, None, None), desired_input_layouts=(whole, None, None)),
        "mlp": PrepareModuleInput(input_layouts=(whole,), desired_input_layouts=(whole,)),
        **{f"self_attn.{name}_proj": ColwiseParallel() for name in "qkv"},
        "self_attn.o_proj": RowwiseParallel(),
        "mlp.gate_proj": ColwiseParallel(),
        "mlp.up_proj": ColwiseParallel(),
        "mlp.down_proj": RowwiseParallel(),
    }
    for block in model.model.layers:
        parallelize_module(block, mesh, layer)
    ends: dict[str, ParallelStyle] = {
        "model.embed_tokens": RowwiseParallel(input_layouts=whole),
        "lm_head": ColwiseParallel(output_layouts=whole),
    }
    parallelize_module(model, mesh, ends)
    # its output is on its way still: torch.compile takes it, but forgets its gradient (torch 2.13); a copy has arrived
    model.model.embed_tokens.register_forward_hook(lambda _module, _inputs, output: output.clone())
    if model.config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight


def _require_divisible(config: ModelConfig, ranks: int) -> None:
    for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size", "vocab_size"):
        size = getattr(config, name)
        if size % ranks:
            raise UsageError(f"parallel.tensor={ranks} does not divide the model's {name}={size}; choose a divisor of it")


# ---------------------------------------------------------------------------------------------------
# Gradients


def begin_row(model: CausalLM, *, last: bool, reshard: bool) -> None:
    """Tells a sharded model whether the row that comes is the last of a step.

    Without `reshard`, gathered weights stay until then, and gradients are summed over the ranks only then.
    """
    if isinstance(model, FSDPModule):
        model.set_is_last_backward(last)
        model.set_requires_gradient_sync(last or reshard)
        model.set_reshard_after_backward(last or reshard)


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scales gradients to a norm of at most `max_norm`; returns the norm before, over all ranks.

    As `torch.nn.utils.clip_grad_norm_`, but parameters may be distributed over different meshes.
    """
    by_mesh: dict[DeviceMesh | None, list[Tensor]] = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            by_mesh[getattr(parameter, "device_mesh", None)].append(parameter)
    norms = []
    for mesh, group in by_mesh.items():
        norm = get_total_norm([_local(p.grad) for p in group if p.grad is not None])
        for axis in mesh.get_all_groups() if mesh else ():
            norm = torch.linalg.vector_norm(all_gather(norm[None], axis))
        norms.append(norm)
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    for group in by_mesh.values():
        clip_grads_with_norm_(group, max_norm, total)
    return total


def _local(tensor: Tensor) -> Tensor:
    """This rank's part of a distributed tensor; another tensor as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


# ---------------------------------------------------------------------------------------------------
# Whole tensors


def whole(tensor: Tensor) -> Tensor:
    """All of a distributed tensor, on each of its ranks, which must all call this; another tensor as it is."""
    if not isinstance(tensor, DTensor):
        return tensor
    placements = list(tensor.placements)
    for dimension in range(len(placements)):  # one at a time: DTensor warns of several
        placements[dimension] = Replicate()
        tensor = tensor.redistribute(placements=placements)
    gathered: Tensor = tensor.full_tensor()
    return gathered
