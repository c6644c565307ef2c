"""Whatever is sent: an answer that says what is wrong, and a session that goes on. The client raises what a server would log."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sites import Told, client

from foretrace.web.verbs import VERBS
from foretrace.web.views import QUESTIONS

SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=40)
NAMES = [
    "line",
    "visit",
    "position",
    "what",
    "name",
    "text",
    "seed",
    "temperature",
    "keep",
    "branch",
    "tokens",
    "condition",
    "hits",
    "number",
    "confidence",
    "expression",
]
EXPRESSIONS = st.sampled_from(
    [
        "n",
        "n + 1",
        "word * 9**9",
        "[x for x in word]",
        "().__class__",
        "__import__('os')",
        "'a' * 10**9",
        "\x00",
        "n" * 9000,
        "lambda: 1",
    ]
)
GIVEN = st.dictionaries(st.sampled_from(NAMES), SCALARS | EXPRESSIONS | st.lists(SCALARS, max_size=3), max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
FEW = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def told() -> Told:
    made = Told(client())
    made.do("look")
    return made


def sendable(value: Any) -> bool:
    """Whether a client can write it: JSON knows no NaN."""
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    if isinstance(value, dict):
        return all(map(sendable, value.values()))
    return all(map(sendable, value)) if isinstance(value, list) else True


@FEW
@given(verb=st.sampled_from(sorted(VERBS.keys() - {"run_for_real"})), given_values=GIVEN.filter(sendable))
def test_verbs(told: Told, verb: str, given_values: dict[str, Any]) -> None:
    name, data = told.events(verb, **given_values)[-1]
    assert name == "view" or data["message"]
    told.do("seek", position=3)


@FEW
@given(
    question=st.sampled_from(sorted(QUESTIONS)),
    given_values=st.dictionaries(st.sampled_from([*NAMES, "start", "count", "width"]), st.text(max_size=30)),
)
def test_questions(told: Told, question: str, given_values: dict[str, str]) -> None:
    answer = told.client.get(f"{told.path}/{question}", params=given_values)
    assert answer.status_code in (200, 400)


@FEW
@given(path=st.sampled_from(["/api/sessions", "/api/inspect"]), body=JSON.filter(sendable))
def test_bodies(told: Told, path: str, body: Any) -> None:
    assert told.client.post(path, json=body).status_code in (200, 400)


@FEW
@given(
    source=st.sampled_from(["def f(x):\n    return x\n", "class C:\n  def f(self): pass\n", "f = lambda x: x\n", "x = (", "", "def f(x: int = 3, /, *a, y, **k): ...\n"]),
    entry=st.sampled_from(["f", "C.f", "C", "", "f.g", "main", "é"]),
    arguments=st.sampled_from(["3", "", "x=[1]", "1, 2, y=3", "*a", "(", "__import__('os')", None]),
)  # fmt: skip
def test_calls(told: Told, source: str, entry: str, arguments: str | None) -> None:
    answer = told.client.post("/api/sessions", json={"source": source, "entry": entry, "arguments": arguments})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        Told(told.client, answer.json()).events("look")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget", 10**9),
        ("budget", "x"),
        ("position", 99_999_999),
        ("position", -3),
        ("branch", 4),
        ("settings", {"no": 1}),
        ("call", {"source": "x = (", "entry": "f", "line": 9, "locals": {}, "arguments": ""}),
        ("watches", 3),
    ],
)
def test_saved_sessions(told: Told, field: str, value: Any) -> None:
    head, _, rest = told.ask("saved")["saved"].partition("\n")
    changed = json.dumps(json.loads(head) | {field: value})
    answer = told.client.post("/api/sessions", json={"saved": f"{changed}\n{rest}"})
    assert answer.status_code in (200, 400)
