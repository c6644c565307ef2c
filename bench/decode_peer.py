"""Hugging Face `generate` for `decode.py`: one JSON request a line on standard input, one JSON answer a line on standard output; its argument is the device.

{"folder": …, "variant": "float32-dynamic", "prompts": [[…], …], "together": false, "max_tokens": 300, "stop": 1}
"""

import json
import sys
import time
from typing import Any

import torch
from transformers import AutoModelForCausalLM

VARIANTS: dict[str, dict[str, Any]] = {
    "dynamic": {},
    "static": {"cache_implementation": "static"},
    "lookup": {"prompt_lookup_num_tokens": 10},
    "compiled": {"cache_implementation": "static"},
}
"""Options of `generate`; before them stands the type of the weights."""


class Models:
    """Loaded models, by folder, type and whether they are compiled."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._loaded: dict[tuple[str, str, bool], Any] = {}

    def get(self, folder: str, dtype: str, compiled: bool) -> Any:
        """The model, loaded once."""
        key = (folder, dtype, compiled)
        if key not in self._loaded:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval().to(self.device)
            if compiled:
                model.forward = torch.compile(model.forward)
            self._loaded[key] = model
        return self._loaded[key]


def continuations(model: Any, prompts: list[list[int]], options: dict[str, Any], stop: int) -> list[list[int]]:
    """The new tokens of prompts that are decoded together, padded on the left."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[stop] * (longest - len(p)) + p for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    with torch.inference_mode():
        found = model.generate(ids, attention_mask=mask, do_sample=False, eos_token_id=stop, pad_token_id=stop, **options)
    new = found[:, longest:].tolist()
    return [tokens[: tokens.index(stop) + 1] if stop in tokens else tokens for tokens in new]


def answer(request: dict[str, Any], models: Models) -> dict[str, Any]:
    dtype, kind = request["variant"].split("-")
    model = models.get(request["folder"], dtype, kind == "compiled")
    options = VARIANTS[kind] | {"max_new_tokens": request["max_tokens"]}
    prompts = request["prompts"]
    batches = [prompts] if request["together"] else [[prompt] for prompt in prompts]
    started = time.perf_counter()
    tokens = [new for batch in batches for new in continuations(model, batch, options, request["stop"])]
    return {"seconds": time.perf_counter() - started, "tokens": tokens}


def main() -> None:
    models = Models(sys.argv[1])
    for line in sys.stdin:
        try:
            found = answer(json.loads(line), models)
        except Exception as error:  # what a variant cannot do is a result
            found = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
