"""Decoding of traces, side by side: `python bench/decode.py --peers-python venv/bin/python`; one JSON object.

Predicted frames a second of this engine with drafts and without, and of Hugging Face `generate` (`decode_peer.py`, run by an
interpreter that has torch and transformers), on the same checkpoint and programs, greedy: one program after the other, and
together. All take turns, round by round; ratios are of the best times. Then what one waits for: the first frame after a cold
start, and one step of a session, which asks for the next frame and reuses what was computed for those before.
On a GPU: `python bench/decode.py --model torch:tiny,device=cuda --peers-device cuda --peers-python python3`.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from foretrace.corpus import synthesise
from foretrace.engine import Prompt, build_prompt, load
from foretrace.engine.drafts import TraceDrafter
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import ForetraceError
from foretrace.trace import Token

FIRST_SEED = 40_000_000
PEERS = ("float32-dynamic", "float32-static", "float32-lookup", "bfloat16-dynamic", "bfloat16-lookup")
COLD = """
import sys, time
started = time.perf_counter()
from foretrace.engine import build_prompt, load
from foretrace.engine.drafts import TraceDrafter
from foretrace.trace import Token
imported = time.perf_counter()
engine = load(sys.argv[1])
loaded = time.perf_counter()
source = "def f(text, n):\\n    out = ''\\n    for c in text:\\n        out += c * n\\n    return out\\n"
for _ in range(2):
    before = time.perf_counter()
    prompt = build_prompt(source, "f", "'ab1cd2ef', 2")
    ids, end = engine.tokenizer.encode(prompt.segments), engine.tokenizer.id_of(Token.FRAME_SEP)
    engine.generate([ids], max_tokens=200, stop=[end], drafters=[TraceDrafter(engine.tokenizer, prompt)])
    took = time.perf_counter() - before
    print(imported - started, loaded - imported, took)
    source = source.replace("out", "res")
"""


def programs(count: int) -> list[Prompt]:
    """Prompts of synthesised programs."""
    found: list[Prompt] = []
    seed = FIRST_SEED
    while len(found) < count:
        program, seed = synthesise(seed), seed + 1
        try:
            found.append(build_prompt(program.source, program.entry, program.arguments))
        except ForetraceError:
            continue
    return found


class Bench:
    """Ours."""

    def __init__(self, model: str, max_tokens: int) -> None:
        self.model, self.engine, self.max_tokens = model, load(model), max_tokens
        self.stop = self.engine.tokenizer.id_of(Token.END_OF_TEXT)
        self.frame = self.engine.tokenizer.id_of(Token.FRAME_SEP)

    def ids(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """What a model is given."""
        return [self.engine.tokenizer.encode(prompt.segments) for prompt in prompts]

    def run(self, prompts: Sequence[Prompt], together: bool, drafts: bool) -> dict[str, Any]:
        """Seconds and tokens of an engine that knows no prompt yet; drafters are made within the time."""
        engine = load(self.model)
        batches = [list(prompts)] if together else [[prompt] for prompt in prompts]
        started, tokens = time.perf_counter(), []
        for batch in batches:
            drafters = [TraceDrafter(engine.tokenizer, prompt) for prompt in batch] if drafts else None
            ids = [engine.tokenizer.encode(prompt.segments) for prompt in batch]
            made = engine.generate(ids, max_tokens=self.max_tokens, stop=[self.stop], drafters=drafters)
            tokens += [generation.tokens for generation in made]
        return {"seconds": time.perf_counter() - started, "tokens": tokens}

    def steps(self, prompt: Prompt, drafts: bool) -> list[float]:
        """Seconds of each step of a session: the next frame."""
        [ids], times = self.ids([prompt]), []
        drafter = TraceDrafter(self.engine.tokenizer, prompt)
        for _ in range(self.max_tokens):
            started = time.perf_counter()
            stop, drafters = [self.frame, self.stop], [drafter] if drafts else None
            [made] = self.engine.generate([ids], max_tokens=200, stop=stop, drafters=drafters)
            times.append(time.perf_counter() - started)
            ids += made.tokens
            if made.tokens[-1] != self.frame or len(ids) > self.max_tokens:
                break
        return times


class Peer:
    """The process of the others."""

    def __init__(self, python: Path, device: str, folder: Path, bench: Bench) -> None:
        script = Path(__file__).with_name("decode_peer.py")
        self.process = subprocess.Popen([python, script, device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.folder, self.bench = folder, bench

    def run(self, prompts: Sequence[Prompt], together: bool, variant: str) -> dict[str, Any]:
        """Seconds and tokens, or an error."""
        request = {
            "folder": str(self.folder),
            "variant": variant,
            "prompts": self.bench.ids(prompts),
            "together": together,
            "max_tokens": self.bench.max_tokens,
            "stop": self.bench.stop,
        }
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


def compare(contenders: dict[str, Callable[[], dict[str, Any]]], rounds: int, frame: int) -> dict[str, Any]:
    """By contender: frames and tokens a second at its best, and whether its tokens are those of the first."""
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, run in contenders.items():
            found = run()
            if "error" in found or name not in best or found["seconds"] < best[name].get("seconds", 0.0):
                best[name] = found
    first = next(iter(best.values()))
    report: dict[str, Any] = {}
    for name, found in best.items():
        if "error" in found:
            report[name] = found["error"]
            continue
        frames = sum(tokens.count(frame) for tokens in found["tokens"])
        speed = frames / found["seconds"]
        report[name] = {
            "frames_per_second": round(speed, 1),
            "tokens_per_second": round(sum(map(len, found["tokens"])) / found["seconds"]),
            "first_is_times_as_fast": round(sum(t.count(frame) for t in first["tokens"]) / first["seconds"] / speed, 2),
            "same_programs": sum(a == b for a, b in zip(found["tokens"], first["tokens"], strict=True)),
        }
    return report


def percentiles(times: list[float]) -> dict[str, Any]:
    """Milliseconds."""
    times = sorted(times)
    at = {f"p{p}": round(1000 * times[min(len(times) - 1, len(times) * p // 100)], 2) for p in (50, 95, 99)}
    return {"steps": len(times)} | at


def cold(model: str, tries: int) -> dict[str, float]:
    """Milliseconds of the best of some fresh processes."""
    rows = []
    for _ in range(tries):
        started = time.perf_counter()
        out = subprocess.run([sys.executable, "-c", COLD, model], capture_output=True, text=True, check=True).stdout
        first, second = (list(map(float, line.split())) for line in out.splitlines())
        rows.append((time.perf_counter() - started, *first, second[2]))
    names = ("process", "import", "load", "first_frame", "first_frame_of_a_second_program")
    return {name: round(1000 * min(row[at] for row in rows), 1) for at, name in enumerate(names)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--programs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers-python", type=Path, help="an interpreter with torch and transformers; none: ours alone")
    parser.add_argument("--peers-device", default="cpu")
    parser.add_argument("--peers", default=",".join(PEERS))
    given = parser.parse_args()
    bench = Bench(given.model, given.max_tokens)
    name = given.model.removeprefix("torch:").partition(",")[0]
    folder = packaged_checkpoints().get(name, Path(name))
    peer = Peer(given.peers_python, given.peers_device, folder, bench) if given.peers_python else None
    results: dict[str, Any] = {"model": given.model, "cold_ms": cold(given.model, given.rounds)}
    for name, prompts, together in (
        ("one_by_one", programs(given.programs), False),
        ("together", programs(given.batch), True),
    ):
        contenders: dict[str, Callable[[], dict[str, Any]]] = {
            "drafts": lambda prompts=prompts, together=together: bench.run(prompts, together, drafts=True),
            "plain": lambda prompts=prompts, together=together: bench.run(prompts, together, drafts=False),
        }
        for variant in given.peers.split(",") if peer else ():
            contenders[variant] = lambda p=prompts, t=together, v=variant: peer.run(p, t, v)
        results[name] = compare(contenders, given.rounds, bench.frame)
    for name, drafts in (("session_ms", True), ("session_plain_ms", False)):
        results[name] = percentiles([t for prompt in programs(given.programs) for t in bench.steps(prompt, drafts)])
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
