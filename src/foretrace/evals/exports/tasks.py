"""Benchmarks as tasks of other harnesses: of lm-evaluation-harness and of Inspect, over our data, with our scorers.

    export_tasks("fresh:direct", "lm-eval", Path("tasks"), Options())
    # lm_eval run --include_path tasks --tasks foretrace_fresh_direct --model hf --model_args pretrained=…
    export_tasks("fresh:cot", "inspect", Path("tasks"), Options())
    # inspect eval tasks/foretrace_fresh_cot.py --model openai/…

Items lie beside a task as JSON lines, with the digest that a run of ours has; answers are scored by `exports.scoring`, so
foretrace has to be installed there. Those harnesses run what models write without isolation; this scorer does not.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_style
from foretrace.evals.plan import items_sha256
from foretrace.evals.types import Item, Options, Question, Style

TASK_FORMS = ("lm-eval", "inspect")

_YAML = """\
# {title}, {about}. {source}. Made by foretrace eval export; one greedy answer an item.
task: {task}
custom_dataset: !function {utils}.load
dataset_kwargs:
  file: {file}
test_split: test
output_type: generate_until
doc_to_text: prompt
doc_to_target: target
process_results: !function {utils}.process_results
generation_kwargs:
  until: {stop}
  max_gen_toks: {max_tokens}
  do_sample: false
  temperature: 0.0
num_fewshot: 0
metric_list:
  - metric: strict
    aggregation: mean
    higher_is_better: true
  - metric: official
    aggregation: mean
    higher_is_better: true
  - metric: unparsable
    aggregation: mean
    higher_is_better: false
  - metric: broken
    aggregation: mean
    higher_is_better: false
metadata:
  version: "{version}"
"""
_UTILS = '''\
"""What the tasks beside this file are made of: items from JSON lines, scored by foretrace."""

from pathlib import Path

from datasets import Dataset

from foretrace.evals.exports.scoring import read_documents, score


def load(file, **_):
    """The items."""
    return {"test": Dataset.from_list(read_documents(Path(__file__).parent / file))}


def process_results(doc, results):
    """Shares of 0 or 1: right under both rules; unparsable; not judged, because something failed."""
    sample = score(doc, results[0])
    measured = {"strict": sample.strict, "official": sample.official}
    measured |= {name: sample.reason == name for name in ("unparsable", "broken")}
    return {name: float(value) for name, value in measured.items()}
'''
_INSPECT = '''\
"""{title}: {about}. {source}. Made by foretrace eval export."""

from pathlib import Path

from anyio import to_thread
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from foretrace.evals.exports.scoring import read_documents, score

DOCUMENTS = read_documents(Path(__file__).parent / {file!r})


@scorer(metrics={{"*": [mean(), stderr()]}})
def by_foretrace():
    """Shares of 0 or 1: right under both rules; unparsable; not judged, because something failed."""

    async def judge(state: TaskState, target: Target) -> Score:
        sample = await to_thread.run_sync(score, state.metadata, state.output.completion)
        value = {{"strict": sample.strict, "official": sample.official}}
        value |= {{name: sample.reason == name for name in ("unparsable", "broken")}}
        value = {{name: float(each) for name, each in value.items()}}
        return Score(value=value, answer=sample.extracted, explanation=f"{{sample.reason}}: {{sample.detail}}")

    return judge


@task
def {task}() -> Task:
    """{title}."""
    samples = [Sample(id=doc["id"], input=doc["prompt"], target=doc["target"], metadata=doc) for doc in DOCUMENTS]
    config = GenerateConfig(max_tokens={max_tokens}, temperature=0.0)
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=by_foretrace(), config=config, version={version!r})
'''


def export_tasks(name: str, form: str, folder: Path, options: Options) -> list[Path]:
    """Writes a task, its data, and what both need.

    Args:
        name: `BENCHMARK:STYLE`, of a style that asks in text.
        form: one of TASK_FORMS.
        folder: made if it is not there; tasks of several benchmarks may lie in one.
        options: of the items.

    Returns:
        The files.

    Raises:
        UsageError: there is no such form or style; it asks for a trace; data is missing, or cannot be written as JSON.

    """
    if form not in TASK_FORMS:
        raise UsageError(f"there is no form {form!r} of tasks; there are: {', '.join(TASK_FORMS)}")
    benchmark, style = find_style(name)
    items = benchmark.load(options)
    documents = [_document(f"{benchmark.name}:{style}", benchmark.styles[style], item, form) for item in items]
    task = f"foretrace_{benchmark.name}_{style}".replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    file, utils = folder / f"{task}.{form}.jsonl", folder / "foretrace_utils.py"
    file.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    words: dict[str, Any] = {
        "title": benchmark.title,
        "about": benchmark.about,
        "source": benchmark.source,
        "task": task,
        "utils": utils.stem,
        "file": file.name,
        "stop": json.dumps(_stops(benchmark.styles[style], items)),
        "max_tokens": benchmark.styles[style].sampling.max_tokens,
        "version": items_sha256(items)[:12],
    }
    if form == "inspect":
        (folder / f"{task}.py").write_text(_INSPECT.format(**words), encoding="utf-8")
        return [file, folder / f"{task}.py"]
    (folder / f"{task}.yaml").write_text(_YAML.format(**words), encoding="utf-8")
    utils.write_text(_UTILS, encoding="utf-8")
    return [file, folder / f"{task}.yaml", utils]


def _document(name: str, style: Style, item: Item, form: str) -> dict[str, str]:
    """An item as a row of texts: the prompt, what is right, and what the scorer needs."""
    row = json.dumps(dict(item.row), default=_refuse)
    if json.loads(row) != dict(item.row):
        raise UsageError(f"{item.id} holds what JSON does not keep, and cannot be a task: use foretrace eval run {name}")
    prompt = _prompt(style.ask(item), name, form)
    places, target = json.dumps(dict(item.places)), item.controls.get("gold", "")
    return {"id": item.id, "benchmark": name, "prompt": prompt, "target": target, "row": row, "places": places}


def _prompt(question: Question, name: str, form: str) -> str:
    """lm-evaluation-harness has completions, Inspect chats."""
    prompt = question.text or question.chat if form == "lm-eval" else question.chat or question.text
    if not prompt:
        raise UsageError(f"{name} asks for a trace, and no other harness can: choose a style that asks in text")
    return prompt


def _stops(style: Style, items: Sequence[Item]) -> list[str]:
    return list(dict.fromkeys(stop for item in items for stop in style.ask(item).stop))


def _refuse(value: Any) -> Any:
    raise UsageError(f"an item holds a value of type {type(value).__name__}, which is no JSON: it cannot be a task")
