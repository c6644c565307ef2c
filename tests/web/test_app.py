"""What the server answers, and what it refuses: no browser, no port."""

import pytest
from sites import LETTERS, TOKEN, Told, client, opener
from starlette.testclient import TestClient

from foretrace.web.app import POLICY, Site
from foretrace.web.running import Running
from foretrace.web.sessions import Store


@pytest.fixture
def told() -> Told:
    return Told(client())


def test_the_page_is_whole_and_has_a_policy() -> None:
    answer = client().get("/")
    assert '<div id="app">' in answer.text
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY.split("script-src")[1].split(";")[0], "only the page's own scripts run"
    for name in ("main.js", "theme.css", "vendor/preact.js", "vendor/codemirror.js"):
        assert client().get(f"/static/{name}").status_code == 200


def test_the_door_is_shut() -> None:
    inside = client()
    app: TestClient = TestClient(inside.app, base_url="http://127.0.0.1:8765")
    assert app.get("/").status_code == app.get("/api/start").status_code == 401
    assert app.get("/static/main.js").status_code == 200, "it is the same for everybody"
    assert inside.get("/", headers={"host": "evil.example"}).status_code == 403
    assert inside.post("/api/sessions", json={}, headers={"origin": "http://evil.example"}).status_code == 403
    assert inside.post("/api/sessions", content=b"x" * (5 << 20)).status_code == 413
    entered = app.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/api/sessions/..%2f..%2fx"]
)
def test_no_path_reaches_the_file_system(path: str) -> None:
    assert client().get(path).status_code in (404, 405)


def test_it_begins_at_the_call_of_the_example(told: Told) -> None:
    program, view = told.opened["program"], told.opened["view"]
    assert (program["path"], program["entry"]) == ("letters.py", "count_letters")
    assert (view["state"]["event"], view["summary"]["steps"]) == ("call", 1)
    assert view["summary"]["reality"]["steps"] == 25, "its recording is beside it: nothing was run"
    assert program["highlights"][0][0] == [0, 3, "keyword"]


def test_look_goes_to_the_first_divergence(told: Told) -> None:
    view = told.do("look")
    assert (view["state"]["position"], view["summary"]["steps"]) == (5, 25)
    assert [row["real"] for row in view["state"]["values"] if row["name"] == "n"] == ["0"]


def test_moves_changes_and_branches(told: Told) -> None:
    told.do("look")
    assert told.do("back")["state"]["position"] == 4
    assert told.do("seek", position=5)["state"]["position"] == 5
    view = told.do("set", name="n", text="0")
    assert [branch["label"] for branch in view["summary"]["branches"]] == ["original", "n=0 @5"]
    assert told.do("ahead")["summary"]["steps"] == 25
    assert told.ask("compare", branch=0)["first"] == 5
    assert told.do("select", branch=0)["summary"]["branch"] == 0
    assert told.do("anchor")["summary"]["mode"] == "re-anchored"
    assert told.do("free_run")["summary"]["mode"] == "free-run"
    view = told.do("break", line=5, condition="n >= 0")
    assert view["summary"]["breakpoints"][0]["line"] == 5
    assert told.do("run")["summary"]["stop"]["reason"] == "breakpoint"
    assert told.do("unbreak", number=1)["summary"]["breakpoints"] == []
    assert told.do("watch", expression="n + 1")["state"]["watches"][0]["expression"] == "n + 1"


def test_questions(told: Told) -> None:
    told.do("look")
    assert len(told.ask("page", start=3, count=4)["rows"]) == 4
    assert len(told.ask("lane")) == 25
    assert told.ask("visits", line=3)["visits"] == 11
    assert told.ask("search", text="return")["hits"][0]["position"] == 23
    assert told.ask("set_by", name="n") == {"position": 4}
    assert told.ask("evaluate", expression="word[0]") == {"text": "'s'"}
    assert {each["event"] for each in told.ask("events")} == {"call", "line", "return", "exception", None}
    assert all(each["text"] for each in told.ask("alternatives", name="n"))


def test_a_session_is_opened_from_a_call(told: Told) -> None:
    body = {"source": LETTERS, "entry": "count", "arguments": "'abba', 'b'", "path": "mine.py"}
    mine = Told(told.client, told.client.post("/api/sessions", json=body).json())
    assert mine.opened["program"]["path"] == "mine.py"
    assert mine.do("run")["summary"]["reality"] is None
    assert mine.do("run_for_real")["summary"]["reality"]["outcome"] == "returned"
    again = told.client.get(mine.path).json()
    assert again["view"]["summary"]["position"] == 12, "a reload shows the same"


def test_a_saved_session_is_the_same_one(told: Told) -> None:
    told.do("look")
    told.do("set", name="n", text="7")
    saved = told.ask("saved")["saved"]
    other = Told(told.client, told.client.post("/api/sessions", json={"saved": saved}).json())
    state = other.opened["view"]["state"]
    assert (state["position"], next(row["text"] for row in state["values"] if row["name"] == "n")) == (5, "7")


@pytest.mark.parametrize(
    ("verb", "given", "message"),
    [
        ("fly", {}, "there is no verb 'fly'"),
        ("goto", {}, "line must be a whole number"),
        ("goto", {"line": "4; import os"}, "line must be a whole number"),
        ("goto", {"line": True}, "line must be a whole number"),
        ("set", {"name": "word", "text": "berry"}, "no name 'berry'"),
        ("set", {"name": "n", "text": "1"}, "there is no 'n' at the call of line 1"),
        ("set", {"name": "n", "text": "x" * 20_000}, "text is longer than 10,000 characters"),
        ("select", {"branch": 9}, "there is no branch 9"),
        ("budget", {"tokens": 10**8}, "a budget is between"),
        ("reroll", {"seed": 1, "keep": [1]}, "keep must be a list of texts"),
        ("sample", {"seed": 1, "temperature": "hot"}, "temperature must be a number"),
        ("filters", {"exception": "yes"}, "exception must be true or false"),
    ],
)
def test_what_is_wrong_is_said(told: Told, verb: str, given: dict[str, object], message: str) -> None:
    [(name, data)] = told.events(verb, **given)
    assert name == "error"
    assert message in data["message"]
    assert told.do("step")["state"]["position"] == 1, "the session goes on"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"source": 3}', 400), (b'{"source": "x = (", "entry": "f"}', 400), (b'{"saved": "{}"}', 400),
     (b'{"source": "def f(): pass", "entry": "g", "arguments": ""}', 400), (b"[" * 100_000, 400)],
)  # fmt: skip
def test_a_session_that_cannot_be_is_refused(body: bytes, status: int) -> None:
    answer = client().post("/api/sessions", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_unknown_things_are_not_found(told: Told) -> None:
    assert told.client.get("/api/sessions/nobody").status_code == 404
    assert told.client.get("/nowhere").status_code == 404
    assert told.client.get(f"{told.path}/nonsense").status_code == 400


def test_nothing_runs_where_it_may_not() -> None:
    told = Told(client(Running(allowed=False)))
    assert "running code is off" in told.opened["program"]["run"]["obstacle"]
    [(name, data)] = told.events("run_for_real")
    assert (name, "Start it with --allow-run" in data["message"]) == ("error", True)


def test_a_program_is_inspected_before_it_is_opened() -> None:
    source = "import stripe, json\nclass C:\n    def m(self, x=1): pass\ndef f(a, *b): pass\n"
    answer = client().post("/api/inspect", json={"source": source}).json()
    assert answer["missing"] == ["stripe"]
    assert [(each["name"], each["parameters"]) for each in answer["functions"]] == [("C.m", "self, x=1"), ("f", "a, *b")]
    assert "line 1" in client().post("/api/inspect", json={"source": "def ("}).json()["error"]


def test_the_oldest_session_goes_first() -> None:
    few = client(store=Store(limit=2))
    first, second = Told(few), Told(few)
    few.get(first.path)
    Told(few)
    assert few.get(first.path).status_code == 200
    assert few.get(second.path).status_code == 404


def test_the_export_is_a_file_to_keep(told: Told) -> None:
    told.do("look")
    answer = told.client.get(f"{told.path}/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="letters-count_letters.html"'
    assert "foretrace/main.js" in answer.text


def test_examples_are_what_the_site_was_given() -> None:
    made = opener()
    examples = ({"name": "x", "source": "", "entry": "", "arguments": ""},)
    assert Site(opener=made, home=made.example, examples=examples).examples == examples
    assert client(examples=examples).get("/api/examples").json() == list(examples)
