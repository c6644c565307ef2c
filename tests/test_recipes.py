"""Recipes: overrides by dotted name, and a whole run from nothing to a model that predicts."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from foretrace.engine import load, predict
from foretrace.errors import UsageError
from foretrace.recipes import load_recipe, override, run, tiny
from foretrace.recipes.run import read_forbidden

SMALL = [
    "model.hidden_size=32",
    "model.intermediate_size=48",
    "model.num_hidden_layers=2",
    "model.layer_types=('full_attention', 'sliding_attention')",
    "model.num_attention_heads=2",
    "model.num_key_value_heads=1",
    "model.head_dim=16",
    "data.shards=1",
    "data.documents_per_shard=30",
    "data.workers=1",
    "train.steps=4",
    "train.tokens_per_batch=1024",
    "train.compile=false",
    "train.save_every=2",
    "train.validate_every=1000",
]


def test_a_whole_run_from_nothing_to_a_model(tmp_path: Path) -> None:
    recipe = load_recipe("tiny", tmp_path, SMALL)
    records: list[dict[str, object]] = []
    folder = run(recipe, records.append)
    trace = predict(load(str(folder)), "def f(x):\n    return x\n", "f", "1", max_tokens=30)
    assert trace.frames[0].locals == {"x": "1"}
    shards = {f.name: f.read_bytes() for f in recipe.data.out.iterdir()}
    run(recipe, records.append)  # nothing is left to do
    assert {f.name: f.read_bytes() for f in recipe.data.out.iterdir()} == shards


def test_fields_are_overridden_by_name() -> None:
    recipe = override(tiny(), ["train.steps=7", "train.lr=1", "train.out=x/y", "train.compile=true", "forbidden=b.jsonl"])
    assert (recipe.train.steps, recipe.train.lr, recipe.train.out) == (7, 1.0, Path("x/y"))
    assert recipe.train.compile is True
    assert recipe.forbidden == Path("b.jsonl")


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("train.stesp=1", "did you mean 'steps'"),
        ("train.steps", "FIELD=VALUE"),
        ("train.steps=1.5", "wanted int"),
        ("train.steps=x", "not a value"),
        ("train=1", "a group of fields"),
        ("train.steps.more=1", "no field"),
    ],
)
def test_a_wrong_override_is_a_clear_error(setting: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        override(tiny(), [setting])


def test_forbidden_programs_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read forbidden"):
        read_forbidden(tmp_path / "none.jsonl")
