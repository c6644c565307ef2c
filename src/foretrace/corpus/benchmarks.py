"""What benchmarks hold, read from their own files, so that nothing of it is trained on.

    benchmarks = Benchmarks(["cruxeval.jsonl", "HumanEval.jsonl", "swebench_verified_test.jsonl.gz"])
    benchmarks.match(subject)                   # None, or (reason, "HumanEval.jsonl, row 17")

Three tests: `Decontaminator`'s two on code; any 13 words in a row of a problem's text in a docstring or a comment (as in
Brown et al., arXiv:2005.14165, appendix C); and repositories that a benchmark is made of, such as SWE-bench's, by name.
"""

import ast
import gzip
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from foretrace.corpus.decontaminate import Decontaminator
from foretrace.corpus.types import Subject
from foretrace.errors import UsageError

WORDS = 13
DISTINCT = 8
"""Different words, not numbers, that a run of `WORDS` needs to be a sentence: tables and counting are everybody's."""
_CODE = ("code", "canonical_solution", "sat", "solution", "reference_solution")
_PROSE = ("problem", "question_content", "text", "prompt", "problem_statement", "prompt_sft")
_WORD = re.compile(r"[a-z0-9]+")


class Benchmarks:
    """Everything that some benchmarks hold."""

    def __init__(self, files: Iterable[str]) -> None:
        """Reads the files: JSON Lines, a JSON list, or either with gzip.

        Raises:
            UsageError: a file is missing or has another form.

        """
        self._names: list[str] = []
        sources: list[str] = []
        self._words: dict[int, str] = {}
        self._repositories: dict[str, str] = {}
        for name, row in (pair for file in files for pair in _rows(Path(file))):
            for source in _sources(row):
                sources.append(source)
                self._names.append(name)
            for text in _texts(row):
                self._words.update((gram, name) for gram in _grams(text))
            if "/" in str(row.get("repo", "")):
                self._repositories.setdefault(str(row["repo"]).rpartition("/")[2].lower().replace("_", "-"), name)
        self._code = Decontaminator(sources)

    def match(self, subject: Subject) -> tuple[str, str] | None:
        """Why a subject must not be trained on, and which row of which file it is like."""
        project = subject.origin.name.partition(" ")[0].lower().replace("_", "-")
        if subject.origin.kind in ("harvested", "test") and project in self._repositories:
            return "from a repository that a benchmark is made of", self._repositories[project]
        found = self._code.match(subject.source)
        if found is not None:
            return found[0], self._names[found[1]]
        shared = next((self._words[gram] for gram in _grams(_own_words(subject.source)) if gram in self._words), None)
        return (f"{WORDS} words in a row of a problem's text", shared) if shared is not None else None


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = data.decode("utf-8")
        is_list = text.lstrip().startswith("[")
        rows = json.loads(text) if is_list else [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the benchmark {file}: {error}; wanted JSON Lines or a JSON list, or either .gz"
        ) from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UsageError(f"cannot read the benchmark {file}: row {number} is not an object")
        yield f"{file.name}, row {number}", row


def _sources(row: dict[str, Any]) -> Iterator[str]:
    """Programs in a row."""
    prompt = row.get("prompt") if isinstance(row.get("prompt"), str) else ""
    solutions = row.get("accepted_solutions")
    accepted = [one.get("code") for one in solutions if isinstance(one, dict)] if isinstance(solutions, list) else []
    for text in (*(row.get(name) for name in _CODE), *accepted):
        if isinstance(text, str) and text.strip():
            if _parses(text):
                yield text
            elif _parses(f"{prompt}{text}"):
                yield f"{prompt}{text}"


def _parses(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError):
        return False


def _texts(row: dict[str, Any]) -> Iterator[str]:
    """Problems' texts in a row; of a prompt that is code, its docstrings and comments."""
    for name in _PROSE:
        text = row.get(name)
        if isinstance(text, str):
            yield _own_words(text) if _parses(text) else text


def _grams(text: str) -> Iterator[int]:
    """Fingerprints of each `WORDS` words in a row; equal ones in one process only."""
    words = _WORD.findall(text.lower())
    runs = (words[i : i + WORDS] for i in range(len(words) - WORDS + 1))
    return (hash(tuple(run)) for run in runs if len({word for word in run if word.isalpha()}) >= DISTINCT)


def _own_words(source: str) -> str:
    """Comments and long strings of a source: what it says in words."""
    try:
        tokens = [
            t
            for t in tokenize.generate_tokens(io.StringIO(source).readline)
            if t.type in (tokenize.COMMENT, tokenize.STRING)
        ]
    except (tokenize.TokenError, SyntaxError):
        return ""
    return "\n".join(t.string for t in tokens if t.type == tokenize.COMMENT or len(t.string) > 4 * WORDS)
