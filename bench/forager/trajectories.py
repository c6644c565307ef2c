"""What is in the trajectories of runs, and whether nothing of it is lost on the way out.

    python bench/forager/trajectories.py RUN… --tokenizer runs/forager         # any tokenizer that knows chats

Near duplicates by threshold (concatenated actions, per repository, the first stays); tokens as `foretrace data pack` makes
them; and every export written, read back, and compared with the record message by message.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foretrace.corpus.resemblance import shingles, similarity
from foretrace.data.conversations import read_conversations
from foretrace.data.kinds import Kind
from foretrace.data.render import render_chat
from foretrace.data.tokenizer import Tokenizer
from foretrace.data.trajectories import conversation_of
from foretrace.forager.duplicates import actions_of, without_duplicates
from foretrace.forager.export import FILES, FORMATS, ROWS, export
from foretrace.forager.format import parse_transcript
from foretrace.forager.runs import Run
from foretrace.forager.trajectory import Trajectory

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
Said = list[str]
"""What was said and seen, in order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--tokenizer", type=Path, help="without one no tokens are counted")
    options = parser.parse_args()
    found = [each for run in options.runs for each in Run.open(run).trajectories()]
    repositories = {each.header.repo for each in found}
    print(f"{len(found):,} trajectories, {sum(len(each.steps) for each in found):,} steps, {len(repositories)} repositories")
    for line in (*duplicates(found), *exports(found)):
        print(line)
    if options.tokenizer:
        for line in tokens(found, Tokenizer.load(options.tokenizer)):
            print(line)


def duplicates(found: Sequence[Trajectory]) -> Iterator[str]:
    """How many stay, and how alike the most similar pairs of a repository are."""
    for threshold in THRESHOLDS:
        kept = sum(like is None for _, like in without_duplicates(found, threshold))
        yield f"similarity below {threshold}: {kept:,} of {len(found):,} stay ({kept / len(found):.1%})"
    sets = [(each, frozenset(map(hash, shingles(actions_of(each))))) for each in found]
    for title, is_same in (("the same task", True), ("another task", False)):
        nearest = [
            max(
                (similarity(own, other) for them, other in sets if them is not each and _pairs(each, them, is_same)),
                default=None,
            )
            for each, own in sets
        ]
        values = sorted(value for value in nearest if value is not None)
        if values:
            median, most = values[len(values) // 2], values[-1]
            yield f"nearest of {title} in the repository: median {median:.2f}, at most {most:.2f} ({len(values):,} episodes)"


def _pairs(one: Trajectory, other: Trajectory, is_same: bool) -> bool:
    return one.header.repo == other.header.repo and (one.header.task == other.header.task) is is_same


def tokens(found: Sequence[Trajectory], tokenizer: Tokenizer) -> Iterator[str]:
    """By what they are."""
    counts: Counter[str] = Counter()
    lengths = []
    for trajectory in found:
        messages = conversation_of(trajectory)
        learnt = render_chat(tokenizer, messages)
        answers = render_chat(
            tokenizer, [replace(m, learnt=m.role != "assistant" and n > 1) for n, m in enumerate(messages)]
        )
        assert learnt is not None
        assert answers is not None
        lengths.append(len(learnt))
        counts["actions, learnt"] += int((learnt.kinds == Kind.ACTION).sum())
        observed = int((learnt.kinds == Kind.OBSERVATION).sum())
        counts["environment's turns, learnt"] += observed
        counts["environment's turns, masked"] += int((answers.kinds == Kind.OBSERVATION).sum()) - observed
    total = sum(lengths)
    yield f"{total:,} tokens of {tokenizer.vocab_size:,} kinds, median {sorted(lengths)[len(lengths) // 2]:,} an episode"
    counts["tasks, and what frames messages"] = total - counts.total()
    for name, number in counts.items():
        yield f"  {name}: {number:,} ({number / total:.1%})"


# -- Exports --------------------------------------------------------------------------------------------


def exports(found: Sequence[Trajectory]) -> Iterator[str]:
    """How many of each form are written, and come back as what was recorded."""
    for form in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            report = export(found, form, Path(folder))
            left_out = {name for name, _ in report.left_out}
            written = [each for each in found if each.header.episode not in left_out]
            back = READERS[form](Path(folder), written)
            same = sum(wanted(form, each) == got for each, got in zip(written, back, strict=True))
        yield f"{form}: {report.written:,} written, {len(left_out):,} left out, {same:,} come back the same"


def wanted(form: str, trajectory: Trajectory) -> Any:
    """What should be read of a trajectory in a form."""
    if form == "chat":
        return conversation_of(trajectory)
    if form == "predictions":
        return trajectory.result and trajectory.result.submission
    return said(trajectory)


def said(trajectory: Trajectory) -> Said:
    """All messages of an episode."""
    return [message["content"] for message in trajectory.messages()]


def _rows(form: str, folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / ROWS[form][0]).read_text("utf-8").split("\n") if line]


def _files(form: str, read: Callable[[dict[str, Any]], Said]) -> Callable[[Path, Sequence[Trajectory]], list[Said]]:
    def read_all(folder: Path, written: Sequence[Trajectory]) -> list[Said]:
        paths = [folder / (each.header.episode + FILES[form][0]) for each in written]
        return [read(json.loads(path.read_text("utf-8"))) for path in paths]

    return read_all


def _of_atif(content: dict[str, Any]) -> Said:
    messages = []
    for step in content["steps"]:
        messages += [step["message"], *(result["content"] for result in step.get("observation", {}).get("results", []))]
    return messages


def _of_table(folder: Path, written: Sequence[Trajectory]) -> list[Said]:
    from pyarrow import parquet

    found = []
    for row in parquet.read_table(folder / "trajectories.parquet").to_pylist():
        turns = [text for step in row["steps"] for text in (step["content"], step["observation"])[: 1 + bool(step["role"])]]
        found.append([row["system"], row["prompt"], *turns])
    return found


READERS: dict[str, Callable[[Path, Sequence[Trajectory]], list[Any]]] = {
    "chat": lambda folder, _: list(read_conversations(folder / "chat.jsonl")),
    "cwm": lambda folder, _: [[m.content for m in parse_transcript(row["text"])] for row in _rows("cwm", folder)],
    "predictions": lambda folder, _: [row["model_patch"] for row in _rows("predictions", folder)],
    "swe-agent": _files("swe-agent", lambda content: [item["content"] for item in content["history"]]),
    "mini-swe-agent": _files("mini-swe-agent", lambda content: [item["content"] for item in content["messages"][:-1]]),
    "atif": _files("atif", _of_atif),
    "parquet": _of_table,
}


if __name__ == "__main__":
    main()
