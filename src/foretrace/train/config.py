"""What a training run is: data, length, optimiser, hardware. Every field can be overridden by its dotted name."""

from dataclasses import dataclass, field
from pathlib import Path

from foretrace.data.mixture import Mixture
from foretrace.errors import UsageError
from foretrace.train.schedule import Schedule
from foretrace.train.views import CUTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """How gradients become updates."""

    name: str = "adamw"
    """`adamw` for everything, or `muon` for the layers' matrices and AdamW for the rest."""
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What computes, and how."""

    device: str = "auto"
    """`auto` takes a CUDA GPU if there is one."""
    dtype: str = "auto"
    """`auto` computes in bfloat16 where the hardware does, else in float32; master weights are float32."""
    attention: str = "auto"
    """A backend of `foretrace.model.attention`; `auto` takes the fastest."""
    compile: bool = False
    """Fuse the layers with torch.compile; pays after some minutes, needs a C++ compiler on CPU."""
    recompute: bool = False
    """Activation checkpointing: a third more computation for a fraction of the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """How processes started by `torchrun` share a run; their number is `data * context * tensor`."""

    data: int = 0
    """Ranks that share parameters, moments and rows (FSDP2); 0: all that the others leave."""
    context: int = 1
    """Ranks that share the tokens of a row."""
    tensor: int = 1
    """Ranks that share every matrix."""
    reshard: bool = True
    """Give gathered weights back after each use, and share out gradients after each row: the least memory. Without
    it both stay whole until a step ends: the least communication, where a GPU has room for 6 more bytes a
    parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jepa:
    """The LLM-JEPA objective (arXiv:2509.14252) on traces, beside next-token prediction; see `docs/jepa.md`."""

    views: str = "call-result"
    """What is paired: a way to cut views of `foretrace.train.views`."""
    weight: float = 1.0
    """Of the term in the loss (lambda in the paper). With dropout it acts in a share of the steps only."""
    predictors: int = 1
    """`[PRED]` tokens after the view that predicts (k in the paper); 0: its embedding is the prediction."""
    predictor_ids: tuple[int, ...] = ()
    """Their ids, for tokenizers without `<|predictor_1|>`: ids that they keep in reserve."""
    dropout: float = 0.0
    """Share of the steps that go without the term and its views (alpha in the paper)."""
    pairs_per_document: int = 2
    """At most; drawn anew whenever the document comes."""
    max_tokens: int = 512
    """Of a view; pairs with a longer one are left out."""

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            UsageError: one of them makes no sense.

        """
        if self.views not in CUTS:
            raise UsageError(f"jepa: no views called {self.views!r}; known: {', '.join(CUTS)}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"jepa: a dropout of {self.dropout} is not in [0, 1); set jepa to None to train without")
        for name, least in (("weight", 0), ("predictors", 0), ("pairs_per_document", 1), ("max_tokens", 1)):
            if not getattr(self, name) >= least:
                raise UsageError(f"jepa: {name} is {getattr(self, name)}, and must be at least {least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One stage of training."""

    mixture: Mixture
    out: Path
    """Folder of the run."""
    steps: int
    stage: str = "train"
    """Name of the stage, for the records."""
    schedule: Schedule = field(default_factory=Schedule)
    optimizer: Optimizer = field(default_factory=Optimizer)
    hardware: Hardware = field(default_factory=Hardware)
    parallel: Parallel = field(default_factory=Parallel)
    jepa: Jepa | None = None
    """A further term of the loss."""
    horizons: tuple[int, ...] = ()
    """Of each length bucket: keys that a token sees on a global layer at most; 0: all. CWM caps the middle one
    (report, section 4.3)."""
    validation: Path | None = None
    """Folder of held-out shards."""
    init_from: Path | None = None
    """A checkpoint folder whose weights to start from, or a run's `state` folder: then its optimiser's moments,
    too."""
    seed: int = 0
    log_every: int = 10
    save_every: int = 200
    validate_every: int = 200
    samples: int = 0
    """Held-out documents that are predicted at every validation, and shown."""
    sinks: tuple[str, ...] = ()
    """Where records go besides `metrics.jsonl`: tensorboard, trackio, wandb."""

    def __post_init__(self) -> None:
        """Checks that the parts fit.

        Raises:
            UsageError: they do not.

        """
        if self.jepa is not None and self.mixture.pad_rows:
            raise UsageError("jepa puts views behind each row, so rows have no fixed length: unset mixture.pad_rows")
        if self.jepa is not None and self.parallel.context > 1:
            raise UsageError("jepa needs the whole row on each rank: set parallel.context=1")
