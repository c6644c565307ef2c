"""Traces and tokens a second, from the binary form to documents, for both tokenizers; one JSON line: `python bench/tokens.py`.

In seconds of one processor. `cold` counts what a tokenizer remembers of earlier traces as nothing, `warm` encodes the same traces again.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from foretrace.corpus import synthesise
from foretrace.data.render import render
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import ForetraceError
from foretrace.record import record_program
from foretrace.trace import Limits, Segment, Token, binary_to_wire, from_text, to_binary

COUNT = 2000


def main() -> None:
    binary = [data for data in map(_recorded, range(COUNT)) if data]
    segments, seconds = _timed(lambda: [from_text(binary_to_wire(data).decode()) for data in binary])
    results = {"traces": len(binary), "segments_traces_per_second": round(len(binary) / seconds)}
    for kind, size in (("small", 1024), ("bpe", 8192)):
        texts = [segment for trace in segments for segment in trace if not isinstance(segment, Token)]
        tokenizer, seconds = _timed(lambda kind=kind, size=size, texts=texts: Tokenizer.train(texts, size, kind=kind))
        results[f"{kind}_train_seconds"] = round(seconds, 2)
        for state in ("cold", "warm"):
            tokens, seconds = _timed(lambda tokenizer=tokenizer: _tokens(tokenizer, segments))
            results[f"{kind}_{state}_traces_per_second"] = round(len(binary) / seconds)
            results[f"{kind}_{state}_tokens_per_second"] = round(tokens / seconds)
    print(json.dumps(results))


def _recorded(seed: int) -> bytes:
    program = synthesise(seed)
    try:
        trace = record_program(program.source, program.entry, program.arguments, Limits(seconds=1, max_events=200))
    except ForetraceError:
        return b""
    return to_binary([trace])


def _tokens(tokenizer: Tokenizer, traces: list[list[Segment]]) -> int:
    return sum(len(document) for trace in traces if (document := render(tokenizer, trace)) is not None)


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = action()
    return result, time.process_time() - started


if __name__ == "__main__":
    main()
