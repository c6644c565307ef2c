"""Problems of ours in the form of code benchmarks', and their scorers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from foretrace.evals.benchmarks import humaneval, leetcode, mbpp, puzzles
from foretrace.evals.types import Item, Score, Setting, Verdict
from foretrace.sandbox import backends

SETTING = Setting(isolation="bubblewrap" if not backends()["bubblewrap"] else "process")

HUMANEVAL = humaneval.items(
    [
        {
            "task_id": "Own/0",
            "prompt": 'import math\n\n\ndef twice(x):\n    return 2 * x\n\n\ndef halved(x):\n    """Undoes `twice`."""\n',
            "entry_point": "halved",
            "canonical_solution": "    return x // 2\n",
            "test": "def check(candidate):\n    for x in range(9):\n        assert candidate(twice(x)) == x\n"
            "    assert halved(math.floor(6.5)) == 3\n",
        }
    ]
)
SUMS_PROMPT = 'def running(values):\n    """The sums of the first one, two, … values."""\n'
SUMS = """\
    sums = []
    for value in values:
        sums.append(value + (sums[-1] if sums else 0))
    return sums
"""
PLUS = {
    "task_id": "Own/1",
    "prompt": SUMS_PROMPT,
    "entry_point": "running",
    "canonical_solution": SUMS,
    "base_input": [[[1, 2]], [[]]],
    "plus_input": [[[0.1, 0.2, 0.3]], [[1e308, 1e308]], [[1] * 5000]],
    "atol": 0,
}
MBPP = {
    "task_id": 11,
    "text": "Write a function that gives the height of a tree.",
    "code": "class Node:\r\n  def __init__(self, *below):\r\n    self.below = below\r\ndef height(node):\r\n"
    "  return 1 + max(map(height, node.below), default=0)",
    "test_setup_code": "root = Node(Node(), Node(Node()))",
    "test_list": ["assert height(root) == 3", "assert height(Node()) == 1 ", "assert int(height(root)) == 3"],
}
LISTS = """\
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next
"""
LEETCODE = [
    {
        "task_id": "own-1",
        "meta": {"difficulty": "Easy"},
        "prompt": '"""\nCount.\n"""\nclass Solution:\n    def count(self, word: str, letter: str) -> int:\n        ',
        "prompt_sft": "Count.",
        "test": "my_solution = Solution()\n\ntest_input = { 'word': 'abca', 'letter': 'a' }\n"
        "assert my_solution.count(**test_input) == 2\n\ntest_input = { 'word': '', 'letter': 'a' }\n"
        "assert my_solution.count(**test_input) == 0\n",
        "start_time": 1705804200,
    },
    {
        "task_id": "own-2",
        "meta": {"difficulty": "Hard"},
        "prompt": f'"""\nDrop the first.\n"""\n{LISTS}class Solution:\n'
        "    def drop(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        ",
        "prompt_sft": "Drop the first.",
        "test": "my_solution = Solution()\n\n_f1 = lambda lst: ListNode(lst[0], _f1(lst[1:])) if lst else None\n"
        "_f2 = lambda node: [node.val] + _f2(node.next) if node else []\n\n"
        'test_input = { "head": _f1([1,2,3]) }\nassert _f2(my_solution.drop(**test_input)) == [2,3]\n',
        "start_time": 1705804200,
    },
]
PUZZLES = [
    {
        "name": "Square:0",
        "sat": "def sat(x: int, n=49):\n    return x * x == n",
        "ans_type": "int",
        "sol_header": "def sol(n=49):",
        "sol_docstring": '    """A root."""',
        "sol_bodies": ["    return round(n ** 0.5)"],
        "module": "own.py",
    },
    {"name": "Open:0", "sat": "def sat(x: int):\n    return False", "ans_type": "int", "sol_header": "def sol():",
     "sol_docstring": "", "sol_bodies": [], "module": "own.py"},
    {
        "name": "Digits:0",
        "sat": "def sat(x: int):\n    return len(str(x)) == 5000",
        "ans_type": "int",
        "sol_header": "def sol():",
        "sol_docstring": "",
        "sol_bodies": ["    return 10 ** 4999"],
        "module": "own.py",
    },
]  # fmt: skip


def plus_items(**changes: Any) -> list[Item]:
    return humaneval.plus_items([PLUS | changes])


@contextmanager
def scoring() -> Iterator[Callable[[str, Item, str | None], Verdict]]:
    """Scores by the name of the benchmark; each scorer is opened once."""
    found: dict[str, tuple[AbstractContextManager[Score], Score]] = {}
    known = {
        "humaneval": humaneval.HUMANEVAL,
        "humaneval-plus": humaneval.HUMANEVAL_PLUS,
        "mbpp": mbpp.MBPP,
        "mbpp-plus": mbpp.MBPP_PLUS,
        "leetcode": leetcode.LEETCODE,
        "puzzles": puzzles.PUZZLES,
    }

    def score(name: str, item: Item, answer: str | None) -> Verdict:
        if name not in found:
            manager = known[name].scorer(SETTING)
            found[name] = manager, manager.__enter__()
        return found[name][1](item, answer)

    yield score
    for manager, _ in found.values():
        manager.__exit__(None, None, None)
