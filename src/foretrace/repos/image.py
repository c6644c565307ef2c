"""An executable repository: a folder with its files, what they need, and a manifest of what its tests did.

    image = load_image("images/toolz-1.2.0")
    image.passing                                            # ids of the tests that pass every time
    with open_environment(image.image) as environment:       # foretrace.sandbox
        run_tests(environment, image)

    images/
      toolz-1.2.0/image.json, layer/testbed/, layer/opt/venv/, Containerfile, build.log
      .interpreters/…, .store/…, .cache/…, .failed/…          # shared by all images of the folder

`layer` and the interpreter are all that a box sees of it, besides the host's system programs; equal digests, equal files.
"""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.repos import leaks
from foretrace.repos.plan import TESTBED, VENV, InstallPlan
from foretrace.repos.sources import Origin
from foretrace.repos.testing import Outcome, TestCommand
from foretrace.sandbox.environment import Image

MANIFEST = "image.json"
LAYER = "layer"
VERSION = 1
INTERPRETERS = ".interpreters"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
ENVIRONMENT = {
    "PATH": f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin",
    "VIRTUAL_ENV": VENV,
    "PYTHONDONTWRITEBYTECODE": "1",  # what was compiled before a change would tell what stood there
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "GIT_OPTIONAL_LOCKS": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRecord:
    """One test, as it was when the image was made."""

    __test__ = False

    outcome: Outcome
    """Of the first run."""
    seconds: float
    """The median of the runs."""
    flaky: bool = False
    """Whether it did not end alike, or not at all, in each run, or may not when the machine is busy."""


@dataclass(frozen=True, kw_only=True)
class RepoImage:
    """A built image."""

    folder: Path
    origin: Origin
    head: str
    """The commit in `/testbed`, which has no parent."""
    digest: str
    layers: tuple[str, ...]
    """Folders of its files, uppermost first, relative to `folder`."""
    python: str
    packages: Mapping[str, str]
    """What is installed, and in which version."""
    modules: tuple[str, ...]
    """Names by which its code is imported, of which there is no copy beside it."""
    plan: InstallPlan
    command: TestCommand
    tests: Mapping[str, TestRecord]
    seconds: float
    """That one run of the tests takes."""
    build_seconds: float
    bytes: int
    new_bytes: int
    """That no earlier image of the folder had."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Of the build: backend and its gaps, attempts, whether it needed the network, versions."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    @cached_property
    def passing(self) -> frozenset[str]:
        """Tests that passed every time."""
        return frozenset(name for name, test in self.tests.items() if test.outcome is Outcome.PASSED and not test.flaky)

    @cached_property
    def flaky(self) -> frozenset[str]:
        """Tests that are good for nothing."""
        return frozenset(name for name, test in self.tests.items() if test.flaky)

    @property
    def image(self) -> Image:
        """What `open_environment` takes."""
        root = tuple((self.folder / layer).resolve() for layer in self.layers)
        return Image(
            root=root, workdir=TESTBED, env=environment_of(self.plan), digest=self.digest, host=system(self.modules)
        )

    def as_json(self) -> dict[str, Any]:
        """The manifest."""
        tests = {name: [test.outcome.value, test.seconds, *([1] if test.flaky else [])] for name, test in self.tests.items()}
        return {
            "v": VERSION,
            "origin": asdict(self.origin),
            "head": self.head,
            "digest": self.digest,
            "layers": list(self.layers),
            "python": self.python,
            "packages": dict(self.packages),
            "modules": list(self.modules),
            "plan": self.plan.as_json(),
            "command": asdict(self.command),
            "test_command": self.test_command,
            "counts": self.counts,
            "seconds": self.seconds,
            "build_seconds": self.build_seconds,
            "bytes": self.bytes,
            "new_bytes": self.new_bytes,
            "notes": dict(self.notes),
            "tests": tests,
        }

    @property
    def test_command(self) -> str:
        """How a person runs the tests."""
        return shlex.join(["python", "-m", "pytest", *self.command.arguments])

    @property
    def counts(self) -> dict[str, int]:
        """How many tests ended how, each time; `flaky` are those that cannot be relied on."""
        steady = [test.outcome for test in self.tests.values() if not test.flaky]
        found = {outcome.value: steady.count(outcome) for outcome in Outcome}
        known = {name: number for name, number in found.items() if number}
        return {**known, "flaky": len(self.flaky), "all": len(self.tests)}


def system(modules: Sequence[str] = ()) -> tuple[str, ...]:
    """What an image has of the host: programs and libraries, without configuration, homes, or copies of some modules."""
    return tuple(leaks.without((path for path in _SYSTEM if os.path.exists(path)), leaks.on_host(modules)))


def environment_of(plan: InstallPlan) -> dict[str, str]:
    """Variables of every command in an image."""
    return {**ENVIRONMENT, **plan.environment}


def load_image(folder: str | Path) -> RepoImage:
    """Reads an image's manifest.

    Raises:
        UsageError: there is none, or it is of another version or damaged.

    """
    folder = Path(folder)
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder}: no image ({error}); make one: foretrace repos build SOURCE -o {folder.parent}"
        ) from error
    if data.get("v") != VERSION:
        raise UsageError(f"{folder}: an image of version {data.get('v')}, and this reads {VERSION}; build it again")
    try:
        return _read(folder.resolve(), data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{folder / MANIFEST} is damaged ({error!r}); build the image again") from error


def _read(folder: Path, data: Mapping[str, Any]) -> RepoImage:
    command: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data["command"].items()
    }
    tests = {
        name: TestRecord(outcome=Outcome(outcome), seconds=seconds, flaky=bool(flaky))
        for name, (outcome, seconds, *flaky) in data["tests"].items()
    }
    known = ("head", "digest", "python", "packages", "seconds", "build_seconds", "bytes", "new_bytes", "notes")
    return RepoImage(
        folder=folder,
        origin=Origin(**data["origin"]),
        layers=tuple(data["layers"]),
        modules=tuple(data["modules"]),
        plan=InstallPlan.from_json(data["plan"]),
        command=TestCommand(**command),
        tests=tests,
        **{name: data[name] for name in known},
    )


def list_images(folder: str | Path) -> list[RepoImage]:
    """All images of a folder, by name.

    Raises:
        UsageError: there is no such folder.

    """
    if not Path(folder).is_dir():
        raise UsageError(f"{folder}: no such folder")
    return [load_image(path.parent) for path in sorted(Path(folder).glob(f"[!.]*/{MANIFEST}"))]
