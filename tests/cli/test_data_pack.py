"""`foretrace data pack`: from sources to shards, as a user has it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("pyarrow")

from foretrace.cli.main import cli
from foretrace.data.shards import read_info, shard_files

CHAT = {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hi."}]}


def pack(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["data", "pack", *map(str, arguments), "--workers", "1"], env={"COLUMNS": "120"})


def fails(*arguments: str | Path) -> str:
    """The message of a command that fails as a user's mistake does: without a traceback."""
    result = pack(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_dataset_becomes_shards_and_is_told(dataset_folder: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    out = tmp_path / "shards"
    result = pack(dataset_folder, "-o", out, "--max-tokens", "1k", "--validation", "0.2")
    assert result.exit_code == 0, result.output
    first, second, *rest = result.stdout.splitlines()
    assert re.fullmatch(rf"\d+ documents, [\d,]+ tokens, in {out}: (\w+ \d+%(, |$))+", first)
    assert re.fullmatch(rf"\d+ documents, [\d,]+ tokens, in {out}-validation", second)
    count = [int(line.split()[0]) for line in (first, second)]
    assert sum(count) + sum(int(line.split()[2]) for line in rest) == len(rows)
    assert sum(read_info(file).documents for file in shard_files(out)) == count[0]
    again = pack(dataset_folder, "-o", out, "--max-tokens", "1k", "--validation", "0.2")
    assert again.stdout == result.stdout
    assert "others than these: max_tokens;" in fails(dataset_folder, "-o", out, "--max-tokens", "2k", "--validation", "0.2")


def test_json_and_what_was_left_out(tmp_path: Path) -> None:
    from foretrace.data.tokenizer import Tokenizer

    Tokenizer.train([], 800).save(tmp_path / "tokenizer.json")
    chats = tmp_path / "chats.jsonl"
    chats.write_text(json.dumps(CHAT) + "\n{bad\n")
    options = ("--tokenizer", tmp_path, "--kind", "chat", "--thinking", "tag", "--no-observations")
    result = pack(chats, "-o", tmp_path / "shards", *options, "--json")
    found = json.loads(result.stdout)
    assert (found["documents"], found["dropped"]) == (1, {"damaged chat": 1})
    assert found["kinds"] == {"prompt": found["tokens"] - 4, "action": 4}  # H, i, . and the end of the turn
    told = pack(chats, "-o", tmp_path / "shards", *options)
    assert "left out: 1 damaged chat" in told.stdout
    assert "chats.jsonl, line 2" in told.stderr


def test_parts_of_several_machines(dataset_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    for part in ("1/2", "2/2"):
        assert pack(dataset_folder, "-o", out, "--part", part).exit_code == 0
    assert len(shard_files(out)) == 2


def test_mistakes(dataset_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert "no such file" in fails(tmp_path / "none", "-o", out)
    assert "write 3/8" in fails(dataset_folder, "-o", out, "--part", "half")
    assert "no part 3 of 2" in fails(dataset_folder, "-o", out, "--part", "3/2")
    assert "could become a chat document" in fails(dataset_folder, "-o", out, "--kind", "chat")
    assert "Invalid value for '--validation'" in fails(dataset_folder, "-o", out, "--validation", "1")
    unknown = pack(dataset_folder, "-o", out, "--tokenizer", tmp_path / "none")
    assert unknown.exit_code == 3
    assert "cannot read the tokenizer" in unknown.stderr
    assert not out.exists()
