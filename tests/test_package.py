"""The package as a whole: light to import, layered as the architecture says."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import foretrace

SOURCE = Path(foretrace.__file__).parent
ORDER = [
    "errors",
    "trace",
    "endpoint",
    "sandbox",
    "record",
    "corpus",
    "repos",
    "forager",
    "data",
    "model",
    "train",
    "engine",
    "evals",
    "debug",
    "serve",
    "web",
    "dap",
    "solve",
    "rl",
    "api",
    "examples",
    "recipes",
    "cli",
]


@pytest.mark.parametrize("statement", ["import foretrace", "import foretrace.cli.main", "from foretrace import Trace, diff"])
def test_importing_brings_neither_torch_nor_numpy(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'rich')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_predicting_needs_no_torch() -> None:
    code = "import foretrace, sys; foretrace.load('tiny'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there() -> None:
    for name in foretrace.__all__:
        assert getattr(foretrace, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = foretrace.nonsense


def test_record_is_a_verb_even_though_it_is_a_package_too(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("def f(n):\n    return n + 1\n")
    for _ in range(2):
        assert foretrace.record(f"{tmp_path / 'p.py'}::f", 1).result == "2"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = foretrace.record.nonsense
    assert all(getattr(foretrace.record, name) for name in foretrace.record.__all__)


def imports(file: Path) -> set[str]:
    """Stations that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("foretrace."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("foretrace.")}
    return found


def test_data_flows_one_way() -> None:
    """A station imports only stations above it in the list."""
    for file in SOURCE.rglob("*.py"):
        station = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        if station in ("__init__", "__main__"):
            continue
        assert station in ORDER, f"{station} has no place in the architecture"
        below = {other for other in imports(file) if ORDER.index(other) > ORDER.index(station)}
        assert not below, f"{file.relative_to(SOURCE)} imports {below}, which stands below it"
