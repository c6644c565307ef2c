"""The embedded engine against ONNX Runtime on one stream, greedy, side by side: `python bench/onnx_engine.py [model]`.

Needs `pip install onnx onnxruntime`. The graph is the best that ONNX Runtime has for this architecture: its fused grouped-query
attention with rotary embedding and sliding window, keys and values written in place, float32. One JSON line.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from engine import PROGRAM, TOKENS
from foretrace.engine import build_prompt, load
from foretrace.engine.load import packaged_checkpoints
from foretrace.model.checkpoint import Weights, load_checkpoint
from foretrace.model.config import SLIDING, ModelConfig

MICROSOFT = "com.microsoft"
SLOTS = 2048
"""Length of the caches of keys and values."""


class Graph:
    """A decoder as an ONNX graph: ids (1, T) and caches in, logits (1, T, vocab) and caches out."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config, self.nodes, self.constants = config, [], []
        self.inputs = [
            ("ids", TensorProto.INT64, [1, "T"]),
            ("seqlens", TensorProto.INT32, [1]),
            ("total", TensorProto.INT32, []),
        ]
        self.outputs: list[tuple[str, int, list[Any]]] = []
        half = config.head_dim // 2
        angles = np.arange(SLOTS)[:, None] * config.rope_theta ** -(np.arange(half) / half)
        self.cos, self.sin = self.constant("cos", np.cos(angles)), self.constant("sin", np.sin(angles))
        x = self.node("Gather", [self.constant("embedding", weights["model.embed_tokens.weight"]), "ids"])
        for number in range(config.num_hidden_layers):
            x = self.layer(x, number, {n.split(".", 3)[3]: w for n, w in weights.items() if f"layers.{number}." in n})
        x = self.norm(x, weights["model.norm.weight"])
        self.node("MatMul", [x, self.constant("head", weights["lm_head.weight"].T)], output="logits")
        self.outputs.append(("logits", TensorProto.FLOAT, [1, "T", config.vocab_size]))

    def constant(self, name: str, value: Any) -> str:
        """Adds a float32 constant; returns its name."""
        name = f"{name}.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        """Adds a node; returns the name of its output."""
        output = output or f"{op}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def norm(self, x: str, weight: Any) -> str:
        """RMSNorm."""
        return self.node(
            "SimplifiedLayerNormalization", [x, self.constant("norm", weight)], axis=-1, epsilon=self.config.rms_norm_eps
        )

    def product(self, x: str, weight: Any) -> str:
        """X @ weight.T."""
        return self.node("MatMul", [x, self.constant("weight", weight.T)])

    def layer(self, x: str, number: int, weights: Weights) -> str:
        """One layer and its two caches."""
        config = self.config
        normed = self.norm(x, weights["input_layernorm.weight"])
        q, k, v = (self.product(normed, weights[f"self_attn.{name}_proj.weight"]) for name in "qkv")
        caches = []
        for kind in ("key", "value"):
            shape = [1, config.num_key_value_heads, SLOTS, config.head_dim]
            self.inputs.append((f"past.{number}.{kind}", TensorProto.FLOAT, shape))
            self.outputs.append((f"present.{number}.{kind}", TensorProto.FLOAT, shape))
            caches.append(f"past.{number}.{kind}")
        attended = f"attended.{number}"
        window = config.sliding_window if config.layer_types[number] == SLIDING else -1
        attention = helper.make_node(
            "GroupQueryAttention",
            [q, k, v, *caches, "seqlens", "total", self.cos, self.sin],
            [attended, f"present.{number}.key", f"present.{number}.value"],
            domain=MICROSOFT,
            num_heads=config.num_attention_heads,
            kv_num_heads=config.num_key_value_heads,
            local_window_size=window,
            do_rotary=1,
        )
        self.nodes.append(attention)
        x = self.node("Add", [x, self.product(attended, weights["self_attn.o_proj.weight"])])
        normed = self.norm(x, weights["post_attention_layernorm.weight"])
        gate, up = (self.product(normed, weights[f"mlp.{name}_proj.weight"]) for name in ("gate", "up"))
        silu = self.node("Mul", [gate, self.node("Sigmoid", [gate])])
        return self.node("Add", [x, self.product(self.node("Mul", [silu, up]), weights["mlp.down_proj.weight"])])

    def session(self) -> ort.InferenceSession:
        """The graph, optimised for this processor."""
        infos = [[helper.make_tensor_value_info(*info) for info in side] for side in (self.inputs, self.outputs)]
        graph = helper.make_graph(self.nodes, "decoder", *infos, self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def greedy(session: ort.InferenceSession, config: ModelConfig, prompt: list[int], count: int) -> list[int]:
    """`count` tokens after the prompt, caches updated in place."""
    binding = session.io_binding()
    shape = (1, config.num_key_value_heads, SLOTS, config.head_dim)
    for number in range(config.num_hidden_layers):
        for kind in ("key", "value"):
            cache = ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
            binding.bind_ortvalue_input(f"past.{number}.{kind}", cache)
            binding.bind_ortvalue_output(f"present.{number}.{kind}", cache)
    ids, total, made = prompt, len(prompt), []
    while True:
        if len(made) < 2:  # the prompt, then one token at a time
            logits = ort.OrtValue.ortvalue_from_numpy(np.zeros((1, len(ids), config.vocab_size), np.float32))
            binding.bind_ortvalue_output("logits", logits)
        binding.bind_cpu_input("ids", np.array([ids], np.int64))
        binding.bind_cpu_input("seqlens", np.array([total - 1], np.int32))
        binding.bind_cpu_input("total", np.array(total, np.int32))
        session.run_with_iobinding(binding)
        ids = [int(logits.numpy()[0, -1].argmax())]
        made += ids
        if len(made) == count:
            return made
        total += 1


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "tiny"
    engine = load(model)
    checkpoint = load_checkpoint(packaged_checkpoints().get(model, Path(model)))
    prompt = engine.tokenizer.encode(build_prompt(PROGRAM, "f", "'ab1cd2ef', 2").segments)
    session = Graph(checkpoint.config, checkpoint.weights).session()
    results: dict[str, Any] = {
        "model": engine.name,
        "new_tokens": TOKENS,
        "onnx": onnx.__version__,
        "onnxruntime": ort.__version__,
    }
    started = time.perf_counter()
    theirs = greedy(session, checkpoint.config, prompt, TOKENS)
    results["onnxruntime_seconds"] = round(time.perf_counter() - started, 2)
    started = time.perf_counter()
    ours = engine.generate([prompt], max_tokens=TOKENS)[0].tokens
    results["ours_seconds"] = round(time.perf_counter() - started, 2)
    results["ratio"] = round(results["onnxruntime_seconds"] / results["ours_seconds"], 2)
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), TOKENS)
    print(json.dumps(results | {"same_tokens_until": same}))


if __name__ == "__main__":
    main()
