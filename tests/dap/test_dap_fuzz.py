"""Requests that make no sense, in any order: each is answered, and no session breaks."""

from contextlib import closing
from pathlib import Path

import pytest
from dap_client import ALL, TOKEN, Refused, SocketClient, serving
from dap_programs import write_programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foretrace.dap.adapter import CAPABILITIES


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> dict[str, Path]:
    return {name: Path(path) for name, path in write_programs(tmp_path_factory.mktemp("dap")).items()}


@pytest.fixture(scope="module")
def port():
    with serving() as number:
        yield number


COMMANDS = [
    "initialize",
    "launch",
    "threads",
    "stackTrace",
    "scopes",
    "variables",
    "setVariable",
    "setExpression",
    "evaluate",
    "gotoTargets",
    "goto",
    "restartFrame",
    "source",
    "setBreakpoints",
    "setDataBreakpoints",
    "setExceptionBreakpoints",
    "dataBreakpointInfo",
    "exceptionInfo",
    "cancel",
    "pause",
    "next",
    "stepIn",
    "stepOut",
    "stepBack",
    "continue",
    "reverseContinue",
    "configurationDone",
    "nonsense",
]
NAMES = [
    "variablesReference",
    "frameId",
    "name",
    "value",
    "expression",
    "context",
    "line",
    "source",
    "path",
    "breakpoints",
    "filters",
    "filterOptions",
    "filterId",
    "condition",
    "dataId",
    "targetId",
    "threadId",
    "start",
    "count",
    "levels",
    "startFrame",
    "requestId",
    "progressId",
    "pathFormat",
    "sourceReference",
]
TEXTS = st.sampled_from(
    ["n", "c", "repl", "exception", "confidence", "alts c", "why c", "branch 0", "pin c", "[1][", "\ud800"]
)
SIMPLE = st.none() | st.booleans() | st.integers(-3, 30) | st.floats() | TEXTS | st.text(max_size=6)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), SIMPLE, max_size=4)
ARGUMENTS = st.dictionaries(
    st.sampled_from(NAMES),
    SIMPLE | OBJECTS | st.lists(SIMPLE, max_size=3) | st.lists(OBJECTS, max_size=3),
    max_size=6,
)
MODELS = ["tiny", "oracle", "oracle:err=2", "oracle:x=1", "replay:", "replay:letters", "torch:", "a/b", "..", "tiny,x"]
LAUNCHES = st.fixed_dictionaries(
    {
        "program": st.sampled_from(["letters", "letters", "letters", "/", "", "\0"]) | SIMPLE,
        "function": st.sampled_from(["f", "f", "f.g", "<module>", "count_letters", "\0"]) | SIMPLE,
        "model": st.sampled_from(MODELS) | SIMPLE,
    },
    optional={
        "args": st.sampled_from(["'r'", "", "c=[", "f(1)", "*x", "**{}", "\0"]) | SIMPLE,
        "budget": SIMPLE,
        "temperature": SIMPLE,
        "seed": SIMPLE,
        "trace": st.sampled_from(["/", "letters", "\0"]) | SIMPLE,
        "allowRun": st.booleans(),
        "runAtStart": st.booleans(),
        "stopOnEntry": st.booleans(),
    },
)


def refusal(client: SocketClient, command: str, **arguments: object) -> str:
    """Why a request was refused; empty if it was not."""
    try:
        client.request(command, **arguments)
    except Refused as error:
        return str(error)
    return ""


@given(st.lists(st.tuples(st.sampled_from(COMMANDS), ARGUMENTS), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_request_is_answered(port, programs, caplog, requests) -> None:
    with closing(SocketClient(port)) as client:
        client.start(programs["letters"])
        for command, arguments in requests:
            assert "fault of foretrace" not in refusal(client, command, **arguments), (command, arguments)
        assert client.request("threads")["threads"]
    assert not caplog.records


@given(LAUNCHES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_launch_is_answered(port, programs, arguments) -> None:
    paths = {name: str(programs["letters"]) for name in ("program", "trace") if arguments.get(name) == "letters"}
    with closing(SocketClient(port)) as client:
        client.request("initialize", **ALL)
        assert "fault of foretrace" not in refusal(client, "launch", **arguments | paths, token=TOKEN)
        refusal(client, "configurationDone")
        assert client.request("threads").keys() == {"threads"}


def test_what_is_said_to_be_supported_is(port, programs) -> None:
    with closing(SocketClient(port)) as client:
        capabilities = client.launch(programs["letters"])
        assert capabilities == CAPABILITIES
        client.request("configurationDone")
        client.event("stopped")
        unknown = [command for command in COMMANDS if "there is no request" in refusal(client, command)]
        assert unknown == ["nonsense"]
