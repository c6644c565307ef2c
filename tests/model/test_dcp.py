"""Folders of `torch.distributed.checkpoint`: in pieces of several processes, damaged, or meaning harm."""

import os
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from release import in_metas_layout, random_model, write
from torch import Tensor

from foretrace.errors import CheckpointError
from foretrace.model.dcp import open_dcp
from foretrace.model.loading import from_torch, to_torch
from foretrace.model.transformer import CausalLM


@pytest.fixture(scope="module")
def model() -> CausalLM:
    return random_model()


@pytest.fixture
def folder(model: CausalLM, tmp_path: Path) -> Path:
    return write(tmp_path / "release", in_metas_layout(model))


class Harm:
    """Unpickled in the usual way, it runs a program."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.system, (f"touch {self.mark}",)


def test_metadata_run_nothing(folder: Path, tmp_path: Path) -> None:
    metadata = pickle.loads((folder / ".metadata").read_bytes())
    metadata.planner_data = Harm(tmp_path / "harmed")
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(CheckpointError, match=r"asks to run (posix|nt)\.system"):
        open_dcp(folder)
    assert not (tmp_path / "harmed").exists()
    pickle.loads((folder / ".metadata").read_bytes())
    assert (tmp_path / "harmed").exists(), "the file does no harm to anyone: this test shows nothing"


@pytest.mark.parametrize(
    "name", ["builtins.getattr", "torch.load", "torch._dynamo", "torch.storage._load_from_bytes", "os.path"]
)
def test_names_that_are_not_on_the_list(name: str, tmp_path: Path) -> None:
    module, _, attribute = name.rpartition(".")
    (tmp_path / ".metadata").write_bytes(f"c{module}\n{attribute}\n.".encode())
    with pytest.raises(CheckpointError, match=f"asks to run {name}"):
        open_dcp(tmp_path)


def test_pieces_run_nothing(folder: Path, tmp_path: Path) -> None:
    harm = pickle.dumps(Harm(tmp_path / "harmed"))
    pieces = folder / "__0_0.distcp"
    pieces.write_bytes(harm.ljust(pieces.stat().st_size, b"\0"))
    for tensor in open_dcp(folder).values():
        with pytest.raises(CheckpointError, match="distcp is damaged"):
            tensor.read()
    assert not (tmp_path / "harmed").exists()


def test_a_path_of_another_library_is_harmless(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release was written by way of `upath`, which nobody needs in order to read it."""
    library = ModuleType("upath.core")
    library.UPath = type("UPath", (), {"__module__": "upath.core", "__qualname__": "UPath"})  # type: ignore[attr-defined]

    def change(metadata: Any) -> None:
        metadata.storage_meta.checkpoint_id = library.UPath()

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "upath", ModuleType("upath"))
        patch.setitem(sys.modules, "upath.core", library)
        rewritten(folder, change)
    assert b"upath.core" in (folder / ".metadata").read_bytes()
    assert len(open_dcp(folder)) == len(in_metas_layout(random_model()))


@pytest.mark.parametrize("keep", [0, 1, 40, 0.5, 0.99])
def test_metadata_cut_short(folder: Path, keep: float) -> None:
    content = (folder / ".metadata").read_bytes()
    (folder / ".metadata").write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(CheckpointError, match=r"\.metadata is damaged"):
        open_dcp(folder)


def test_a_missing_and_a_short_file(folder: Path) -> None:
    pieces = folder / "__0_0.distcp"
    content = pieces.read_bytes()
    pieces.write_bytes(content[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        open_dcp(folder)
    pieces.unlink()
    with pytest.raises(CheckpointError, match=r"lacks __0_0\.distcp"):
        open_dcp(folder)
    (folder / ".metadata").unlink()
    with pytest.raises(CheckpointError, match=r"lacks \.metadata"):
        open_dcp(folder)


def rewritten(folder: Path, change: Callable[[Any], None]) -> None:
    metadata = pickle.loads((folder / ".metadata").read_bytes())
    change(metadata)
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))


def test_pieces_outside_the_folder(folder: Path) -> None:
    def outside(metadata: Any) -> None:
        for place in metadata.storage_data.values():
            place.relative_path = "../" + place.relative_path

    rewritten(folder, outside)
    with pytest.raises(CheckpointError, match="not a file of this folder"):
        open_dcp(folder)


def hole(entry: Any) -> None:
    entry.chunks[0].sizes = torch.Size([31])


def overlap(entry: Any) -> None:
    entry.chunks[0].sizes = torch.Size([16])
    entry.chunks *= 2


def excess(entry: Any) -> None:
    entry.size = torch.Size([16, 2])


@pytest.mark.parametrize("change", [hole, overlap, excess])
def test_pieces_that_do_not_make_up_a_tensor(folder: Path, change: Callable[[Any], None]) -> None:
    rewritten(folder, lambda metadata: change(metadata.state_dict_metadata["model.norm.weight"]))
    with pytest.raises(CheckpointError, match=r"\.metadata is damaged"):
        open_dcp(folder)


def _save_part(rank: int, folder: Path, weights: dict[str, Tensor], port: int) -> None:
    import torch.distributed as dist
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    placements = {"wo": Shard(1), "w2": Shard(1), "norm": Replicate()}
    spread = {
        name: distribute_tensor(weight, mesh, [placements.get(name.split(".")[-2], Shard(0))])
        for name, weight in weights.items()
    }
    dcp.save({"model": spread}, checkpoint_id=folder)
    dist.destroy_process_group()


def test_weights_in_pieces_of_two_processes(model: CausalLM, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    weights = {name: weight.detach() for name, weight in in_metas_layout(model).items()}
    mp.spawn(_save_part, (tmp_path, weights, port), nprocs=2)
    assert len(list(tmp_path.glob("*.distcp"))) == 2
    found = open_dcp(tmp_path)
    assert found.keys() == {f"model.{name}" for name in weights}
    for name, weight in weights.items():
        assert torch.equal(to_torch(found[f"model.{name}"]), weight), name


def test_a_weight_survives_the_way_to_numpy_and_back() -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        weight = torch.randn(3, 4).to(dtype)
        assert torch.equal(to_torch(from_torch(weight)), weight)
