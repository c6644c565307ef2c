"""A site behind its door, for tests of what the server answers: an oracle predicts, nothing listens on a port."""

import json
from typing import Any

from starlette.testclient import TestClient

from foretrace.debug import Settings
from foretrace.engine import load_predictor
from foretrace.serve.guard import rules_for
from foretrace.web.app import OPEN, Site, make_app
from foretrace.web.opening import Opener
from foretrace.web.running import Running

TOKEN = "a-secret"
ORACLE = "oracle:err=0.08,seed=5,kinds=value"
LETTERS = """def count(word, letter):
    n = 0
    for c in word:
        n += int(c == letter)
    return n
"""


def opener(budget: int = 10**6) -> Opener:
    predictor = load_predictor(ORACLE, real=Running().run)
    return Opener(predictor=predictor, settings=Settings(budget=budget))


def client(running: Running | None = None, **more: Any) -> TestClient:
    """A client that shows the token; `more` goes into the site."""
    made = opener()
    site = Site(opener=made, home=made.example, running=running or Running(), **more)
    app = make_app(site, rules_for("127.0.0.1", port=8765, token=TOKEN, open_paths=OPEN, page=True))
    headers = {"authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8765"}
    return TestClient(app, base_url="http://127.0.0.1:8765", headers=headers)


class Told:
    """One session of a client."""

    def __init__(self, client: TestClient, opened: dict[str, Any] | None = None) -> None:
        self.client = client
        self.opened = opened or client.get("/api/start").json()
        self.path = f"/api/sessions/{self.opened['id']}"

    def do(self, verb: str, **given: Any) -> dict[str, Any]:
        """The view after a verb; an error is an `AssertionError` with its message."""
        name, data = self.events(verb, **given)[-1]
        assert name == "view", data["message"]
        return data

    def events(self, verb: str, **given: Any) -> list[tuple[str, dict[str, Any]]]:
        answer = self.client.post(f"{self.path}/do", json={"verb": verb, **given})
        assert answer.status_code == 200, answer.text
        return [_event(block) for block in answer.text.strip().split("\n\n")]

    def ask(self, question: str, **given: Any) -> Any:
        answer = self.client.get(f"{self.path}/{question}", params=given)
        assert answer.status_code == 200, answer.text
        return answer.json()


def _event(block: str) -> tuple[str, dict[str, Any]]:
    name, data = block.split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
