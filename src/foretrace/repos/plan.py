"""How a repository is installed and tested: what was detected, written down, and carried out from nothing each time.

    plan = InstallPlan(python="3.11", requirements=("pytest", "hypothesis"))
    plan.with_requirements(["numpy"], "module not found").as_json()

A plan is all that an image is made from besides the sources: whoever finds one (the heuristics of `detect`, a person, an
agent), it is the same plan that is replayed in a fresh box, and what the replay does decides.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from foretrace.errors import UsageError

TESTBED = "/testbed"
"""Where an image has the repository."""
VENV = "/opt/venv"
"""Where it has what was installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """What to install, how, and how to run the tests."""

    python: str
    """Version, `3.11`, as it is found on this machine."""
    requirements: tuple[str, ...] = ("pytest",)
    """Of the tests; those of the project come with it."""
    build_requirements: tuple[str, ...] = ()
    """Of the project's build backend; fetched beforehand, so that building needs no network."""
    dependencies: tuple[str, ...] = ()
    """Of the project, as far as they are known without running anything; fetched beforehand, too."""
    extras: tuple[str, ...] = ()
    """Of the project, to be installed with it."""
    install: str = "editable"
    """`editable`: pip installs the project in place. `path`: only its dependencies are installed and its folders put on the
    path, for projects that do not build. `none`: the commands do everything."""
    paths: tuple[str, ...] = (".",)
    """Folders of the repository to import from, where `install` is `path`."""
    commands: tuple[str, ...] = ()
    """Shell commands that run in the repository once all is installed, as `make cython`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of building and of the tests."""
    arguments: tuple[str, ...] = ()
    """Of pytest: options and what to run."""
    reasons: tuple[str, ...] = ()
    """Where all this was found: `extra test`, `tox.ini`."""

    def with_requirements(self, more: Iterable[str], reason: str) -> Self:
        """The same, with more requirements of the tests."""
        added = tuple(dict.fromkeys(r for r in more if r not in self.requirements))
        return replace(self, requirements=self.requirements + added, reasons=(*self.reasons, reason))

    @property
    def key(self) -> str:
        """Equal for plans that do the same, whatever their reasons."""
        return json.dumps(replace(self, reasons=()).as_json(), sort_keys=True)

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON has it; `from_json` is the way back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """A plan that somebody wrote.

        Raises:
            UsageError: a field is not known, or not of its type.

        """
        known = {each.name for each in fields(cls)}
        for name, value in data.items():
            if name not in known:
                raise UsageError(f"an install plan has no {name!r}; it has: {', '.join(sorted(known))}")
            _check(name, value)
        if "python" not in data:
            raise UsageError('an install plan needs a version of Python, as {"python": "3.11"}')
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        return cls(**values)


def _check(name: str, value: object) -> None:
    if name in ("python", "install"):
        is_right = isinstance(value, str) and (name == "python" or value in ("editable", "path", "none"))
    elif name == "environment":
        is_right = isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair)
    else:
        is_right = isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)
    if not is_right:
        raise UsageError(f"{name} of an install plan is not of its type: {value!r}")
