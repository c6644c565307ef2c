"""Runs in the formats of the official tools, so that anyone can score them again; such files read back; tasks for others.

    export(run.part("humaneval-plus"), "evalplus", Path("samples.jsonl"))       # evalplus.evaluate --samples samples.jsonl
    read_completions(Path("samples.jsonl"))["HumanEval/0"]                      # ["def …"]: answers, as read
    export_tasks("fresh:direct", "lm-eval", Path("tasks"), Options())           # lm_eval --include_path tasks

One module a format: evalplus, livecodebench, swebench, cruxeval; `tasks` has those of lm-evaluation-harness and Inspect.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.exports import cruxeval, evalplus, livecodebench, swebench
from foretrace.evals.exports.answers import answers_of
from foretrace.evals.exports.content import read_content
from foretrace.evals.exports.tasks import TASK_FORMS, export_tasks
from foretrace.evals.folder import Part

__all__ = ["FORMS", "TASK_FORMS", "export", "export_tasks", "read_completions"]

FORMS = {
    "cruxeval": cruxeval,
    "evalplus": evalplus,
    "livecodebench": livecodebench,
    "swebench": swebench,
}
"""Each has `BENCHMARKS`, `write(part, answers, model)` and `read(content)`."""
_Reader = Callable[[Any], Mapping[str, list[str]] | None]


def export(part: Part, form: str, file: Path, *, model: str = "foretrace") -> int:
    """Writes the answers of a part of a run in an official form.

    Args:
        part: of a benchmark that the form is made for.
        form: a name in FORMS.
        file: to be written.
        model: a name for the model, where the form has room for it.

    Returns:
        How many answers are in the file.

    Raises:
        UsageError: the form knows no such benchmark; items have no answer yet, where the official tool wants all; or data
            that the form needs is missing.

    """
    known = FORMS.get(form)
    if known is None:
        raise UsageError(f"there is no form {form!r}; there are: {', '.join([*FORMS, *TASK_FORMS])}")
    benchmark = part.manifest["benchmark"]
    if benchmark not in known.BENCHMARKS:
        raise UsageError(f"{form} knows no {benchmark}; it has the form of: {', '.join(known.BENCHMARKS)}")
    answers = answers_of(part)
    file.write_text(known.write(part, answers, model), encoding="utf-8")
    return sum(map(len, answers.values()))


def read_completions(file: Path) -> dict[str, list[str]]:
    """Answers of each item in a file of an official form, which is found out by looking.

    Raises:
        UsageError: it is of none.

    """
    content = read_content(file)
    for module in FORMS.values():
        read: _Reader = module.read
        if (found := read(content)) is not None:
            return dict(found)
    forms = ", ".join(FORMS)
    raise UsageError(f'{file} is in none of the forms {forms}; or give a line an answer: {{"item": id, "text": text}}')
