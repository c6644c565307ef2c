r"""Trajectories in files: JSON Lines that survive a kill at any moment, and hold no episode twice.

    with Journal.claim(folder, "jsonpointer-7") as journal:     # None: it is finished, or somebody is at it
        if journal.trajectory is None: journal.begin(header)    # else: go on after its last step
        journal.append(step); …
        journal.finish(result)
    for trajectory in read_trajectories(folder): …

A line is a JSON object with sorted keys: the header, each step, the result. Each is on the disk before the next action is
asked for. An unfinished episode is `NAME.jsonl.part`, locked by the process that works on it; a finished one is renamed
to `NAME.jsonl`. A line that was cut by a kill is dropped when the episode is taken up again.
"""

import fcntl
import json
import os
import re
import secrets
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from foretrace.errors import FormatError, UsageError
from foretrace.forager.trajectory import SCHEMA, Header, Result, Step, Trajectory

_DONE, _PART = ".jsonl", ".jsonl.part"
_NAME = re.compile(r"[\w.@%+=,-]{1,180}", re.ASCII)
_KINDS: dict[str, type[Header] | type[Step] | type[Result]] = {"header": Header, "step": Step, "result": Result}
T = TypeVar("T")


class Journal:
    """The file of one episode, held by one process: see `claim`."""

    def __init__(self, folder: Path, episode: str, file: BinaryIO, trajectory: Trajectory | None) -> None:
        self.trajectory = trajectory
        """What has been written so far; None: nothing."""
        self._folder, self._episode, self._file = folder, episode, file

    @classmethod
    def claim(cls, folder: Path, episode: str) -> "Journal | None":
        """The journal of an episode that is this process's alone until it is closed; None if there is nothing to do.

        Raises:
            UsageError: the name of the episode cannot be that of a file.
            FormatError: what is there is no trajectory.

        """
        if not _NAME.fullmatch(episode):
            raise UsageError(f"no file can be named {episode!r}; an episode's name is letters, digits and .-_@%+=,")
        folder.mkdir(parents=True, exist_ok=True)
        done, part = folder / (episode + _DONE), folder / (episode + _PART)
        if done.exists():
            return None
        file = open(part, "a+b")  # noqa: SIM115 (the journal closes it)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        is_part = part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat())
        if done.exists() or not is_part:  # it was finished between the first look and the lock
            with file:
                if is_part:  # which the look has made
                    part.unlink()
            return None
        try:
            journal = cls(folder, episode, file, _take_up(file, part))
        except FormatError:
            file.close()
            raise
        if journal.trajectory is None or journal.trajectory.result is None:
            return journal
        with journal:  # it was killed between its last line and its last name
            journal._rename()
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, header: Header) -> None:
        """Writes the header; what was there is begun again."""
        self._file.truncate(0)
        self._write("header", header)
        _sync(self._folder)
        self.trajectory = Trajectory(header)

    def append(self, step: Step) -> None:
        """Writes a step; it is on the disk when this returns."""
        trajectory = self._begun()
        if step.number != len(trajectory.steps) + 1:
            raise AssertionError(f"step {step.number} after {len(trajectory.steps)}")
        self._write("step", step)
        self.trajectory = Trajectory(trajectory.header, (*trajectory.steps, step))

    def finish(self, result: Result) -> Trajectory:
        """Writes the result and gives the file its final name."""
        self.trajectory = replace(self._begun(), result=result)
        self._write("result", result)
        self._rename()
        return self.trajectory

    def _rename(self) -> None:
        os.rename(self._folder / (self._episode + _PART), self._folder / (self._episode + _DONE))
        _sync(self._folder)

    def _begun(self) -> Trajectory:
        if self.trajectory is None or self.trajectory.result is not None:
            raise AssertionError("a journal is begun before it is written to, and not written to after its end")
        return self.trajectory

    def _write(self, kind: str, record: Header | Step | Result) -> None:
        self._file.write(_line(kind, record))
        self._file.flush()
        os.fsync(self._file.fileno())


def read_trajectory(path: Path) -> Trajectory:
    """The episode in a file, finished or not.

    Raises:
        FormatError: the file holds something else; it is said in which line.

    """
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n") and path.name.endswith(_PART):
        lines.pop()
    found = _parse(lines, path)
    if found is None:
        raise FormatError(f"{path} is empty: no trajectory has been begun")
    return found


def read_trajectories(folder: Path) -> Iterator[Trajectory]:
    """All finished episodes of a folder, in the order of their names."""
    for path in sorted(folder.glob("*" + _DONE)):
        yield read_trajectory(path)


def record_grade(path: Path, grade: Mapping[str, Any]) -> Trajectory:
    """Writes the verdict on a finished episode into its result; a verdict that was there is replaced.

    Several may do so at once: the file is whole at any moment, and the last one counts.

    Raises:
        UsageError: the episode is not finished.

    """
    trajectory = read_trajectory(path)
    if trajectory.result is None:
        raise UsageError(f"{path} is not finished: there is nothing to grade")
    result = replace(trajectory.result, grade=dict(grade))
    lines = path.read_bytes().splitlines(keepends=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    with open(temporary, "wb") as file:
        file.writelines([*lines[:-1], _line("result", result)])
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync(path.parent)
    return replace(trajectory, result=result)


def _line(kind: str, record: Header | Step | Result) -> bytes:
    text = json.dumps(
        {"kind": kind} | asdict(record), ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")
    )
    return text.encode("utf-8", "backslashreplace") + b"\n"  # half a pair becomes \ud83d, which is JSON for it


def _take_up(file: BinaryIO, path: Path) -> Trajectory | None:
    """What a file holds; a last line that was cut is cut off."""
    file.seek(0)
    content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        file.truncate(len(whole))
    return _parse(whole.splitlines(keepends=True), path)


def _sync(folder: Path) -> None:
    """Puts the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse(lines: list[bytes], path: Path) -> Trajectory | None:
    header: Header | None = None
    steps: list[Step] = []
    result: Result | None = None
    for number, line in enumerate(lines, 1):
        try:
            record = _record(line)
            if isinstance(record, Header) is not (number == 1) or result is not None:
                raise FormatError("a trajectory is one header, then steps, then one result")
            if isinstance(record, Step) and record.number != len(steps) + 1:
                raise FormatError(f"it is step {record.number}, and comes after step {len(steps)}")
        except FormatError as error:
            raise FormatError(f"{path}, line {number}: {error}") from error
        if isinstance(record, Header):
            header = record
        elif isinstance(record, Step):
            steps.append(record)
        else:
            result = record
    return None if header is None else Trajectory(header, tuple(steps), result)


def _record(line: bytes) -> Header | Step | Result:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") not in _KINDS:
        raise FormatError(f"wanted an object whose `kind` is one of {', '.join(_KINDS)}")
    kind = _KINDS[content.pop("kind")]
    if kind is Header and content.get("schema") != SCHEMA:
        raise FormatError(f"its schema is {content.get('schema')!r}; this version of foretrace reads {SCHEMA}")
    return _build(kind, content, kind.__name__.lower())


# ---------------------------------------------------------------------------------------------------
# JSON to dataclasses

_hints = cache(get_type_hints)


def _build(cls: type[T], content: Any, where: str) -> T:
    """A dataclass from the object that `asdict` made of it."""
    if not isinstance(content, dict):
        raise FormatError(f"{where} is no object")
    hints = _hints(cast(Any, cls))
    unknown = content.keys() - {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if unknown:
        raise FormatError(f"{where} has fields that nobody knows: {', '.join(sorted(unknown))}")
    values = {name: _value(hints[name], value, f"{where}.{name}") for name, value in content.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise FormatError(f"{where} is not whole: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        return None if value is None else _value(next(a for a in args if a is not type(None)), value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(args[0], item, where) for item in value)
    if is_dataclass(hint):
        return _build(hint, value, where)  # type: ignore[arg-type]
    if isinstance(hint, type) and issubclass(hint, StrEnum) and value in list(hint):
        return hint(value)
    wanted: Any = dict if origin is not None and origin is not tuple else hint
    if wanted is float and type(value) is int:
        return float(value)
    if isinstance(wanted, type) and type(value) is wanted:
        return value
    raise FormatError(f"{where} is {value!r:.60}, which is not a {getattr(wanted, '__name__', wanted)}")
