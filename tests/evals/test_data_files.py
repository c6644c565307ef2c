"""Benchmark data is found by its name and known by its bytes, in whatever form it comes."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.evals.files import DataFile

ROWS = [{"id": "1", "text": "a,b"}, {"id": "2", "text": "ü\n"}]
LINES = "\n".join(json.dumps(row) for row in ROWS) + "\n"


def data_file(path: Path, rows: int = 2) -> DataFile:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return DataFile(name=path.name, sha256=digest, rows=rows, licence="MIT", source="somewhere")


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffixes:
        case [".jsonl"]:
            path.write_text(LINES, encoding="utf-8")
        case [".jsonl", ".gz"]:
            path.write_bytes(gzip.compress(LINES.encode()))
        case [".json"]:
            path.write_text(json.dumps(ROWS))
        case [".csv"]:
            path.write_text('id,text\n1,"a,b"\n2,"ü\n"\n', encoding="utf-8", newline="")
        case [".parquet"]:
            pyarrow = pytest.importorskip("pyarrow")
            pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(ROWS), path)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.json", "rows.csv", "rows.parquet"])
def test_rows_are_the_same_in_every_form(name: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / name
    write(path)
    assert data_file(path).read([str(tmp_path)]) == ROWS


def test_an_object_is_read_as_pairs(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"a": 1, "b": 2}')
    assert data_file(path).read([str(tmp_path)]) == [{"key": "a", "value": 1}, {"key": "b", "value": 2}]


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path)
    known = data_file(path)
    path.write_text(LINES + LINES)
    with pytest.raises(UsageError, match="that results are published for"):
        known.read([str(tmp_path)])
    with pytest.raises(UsageError, match="has 4 rows, not 2"):
        data_file(path).read([str(path)])
