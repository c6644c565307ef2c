"""`foretrace model`: what a terminal shows, what JSON holds, and what is said when something is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from foretrace.cli.main import cli
from foretrace.cli.model_command import parse_size
from foretrace.cli.model_tables import binary_size
from foretrace.engine.load import packaged_checkpoints
from foretrace.model.checkpoint import load_checkpoint
from foretrace.model.interchange import INDEX, load_pretrained
from foretrace.model.presets import CWM_32B, PRESETS

TINY = packaged_checkpoints()["tiny"]


def model(*arguments: str | Path, width: int = 100) -> Result:
    return CliRunner().invoke(cli, ["model", *map(str, arguments)], env={"COLUMNS": str(width), "NO_COLOR": "1"})


def fails(*arguments: str | Path, code: int = 2) -> str:
    """The message of a command that fails as a user's mistake does: without a traceback."""
    result = model(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert isinstance(result.exception, SystemExit)
    return result.stderr


def read(*arguments: str | Path) -> dict[str, Any]:
    result = model(*arguments, "--json")
    assert result.exit_code == 0, result.output
    values: dict[str, Any] = json.loads(result.stdout)
    return values


@pytest.mark.parametrize("name", ["info", "convert"])
def test_every_command_has_examples(name: str) -> None:
    assert f"  foretrace model {name} " in model(name, "--help").stdout
    assert name in model("--help").stdout


# ---------------------------------------------------------------------------------------------------
# info


def test_the_published_model() -> None:
    shown = model("info", "cwm_32b", "--context", "128k", "--gpus", "64").stdout
    for words in ("32,581,097,472", "16 global, 48 within 8,192 tokens", "9.5 GiB", "296 G", "on each of 64 GPUs"):
        assert words in shown, words


def test_json_holds_all_of_it() -> None:
    found = read("info", "cwm_32b", "--context", "128k", "--gpus", "64")
    assert found["parameters"] == 32_581_097_472
    assert found["kv_bytes"] == {"8192": 2 * 2**30, "32768": int(3.5 * 2**30), "131072": int(9.5 * 2**30)}
    assert found["training"]["per_gpu"] == sum(size for name, size in found["training"].items() if name != "per_gpu")
    assert found["config"] == json.loads(json.dumps(CWM_32B.to_dict()))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("width", [80, 120])
def test_every_line_fits(name: str, width: int) -> None:
    result = model("info", name, width=width)
    assert result.exit_code == 0
    assert all(cell_len(line) <= width for line in result.stdout.splitlines())


def test_a_folder_of_either_kind(tmp_path: Path) -> None:
    assert read("info", TINY) | {"model": "tiny"} == read("info", "tiny")
    params = {"dim": 64, "n_heads": 4, "n_layers": 4, "vocab_size": 100, "multiple_of": 1, "max_seq_len": 64}
    (tmp_path / "params.json").write_text(json.dumps({"model": params}))
    assert read("info", tmp_path)["config"]["intermediate_size"] == int(2 * 4 * 64 / 3)


def test_a_preset_comes_before_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read("info", "small")["parameters"] > 25e6


def test_mistakes(tmp_path: Path) -> None:
    assert "no model shape called 'huge'; known: tiny, small, cwm_32b" in fails("info", "huge")
    assert "no folder at no/where" in fails("info", "no/where")
    assert "it is no folder of a model" in fails("info", tmp_path)
    assert "8,192 tokens is more than the 4,096 positions" in fails("info", "tiny", "--context", "8k")
    (tmp_path / "config.json").write_text('{"model_type": "gemma"}')
    assert "is of a model of type 'gemma'" in fails("info", tmp_path, code=3)
    (tmp_path / "params.json").write_text("{}")
    assert "which of the two models is meant" in fails("info", tmp_path)


# ---------------------------------------------------------------------------------------------------
# convert


def test_another_dtype_in_shards(tmp_path: Path) -> None:
    result = model("convert", TINY, tmp_path / "x", "--dtype", "bfloat16", "--max-shard", "5MB")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"6,426,880 parameters in 3 files: {tmp_path / 'x'}\n"
    assert {tensor.dtype for tensor in load_pretrained(tmp_path / "x")[1].values()} == {"bfloat16"}
    ours, packaged = load_checkpoint(tmp_path / "x"), load_checkpoint(TINY)
    assert ours.tokenizer.fingerprint == packaged.tokenizer.fingerprint
    assert all(np.allclose(ours.weights[name], weight, rtol=2**-8) for name, weight in packaged.weights.items())


def test_as_it_is_to_the_bit_with_what_belongs_to_it(tmp_path: Path) -> None:
    assert model("convert", TINY, tmp_path / "shards", "--max-shard", "1MB").exit_code == 0
    companions = {"generation_config.json": b"{}", "chat_template.jinja": b"x", "LICENSE": b"y"}
    for name, content in companions.items():
        (tmp_path / "shards" / name).write_bytes(content)
    (tmp_path / "shards/code.py").write_text("print('left behind')")
    found = read("convert", tmp_path / "shards", tmp_path / "single")
    assert found["files"] == sorted([*companions, "config.json", "model.safetensors", "tokenizer.json"])
    assert all((tmp_path / "single" / name).read_bytes() == content for name, content in companions.items())
    ours, packaged = (load_pretrained(folder)[1] for folder in (tmp_path / "single", TINY))
    assert all(np.array_equal(ours[name].read(), tensor.read()) for name, tensor in packaged.items())


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    assert "not empty; choose another folder" in fails("convert", TINY, tmp_path / "full")
    assert "no folder at" in fails("convert", tmp_path / "none", tmp_path / "x")
    assert "'5 bananas' is not a size" in fails("convert", TINY, tmp_path / "x", "--max-shard", "5 bananas")
    assert not (tmp_path / "x").exists()
    assert model("convert", TINY, tmp_path / "damaged", "--max-shard", "5MB").exit_code == 0
    (tmp_path / "damaged" / INDEX).write_text("{}")
    assert "index.json is damaged" in fails("convert", tmp_path / "damaged", tmp_path / "x", code=3)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("text", "size"), [("5GB", 5 * 10**9), ("1.5 mb", 1_500_000), ("20kb", 20_000), ("7", 7)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (1023, "1.0 KiB"), (9.5 * 2**30, "9.5 GiB"), (2**41, "2.0 TiB")])
def test_sizes_of_memory(size: float, text: str) -> None:
    assert binary_size(size) == text
