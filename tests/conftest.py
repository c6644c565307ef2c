"""What all tests share: a small real dataset of traces, as the pipeline would write it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dataset_rows import ORIGINS, Row, row_of, synthesised, write_dataset
from foretrace.record.program import record_program


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """Rows of forty synthesised programs, and of one that raises."""
    source = "def half(n):\n    return n // 2\n"
    return [*synthesised(40), row_of(source, "half", "'x'", record_program(source, "half", "'x'"), ORIGINS[1])]


@pytest.fixture(scope="session")
def dataset_folder(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of `rows`, and of `DROPS`. It is shared: nothing may be written to it."""
    return write_dataset(tmp_path_factory.mktemp("data") / "traces", rows)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset of given rows in a folder of its own."""
    return lambda *arguments, **options: write_dataset(tmp_path / "made", *arguments, **options)
