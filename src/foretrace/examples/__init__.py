"""The programs of `foretrace demo`. They are not training data; a test checks that."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Example:
    """A bundled file and a call of one of its functions."""

    name: str
    entry: str
    arguments: str


EXAMPLES = (
    Example("initials", "initials", "'ada king lovelace'"),
    Example("stock", "restock", "{'tea': 3, 'milk': 0}, 'milk', 5"),
    Example("evens", "split_evens", "[4, 7, 10, 3]"),
    Example("vowels", "mask_vowels", "'banana', '*'"),
    Example("binary", "to_binary", "11"),
    Example("letters", "report", "'strawberry', 'r'"),
)
"""The last is the hardest: a helper in a loop, over a longer word."""


def example_file(example: Example) -> Path:
    """Path of an example's source."""
    return Path(str(files(__package__))) / f"{example.name}.py"
