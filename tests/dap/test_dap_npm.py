"""The adapter as Visual Studio Code's own test client sees it: each row of the table in docs/editors.md is a test.

The client is `@vscode/debugadapter-testsupport` from npm, pinned by `npm/package-lock.json` and installed into the user's cache
at the first run. The rows are in `npm/`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dap_client import TOKEN, serving
from dap_programs import write_programs

NPM = Path(__file__).parent / "npm"
ROWS = [
    "base",
    "stepIn",
    "back",
    "goto",
    "restartFrame",
    "conditions",
    "dataBreakpoints",
    "breakpointWhileRunning",
    "progress",
    "noProgress",
    "cancel",
    "stdio",
    "setVariable",
    "setVariableQuietly",
    "setExpression",
    "evaluate",
    "scopes",
    "exceptions",
    "divergence",
    "unknownReality",
    "confidence",
    "uncalibrated",
    "lazy",
    "stale",
    "errors",
    "refusedRun",
]


@pytest.fixture(scope="module")
def node_path() -> str:
    """The folder with the client; skips where it cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the adapter's tests by the npm client need them")
    lock = hashlib.sha256((NPM / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foretrace" / f"dap-client-{lock}"
    if not (cache / "node_modules").is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=cache.parent))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NPM / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode:
            shutil.rmtree(folder)
            pytest.skip(f"npm cannot install the client: {done.stderr.strip().splitlines()[:1]}")
        try:
            folder.rename(cache)
        except OSError:  # another run was faster
            shutil.rmtree(folder)
    return str(cache / "node_modules")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """What the rows are told: programs and traces in files, and a server."""
    folder = tmp_path_factory.mktemp("dap")
    adapter = folder / "adapter.py"  # the client starts an interpreter with one file, and gives no other arguments
    adapter.write_text("from foretrace.cli.main import cli\n\ncli(['dap'])\n")
    with serving() as port:
        own = {"port": port, "token": TOKEN, "python": sys.executable, "adapter": str(adapter)}
        yield own | write_programs(folder)


def test_each_row_is_run(node_path: str) -> None:
    listed = subprocess.run(["node", "rows.js", "--list"], cwd=NPM, env=_env(node_path), capture_output=True, text=True)
    assert sorted(listed.stdout.split()) == sorted(ROWS), listed.stderr


@pytest.mark.parametrize("row", ROWS)
def test_row(row: str, node_path: str, given: dict[str, object]) -> None:
    command = ["node", "rows.js", row, json.dumps(given)]
    done = subprocess.run(command, cwd=NPM, env=_env(node_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.splitlines()[-1] == f"finished {row}", "Node ends with 0 too when a promise is never kept"


def _env(node_path: str) -> dict[str, str]:
    return os.environ | {"NODE_PATH": node_path}
