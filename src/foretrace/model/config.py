"""Shape of the transformer, in Hugging Face's names for `CwmConfig` so that folders interchange.

A `config.json` is either understood whole or refused: nothing that would change what the model computes is ignored.

    config = ModelConfig.from_dict(json.loads(text));  json.dumps(config.to_dict())

Source of the architecture: CWM report (arXiv:2510.02387), section 4 and table 2.
"""

from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

from foretrace.errors import CheckpointError

FULL, SLIDING = "full_attention", "sliding_attention"
_TOKEN_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def alternating_layers(num_layers: int) -> tuple[str, ...]:
    """CWM's 3:1 pattern: layers 0, 4, 8, … attend globally, the others within the window."""
    return tuple(FULL if i % 4 == 0 else SLIDING for i in range(num_layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeScaling:
    """Slower rotation of the long wavelengths of RoPE, for contexts longer than the model was first trained on.

    Hugging Face's `rope_type: llama3`: a wavelength of more than `original_max_position_embeddings / low_freq_factor`
    positions becomes `factor` times longer, one of fewer than `original_max_position_embeddings / high_freq_factor` stays,
    and those between are interpolated. Source: CWM report (arXiv:2510.02387), section 4, after Llama 3.1.

    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (_is_size(value) if field.type is int else _is_positive(value)):
                raise CheckpointError(f"the model's {field.name} of RoPE cannot be {value!r}")
        if self.low_freq_factor >= self.high_freq_factor:
            raise CheckpointError("the model's low_freq_factor of RoPE must be less than its high_freq_factor")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Architecture of a CWM transformer: RMSNorm, SwiGLU, GQA, RoPE, no biases.

    Raises:
        CheckpointError: a field has another type (values come from files), a size is not positive, or two do not fit.

    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    sliding_window: int
    """Tokens that a token on a sliding layer sees, itself included; without sliding layers it means nothing."""
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    rms_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    """Standard deviation of initial weights."""
    tie_word_embeddings: bool = False
    layer_types: tuple[str, ...] = ()
    """`FULL` or `SLIDING` for each layer; CWM's pattern unless given."""
    bos_token_id: int | None = None
    eos_token_id: int | tuple[int, ...] | None = None
    """The token, or any of the tokens, that end a text."""
    pad_token_id: int | None = None
    trace_dialect: str = "cwm"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not _is_valid(field.name, field.type, value):
                raise CheckpointError(f"the model's {field.name} cannot be {value!r}")
        # `replace(config, num_hidden_layers=…)` brings the old depth's pattern along: the pattern follows the depth
        if self.layer_types == alternating_layers(len(self.layer_types)):
            object.__setattr__(self, "layer_types", alternating_layers(self.num_hidden_layers))
        if len(self.layer_types) != self.num_hidden_layers:
            raise CheckpointError(f"{len(self.layer_types)} layer_types for {self.num_hidden_layers} layers")
        if self.num_attention_heads % self.num_key_value_heads:
            raise CheckpointError("num_attention_heads must be a multiple of num_key_value_heads")
        if self.head_dim % 2:
            raise CheckpointError(f"head_dim cannot be {self.head_dim}: RoPE rotates pairs of dimensions")

    def to_dict(self) -> dict[str, Any]:
        """`config.json`, readable by Hugging Face `transformers` as `CwmForCausalLM`.

        A token id that is None is left out. `transformers` then takes that of the published 32B model.
        """
        ours = asdict(self)
        theta, scaling = ours.pop("rope_theta"), ours.pop("rope_scaling")
        kind = {"rope_type": "llama3"} | scaling if scaling else {"rope_type": "default"}
        absent = [name for name in _TOKEN_IDS if ours[name] is None]
        ours |= {name: list(value) for name, value in ours.items() if isinstance(value, tuple)}
        return {name: value for name, value in ours.items() if name not in absent} | {
            "architectures": ["CwmForCausalLM"],
            "model_type": "cwm",
            "hidden_act": "silu",
            "rope_parameters": kind | {"rope_theta": theta},
        }

    @classmethod
    def from_dict(cls, values: Any) -> "ModelConfig":
        """The inverse of `to_dict`; also takes what `transformers` writes for `cwm` and `llama`, version 4 or 5.

        A `cwm` without `layer_types` has CWM's pattern; a `llama` without them attends globally on every layer, as in
        `transformers`. Fields that do not change what the model computes are ignored.

        Raises:
            CheckpointError: a field is missing or cannot be, or asks for something that this model does not do.

        """
        if not isinstance(values, dict):
            raise CheckpointError("config.json holds no object")
        _refuse_others(values)
        names = {field.name for field in fields(cls)} - {"rope_theta", "rope_scaling"}
        given = _assumed(values) | {n: values[n] for n in names if values.get(n) is not None}
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        theta, scaling = _read_rope(values)
        try:
            config = cls(**given, rope_theta=theta, rope_scaling=scaling)
        except TypeError as error:
            raise CheckpointError(f"config.json is incomplete: {error}") from error
        if config.layer_types != given["layer_types"]:
            raise CheckpointError(
                f"config.json: {len(given['layer_types'])} layer_types for {config.num_hidden_layers} layers"
            )
        return config


# ---------------------------------------------------------------------------------------------------
# What others write in config.json

_UNCHANGED: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("silu", "swish"),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "attention_dropout": (0,),
    "partial_rotary_factor": (1, None),
    "quantization_config": (None,),
}
"""Values with which a field that we do not have changes nothing; the first is assumed where it is absent."""
_PUBLISHED_SCALING = {
    "rope_type": "llama3",
    "factor": 16.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
_ASSUMED_ROPE: dict[str, tuple[float, dict[str, Any]]] = {"cwm": (1e6, _PUBLISHED_SCALING), "llama": (1e4, {})}
"""For each model type: theta where none is given, and the rest where nothing at all is said of RoPE."""


def _refuse_others(values: dict[str, Any]) -> None:
    """Refuses what this model does not compute."""
    kind = values.get("model_type")
    if kind not in _ASSUMED_ROPE:
        raise CheckpointError(f"config.json is of a model of type {kind!r}; this one can be 'cwm' or 'llama'")
    for architecture in values.get("architectures") or ():
        if architecture not in ("CwmForCausalLM", "LlamaForCausalLM"):
            raise CheckpointError(f"config.json is of a {architecture}; wanted CwmForCausalLM or LlamaForCausalLM")
    for name, allowed in _UNCHANGED.items():
        if values.get(name, allowed[0]) not in allowed:
            raise CheckpointError(
                f"config.json: {name} is {values[name]!r}, which this model does not do; wanted {allowed[0]!r}"
            )
    if kind == "llama" and values.get("sliding_window") is not None and values.get("layer_types") is None:
        raise CheckpointError(
            "config.json is of a llama with a sliding_window, but does not say which layers have it: add layer_types, "
            f"such as {FULL!r} for layers 0, 4, 8, … and {SLIDING!r} for the others, which is CWM's pattern"
        )


def _assumed(values: dict[str, Any]) -> dict[str, Any]:
    """What `transformers` assumes of fields that are absent or null, as far as it can be told from the others."""
    layers, heads, width = (_size(values, name) for name in ("num_hidden_layers", "num_attention_heads", "hidden_size"))
    if values["model_type"] == "cwm":
        return {"layer_types": alternating_layers(layers)}
    positions = values.get("max_position_embeddings", 2048)
    return {
        "layer_types": (FULL,) * layers,
        "num_key_value_heads": heads,
        "head_dim": width // heads,
        "max_position_embeddings": positions,
        "sliding_window": positions,
        "rms_norm_eps": 1e-6,
        **{name: token for name, token in (("bos_token_id", 1), ("eos_token_id", 2)) if name not in values},
    }


def _size(values: dict[str, Any], name: str) -> int:
    value = values.get(name)
    if not (isinstance(value, int) and _is_size(value)):
        raise CheckpointError(f"config.json: {name} cannot be {value!r}")
    return value


def _read_rope(values: dict[str, Any]) -> tuple[float, RopeScaling | None]:
    """Theta and scaling, from `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (before)."""
    theta, rest = _ASSUMED_ROPE[values["model_type"]]
    found = [values[name] for name in ("rope_parameters", "rope_scaling") if values.get(name)]
    if not all(isinstance(each, dict) and each == found[0] for each in found):
        raise CheckpointError(
            "config.json: rope_parameters and rope_scaling must be objects, and the same if both are there"
        )
    rope = dict(found[0]) if found else {} if values.get("rope_theta") else dict(rest)
    thetas = [each["rope_theta"] for each in (rope, values) if each.get("rope_theta") is not None] or [theta]
    if any(each != thetas[0] for each in thetas):
        raise CheckpointError(
            f"config.json has two values of rope_theta, {thetas[0]!r} and {thetas[1]!r}; remove the wrong one"
        )
    rope.pop("rope_theta", None)
    old_name = rope.pop("type", "default")
    kind = rope.pop("rope_type", old_name)
    if rope.pop("partial_rotary_factor", None) not in _UNCHANGED["partial_rotary_factor"]:
        raise CheckpointError(
            "config.json: RoPE turns only some dimensions (partial_rotary_factor), which this model does not do"
        )
    wanted = {field.name for field in fields(RopeScaling)} if kind == "llama3" else set()
    if kind not in ("default", "llama3") or rope.keys() != wanted:
        asked = {"rope_type": kind, **rope}
        raise CheckpointError(
            f"config.json asks for RoPE as {asked}; this model does 'default', and 'llama3' with {sorted(wanted)}"
        )
    return thetas[0], RopeScaling(**rope) if rope else None


def _is_valid(name: str, kind: Any, value: Any) -> bool:
    if name == "layer_types":
        return isinstance(value, tuple) and set(value) <= {FULL, SLIDING}
    if name in _TOKEN_IDS:
        several = value if isinstance(value, tuple) and name == "eos_token_id" else (value,)
        return value is None or (len(several) > 0 and all(type(i) is int and i >= 0 for i in several))
    if name == "rope_scaling":
        return value is None or isinstance(value, RopeScaling)
    if kind is float:
        return _is_positive(value)
    return _is_size(value) if kind is int else type(value) is kind


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value) and value > 0
