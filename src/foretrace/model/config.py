"""Shape of the transformer, in Hugging Face's names for `CwmConfig` so that folders interchange.

Source of the architecture: CWM report (arXiv:2510.02387), section 4 and table 2.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from foretrace.errors import CheckpointError

FULL, SLIDING = "full_attention", "sliding_attention"


def alternating_layers(num_layers: int) -> tuple[str, ...]:
    """CWM's 3:1 pattern: layers 0, 4, 8, … attend globally, the others within the window."""
    return tuple(FULL if i % 4 == 0 else SLIDING for i in range(num_layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Architecture of a CWM transformer: RMSNorm, SwiGLU, GQA, RoPE, no biases, untied embeddings."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    sliding_window: int
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-5
    tie_word_embeddings: bool = False
    layer_types: tuple[str, ...] = field(default=())
    trace_dialect: str = "cwm"

    def __post_init__(self) -> None:
        # `replace(config, num_hidden_layers=…)` brings the old depth's pattern along: the pattern follows the depth
        if self.layer_types == alternating_layers(len(self.layer_types)):
            object.__setattr__(self, "layer_types", alternating_layers(self.num_hidden_layers))
        if len(self.layer_types) != self.num_hidden_layers:
            raise CheckpointError(f"{len(self.layer_types)} layer_types for {self.num_hidden_layers} layers")
        if self.num_attention_heads % self.num_key_value_heads:
            raise CheckpointError("num_attention_heads must be a multiple of num_key_value_heads")

    def check(self) -> None:
        """Checks what the type checker cannot: values from a file.

        Raises:
            CheckpointError: a field has another type, or a size is not positive.

        """
        for field_ in fields(self):
            value = getattr(self, field_.name)
            if field_.name == "layer_types":
                right = isinstance(value, tuple) and set(value) <= {FULL, SLIDING}
            elif field_.type is float:
                right = type(value) in (int, float) and 0 < value < float("inf")
            else:
                right = type(value) is field_.type and (field_.type is not int or value > 0)
            if not right:
                raise CheckpointError(f"config.json: {field_.name} cannot be {value!r}")

    def to_dict(self) -> dict[str, Any]:
        """`config.json`, readable by Hugging Face `transformers` as `CwmForCausalLM`."""
        rope = {"rope_type": "default", "rope_theta": self.rope_theta}
        ours = asdict(self) | {"layer_types": list(self.layer_types)}
        return ours | {
            "architectures": ["CwmForCausalLM"],
            "model_type": "cwm",
            "hidden_act": "silu",
            "rope_parameters": rope,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of `to_dict`; fields of other tools are ignored.

        Raises:
            CheckpointError: a field is missing or cannot be.

        """
        if not isinstance(values, dict):
            raise CheckpointError("config.json holds no object")
        chosen = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        if isinstance(chosen.get("layer_types"), list):
            chosen["layer_types"] = tuple(chosen["layer_types"])
        try:
            config = cls(**chosen)
            config.check()
            return config
        except TypeError as error:
            raise CheckpointError(f"config.json is incomplete: {error}") from error
