"""Packing again, elsewhere, and after a crash: every document is there once, and the rest is refused."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from shard_contents import PACKAGED, TOKENIZER, documents, job, packed, small_units  # noqa: F401

from foretrace.corpus import synthesise
from foretrace.data import units
from foretrace.data.build import BuildConfig, build
from foretrace.data.ledger import Record
from foretrace.data.pack import PackJob, pack
from foretrace.data.shards import shard_files
from foretrace.errors import PipelineError, UsageError


@pytest.mark.usefixtures("small_units")
def test_a_second_run_has_nothing_to_do_and_other_options_are_refused(
    make_dataset: Callable[..., Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    first = job(tmp_path, make_dataset(rows[:8]), validation=0.2)
    record = pack(first, TOKENIZER)
    files = {file: file.stat().st_mtime_ns for file in first.out.iterdir()}
    calls: list[Any] = []
    assert pack(first, TOKENIZER, progress=lambda *what: calls.append(what)) == record
    assert not calls
    assert {file: file.stat().st_mtime_ns for file in first.out.iterdir()} == files
    for other in (replace(first, max_tokens=99), replace(first, context=True), replace(first, validation=0.1)):
        with pytest.raises(UsageError, match=r"others than these: (max_tokens|context|validation);"):
            pack(other, TOKENIZER)
    with pytest.raises(UsageError, match="others than these: tokenizer;"):
        pack(first, PACKAGED)
    make_dataset(rows[:9])
    with pytest.raises(UsageError, match="others than these: sources;"):
        pack(first, TOKENIZER)
    with pytest.raises(UsageError, match="something else already"):
        pack(replace(first, out=first.sources[0]), TOKENIZER)


@pytest.mark.usefixtures("small_units")
def test_parts_are_together_the_whole(dataset_folder: Path, tmp_path: Path) -> None:
    whole = job(tmp_path, dataset_folder, validation=0.2)
    record = pack(whole, TOKENIZER)
    total = Record()
    for number in (3, 1, 2):
        total.add(pack(replace(whole, out=tmp_path / "parts", part=(number, 3)), TOKENIZER))
    assert packed(tmp_path / "parts") == packed(whole.out)
    assert packed(tmp_path / "parts-validation") == packed(tmp_path / "shards-validation")
    assert total == record


RUN = """
import sys
from pathlib import Path
from foretrace.data import units
from foretrace.data.pack import PackJob, pack
from foretrace.data.tokenizer import Tokenizer
units._ROWS, units._BYTES = (2, 2), (300, 300)
if __name__ == "__main__":
    job = PackJob(sources=(Path(sys.argv[1]),), out=Path(sys.argv[2]), validation=0.2)
    pack(job, Tokenizer.load(Path(sys.argv[3])), workers=int(sys.argv[4]))
"""


def test_what_is_killed_goes_on_and_loses_and_doubles_nothing(
    dataset_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, tokenizer = tmp_path / "run.py", tmp_path / "tokenizer.json"
    script.write_text(RUN)
    TOKENIZER.save(tokenizer)
    monkeypatch.setattr(units, "_ROWS", (2, 2))
    whole = job(tmp_path, dataset_folder, validation=0.2)
    record = pack(whole, TOKENIZER)
    draw, out, halfway = random.Random(1), tmp_path / "killed", 0

    def done() -> int:
        return len(list(out.glob("[0-9]*.json")))

    for _ in range(6):
        before = done()
        process = subprocess.Popen([sys.executable, script, dataset_folder, out, tokenizer, "1"])
        while process.poll() is None and done() == before:
            time.sleep(0.001)
        time.sleep(draw.uniform(0.0, 0.01))
        process.send_signal(signal.SIGKILL)
        process.wait()
        halfway += process.returncode == -signal.SIGKILL and before < done() < len(packed(whole.out))
    (out / ".00001.safetensors.77").write_bytes(b"half")
    again = replace(whole, out=out)
    assert pack(again, TOKENIZER) == record
    assert packed(out) == packed(whole.out)
    assert packed(tmp_path / "killed-validation") == packed(tmp_path / "shards-validation")
    assert not list(out.glob(".*"))
    assert halfway


def test_processes_give_the_same_as_one(dataset_folder: Path, tmp_path: Path) -> None:
    whole = PackJob(sources=(dataset_folder,), out=tmp_path / "one", validation=0.2)
    record = pack(whole, TOKENIZER, workers=1)
    seen: list[tuple[int, int]] = []
    told = pack(
        replace(whole, out=tmp_path / "two"),
        TOKENIZER,
        workers=2,
        progress=lambda done, all_, made: seen.append((done, all_)),
    )
    assert told == record
    assert packed(tmp_path / "two") == packed(tmp_path / "one")
    assert seen == [(1, 2), (2, 2)]


FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


@pytest.mark.usefixtures("small_units")
def test_a_disk_that_is_full_is_a_clear_error_and_leaves_whole_shards(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("word " * 20_000)
    (tmp_path / "small.txt").write_text("word " * 100)
    script = tmp_path / "run.py"
    script.write_text(FULL + RUN.replace("(Path(sys.argv[1]),)", "tuple(map(Path, sys.argv[1].split(',')))"))
    TOKENIZER.save(tmp_path / "tokenizer.json")
    sources = f"{tmp_path / 'small.txt'},{tmp_path / 'big.txt'}"
    run = subprocess.run(
        [sys.executable, script, sources, tmp_path / "out", tmp_path / "tokenizer.json", "1"], capture_output=True, text=True
    )
    assert "PipelineError: cannot write the shard" in run.stderr
    assert [file.name for file in shard_files(tmp_path / "out")] == ["00000.safetensors"]
    assert not list((tmp_path / "out").glob(".*"))
    both = tuple(tmp_path / name for name in ("small.txt", "big.txt"))
    assert pack(PackJob(sources=both, out=tmp_path / "out", validation=0.2), TOKENIZER).documents == 2


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="cannot write"):
        pack(PackJob(sources=(tmp_path / "a.txt",), out=tmp_path / "file" / "out"), TOKENIZER)


# ---------------------------------------------------------------------------------------------------
# The synthesiser's own way


def test_built_shards_go_on_and_refuse_other_settings(tmp_path: Path) -> None:
    config = BuildConfig(out=tmp_path / "built", shards=2, documents_per_shard=10, workers=1)
    counts = build(config, TOKENIZER)
    assert counts["kept"] == 20
    assert counts["tokens"] == sum(len(tokens) for tokens, _ in documents(config.out))
    first = packed(config.out)
    shutil.copytree(config.out, tmp_path / "more")
    os.unlink(tmp_path / "more" / "00000.json")
    assert build(replace(config, out=tmp_path / "more", shards=3), TOKENIZER)["kept"] == 30
    assert {name: shard for name, shard in packed(tmp_path / "more").items() if name in first} == first
    with pytest.raises(UsageError, match="others than these: max_events;"):
        build(replace(config, max_events=3), TOKENIZER)
    forbidden = (synthesise(0).source,)
    assert build(replace(config, out=tmp_path / "clean", shards=1, forbidden=forbidden), TOKENIZER)["contaminated"] == 1
