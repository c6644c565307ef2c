"""Folders of weights: shards, dtypes, damage, and writing that cannot finish."""

import json
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import CheckpointError
from foretrace.model.checkpoint import load_checkpoint, save_checkpoint
from foretrace.model.config import ModelConfig
from foretrace.model.interchange import INDEX, Tensors, load_pretrained, save_pretrained
from foretrace.model.shapes import EMBEDDING, HEAD, expected_shapes
from foretrace.model.tensors import StoredTensor, in_memory

CONFIG = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
    sliding_window=6,
)
SHARD = 20_000


def weights(config: ModelConfig = CONFIG, seed: int = 0) -> Tensors:
    random = np.random.default_rng(seed)
    shapes = expected_shapes(config).items()
    return {name: in_memory(random.normal(0, 1, shape).astype(np.float32)) for name, shape in shapes}


def same(ours: Tensors, theirs: Tensors) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[n].to("float32"), theirs[n].to("float32")) for n in ours)


@pytest.fixture
def single(tmp_path: Path) -> Path:
    save_pretrained(tmp_path / "single", CONFIG, weights())
    return tmp_path / "single"


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    save_pretrained(tmp_path / "sharded", CONFIG, weights(), max_shard_bytes=SHARD)
    return tmp_path / "sharded"


@pytest.mark.parametrize(("value", "dtype"), [(70_000.0, "float16"), (3.4e38, "bfloat16")])
def test_a_value_that_does_not_fit_is_an_error_that_names_the_weight(value: float, dtype: str, tmp_path: Path) -> None:
    tensors = weights() | {"model.norm.weight": in_memory(np.full(32, value, np.float32))}
    with pytest.raises(CheckpointError, match=rf"model\.norm\.weight: .* too large for {dtype}"):
        save_pretrained(tmp_path / "x", CONFIG, tensors, dtype=dtype)
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_survive_single_precision(dtype: str, tmp_path: Path) -> None:
    save_pretrained(tmp_path / "a", CONFIG, weights(), dtype=dtype)
    save_pretrained(tmp_path / "b", CONFIG, load_pretrained(tmp_path / "a")[1], dtype="float32")
    save_pretrained(tmp_path / "c", CONFIG, load_pretrained(tmp_path / "b")[1], dtype=dtype)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "c/model.safetensors").read_bytes()
    assert json.loads((tmp_path / "a/config.json").read_text())["dtype"] == dtype


def test_one_tensor_in_memory_at_a_time(tmp_path: Path) -> None:
    config = replace(CONFIG, hidden_size=512, intermediate_size=512, num_hidden_layers=30)
    shapes = expected_shapes(config).items()
    tensors = {name: StoredTensor("float32", shape, lambda s=shape: np.ones(s, np.float32)) for name, shape in shapes}  # type: ignore[misc]
    tracemalloc.start()
    save_pretrained(tmp_path / "a", config, tensors, max_shard_bytes=10_000_000)
    save_pretrained(tmp_path / "b", *load_pretrained(tmp_path / "a"), dtype="bfloat16")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = (tmp_path / "b/model.safetensors").stat().st_size
    assert size > 50_000_000
    assert peak < size / 5


# ---------------------------------------------------------------------------------------------------
# Folders


def test_shards_hold_what_one_file_holds(single: Path, sharded: Path) -> None:
    names = sorted(file.name for file in sharded.glob("*.safetensors"))
    assert names[0] == f"model-00001-of-{len(names):05}.safetensors"
    assert all((sharded / name).stat().st_size < SHARD + 2000 for name in names)
    index = json.loads((sharded / INDEX).read_text())
    assert index["metadata"]["total_size"] == sum(t.read().nbytes for t in weights().values())
    assert sorted(set(index["weight_map"].values())) == names
    assert same(load_pretrained(single)[1], load_pretrained(sharded)[1])
    assert load_pretrained(sharded)[0] == CONFIG


def test_one_model_replaces_another(sharded: Path) -> None:
    save_pretrained(sharded, CONFIG, weights(seed=1), max_shard_bytes=3 * SHARD)
    assert same(load_pretrained(sharded)[1], weights(seed=1))
    save_pretrained(sharded, CONFIG, weights(seed=2))
    assert same(load_pretrained(sharded)[1], weights(seed=2))
    assert sorted(file.name for file in sharded.iterdir()) == ["config.json", "model.safetensors"]
    save_pretrained(sharded, CONFIG, weights(seed=3), max_shard_bytes=SHARD)
    assert same(load_pretrained(sharded)[1], weights(seed=3))


def test_a_folder_can_be_written_over_itself(sharded: Path) -> None:
    save_pretrained(sharded, *load_pretrained(sharded), max_shard_bytes=SHARD // 2)
    assert same(load_pretrained(sharded)[1], weights())


def test_checkpoints_may_be_in_shards(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(packaged_checkpoints()["tiny"])
    tensors = {name: in_memory(weight) for name, weight in checkpoint.weights.items()}
    tokenizer = {"tokenizer.json": checkpoint.tokenizer.serialise()}
    save_pretrained(tmp_path / "a", checkpoint.config, tensors, max_shard_bytes=5_000_000, files=tokenizer)
    again = load_checkpoint(tmp_path / "a")
    assert all(np.array_equal(again.weights[name], weight) for name, weight in checkpoint.weights.items())
    save_checkpoint(tmp_path / "b", again.config, again.weights, again.tokenizer)
    packaged, ours = (load_pretrained(folder)[1] for folder in (packaged_checkpoints()["tiny"], tmp_path / "b"))
    assert {tensor.dtype for tensor in ours.values()} == {"float16"}
    assert same(ours, packaged)


def test_progress_counts_tensors(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    save_pretrained(
        tmp_path, CONFIG, weights(), max_shard_bytes=SHARD, progress=lambda done, wanted: seen.append((done, wanted))
    )
    total = len(expected_shapes(CONFIG))
    assert seen == [(i + 1, total) for i in range(total)]


# ---------------------------------------------------------------------------------------------------
# Weights that are not the configuration's


def resaved(folder: Path, change: Callable[[dict[str, Any]], Any], config: ModelConfig = CONFIG) -> Path:
    """A folder whose weights are not what its configuration says."""
    save_pretrained(folder, config, weights(config))
    arrays = load_file(folder / "model.safetensors")
    change(arrays)
    save_file(arrays, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("model.layers.2.mlp.up_proj.weight"), r"lacks the weight model\.layers\.2\.mlp\.up_proj"),
        (lambda w: w.update(odd=np.ones(1, np.float32)), "does not know: odd"),
        (lambda w: w.update({"model.norm.weight": np.ones(31, np.float32)}), r"model\.norm\.weight has shape \(31,\)"),
        (lambda w: w.update({"model.norm.weight": np.ones(32, np.int32)}), r"model\.norm\.weight has dtype I32"),
        (lambda w: w.pop(HEAD), "lacks the weight lm_head"),
    ],
)
def test_other_weights_are_a_clear_error(change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(resaved(tmp_path, change))


def test_frequencies_of_old_llama_folders_are_no_weights(tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    assert name not in load_pretrained(resaved(tmp_path, lambda w: w.update({name: np.ones(4, np.float32)})))[1]


def test_tied_embeddings_are_stored_once_and_may_be_there_twice(tmp_path: Path) -> None:
    tied = replace(CONFIG, tie_word_embeddings=True)
    assert HEAD not in load_file(resaved(tmp_path / "a", lambda w: None, tied) / "model.safetensors")
    same_twice = resaved(tmp_path / "b", lambda w: w.update({HEAD: w[EMBEDDING]}), tied)
    assert HEAD not in load_pretrained(same_twice)[1]
    with pytest.raises(CheckpointError, match="ties the embeddings, but lm_head"):
        load_pretrained(resaved(tmp_path / "c", lambda w: w.update({HEAD: w[EMBEDDING] + 1}), tied))


# ---------------------------------------------------------------------------------------------------
# Damage


def test_a_missing_shard(sharded: Path) -> None:
    (sharded / sorted(sharded.glob("*.safetensors"))[1]).unlink()
    with pytest.raises(CheckpointError, match=r"lacks model-00002-of-\d+\.safetensors, 1 of \d+ shards"):
        load_pretrained(sharded)


def test_a_shard_too_many(sharded: Path) -> None:
    (sharded / "model-00099-of-00099.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="does not name: model-00099"):
        load_pretrained(sharded)


def test_shards_of_two_models(sharded: Path) -> None:
    first, second, *_ = sorted(sharded.glob("*.safetensors"))
    first.write_bytes(second.read_bytes())
    with pytest.raises(CheckpointError, match=r"belongs to another model\.safetensors\.index\.json"):
        load_pretrained(sharded)


def test_two_models_in_one_folder(single: Path, sharded: Path) -> None:
    (sharded / "model.safetensors").write_bytes((single / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="holds two models"):
        load_pretrained(sharded)


@pytest.mark.parametrize("places", [{EMBEDDING: "../x"}, {EMBEDDING: 5}, [], None])
def test_an_index_that_points_elsewhere(sharded: Path, places: Any) -> None:
    (sharded / INDEX).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(CheckpointError, match=r"index\.json is damaged"):
        load_pretrained(sharded)


@pytest.mark.parametrize("name", ["config.json", INDEX])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_damaged_json(sharded: Path, name: str, content: bytes) -> None:
    (sharded / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_pretrained(sharded)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file(single: Path, name: str) -> None:
    (single / name).unlink()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_pretrained(single)


def test_any_cut_is_noticed_before_anything_is_read(single: Path) -> None:
    file = single / "model.safetensors"
    content = file.read_bytes()
    for keep in (0, 1, 7, 8, 9, 100, 2000, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:keep])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
            load_pretrained(single)
    file.write_bytes(content + b"\0")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_pretrained(single)


def test_a_file_that_shrinks_while_it_is_read(single: Path) -> None:
    _, tensors = load_pretrained(single)
    file = single / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="was cut short while"):
        tensors[HEAD].read()


# ---------------------------------------------------------------------------------------------------
# Writing that cannot finish


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 30 kB: as on a full disk, some are written and one is not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_model_that_was_there(tmp_path: Path) -> None:
    save_pretrained(tmp_path, CONFIG, weights(), max_shard_bytes=SHARD)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=r"cannot write .* what it held before is whole"), small_files():
        save_pretrained(tmp_path, CONFIG, weights(seed=1), max_shard_bytes=2 * SHARD)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_too_little_space_is_noticed_first(tmp_path: Path) -> None:
    config = replace(CONFIG, vocab_size=10**9, hidden_size=10**6)
    tensors = {name: StoredTensor("float32", shape, lambda: np.ones(0)) for name, shape in expected_shapes(config).items()}
    with pytest.raises(CheckpointError, match="GB are free"):
        save_pretrained(tmp_path, config, tensors)


class KilledError(Exception):
    """Stands for a process that ends here."""


def test_a_killed_process_leaves_the_model_that_was_there(sharded: Path) -> None:
    def kill(done: int, wanted: int) -> None:
        (sharded / "model-00001-of-00077.safetensors.tmp").write_bytes(b"left by an earlier one")
        raise KilledError

    with pytest.raises(KilledError):
        save_pretrained(sharded, CONFIG, weights(seed=1), progress=kill)
    assert same(load_pretrained(sharded)[1], weights())
    save_pretrained(sharded, CONFIG, weights(seed=1))
    assert not list(sharded.glob("*.tmp"))


def test_wrong_weights_are_not_written(tmp_path: Path) -> None:
    tensors = weights()
    del tensors[HEAD]
    with pytest.raises(CheckpointError, match="lm_head"):
        save_pretrained(tmp_path / "x", CONFIG, tensors)
    assert not (tmp_path / "x").exists()
