"""Recipes: overrides by dotted name, and a whole run from nothing to a model that predicts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from foretrace.engine import load, predict
from foretrace.errors import UsageError
from foretrace.forager.journal import Journal
from foretrace.forager.trajectory import Action, Ending, Header, Result, Step
from foretrace.recipes import Recipe, load_recipe, override, run
from foretrace.recipes.agents import with_agents
from foretrace.recipes.cwm_32b import cwm_32b
from foretrace.recipes.small import small
from foretrace.recipes.tiny import tiny

MINUTE = [
    "model.hidden_size=32",
    "model.intermediate_size=48",
    "model.num_hidden_layers=2",
    "model.num_attention_heads=2",
    "model.num_key_value_heads=1",
    "model.head_dim=16",
    "data.code.sources=('PROGRAMS',)",
    "data.traces.sources=('synthesised:60',)",
    "validation=0.2",
    "workers=1",
    *(
        f"{stage}.{setting}"
        for stage in ("pretrain", "midtrain", "sft")
        for setting in ("steps=2", "hardware.compile=false")
    ),
    *(f"{stage}.mixture.tokens_per_row=1280" for stage in ("pretrain", "midtrain", "sft")),
    "midtrain.samples=0",
]


@pytest.fixture
def minute(tmp_path: Path) -> Recipe:
    programs = tmp_path / "programs"
    programs.mkdir()
    for number in range(20):
        (programs / f"p{number}.py").write_text(f"def add(a):\n    return a + {number}\n" * 9)
    return load_recipe("tiny", tmp_path / "run", [s.replace("PROGRAMS", str(programs)) for s in MINUTE])


def test_a_whole_run_from_nothing_to_a_model(minute: Recipe) -> None:
    records: list[dict[str, Any]] = []
    folder = run(minute, records.append)
    assert [r["stage"] for r in records if "steps" in r] == ["pretrain", "midtrain", "sft"]
    assert {r["data"] for r in records if "data" in r} == {"code", "traces", "questions"}
    trace = predict(load(str(folder)), "def f(x):\n    return x\n", "f", "1", max_tokens=30)
    assert trace.frames[0].locals == {"x": "1"}
    shards = {f: f.stat().st_mtime_ns for f in (minute.work / "shards").rglob("*.safetensors")}
    losses = [r for r in records if "loss" in r]
    run(minute, records.append)  # nothing is left to do
    assert {f: f.stat().st_mtime_ns for f in (minute.work / "shards").rglob("*.safetensors")} == shards
    assert [r for r in records if "loss" in r] == losses


def trajectories(folder: Path, number: int) -> str:
    """A folder of them, each of a task of its own."""
    for task in range(number):
        journal = Journal.claim(folder, f"t-{task}.p.0")
        assert journal is not None
        with journal:
            journal.begin(
                Header(episode=f"t-{task}.p.0", task=f"t-{task}", policy={"name": "p"}, system="", prompt="fix it")
            )
            look = Action.call("bash", f"cat {task}.py")
            journal.append(Step(number=1, action=look, role="tool: bash", observation=f"x = {task}\n" * 20))
            journal.append(Step(number=2, action=Action(content="Done.")))
            journal.finish(Result(ending=Ending.SUBMITTED))
    return str(folder)


def test_agents_are_mixed_into_mid_training(minute: Recipe, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = []
    recipe = with_agents(minute, [trajectories(tmp_path / "episodes", 12)], share=0.5)
    run(recipe.until("midtrain"), records.append)
    assert next(r["documents"] for r in records if r.get("data") == "agents") > 0
    losses = [r for r in records if "loss_by_source" in r and "agents" in r["loss_by_source"]]
    assert losses
    assert {"action", "observation"} <= losses[-1]["loss_by_kind"].keys()


def test_agents_have_their_share_and_nobody_twice() -> None:
    before = tiny(Path("w"))
    assert before.midtrain is not None
    recipe = with_agents(with_agents(before, ["other"], 0.5), ["run"], 0.2)
    assert recipe.midtrain is not None
    weights = {source.name: source.weight for source in recipe.midtrain.mixture.sources}
    assert weights.pop("agents") == pytest.approx(0.2 * (1 + 0.25))
    assert weights == {source.name: source.weight for source in before.midtrain.mixture.sources}
    assert dict(recipe.data)["agents"].sources == ("run",)
    assert dict(recipe.data)["agents"].max_tokens == 4096, "the model's context, which is less than a row"
    large = with_agents(cwm_32b(Path("w")), ["run"]).midtrain
    assert large is not None
    [agents] = [source for source in large.mixture.sources if source.name == "agents"]
    assert agents.observation_share == 1.0, "half of them are left out already"
    with pytest.raises(UsageError, match="share of agents"):
        with_agents(before, ["run"], 1.0)
    with pytest.raises(UsageError, match="this recipe has none"):
        with_agents(replace(before, midtrain=None), ["run"])


def test_data_that_is_not_the_recipes_to_make_must_be_there(minute: Recipe) -> None:
    with pytest.raises(UsageError, match=r"no shards in .*foretrace data pack"):
        run(replace(minute, data=()), lambda record: None)


def test_stages_follow_each_other() -> None:
    recipe = tiny(Path("w"))
    assert [stage.stage for stage in recipe.stages] == ["pretrain", "midtrain", "sft"]
    assert [stage.init_from for stage in recipe.stages] == [
        None,
        Path("w/pretrain/checkpoint"),
        Path("w/midtrain/checkpoint"),
    ]
    assert [stage.stage for stage in recipe.until("midtrain").stages] == ["pretrain", "midtrain"]
    assert override(recipe, ["pretrain=none"]).stages[0].init_from is None
    with pytest.raises(UsageError, match="pretrain, midtrain, sft"):
        recipe.until("later")


def test_small_is_tiny_with_more_of_everything() -> None:
    ours, theirs = small(Path("w")), tiny(Path("w"))
    for mine, other in zip(ours.stages, theirs.stages, strict=True):
        assert mine.mixture.tokens_per_row * mine.mixture.rows_per_batch == 262_144
        assert mine.mixture.sources == other.mixture.sources


def test_short_traces_goes_on_from_tiny(tmp_path: Path) -> None:
    sources = ["data.short.sources=('short:40',)", "data.traces.sources=('synthesised:20',)"]
    rows = ["midtrain.steps=1", "midtrain.mixture.tokens_per_row=1280", "validation=0.2", "workers=1"]
    records: list[dict[str, Any]] = []
    folder = run(load_recipe("short_traces", tmp_path, [*sources, *rows]), records.append)
    assert {r["data"] for r in records if "data" in r} == {"short", "traces"}
    assert next(r["loss"] for r in records if "loss" in r) < 1, "not from nothing"
    assert predict(load(str(folder)), "def f(x):\n    return x\n", "f", "1", max_tokens=60).result == "1"


def test_cwm_has_the_papers_numbers() -> None:
    """CWM report, sections 4.2, 4.3 and 5.1."""
    recipe = cwm_32b(Path("w"))
    tokens = [s.mixture.tokens_per_row * s.mixture.rows_per_batch for s in recipe.stages]
    assert [round(t / 1e6, 1) for t in tokens] == [8.4, 33.6, 2.1]
    assert [round(t * s.steps / 1e12, 2) for t, s in zip(tokens, recipe.stages, strict=True)] == [8.0, 5.0, 0.1]
    assert [s.mixture.tokens_per_row for s in recipe.stages] == [8192, 131_072, 32_768]
    assert all(s.optimizer.name == "adamw" and s.optimizer.betas == (0.9, 0.95) for s in recipe.stages)
    assert all(s.optimizer.weight_decay == 0.1 and s.optimizer.max_grad_norm == 1.0 for s in recipe.stages)
    assert [s.schedule.kind for s in recipe.stages] == ["cosine", "cosine", "constant"]
    sft = recipe.stages[2]
    assert (sft.steps, sft.schedule.lr, sft.schedule.warmup_steps) == (50_000, 1e-5, 1000)
    assert sft.mixture.rows_of_one_source
    middle = recipe.stages[1]
    assert (middle.mixture.length_buckets, middle.horizons) == ((16_385, 65_537), (0, 32_768, 0))
    assert {s.name: s.observation_share for s in middle.mixture.sources}["agents"] == 0.5
    assert recipe.model_of(recipe.stages[0]).rope_scaling is None
    assert recipe.model_of(middle).rope_scaling is not None


def test_fields_are_overridden_by_name() -> None:
    settings = ["midtrain.steps=7", "midtrain.schedule.lr=1", "midtrain.out=x/y", "midtrain.hardware.compile=true"]
    recipe = override(tiny(), [*settings, "midtrain.mixture.sources.traces.weight=2", "data.traces.calls=3", "sft=none"])
    stage = recipe.midtrain
    assert stage is not None
    assert (stage.steps, stage.schedule.lr, stage.out) == (7, 1.0, Path("x/y"))
    assert stage.hardware.compile is True
    assert {source.name: source.weight for source in stage.mixture.sources} == {"traces": 2.0, "code": 0.15}
    assert dict(recipe.data)["traces"].calls == 3
    assert recipe.sft is None


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("midtrain.stesp=1", "did you mean 'steps'"),
        ("midtrain.steps", "FIELD=VALUE"),
        ("midtrain.steps=1.5", "wanted int"),
        ("midtrain.steps=x", "not a value"),
        ("midtrain=1", "a group of fields"),
        ("midtrain.steps.more=1", "no field"),
        ("midtrain.mixture.sources.nothing.weight=1", "code"),
        ("model=none", "a group of fields"),
    ],
)
def test_a_wrong_override_is_a_clear_error(setting: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        override(tiny(), [setting])


def test_an_unknown_recipe_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tiny, small, cwm_32b"):
        load_recipe("huge", tmp_path)
