"""Traces by a model on a server: prompts go as token ids, and what comes back is what the engine here predicts."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from foretrace.evals import Plan, carry_out, find_subject
from foretrace.evals.folder import Sample
from foretrace.evals.types import Options
from foretrace.serve.app import OPEN_PATHS, create_app
from foretrace.serve.guard import rules_for
from foretrace.serve.model import Limits, ServedModel
from foretrace.serve.run import Server, address_of, bind

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """`foretrace serve`, in a thread."""
    served, listening, ready = ServedModel.load("tiny", Limits()), bind("127.0.0.1", 0), threading.Event()
    rules = rules_for("127.0.0.1", port=listening.getsockname()[1], token=TOKEN, open_paths=OPEN_PATHS)
    server = Server(create_app(served, rules), ready=ready.set, end=served.close, grace=5.0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(20)
    yield address_of(listening)
    server.should_exit = True
    thread.join(20)
    listening.close()


def measured(model: str, folder: Path) -> list[Sample]:
    plan = Plan.of("halting:trace", options=Options(count=4), max_tokens=200)
    return carry_out([plan], find_subject(model), folder).parts[plan.folder].samples()


def test_a_server_gives_the_traces_that_its_model_gives_here(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
    there, here = measured(f"{url}/v1,model=tiny,tokenizer=tiny", tmp_path / "there"), measured("tiny", tmp_path / "here")
    assert [(sample.item, sample.raw, sample.strict) for sample in there] == [
        (sample.item, sample.raw, sample.strict) for sample in here
    ]
    assert len(there) == 4
