"""Whatever is sent, the answer is not the server's fault: schemathesis on the document, and spoilt programs and traces."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")

from serving import HEADERS, SOURCE, TOKEN

from foretrace.engine import load, predict
from foretrace.trace import write_jsonl

# A body that fits the schema may still be refused: its program has no such function, its text is no trace.
CHECKS = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]


CONFIGURATION = "[checks]\nnegative_data_rejection.expected-statuses = [400, 404, 405, 413]\n"


def schemathesis(url: str, folder: Path, *options: str) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("schemathesis is not installed")
    headers = ["-H", f"Authorization: Bearer {TOKEN}"]
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    command = [program, "--config-file", str(configuration), "run", f"{url}/openapi.json", *headers, *CHECKS, *options]
    done = subprocess.run([*command, "--no-color", "--seed", "1"], capture_output=True, text=True, timeout=1800, cwd=folder)
    assert done.returncode == 0, done.stdout[:6000] + done.stdout[-2000:] + done.stderr[-2000:]
    assert "7 selected / 7 total" in done.stdout


def test_a_short_fuzz_of_the_document(url: str, tmp_path: Path) -> None:
    schemathesis(url, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "10")


@pytest.mark.slow
def test_a_long_fuzz_of_the_document(url: str, tmp_path: Path) -> None:
    schemathesis(url, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "1000")


def spoilt(text: str, rng: random.Random) -> str:
    """A text with some pieces removed, doubled, exchanged or replaced by odd characters."""
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((1, 1, 2, 5, 20)))
        piece = text[start:end]
        odd = rng.choice(
            ("\0", "\ud800", "\x85", "<|frame_sep|>", '"', "\\", "{", "1e999", "-1", "99999999999999999999", "é", "\n")
        )
        text = text[:start] + rng.choice(("", piece * 3, piece[::-1], odd, piece + odd)) + text[end:]
    return text or " "


def real_traces() -> list[str]:
    """Some traces as texts; predicted ones are traces too."""
    import io

    programs = [
        (SOURCE, "f", "3"),
        ("def f(n):\n    if n < 2:\n        return n\n    return f(n - 1) + f(n - 2)\n", "f", "4"),
        (
            "def f(s):\n    try:\n        return int(s)\n    except ValueError as e:\n        raise KeyError(s) from e\n",
            "f",
            "'x'",
        ),
    ]
    found = []
    for source, entry, arguments in programs:
        file = io.StringIO()
        write_jsonl(predict(load("tiny"), source, entry, arguments, max_tokens=500), file)
        found.append(file.getvalue())
    return found


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_spoilt_traces_and_programs(url: str, count: int) -> None:
    rng, traces = random.Random(count), real_traces()
    statuses: dict[tuple[str, int], int] = {}

    def send(client: Any, path: str, body: dict[str, Any]) -> None:
        data = json.dumps(body)  # ASCII: lone surrogates as escapes
        answer = client.post(path, content=data)
        assert answer.status_code in (200, 400), (path, data, answer.text)
        assert all(json.loads(line) for line in answer.text.splitlines())
        statuses[path, answer.status_code] = statuses.get((path, answer.status_code), 0) + 1

    with httpx.Client(base_url=f"{url}/v1", headers=HEADERS, timeout=60) as client:
        for number in range(count):
            trace = rng.choice(traces)
            source = json.loads(trace.splitlines()[0])["source"]["text"]
            send(client, "/traces/score", {"trace": spoilt(trace, rng)})
            arguments = spoilt("[1, 'a'], k={2: 3}", rng) if number % 3 else "3"
            spoilt_source = spoilt(source, rng) if number % 4 else source
            call = {
                "source": spoilt_source,
                "entry": "f",
                "arguments": arguments,
                "max_tokens": 60,
                "grammar": number % 2 == 0,
            }
            send(client, "/traces/predict", call)
            send(client, "/completions", {"prompt": spoilt(trace, rng)[:3000], "max_tokens": 2})
    assert min(statuses.get((f"/traces/{verb}", status), 0) for verb in ("score", "predict") for status in (200, 400)) > 3
