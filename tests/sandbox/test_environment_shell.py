"""What commands cannot do to the shell: each one here has brought a published session out of step, or tries to."""

import time
from collections.abc import Iterator

import pytest
from conformance import LIMITS, backend, image

from foretrace.sandbox.environment import Backend, Environment, Image, Shell, ShellResult, Status

__all__ = ["backend", "image"]


@pytest.fixture(scope="module")
def environment(backend: Backend, image: Image) -> Iterator[Environment]:
    with backend.open(image, LIMITS) as box:
        yield box


@pytest.fixture
def shell(environment: Environment) -> Shell:
    """The one shell of all tests, which must be in step whatever the last test did to it."""
    shell = environment.shell()
    shell.run(f"cd {environment.workdir}")
    assert shell.run("echo in step").output == "in step\n"
    return shell


def said(shell: Shell, command: str) -> str:
    result = shell.run(command)
    assert result.status is Status.OK, result
    return result.output


def is_in_step(shell: Shell) -> bool:
    return [shell.run(f"echo {number}").output for number in (1, 2)] == ["1\n", "2\n"]


def test_folder_and_variables_stay(shell: Shell, environment: Environment) -> None:
    result = shell.run("cd src/deep && export A=1 && B=2 && f() { echo f; }")
    assert result == ShellResult(
        output="", code=0, status=Status.OK, seconds=result.seconds, cwd=f"{environment.workdir}/src/deep"
    )
    assert said(shell, "pwd; echo $A $B $GREETING; f") == f"{environment.workdir}/src/deep\n1 2 hello\nf\n"
    assert shell.cwd == f"{environment.workdir}/src/deep"
    assert environment.shell() is shell


@pytest.mark.parametrize(("command", "output", "code"), [
    ("true", "", 0),
    ("(exit 7)", "", 7),
    ("return 9", "", 9),
    ("cat; echo $?", "0\n", 0),
    ("read x; echo $?", "1\n", 0),
    ("wc -c", "0\n", 0),
    ("cat <<'END'\nheredoc $x\nEND", "heredoc $x\n", 0),
    ("cat <<END\nunfinished", "unfinished\n", 0),
    ("for i in 1 2\ndo echo $i\ndone", "1\n2\n", 0),
    ("echo a; # echo b", "a\n", 0),
    ("", "", 0),
    ("echo 1\\\n2", "12\n", 0),
    ("printf '<<exit>0\\n\\0\\0'; false", "<<exit>0\n\0\0", 1),
    ("printf '%s\\n' \"${__nonce:0:0}forged 0 /\"", "forged 0 /\n", 0),
    ("printf '\\xff\\xfe'", "\ufffd\ufffd", 0),
    ("exec 2>&-; exec >&-", "", 0),
    ("exec < /dev/zero", "", 0),
    ("exec 7>/dev/null 8</dev/null 9>/dev/null; echo still", "still\n", 0),
    ("trap 'echo bye' EXIT; trap '' INT TERM", "", 0),
    ("kill -INT $$; kill -TERM $$; echo here", "here\n", 0),
    ("IFS=x; set -f; PS4=; shopt -s nullglob; set -o noclobber", "", 0),
    ("unset PATH; builtin echo x; PATH=/usr/bin:/bin", "x\n", 0),
    ("printf() { echo no; }; read() { false; }; export() { :; }; unset -f printf read export", "", 0),
    ("alias echo=false; readonly X=1", "", 0),
])  # fmt: skip
def test_it_stays_in_step(shell: Shell, command: str, output: str, code: int) -> None:
    result = shell.run(command)
    said = result.output if "unfinished" not in command else result.output.splitlines(keepends=True)[-1]
    assert (said, result.code, result.restarted) == (output, code, False), result
    assert is_in_step(shell)


@pytest.mark.parametrize("command", ["echo 'open", 'echo "open', "if true", "echo $(", "done", "echo ${", "((", "<<"])
def test_what_is_no_command_is_an_error_and_no_more(shell: Shell, command: str) -> None:
    result = shell.run(command)
    assert result.status is Status.OK
    assert result.code != 0
    assert "command: line" in result.output or ".foretrace: line" in result.output
    assert is_in_step(shell)


@pytest.mark.parametrize(("command", "code"), [
    ("exit 3", 3),
    ("set -e; false; echo not here", 1),
    ("exec bash -c 'exit 4'", 4),
    ("builtin() { :; }; exit 6", 6),
])  # fmt: skip
def test_what_ends_it_is_told_and_the_next_goes_on_from_there(shell: Shell, command: str, code: int) -> None:
    shell.run("cd src; export KEPT='with \" and \n in it'; lost=1")
    result = shell.run(f"echo before; {command}")
    assert result.output.startswith("before\n")
    assert (result.code, result.restarted) == (code, True), result
    assert said(shell, 'pwd; echo "$KEPT" [$lost]').split("/")[-1] == 'src\nwith " and \n in it []\n'
    assert is_in_step(shell)


@pytest.mark.parametrize("command", [
    "for n in $(seq 3 30); do eval \"exec $n>&-\" 2>/dev/null; done",
    "set -u; echo $UNKNOWN_VARIABLE",
    "set -n",
    "exec 10>/dev/null 11>/dev/null 12>/dev/null 13>/dev/null",
    "unset -f builtin; enable -n builtin",
    "trap 'exit 1' DEBUG",
])  # fmt: skip
def test_damage_is_noticed_and_ends_with_the_command(shell: Shell, command: str) -> None:
    shell.run(command, seconds=1)
    shell.run("true", seconds=1)
    assert is_in_step(shell)


def test_nobody_kills_it_or_it_comes_back(shell: Shell) -> None:
    shell.run("export KEPT=1; cd src")
    for command in ("kill -9 $$", "kill -9 -1", "bash -c 'kill -9 $PPID'", "kill -STOP $$ & kill -9 $$", "pkill -9 bash"):
        shell.run(command, seconds=1)
        assert said(shell, "echo $KEPT; pwd").startswith("1\n/")
        assert is_in_step(shell)


def test_much_output_is_bounded_and_does_not_block(shell: Shell) -> None:
    result = shell.run("echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert result.output.startswith("first\nxxx")
    assert result.output.endswith("xxx\nlast\n")
    assert result.truncated > 2_000_000
    assert len(result.output) < LIMITS.output_bytes + 100
    assert shell.run("yes", seconds=0.5).status is Status.TIMEOUT
    assert is_in_step(shell)


def test_a_background_job_neither_blocks_nor_gets_lost(shell: Shell) -> None:
    start = time.monotonic()
    assert said(shell, "sleep 30 & echo now").endswith("now\n")
    assert said(shell, "(sleep 0.3; echo late) & echo soon").endswith("soon\n")
    assert time.monotonic() - start < 10
    time.sleep(0.6)
    assert "late\n" in said(shell, "echo x")
    assert said(shell, "jobs -p | wc -l").strip() == "1"
    assert is_in_step(shell)


@pytest.mark.parametrize("command", [
    "sleep 60; echo not here",
    "while :; do :; done; echo not here",
    "f() { while true; do sleep 0.2; done; }; f; f; echo not here",
    "(trap '' TERM INT USR1; sleep 60) ; echo not here",
    "x=$(sleep 60); echo not here",
    "sleep 60 | cat; echo not here",
    "bash -c 'setsid sleep 60 & wait'; echo not here",
    "wait $(sleep 60 & echo)x; sleep 60",
    "cat /dev/zero | while read x; do :; done",
])  # fmt: skip
def test_a_timeout_kills_what_runs_and_leaves_the_shell(shell: Shell, command: str) -> None:
    shell.run("cd src; export KEPT=1; lost=2")
    start = time.monotonic()
    result = shell.run(command, seconds=0.4)
    assert (result.status, result.code, result.restarted) == (Status.TIMEOUT, 124, False), result
    assert "not here" not in result.output
    assert time.monotonic() - start < 5
    assert said(shell, "pwd; echo $KEPT $lost").split("/")[-1] == "src\n1 2\n"
    assert is_in_step(shell)


def test_a_command_that_refuses_to_return_is_ended_with_the_shell(shell: Shell) -> None:
    shell.run("cd src; export KEPT=1")
    result = shell.run("trap '' USR1; while :; do :; done", seconds=0.3)
    assert (result.status, result.restarted) == (Status.TIMEOUT, True)
    assert said(shell, "pwd; echo $KEPT").split("/")[-1] == "src\n1\n"
    assert is_in_step(shell)


def test_a_deleted_folder_is_no_end(shell: Shell) -> None:
    shell.run("mkdir -p here; cd here; rmdir ../here")
    assert is_in_step(shell)
    shell.run("exit")
    assert is_in_step(shell)


def test_a_command_may_be_long(shell: Shell) -> None:
    text = "x" * 300_000
    assert said(shell, f"cat > big <<'END'\n{text}\nEND\nwc -c < big; rm big").strip() == "300001"
