"""`foretrace serve` with one client and with many: `python bench/serve.py`; one JSON object.

The same greedy completions (token ids in, token ids out) of synthesised programs, asked for by one client after the other and
by 16 at the same time; then predictions of traces. All take turns, round by round, against one server that was started for
it; ratios are of the best times. What processors spend on a token in the server is told too.
Every answer must be the one that its program gets when it is asked for alone.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from decode import programs

from foretrace.engine import Prompt, load
from foretrace.engine.load import find_folder
from foretrace.trace import Token

TOKEN = "bench"
Ask = Callable[[httpx.AsyncClient, Any], Awaitable[tuple[Any, int, float]]]
"""Asks one thing: what identifies the answer, its tokens, and seconds to the first of them."""


class Server:
    """A server of its own, in another process."""

    def __init__(self, command: Sequence[str]) -> None:
        """The command prints its address and `ready` on standard error."""
        environment = {**os.environ, "FORETRACE_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = [line.strip() for line in iter(self.process.stderr.readline, "ready\n")]
        self.url = next(line for line in said if " at http" in line).split(" at ")[1].split("/v1")[0]

    def cpu_seconds(self) -> float:
        """Time that processors have spent for it."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *problem: object) -> None:
        self.process.terminate()
        self.process.wait(30)


async def complete(client: httpx.AsyncClient, ids: list[int], max_tokens: int) -> tuple[Any, int, float]:
    """A completion that comes as a whole."""
    body = {"prompt": ids, "max_tokens": max_tokens, "temperature": 0, "return_token_ids": True}
    answer = await client.post("/v1/completions", json=body)
    answer.raise_for_status()
    tokens = answer.json()["choices"][0]["token_ids"]
    return tokens, len(tokens), 0.0


async def stream(client: httpx.AsyncClient, ids: list[int], max_tokens: int) -> tuple[Any, int, float]:
    """The same, as a stream."""
    body = {"prompt": ids, "max_tokens": max_tokens, "temperature": 0, "return_token_ids": True, "stream": True}
    started, first, tokens = time.perf_counter(), 0.0, []
    async with client.stream("POST", "/v1/completions", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                first = first or time.perf_counter() - started
                tokens += json.loads(line[6:])["choices"][0]["token_ids"]
    return tokens, len(tokens), first


async def predict(client: httpx.AsyncClient, prompt: Prompt, max_tokens: int) -> tuple[Any, int, float]:
    """A whole predicted trace."""
    call = prompt.call
    body = {"source": call.source, "entry": call.entry, "arguments": call.arguments, "max_tokens": max_tokens}
    answer = await client.post("/v1/traces/predict", json=body)
    answer.raise_for_status()
    return answer.text, json.loads(answer.text.splitlines()[-1])["tokens"], 0.0


async def ask_all(url: str, ask: Ask, asked: Sequence[Any], clients: int) -> dict[str, Any]:
    """Asks everything, by so many clients, each of which asks when it has its answer."""
    answers, seconds, firsts, tokens = [None] * len(asked), [], [], 0
    waiting = list(enumerate(asked))[::-1]

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal tokens
        while waiting:
            number, what = waiting.pop()
            started = time.perf_counter()
            answers[number], count, first = await ask(client, what)
            seconds.append(time.perf_counter() - started)
            firsts.append(first)
            tokens += count

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(
        base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=300, limits=limits
    ) as client:
        started = time.perf_counter()
        await asyncio.gather(*(one(client) for _ in range(clients)))
        took = time.perf_counter() - started
    return {"took": took, "tokens": tokens, "answers": answers, "seconds": seconds, "firsts": firsts}


def percentile(values: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return round(1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))], 1)


def compare(server: Server, ask: Ask, asked: Sequence[Any], clients: Sequence[int], rounds: int) -> dict[str, Any]:
    """Of each number of clients the best round; all answers must be those of one client."""
    best: dict[int, dict[str, Any]] = {}
    expected = None
    for _ in range(rounds):
        for count in clients:
            before = server.cpu_seconds()
            found = asyncio.run(ask_all(server.url, ask, asked, count))
            found["cpu"] = server.cpu_seconds() - before
            expected = expected or found["answers"]
            assert found["answers"] == expected, f"{count} clients got other answers than one"
            if count not in best or found["took"] < best[count]["took"]:
                best[count] = found
    alone = best[clients[0]]["took"]
    return {
        str(count): {
            "tokens_a_second": round(run["tokens"] / run["took"]),
            "server_cpu_us_a_token": round(1e6 * run["cpu"] / run["tokens"]),
            "times_one_client": round(alone / run["took"], 2),
            "latency_ms": {
                "median": round(1000 * statistics.median(run["seconds"]), 1),
                "95%": percentile(run["seconds"], 0.95),
            },
            **(
                {"first_token_ms": {"median": percentile(run["firsts"], 0.5), "95%": percentile(run["firsts"], 0.95)}}
                if any(run["firsts"])
                else {}
            ),
        }
        for count, run in best.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--programs", type=int, default=48)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="Hugging Face's generate behind HTTP too (needs transformers).")
    options = parser.parse_args()
    prompts, tokenizer = programs(options.programs), load(options.model).tokenizer
    ids, most = [tokenizer.encode(prompt.segments) for prompt in prompts], options.max_tokens
    kinds: dict[str, tuple[Ask, Sequence[Any]]] = {
        "completions": (lambda client, what: complete(client, what, most), ids),
        "streams": (lambda client, what: stream(client, what, most), ids),
        "traces": (lambda client, what: predict(client, what, most), prompts),
    }
    with Server([sys.executable, "-m", "foretrace", "serve", options.model, "--port", "0"]) as server:
        found = {name: compare(server, *kind, options.clients, options.rounds) for name, kind in kinds.items()}
        if options.peer:
            end = str(tokenizer.id_of(Token.END_OF_TEXT))
            with Server([sys.executable, "bench/serve_peer.py", str(find_folder(options.model)), end]) as peer:
                few = (kinds["completions"][0], ids[: len(ids) // 4])
                found["few completions"] = compare(server, *few, options.clients, 1)
                found["few completions of the peer"] = compare(peer, *few, options.clients, 1)
    print(json.dumps({"model": options.model, "cores": len(os.sched_getaffinity(0)), **found}, indent=1))


if __name__ == "__main__":
    main()
