"""`config.json` comes from outside: whatever it holds, the error is clear."""

from typing import Any

import pytest

from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import CheckpointError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.model.config import ModelConfig

GOOD = load_checkpoint(packaged_checkpoints()["tiny"]).config.to_dict()


def test_the_packaged_configuration_is_good() -> None:
    assert ModelConfig.from_dict(GOOD).to_dict() == GOOD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head_dim", 64.0),
        ("head_dim", 0),
        ("rope_theta", "x"),
        ("rope_theta", -1.0),
        ("layer_types", ["full"] * 8),
        ("vocab_size", None),
    ],
)
def test_a_field_that_cannot_be_is_named(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=name):
        ModelConfig.from_dict(GOOD | {name: value})


@pytest.mark.parametrize("values", [[], {}, None])
def test_another_shape_is_a_clear_error(values: Any) -> None:
    with pytest.raises(CheckpointError, match="config"):
        ModelConfig.from_dict(values)
