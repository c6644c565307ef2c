"""Trajectories as a Parquet table: a row an episode, its steps a list in it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.forager.export.facts import model_of, resolved_of, result_of
from foretrace.forager.trajectory import Step, Trajectory

_TEXT, _WHOLE, _REAL, _TRUTH = "string", "int64", "float64", "bool"
_STEP = {
    "number": _WHOLE,
    "tool": _TEXT,
    "argument": _TEXT,
    "content": _TEXT,
    "thought": _TEXT,
    "role": _TEXT,
    "observation": _TEXT,
    "refused": _TRUTH,
    "ok": _TRUTH,
    "code": _WHOLE,
    "status": _TEXT,
    "patch": _TEXT,
    "state": _TEXT,
    "seconds": _REAL,
    "prompt_tokens": _WHOLE,
    "completion_tokens": _WHOLE,
    "cost": _REAL,
    "loss_action": _WHOLE,
    "loss_observation": _WHOLE,
}
_EPISODE = {
    "episode": _TEXT,
    "task": _TEXT,
    "repo": _TEXT,
    "licence": _TEXT,
    "image": _TEXT,
    "policy": _TEXT,
    "model": _TEXT,
    "seed": _WHOLE,
    "system": _TEXT,
    "prompt": _TEXT,
    "ending": _TEXT,
    "resolved": _TRUTH,
    "submission": _TEXT,
    "diff": _TEXT,
    "turns": _WHOLE,
    "tokens": _WHOLE,
    "cost": _REAL,
    "seconds": _REAL,
}
_ROWS_AT_ONCE = 256


def write_table(trajectories: Iterable[Trajectory], path: Path) -> int:
    """Writes a table, and says how many rows it has.

    Raises:
        UsageError: pyarrow is missing.

    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError('a table needs pyarrow: pip install "foretrace[arrow]"') from error
    step = pyarrow.struct([(name, pyarrow.type_for_alias(kind)) for name, kind in _STEP.items()])
    columns = [(name, pyarrow.type_for_alias(kind)) for name, kind in _EPISODE.items()]
    schema = pyarrow.schema([*columns, ("steps", pyarrow.list_(step))])
    count, rows = 0, []
    temporary = path.with_name(path.name + ".part")
    with pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for trajectory in trajectories:
            rows.append(table_row(trajectory))
            if len(rows) == _ROWS_AT_ONCE:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                count, rows = count + len(rows), []
        writer.write_table(pyarrow.Table.from_pylist(rows, schema))
    temporary.replace(path)
    return count + len(rows)


def table_row(trajectory: Trajectory) -> dict[str, Any]:
    """The row of an episode. Bytes that are no UTF-8 are replaced: a table's texts have none."""
    header, result = trajectory.header, result_of(trajectory)
    known = {name: getattr(result, name) for name in ("turns", "tokens", "cost", "seconds")}
    names = ("episode", "task", "repo", "licence", "image", "seed", "system", "prompt")
    known |= {name: getattr(header, name) for name in names}
    return known | {
        "policy": str(header.policy["name"]),
        "model": model_of(trajectory),
        "ending": str(result.ending),
        "resolved": resolved_of(trajectory),
        "submission": _clean(result.submission),
        "diff": _clean(result.diff),
        "steps": [_step_row(step) for step in trajectory.steps],
    }


def _step_row(step: Step) -> dict[str, Any]:
    action, usage = step.action, step.action.usage
    names = ("number", "role", "observation", "refused", "ok", "code", "status", "state", "seconds")
    return {name: getattr(step, name) for name in names} | {
        "tool": action.tool,
        "argument": action.argument,
        "content": action.content,
        "thought": action.thought,
        "patch": _clean("".join(change.patch for change in step.changes)),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": usage.cost,
        "loss_action": step.loss.action,
        "loss_observation": step.loss.observation,
    }


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
