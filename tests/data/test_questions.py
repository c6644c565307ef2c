"""Questions about recorded calls: the answers are what really happened."""

import pytest

pytest.importorskip("pyarrow")

from foretrace.data.dataset import open_dataset
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make
from foretrace.data.questions import Asking, conversations, program_question

DOUBLE = "def double(n):\n    return 2 * n\n"
CONSTANT = "def constant(n):\n    return 7\n"
LONG = "def long(n):\n" + "    n += 1\n" * 9 + "    return n\n"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("asked")
    for name, source in (("double", DOUBLE), ("constant", CONSTANT), ("long", LONG)):
        (folder / f"{name}.py").write_text(source)
    definition = Definition(sources=tuple(str(folder / f"{n}.py") for n in ("double", "constant", "long")), licence="MIT")
    make(definition, str(folder / "traces"), open_engine("local", 1, None))
    return open_dataset(folder / "traces")


def test_answers_are_what_happened(dataset) -> None:
    asked = list(conversations(dataset, Asking(tasks=("output",))))
    assert {c["task"] for c in asked} == {"output"}
    for conversation in asked:
        question, answer = (m["content"] for m in conversation["messages"])
        source, _, call = question.partition("\n\nWhat does ")
        scope: dict[str, object] = {}
        exec(source, scope)
        assert repr(eval(call.removesuffix(" return?"), scope)) == answer


def test_a_function_is_asked_for_only_where_examples_tell_something(dataset) -> None:
    asked = list(conversations(dataset, Asking(tasks=("program",))))
    assert [c["messages"][1]["content"] for c in asked] == [DOUBLE.strip()]
    question = asked[0]["messages"][0]["content"]
    lines, _, last = question.partition("\n\n")
    scope: dict[str, object] = {}
    exec(DOUBLE, scope)
    assert 3 <= len(lines.splitlines()) <= 4
    assert all(eval(line, scope) for line in lines.splitlines())
    assert last == "Write the function double."


def test_the_same_seed_asks_the_same(dataset) -> None:
    assert list(conversations(dataset, seed=3)) == list(conversations(dataset, seed=3))
    assert list(conversations(dataset, seed=3)) != list(conversations(dataset, seed=4))


def test_the_question_for_a_function() -> None:
    assert program_question("f", [("1, 2", "3")]) == "f(1, 2) == 3\n\nWrite the function f."
