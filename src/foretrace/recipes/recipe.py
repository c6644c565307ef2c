"""What a whole run is: data, tokenizer, model and up to three stages of training."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.model.config import ModelConfig
from foretrace.train.config import TrainConfig

STAGES = ("pretrain", "midtrain", "sft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One source of tokens, made before training where its shards are missing."""

    sources: tuple[str, ...]
    """Of traces and questions: what `foretrace data make` takes; of examples: `short:COUNT`; of agents: runs of
    `foretrace forage`; of text: files and folders, `stdlib` being the interpreter's own library."""
    kind: str = "traces"
    """`traces`; `questions` about the traces of the part called `of`; `examples`, of which a function is to be found;
    `agents`, trajectories; or `text`."""
    of: str = ""
    calls: int = 8
    """Argument lists of a function at most."""
    max_tokens: int = 0
    """Longer documents are left out; 0: none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole run. Folders: `work/datasets`, `work/shards`, and one of each stage."""

    work: Path
    model: ModelConfig
    data: tuple[tuple[str, Data], ...] = ()
    """What is made, by name; a stage's sources name their shards. Sources that stand in no part must be there
    already."""
    tokenizer: Path | None = None
    """A folder with a tokenizer; without one a small one is trained, with `model.vocab_size` ids."""
    pretrain: TrainConfig | None = None
    midtrain: TrainConfig | None = None
    sft: TrainConfig | None = None
    benchmarks: tuple[str, ...] = ()
    """Files of benchmarks whose programs no training program may resemble."""
    validation: float = 0.01
    """Share of programs, texts and questions that are held out, in a folder beside each one's shards."""
    workers: int = 2
    """Processes that make data."""

    @property
    def stages(self) -> list[TrainConfig]:
        """Those that there are, each beginning where the one before ends."""
        found: list[TrainConfig] = []
        for stage in (self.pretrain, self.midtrain, self.sft):
            if stage is None:
                continue
            if found and stage.init_from is None:
                stage = replace(stage, init_from=found[-1].out / "checkpoint")
            found.append(stage)
        return found

    def model_of(self, stage: TrainConfig) -> ModelConfig:
        """The model in a stage: RoPE is scaled from mid-training on (CWM report, section 4)."""
        return replace(self.model, rope_scaling=None) if stage.stage == "pretrain" else self.model

    def until(self, name: str) -> "Recipe":
        """The recipe up to and with the stage called `name`.

        Raises:
            UsageError: it has none.

        """
        if name not in STAGES or getattr(self, name) is None:
            known = ", ".join(stage for stage in STAGES if getattr(self, stage) is not None)
            raise UsageError(f"the recipe has no stage {name!r}; it has {known}")
        dropped: dict[str, Any] = dict.fromkeys(STAGES[STAGES.index(name) + 1 :])
        return replace(self, **dropped)


def shards(work: Path, name: str) -> Path:
    """The folder of the shards called `name`."""
    return work / "shards" / name
