"""One task: a repository with something wrong, and the tests that tell when it is right. SWE-bench's fields, and some more.

    for instance in read_instances(Path("instances.jsonl")): ...
    write_instances(path, instances)

The fields of SWE-bench (arXiv:2310.06770) have its names and its forms, lists of tests as JSON in a string included, so that
its tools read our files. Ours follow: which image, how the mistake was made, how hard it looks, and what may not be touched.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from foretrace.errors import FormatError

MUTATE_FIX, ISSUE_FIX = "mutate-fix", "issue-fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A task. Paths are relative to the repository's root, with `/`."""

    instance_id: str
    repo: str
    base_commit: str = ""
    patch: str
    """The gold solution, for `git apply`."""
    test_patch: str = ""
    """What is added to the tests before grading; the agent never sees it. Empty if the image has all tests."""
    problem_statement: str
    hints_text: str = ""
    created_at: str = ""
    version: str = ""
    fail_to_pass: tuple[str, ...]
    """Tests that fail before and must pass after."""
    pass_to_pass: tuple[str, ...] = ()
    """Tests that pass before and must still pass."""
    environment_setup_commit: str = ""

    image: str = ""
    """Digest of the image that it is worked on in."""
    source: str = ""
    """`mutate-fix`, `issue-fix`, or the file it came from."""
    bug: str = ""
    """A patch that makes the mistake in the image's files before the agent sees them; empty if it is there."""
    mutation: Mapping[str, Any] = field(default_factory=dict)
    """How: `operator`, `path`, `function`, `line`, `what`, `seed`."""
    difficulty: Mapping[str, Any] = field(default_factory=dict)
    """What can be counted of it: see `mutate.py` and `issues.py`."""
    test_files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file that tests consist of, by path, as it must be when they are graded."""
    licence: str = ""
    """SPDX, of the repository."""

    def to_json(self) -> dict[str, Any]:
        """SWE-bench's fields under its names, then ours."""
        record = asdict(self)
        failing, passing = record.pop("fail_to_pass"), record.pop("pass_to_pass")
        named = {"FAIL_TO_PASS": json.dumps(failing), "PASS_TO_PASS": json.dumps(passing)}
        return {name: record[name] for name in _THEIRS} | named | {k: v for k, v in record.items() if k not in _THEIRS}

    @classmethod
    def from_json(cls, record: Mapping[str, Any], source: str = "") -> "Instance":
        """Reads what SWE-bench, its relatives or `to_json` wrote; fields that are not known are left out.

        Args:
            record: one object.
            source: where it came from, if it does not say.

        Raises:
            FormatError: a field is missing, or is not what it must be.

        """
        own = {f.name for f in fields(cls)}
        try:
            values = {k: v for k, v in record.items() if k in own and v is not None}
            values["fail_to_pass"] = _tests(record, "FAIL_TO_PASS")
            values["pass_to_pass"] = _tests(record, "PASS_TO_PASS")
            instance = cls(**({"source": source} | values))
        except (TypeError, KeyError, ValueError) as error:
            raise FormatError(f"no instance of SWE-bench's kind: {error}") from error
        texts = [name for name in _THEIRS if not isinstance(getattr(instance, name), str)]
        if texts or not instance.instance_id:
            raise FormatError(f"no instance of SWE-bench's kind: {', '.join(texts) or 'instance_id'} must be text")
        return instance


_THEIRS = (
    "repo",
    "instance_id",
    "base_commit",
    "patch",
    "test_patch",
    "problem_statement",
    "hints_text",
    "created_at",
    "version",
    "environment_setup_commit",
)


def read_instances(path: Path) -> Iterator[Instance]:
    """The instances of a JSON Lines file, or of a JSON file with a list.

    Raises:
        FormatError: a line is no instance; the message names it.

    """
    text = path.read_text(encoding="utf-8")
    try:
        if text.lstrip().startswith("["):
            records = list(enumerate(json.loads(text), 1))
        else:
            records = [(number, json.loads(line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    except json.JSONDecodeError as error:
        raise FormatError(f"{path} is neither JSON nor JSON Lines: {error}") from error
    for number, record in records:
        try:
            yield Instance.from_json(record, source=path.name)
        except FormatError as error:
            raise FormatError(f"{path}, instance {number}: {error}") from error


def write_instances(path: Path, instances: Iterable[Instance]) -> None:
    """A JSON Lines file, which is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for instance in instances:
            file.write(json.dumps(instance.to_json(), ensure_ascii=False) + "\n")
    part.replace(path)


def _tests(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Names of tests: a list, or JSON of one."""
    given = record.get(name, record.get(name.lower(), ()))
    tests = json.loads(given) if isinstance(given, str) and given else given or ()
    if not isinstance(tests, list | tuple) or not all(isinstance(test, str) for test in tests):
        raise ValueError(f"{name} is no list of tests")
    return tuple(tests)
