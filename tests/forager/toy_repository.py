"""The smallest repository with a bug, as an image, and the backend to work on it with."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

from foretrace.forager.task import Task
from foretrace.sandbox.environment import Image
from foretrace.sandbox.environments import backends, host

BROKEN = "def add(a, b):\n    return a - b\n"
FIXED = BROKEN.replace("-", "+")
TEST = "from a import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
CHECK = "python3 -c 'from a import add; assert add(1, 2) == 3'"
"""The test, without pytest."""
PATCH = f"""\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@
{"".join(f" {line}" for line in BROKEN.splitlines(keepends=True)[:1])}-    return a - b
+    return a + b
"""


@cache
def _backend() -> tuple[str, str]:
    reasons = []
    for name, backend in backends().items():
        found = backend.probe()
        if found.works:
            return name, ""
        reasons.append(f"{name}: {found.reason}")
    return "", "; ".join(reasons)


def backend() -> str:
    """The first backend that works here; the test is skipped if none does."""
    name, reason = _backend()
    if not name:
        pytest.skip(f"no environment can be opened here: {reason}")
    return name


def toy_task(folder: Path, name: str = "toy-1") -> Task:
    """A task whose issue is `BROKEN` and whose answer is `PATCH`."""
    repository = folder / "testbed"
    repository.mkdir(parents=True)
    for file, text in {"a.py": BROKEN, "test_a.py": TEST, "big.txt": "x\n" * 500, ".gitignore": "__pycache__\n"}.items():
        (repository / file).write_text(text)
    commands = "git init -q && git add . && git -c user.name=n -c user.email=e@e commit -q -m root"
    subprocess.run(["bash", "-c", commands], cwd=repository, check=True)
    env = {"PYTHONDONTWRITEBYTECODE": "1"}  # an edit within the second and of the same size would not be seen
    image = Image(root=(folder,), digest=f"toy {name}", host=tuple(host.paths()), env=env)
    return Task(id=name, image=image, problem="`add` subtracts.", patch=PATCH, repo="toy/toy", licence="MIT")
