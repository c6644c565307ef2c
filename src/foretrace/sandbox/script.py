"""A job: a whole program, with its own standard input and output."""

import sys
import types


def run(payload: bytes, output: int) -> None:
    """Runs the source in `payload` as `__main__`; `output` is not used."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    flush = sys.stdout.flush
    exec(compile(payload, "<program>", "exec", dont_inherit=True), module.__dict__)
    flush()
