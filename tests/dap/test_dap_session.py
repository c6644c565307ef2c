"""What requests do to a session, seen from a client: changes, jumps, and the console."""

from pathlib import Path

import pytest
from dap_client import ALL, Refused, SocketClient, serving
from dap_programs import write_programs

from foretrace.dap.debuggee import Debuggee


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> dict[str, Path]:
    return {name: Path(path) for name, path in write_programs(tmp_path_factory.mktemp("dap")).items()}


@pytest.fixture(scope="module")
def port():
    with serving() as number:
        yield number


@pytest.fixture
def client(port):
    client = SocketClient(port)
    yield client
    client.close()


@pytest.fixture
def slipping(client, programs):
    """A prediction that is wrong from step 11 on, beside the real trace."""
    client.start(programs["letters"], model=f"replay:{programs['predicted']}", trace=str(programs["real"]), allowRun=False)
    return client


def breakpoints(client: SocketClient, program: Path, *lines: int) -> None:
    client.request("setBreakpoints", source={"path": str(program)}, breakpoints=[{"line": line} for line in lines])


# -- the order of things -------------------------------------------------------------------------------


def test_a_move_is_answered_before_it_is_made(client, programs) -> None:
    client.start(programs["letters"])
    client.log.clear()
    client.move("continue")
    moved = [name for name in client.log if name in ("continue", "stopped")]
    assert moved == ["continue", "stopped"]


def test_requests_that_come_at_once_are_done_in_order(client, programs) -> None:
    client.start(programs["letters"])
    for _ in range(3):
        client.send("next", threadId=1)
    seq = client.send("stackTrace", threadId=1)
    assert client.response(seq)["stackFrames"][0]["line"] == 11


def test_a_breakpoint_at_the_entry_stops_a_run_that_begins(client, programs) -> None:
    client.launch(programs["letters"], stopOnEntry=False)
    breakpoints(client, programs["letters"], 8)
    client.request("configurationDone")
    assert client.event("stopped")["reason"] == "breakpoint"
    assert client.move("continue")["reason"] == "end"


def test_at_the_end_one_can_still_go_back_and_going_on_ends_the_session(client, programs) -> None:
    client.start(programs["raising"], args="-1")
    assert client.move("continue")["description"] == "the prediction ends: returns 0"
    assert client.move("next")["reason"] == "end"
    assert client.move("stepBack")["reason"] == "step"
    client.move("continue")
    client.request("continue", threadId=1)
    assert client.event("exited") == {"exitCode": 0}
    client.event("terminated")


def test_the_exit_code_of_what_raises_is_one(client, programs) -> None:
    client.start(programs["raising"], function="half", args="-1")
    client.move("continue")
    client.request("continue", threadId=1)
    assert client.event("exited") == {"exitCode": 1}


def test_what_ends_a_prediction_is_said(client, programs) -> None:
    client.start(programs["letters"], budget=60)
    stop = client.move("continue")
    assert stop["reason"] == "budget"
    assert "the 60 tokens of the budget are used up" in stop["description"]
    assert client.console("budget 100000").endswith("of 100000 tokens are used")
    assert client.move("continue")["reason"] == "end"


def test_a_move_that_fails_says_so_and_the_session_stands(client, programs) -> None:
    """A trace of another program is found out when the first step is asked for."""
    client.start(programs["rows"], args="[[1]]", model=f"replay:{programs['predicted']}")
    stop = client.move("next")
    assert (stop["reason"], stop["description"]) == ("pause", "it cannot go on")
    assert "trace of another program" in client.event("output", lambda body: body["category"] == "stderr")["output"]
    assert client.line() == 1


def test_a_fault_of_ours_is_answered_too(client, programs, monkeypatch, caplog) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("foretrace.dap.variables.Variables.scopes", fail)
    monkeypatch.setattr(Debuggee, "_run_from_entry", fail)
    client.start(programs["letters"])
    with pytest.raises(Refused, match=r"scopes failed, which is a fault of foretrace: RuntimeError\('broken'\)"):
        client.scopes()
    assert client.move("next")["reason"] == "step"
    assert "broken" in caplog.text


# -- launching -----------------------------------------------------------------------------------------


def test_the_console_says_what_is_debugged(client, programs) -> None:
    client.start(programs["letters"], model="tiny", allowRun=False)
    said = client.event("output")["output"]
    assert said.startswith("f('r'), predicted by tiny\n")
    assert "nothing is executed" in said


def test_arguments_that_are_not_given_are_invented(client, programs) -> None:
    client.start(programs["letters"], args=None, model="tiny", seed=3)
    assert "with arguments that the model invented" in client.event("output")["output"]
    assert list(client.values()) == ["c"]


def test_a_call_that_is_no_literal_is_appended_to_the_source(client, programs) -> None:
    client.start(programs["letters"], args="'r' * 1")
    frame = client.stack()[0]
    assert (frame["name"], frame["line"]) == ("main", 12)
    source = frame["source"]
    assert (source["name"], "path" in source) == ("letters.py and the call", False)
    content = client.request("source", source=source, sourceReference=source["sourceReference"])["content"]
    assert content.endswith("def main():\n    return f('r' * 1)\n")
    client.move("next")
    client.move("stepIn")
    assert [(f["name"], "path" in f["source"]) for f in client.stack()] == [("f", True), ("main", False)]
    with pytest.raises(Refused, match="only the source that is debugged"):
        client.request("source", source={"path": "/etc/passwd"})


def test_lines_may_be_counted_from_zero(client, programs) -> None:
    zero = ALL | {"linesStartAt1": False, "columnsStartAt1": False}
    client.start(programs["letters"], client=zero)
    assert client.stack()[0]["line"] == 7
    told = client.request("setBreakpoints", source={"path": str(programs["letters"])}, breakpoints=[{"line": 3}])
    assert told["breakpoints"][0]["line"] == 3
    client.move("continue")
    assert client.stack()[0]["line"] == 3
    targets = client.request("gotoTargets", source={"path": str(programs["letters"])}, line=3)["targets"]
    assert targets[0]["label"].startswith("visit 1 (step 6)")
    with pytest.raises(Refused, match="paths are exchanged as paths"):
        client.request("initialize", pathFormat="uri")


def test_running_at_the_start_makes_reality_known(client, programs) -> None:
    client.start(programs["letters"], runAtStart=True, model="tiny")
    assert "Real locals" in client.scopes()
    with pytest.raises(Refused, match="something is debugged already"):
        client.request("launch")


def test_a_trace_must_be_of_the_call(client, programs) -> None:
    client.request("initialize")
    with pytest.raises(Refused, match="not with"):
        client.launch(programs["letters"], args="'e'", trace=str(programs["real"]))
    with pytest.raises(Refused, match="no trace at /nowhere"):
        client.launch(programs["letters"], trace="/nowhere")
    with pytest.raises(Refused, match="runAtStart and trace both say"):
        client.launch(programs["letters"], trace=str(programs["real"]), runAtStart=True)


# -- changing ------------------------------------------------------------------------------------------


def test_changing_a_value_of_a_caller_goes_back_to_it(client, programs) -> None:
    """The call that stands above it has not happened then."""
    client.start(programs["letters"])
    breakpoints(client, programs["letters"], 3)
    client.move("continue")
    reference = client.scopes(frame=1)["Predicted locals"]
    client.request("setVariable", variablesReference=reference, name="word", value="'r'")
    assert client.event("stopped")["reason"] == "goto"
    assert [frame["line"] for frame in client.stack()] == [10]
    assert client.values()["word"] == "'r'"
    with pytest.raises(Refused, match="of an earlier stop"):
        client.variables(reference)


def test_what_is_returned_can_be_changed(client, programs) -> None:
    client.start(programs["letters"])
    client.move("continue")
    scopes = client.request("scopes", frameId=client.stack()[0]["id"])["scopes"]
    assert scopes[0]["presentationHint"] == "returnValue"
    reference = scopes[0]["variablesReference"]
    assert client.values() == {"(returns)": "'Found 0002'"}
    assert client.request("setVariable", variablesReference=reference, name="(returns)", value="7")["value"] == "7"
    assert client.values() == {"(returns)": "7"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("m", "1", "there is no 'm'"), ("c", "1 +", "is no expression"), ("c", "nope", "no name 'nope'")],
)
def test_a_change_that_makes_no_sense_changes_nothing(client, programs, name, value, message) -> None:
    client.start(programs["letters"])
    reference = client.scopes()["Predicted locals"]
    with pytest.raises(Refused, match=message):
        client.request("setVariable", variablesReference=reference, name=name, value=value)
    assert client.console("branches") == "▸ 0  original, 1 steps"


def test_a_change_that_fails_leaves_the_stop_as_it_was(client, programs) -> None:
    client.launch(programs["raising"], args="-1", stopOnEntry=False)
    client.request("setExceptionBreakpoints", filters=["exception"])
    client.request("configurationDone")
    assert client.event("stopped")["reason"] == "exception"
    for frame in (0, 1):
        name = next(iter(client.values(frame=frame)))
        reference = client.scopes(frame)["Predicted locals"]
        with pytest.raises(Refused, match="is no expression"):
            client.request("setVariable", variablesReference=reference, name=name, value="1 +")
    assert client.line() == 3
    assert client.request("exceptionInfo", threadId=1)["exceptionId"] == "ValueError"


def test_a_part_of_a_value_is_found_again_after_a_change(client, programs) -> None:
    client.start(programs["rows"], args="[[1, 2], {'a': [3]}]")
    rows = client.variables(client.scopes()["Predicted locals"])["rows"]
    parts = client.variables(rows["variablesReference"])
    assert {name: part["value"] for name, part in parts.items()} == {"0": "[1, 2]", "1": "{'a': [3]}"}
    deeper = client.variables(parts["1"]["variablesReference"])["'a'"]
    assert deeper["evaluateName"] == "rows[1]['a']"
    client.request("setVariable", variablesReference=deeper["variablesReference"], name="0", value="len(rows)")
    assert client.values()["rows"] == "[[1, 2], {'a': [2]}]"
    assert client.variables(deeper["variablesReference"])["0"]["value"] == "2"
    client.request("setExpression", expression="rows", value="[]")
    with pytest.raises(Refused, match="has other parts by now"):
        client.variables(deeper["variablesReference"])


def test_a_long_list_is_shown_page_by_page(client, programs) -> None:
    client.start(programs["rows"], args=f"[{[*range(40)]}]")
    rows = client.variables(client.scopes()["Predicted locals"])["rows"]
    row = client.variables(rows["variablesReference"])["0"]
    whole = client.variables(row["variablesReference"])
    assert len(whole) == row["indexedVariables"]
    page = client.request("variables", variablesReference=row["variablesReference"], start=3, count=2)["variables"]
    assert [each["name"] for each in page] == list(whole)[3:5]


def test_what_is_no_container_has_no_variables(client, programs) -> None:
    client.start(programs["letters"])
    with pytest.raises(Refused, match="is that of a frame"):
        client.variables(client.stack()[0]["id"])


# -- the console ---------------------------------------------------------------------------------------


def test_reality_can_be_asked(slipping) -> None:
    assert slipping.console("slip") == "step 11: step"
    assert slipping.console("real n + 1") == "2"
    assert slipping.console("why n") == (
        "n = 6\nset by step 10, line 4: n += int(c == letter)\nsure: ●●● uncalibrated\n≠ value n: predicted 6, really 1"
    )
    said = slipping.console("diff").splitlines()
    assert said[0] == "≠ step 11, line 3: value n: predicted 6, really 1"
    assert said[-1].endswith("lines right, 25/25 values right") or "values right" in said[-1]
    assert slipping.console("slip back").startswith("step 0: entry")


def test_going_on_from_reality(slipping) -> None:
    slipping.console("slip")
    slipping.event("stopped")
    assert slipping.console("pin n") == "branch n=1 @11"
    assert slipping.event("stopped")["reason"] == "goto"
    assert slipping.values()["n"] == "1"
    assert slipping.console("anchor").startswith("branch re-anchored @11: each step")
    assert "▸ 2  re-anchored @11" in slipping.console("branches")
    assert slipping.console("branch 0") == "branch original"
    assert slipping.values()["n"] == "6"


def test_moves_that_an_editor_has_no_button_for(client, programs) -> None:
    client.start(programs["letters"])
    client.move("continue")
    assert client.console("goto 12") == "step 12"
    assert client.event("stopped", lambda body: body["reason"] == "goto")
    assert client.console("back over") == "step 11"
    assert client.console("back out") == "step 2"
    assert client.line() == 10
    assert client.console("sample 5").startswith("branch seed 5 @3")
    for text, message in [
        ("back up", "back, back over, or back out"),
        ("goto x", "'x' is no number"),
        ("budget " + "9" * 5000, "is no number"),  # more digits than Python reads
        ("branch 9", "there is no branch 9"),
        ("skip line", "is no model, and cannot skip ahead"),
        ("alts nope", "there is no 'nope'"),
        ("slip", "run for real first"),
        ("anchor", "run for real first"),
    ]:
        with pytest.raises(Refused, match=message):
            client.console(text)


def test_a_word_that_fails_changes_nothing(client, programs) -> None:
    client.start(programs["letters"])
    breakpoints(client, programs["letters"], 3)
    client.move("continue")
    caller = client.stack()[1]["id"]
    with pytest.raises(Refused, match="run for real first"):
        client.request("evaluate", expression="pin word", context="repl", frameId=caller)
    assert client.line() == 3


def test_a_model_can_leave_steps_out(client, programs) -> None:
    client.start(programs["letters"], model="tiny", grammar=True)
    client.move("next")
    assert client.console("skip call") == "step 2: skipped the call"
    assert client.event("stopped")["reason"] == "step"
    assert list(client.values()) == ["(returns)"]


def test_a_local_that_is_called_like_a_word_is_the_local(client, tmp_path) -> None:
    program = tmp_path / "words.py"
    program.write_text("def f(help, real):\n    return help\n")
    client.start(program, args="1, 2")
    assert client.console("help") == "1"
    assert client.console("real + 1") == "3"
    assert client.console(":help").startswith("an expression")
    assert client.console(":real") == "it was run, and returned 1 after 3 steps"


def test_a_client_that_is_not_told_of_changes_sees_a_stop(client, programs) -> None:
    client.start(programs["letters"], client={})
    client.console("real")
    assert client.event("stopped")["reason"] == "entry"
    assert "Real locals" in client.scopes()


def test_of_thousands_of_visits_those_around_here_are_listed(client, programs) -> None:
    client.start(programs["long"], args="3000", budget=10**6)
    client.move("continue")
    targets = client.request("gotoTargets", source={"path": str(programs["long"])}, line=4)["targets"]
    assert len(targets) < 501
    assert targets[-1]["label"].startswith("visit 3000 ")
    client.console("goto 3000")
    targets = client.request("gotoTargets", source={"path": str(programs["long"])}, line=4)["targets"]
    assert len(targets) == 500
    assert targets[0]["label"].startswith("visit 1249 ")
