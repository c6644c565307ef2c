"""Decoding speed of the embedded engine, one JSON line: `python bench/engine.py [model]`."""

import json
import sys
import time

from foretrace.engine import build_prompt, load

PROGRAM = (
    "def f(text, n):\n    out = ''\n    for c in text:\n        if c.isalpha():\n            out += c * n\n    return out\n"
)
TOKENS = 1400
"""About 40 steps."""


def main() -> None:
    engine = load(sys.argv[1] if len(sys.argv) > 1 else "tiny")
    prompt = engine.tokenizer.encode(build_prompt(PROGRAM, "f", "'ab1cd2ef', 2").segments)
    results = {"model": engine.name, "prompt_tokens": len(prompt), "new_tokens": TOKENS}
    for name, batch in (("single", 1), ("batch_of_32", 32)):
        started = time.perf_counter()
        count = TOKENS if batch == 1 else TOKENS // 4
        engine.generate([prompt] * batch, max_tokens=count)
        seconds = time.perf_counter() - started
        results |= {f"{name}_seconds": round(seconds, 2), f"{name}_tokens_per_second": round(batch * count / seconds)}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
