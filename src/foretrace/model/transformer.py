"""The CWM transformer in plain torch: RMSNorm, SwiGLU, GQA, RoPE, 3:1 local and global attention.

Architecture: CWM report (arXiv:2510.02387), section 4. Parameter names are those of Hugging Face's
`CwmForCausalLM`, so that folders interchange.

The batch is one flat stream of documents laid end to end: nothing is padded, nothing cropped, and attention
never crosses a document. N tokens in all, D = hidden_size, H query heads, K key heads, C = head_dim.

    model = CausalLM(config)
    logits = model(tokens, Documents.of(lengths))          # tokens: (N,) int64 -> (N, vocab_size) float32
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foretrace.model.attention import attend
from foretrace.model.config import SLIDING, ModelConfig


@dataclass(frozen=True, slots=True)
class Documents:
    """How a flat stream divides into documents."""

    lengths: tuple[int, ...]
    positions: Tensor
    """(N,) int64: each token's position in its own document."""

    @classmethod
    def of(cls, lengths: tuple[int, ...], device: torch.device | str = "cpu") -> "Documents":
        """Documents of the given lengths, end to end."""
        return cls(lengths, torch.cat([torch.arange(n) for n in lengths]).to(device))


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
    half = config.head_dim // 2
    exponent = torch.arange(half, device=positions.device, dtype=torch.float32) / half
    angles = positions.float()[:, None] * config.rope_theta**-exponent
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Applies RoPE to x: (heads, N, C)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    """The projections of grouped-query attention; the attention between them is `attend`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, c = config.hidden_size, config.head_dim
        self.heads, self.kv_heads, self.head_dim = config.num_attention_heads, config.num_key_value_heads, c
        self.q_proj = nn.Linear(d, self.heads * c, bias=False)
        self.k_proj = nn.Linear(d, self.kv_heads * c, bias=False)
        self.v_proj = nn.Linear(d, self.kv_heads * c, bias=False)
        self.o_proj = nn.Linear(self.heads * c, d, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (N, D) -> queries (H, N, C), keys and values (K, N, C), rotated."""
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        qkv = F.linear(x, weight).view(x.shape[0], -1, self.head_dim).transpose(0, 1)
        q, k, v = torch.split(qkv, [self.heads, self.kv_heads, self.kv_heads])
        return rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype), v


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

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], lengths: tuple[int, ...]) -> Tensor:
        """x: (N, D) -> (N, D)."""
        q, k, v = self.before(x, *rotary)
        return self.after(x, attend(q, k, v, lengths, self.window))


class Backbone(nn.Module):
    """Embeddings, layers and the last norm (the `model.` of the parameter names)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer_type) for layer_type in config.layer_types)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class CausalLM(nn.Module):
    """The whole model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal(0, 0.02); projections into the residual stream scaled by 1/sqrt(2 layers) as in GPT-2."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                scale = (2 * self.config.num_hidden_layers) ** -0.5 if into_residual else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, tokens: Tensor, documents: Documents) -> Tensor:
        """tokens: (N,) int64 -> logits (N, vocab_size), float32 or the autocast dtype."""
        return self.logits(self.hidden(tokens, documents))

    def hidden(self, tokens: Tensor, documents: Documents) -> Tensor:
        """The last normalised hidden states: (N, D)."""
        rotary = rotary_tables(self.config, documents.positions)
        x = self.model.embed_tokens(tokens)
        for layer in self.model.layers:
            x = layer(x, rotary, documents.lengths)
        out: Tensor = self.model.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden: (M, D) -> (M, vocab_size)."""
        out: Tensor = self.lm_head(hidden)
        return out

    def compile_layers(self) -> None:
        """Compiles the two halves of every layer, for streams of any length (needs a C++ compiler on CPU)."""
        for layer in self.model.layers:
            for half in ("before", "after"):
                setattr(layer, half, torch.compile(getattr(layer, half), dynamic=True))

    def num_parameters(self) -> int:
        """Trainable parameters, tied ones counted once."""
        return sum(p.numel() for p in self.parameters())
