"""All benchmarks by name. What is not asked for is not imported.

for name, about in benchmarks().items(): print(name, about)
benchmark = find_benchmark("cruxeval-o")
benchmark, style = find_style("cruxeval-o:cot")             # without `:` its first style
"""

from difflib import get_close_matches
from importlib import import_module

from foretrace.errors import UsageError
from foretrace.evals.types import Benchmark

_TABLE: dict[str, tuple[str, str]] = {
    # name: ("module in this folder:constant, or function without arguments", what is measured)
    "cruxeval-o": ("cruxeval:OUTPUT", "what a short Python function returns"),
    "cruxeval-i": ("cruxeval:INPUT", "an argument with which a short Python function returns a given value"),
    "fresh": ("fresh:OUTPUT", "what a short function returns that was made from a seed, by CRUXEval's filters"),
    "fresh-i": ("fresh:INPUT", "an argument with which such a function returns a given value"),
    "fidelity": ("fidelity:FIDELITY", "whole executions, each step predicted after the model's own"),
    "fidelity-history": ("fidelity:HISTORY", "each step of an execution, predicted after the true ones"),
    "probes": ("probes:PROBES", "coverage, next line, state, output and exception of real executions"),
    "halting": ("halting:HALTING", "whether a call ever returns; each is proved to, or not to"),
    "humaneval": ("humaneval:HUMANEVAL", "functions written from their docstrings"),
    "humaneval-plus": ("humaneval:HUMANEVAL_PLUS", "the same, with eighty times as many tests"),
    "mbpp": ("mbpp:MBPP", "functions written from a sentence and three assertions"),
    "mbpp-plus": ("mbpp:MBPP_PLUS", "378 of them, with many more tests"),
    "leetcode": ("leetcode:LEETCODE", "solutions of contest problems of 2023 and 2024"),
    "livecodebench": ("livecodebench:OFFICIAL", "solutions of contest problems by date, with all their tests"),
    "livecodebench-public": ("livecodebench:PUBLIC", "the same, with the statements' examples as tests: not comparable"),
    "livecodebench-execution": ("livecodebench_texts:EXECUTION", "what solutions of contest problems return"),
    "livecodebench-output": ("livecodebench_texts:OUTPUT", "what tests of contest problems expect"),
    "livecodebench-output-public": ("livecodebench_texts:OUTPUT_PUBLIC", "the same of statements' examples: not comparable"),
    "puzzles": ("puzzles:PUZZLES", "values that make a function return True"),
    "math500": ("math500:MATH500", "answers to competition problems in mathematics"),
    "aime24": ("aime:AIME24", "integers that answer the AIME's problems of 2024"),
    "aime25": ("aime:AIME25", "the same of 2025"),
    "swebench-verified": ("swebench:RESOLVED", "issues of real repositories that a patch resolves, by the official harness"),
    "swebench-verified-localisation": ("swebench:LOCALISATION", "whether a patch changes the right files; nothing is run"),
    "forager": ("forager:FORAGER", "mistakes in your own repositories that a patch repairs, by their tests"),
}


def benchmarks() -> dict[str, str]:
    """Names, in the order in which they are listed, and what each measures."""
    return {name: about for name, (_, about) in _TABLE.items()}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of this name.

    Raises:
        UsageError: there is none.

    """
    if name not in _TABLE:
        close = get_close_matches(name, _TABLE, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(_TABLE)}"
        raise UsageError(f"there is no benchmark {name!r}; {hint}")
    module, _, attribute = _TABLE[name][0].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), attribute)
    benchmark: Benchmark = found if isinstance(found, Benchmark) else found()
    return benchmark


def find_style(name: str) -> tuple[Benchmark, str]:
    """The benchmark and the name of the style that `BENCHMARK:STYLE` names.

    Raises:
        UsageError: there is no such benchmark, or it has no such style.

    """
    head, _, style = name.partition(":")
    benchmark = find_benchmark(head)
    style = style or next(iter(benchmark.styles))
    if style not in benchmark.styles:
        raise UsageError(f"{head} has no style {style!r}; it has: {', '.join(benchmark.styles)}")
    return benchmark, style
