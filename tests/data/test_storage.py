"""Files of a dataset appear whole, on a disk and in a store without folders or renames."""

from pathlib import Path

import pyarrow as pa
import pytest

from foretrace.data.pipeline.storage import Storage
from foretrace.errors import UsageError


@pytest.fixture(params=["disk", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "deep" / "folder") if request.param == "disk" else f"memory://{tmp_path.name}/folder")


def test_what_is_written_is_read_and_listed(storage: Storage) -> None:
    assert storage.names() == set()
    storage.write("a.bin", b"\x00\xff")
    storage.write("a.bin", b"second")
    storage.folder("work").write("b.bin", b"b")
    assert storage.read("a.bin") == b"second"
    assert storage.names() == {"a.bin", "work"}
    assert storage.folder("work").names() == {"b.bin"}


def test_what_a_killed_writer_left_is_not_there(storage: Storage) -> None:
    storage.write("a", b"a")
    storage._system.pipe_file(f"{storage._root}/.b.0123", b"half")
    assert storage.names() == {"a"}
    storage.clean()
    assert [path.rpartition("/")[2] for path in map(str, storage._system.ls(storage._root, detail=False))] == ["a"]


def test_rows_lose_only_what_utf8_cannot_hold(storage: Storage) -> None:
    schema = pa.schema([("text", pa.string()), ("texts", pa.list_(pa.string())), ("n", pa.int32())])
    storage.write_rows("t.parquet", [{"text": "a\ud800b", "texts": ["\udfff", "c"], "n": 1}, {"text": None}], schema)
    first, second = storage.read_table("t.parquet").to_pylist()
    assert first == {"text": "a\ufffd\ufffd\ufffdb", "texts": ["\ufffd\ufffd\ufffd", "c"], "n": 1}
    assert second == {"text": None, "texts": None, "n": None}
    assert storage.read_table("t.parquet", ["n"]).column_names == ["n"]


def test_a_path_of_no_known_kind_is_told() -> None:
    with pytest.raises(UsageError, match="nowhere://x"):
        Storage("nowhere://x")
