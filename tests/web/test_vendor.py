"""What the page takes from others is what its recipe makes; its scripts have types and one form."""

import shutil
import subprocess
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[2] / "tools" / "vendor"


def test_the_bundles_are_made_from_what_the_lock_file_names() -> None:
    if shutil.which("npm") is None or not (VENDOR / "node_modules").is_dir():
        pytest.skip("needs npm and: cd tools/vendor && npm ci")
    done = subprocess.run(["npm", "run", "check"], cwd=VENDOR, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
