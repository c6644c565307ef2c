"""The CWM transformer in plain torch: RMSNorm, SwiGLU, GQA, RoPE, 3:1 local and global attention.

Architecture: CWM report (arXiv:2510.02387), section 4. Parameter names are those of Hugging Face's
`CwmForCausalLM`, so that folders interchange.

The batch is one flat stream of documents laid end to end: nothing is padded, nothing cropped, and attention
never crosses a document. N tokens in all, D = hidden_size, H query heads, K key heads, C = head_dim.

    model = CausalLM(config)
    logits = model(tokens, Documents.of(lengths))          # tokens: (N,) int64 -> (N, vocab_size)
"""

from collections.abc import Callable
from functools import cache
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from foretrace.model.attention import Attend, backend
from foretrace.model.config import SLIDING, ModelConfig
from foretrace.model.documents import Documents
from foretrace.model.loss import Predicted, Weigh, linear_cross_entropy
from foretrace.model.rope import inverse_frequencies


class RMSNorm(nn.Module):
    """x / rms(x) * weight, computed in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., D) -> the same shape and dtype."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotary_tables(config: ModelConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of RoPE (arXiv:2104.09864) in the half-split layout: two (N, C) float32."""
    angles = positions.float()[:, None] * _frequencies(config, positions.device)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


@cache
def _frequencies(config: ModelConfig, device: torch.device) -> Tensor:
    """(C / 2,) float32; kept, because a copy from the host waits for all that a GPU still has to do."""
    return torch.from_numpy(inverse_frequencies(config)).to(device)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Applies RoPE to x: (heads, N, C)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    """The projections of grouped-query attention; the attention between them is a backend's."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, c = config.hidden_size, config.head_dim
        queries, keys = config.num_attention_heads * c, config.num_key_value_heads * c
        self.head_dim = c
        self.q_proj = nn.Linear(d, queries, bias=False)
        self.k_proj = nn.Linear(d, keys, bias=False)
        self.v_proj = nn.Linear(d, keys, bias=False)
        self.o_proj = nn.Linear(queries, d, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (N, D) -> queries (H, N, C), keys and values (K, N, C), rotated."""
        q, k, v = (self._heads(project(x)) for project in (self.q_proj, self.k_proj, self.v_proj))
        return rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype), v

    def _heads(self, x: Tensor) -> Tensor:
        """x: (N, heads * C) -> (heads, N, C); under tensor parallelism these are the rank's own heads."""
        return x.view(x.shape[0], -1, self.head_dim).transpose(0, 1)


class MLP(nn.Module):
    """SwiGLU (arXiv:2002.05202)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, D) -> (N, D)."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """One pre-norm layer, in two halves around attention so that each can be compiled for any document layout."""

    def __init__(self, config: ModelConfig, layer_type: str) -> None:
        super().__init__()
        self.window = config.sliding_window if layer_type == SLIDING else None
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def before(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (N, D) -> queries (H, N, C), keys and values (K, N, C)."""
        q, k, v = self.self_attn(self.input_layernorm(x), cos, sin)
        return q, k, v

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """x: (N, D) and attended: (H, N, C) -> (N, D)."""
        x = x + self.self_attn.o_proj(attended.transpose(0, 1).flatten(1))
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], documents: Documents, attend: Attend) -> Tensor:
        """x: (N, D) -> (N, D)."""
        q, k, v = self.before(x, *rotary)
        keys, values = documents.gathered(k), documents.gathered(v)
        return self.after(x, attend(q, keys, values, documents, self.window or documents.horizon))


class Backbone(nn.Module):
    """Embeddings, layers and the last norm (the `model.` of the parameter names)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        # nn.Embedding(...) would import torch's compiler to initialise on the meta device, which takes a second
        room = torch.empty(config.vocab_size, config.hidden_size)
        self.embed_tokens: nn.Embedding = nn.Embedding.from_pretrained(room, freeze=False)  # type: ignore[no-untyped-call]
        self.layers = nn.ModuleList(Block(config, layer_type) for layer_type in config.layer_types)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class CausalLM(nn.Module):
    """The whole model.

    Args:
        attention: name of a backend of `foretrace.model.attention`.

    """

    def __init__(self, config: ModelConfig, attention: str = "sdpa-block") -> None:
        super().__init__()
        self.config = config
        self.attend: Attend = backend(attention)
        """What attends; may be wrapped, as context parallelism does."""
        self.recompute = False
        """Activation checkpointing: keep only each layer's input, and compute the layer again for its gradient."""
        self.model = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, seed: int = 0) -> None:
        """Normal(0, 0.02), projections into the residual stream scaled by 1/sqrt(2 layers) as in GPT-2; norms are 1.

        Each parameter has a generator of its own, so that the values do not depend on how a model is spread over devices.
        """
        for name, parameter in self.named_parameters():
            if parameter.is_meta:
                continue
            if parameter.dim() == 1:
                parameter.fill_(1.0)
                continue
            into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
            scale = (2 * self.config.num_hidden_layers) ** -0.5 if into_residual else 1.0
            generator = torch.Generator(parameter.device).manual_seed(crc32(f"{seed} {name}".encode()))
            values = torch.empty(parameter.shape, device=parameter.device)
            copy_whole(parameter, values.normal_(0.0, self.config.initializer_range * scale, generator=generator))

    def forward(self, tokens: Tensor, documents: Documents) -> Tensor:
        """tokens: (N,) int64 -> logits (N, vocab_size), float32 or the autocast dtype."""
        return self.logits(self.hidden(tokens, documents))

    def hidden(self, tokens: Tensor, documents: Documents) -> Tensor:
        """The last normalised hidden states: (N, D)."""
        rotary = rotary_tables(self.config, documents.positions)
        x = self.model.embed_tokens(tokens)
        for layer in self.model.layers:
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(layer, x, rotary, documents, self.attend, use_reentrant=False)
            else:
                x = layer(x, rotary, documents, self.attend)
        out: Tensor = self.model.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden: (M, D) -> (M, vocab_size)."""
        out: Tensor = self.lm_head(hidden)
        return out

    def predict(
        self, tokens: Tensor, documents: Documents, where: Tensor, targets: Tensor, weights: Tensor | Weigh
    ) -> tuple[Predicted, Tensor]:
        """Scores `targets`, each as what comes after the token at `where`.

        Args:
            tokens: (N,) int64.
            where: (M,) int64 indices into `tokens`; none is a document's last.
            targets: (M,) int64.
            weights: (M,) float32: of each in the loss; or how they are found: see `linear_cross_entropy`.

        Returns:
            The predictions, and the hidden states (N, D) that they come from.

        """
        hidden = self.hidden(tokens, documents)
        return linear_cross_entropy(hidden[where], self.lm_head.weight, targets, weights), hidden

    def compile_layers(self, dynamic: bool = True) -> None:
        """Compiles the two halves of every layer (needs a C++ compiler on CPU).

        Args:
            dynamic: for streams of any length; False is for streams that all have the same length.

        """
        compile_half: Callable[..., Any] = torch.compile
        for layer in self.model.layers:
            for half in ("before", "after"):
                setattr(layer, half, compile_half(getattr(layer, half), dynamic=dynamic))

    def num_parameters(self) -> int:
        """Trainable parameters, tied ones counted once."""
        return sum(p.numel() for p in self.parameters())


def copy_whole(parameter: Tensor, values: Tensor) -> None:
    """Copies values (the parameter's global shape) into a parameter, each rank its own part of a distributed one."""
    if hasattr(parameter, "device_mesh"):  # asked like this because importing DTensor takes a second
        from torch.distributed.tensor import DTensor, distribute_tensor

        assert isinstance(parameter, DTensor)
        values = distribute_tensor(values, parameter.device_mesh, parameter.placements, src_data_rank=None)
    parameter.copy_(values)
