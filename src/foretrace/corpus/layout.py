"""How a program is laid out: indentation, hints, comments, blank lines. One habit a program."""

import random
import re

_HINTS = {
    "str": "str", "int": "int", "listint": "list[int]", "liststr": "list[str]", "dictsi": "dict[str, int]", "dictss": "dict[str, str]",
    "dictis": "dict[int, str]", "bool": "bool", "tuple": "tuple", "set": "set", "liststrlist": "list",
}  # fmt: skip
_COMMENTS = [
    "# helper", "# loop over the items", "# check the input", "# build the result", "# TODO", "# don't change the order", "# done", "# first pass",
    "# skip empty ones", "# edge case", "# step 1", "# keep only what we need", "# update",
]  # fmt: skip
_DOCSTRINGS = [
    "Process the input.",
    "Return the result.",
    "Helper.",
    "Count and combine.",
    "See tests.",
    "Transform the given value.",
]


class Layout:
    """The habits of one program's author."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.indent = rng.choices(("    ", "  ", "\t", "   "), (92, 5, 2, 1))[0]
        self.hints = rng.random() < 0.07
        self.comments = rng.random() < 0.06
        self.docstring = rng.random() < 0.01
        self.blank = rng.random() < 0.08
        self.tight = rng.random() < 0.12

    def function(self, name: str, parameters: list[tuple[str, str]], body: str) -> str:
        """A function definition with its body, indented by four."""
        shown = ", ".join(f"{n}: {_HINTS[kind]}" if self.hints else n for n, kind in parameters)
        lines = body.split("\n")
        if self.docstring:
            lines.insert(0, f'"""{self.rng.choice(_DOCSTRINGS)}"""')
        lines = self._decorated(lines)
        return "\n".join([f"def {name}({shown}):", *("    " + line if line else line for line in lines)])

    def between(self) -> str:
        """What separates two functions."""
        return self.rng.choice(("", "\n", "\n\n"))

    def finish(self, source: str) -> str:
        """The program's own indentation, applied to source indented by four."""
        if self.tight:
            source = re.sub(r"for (\w+), (\w+) in", r"for \1,\2 in", source)
        if self.indent == "    ":
            return source
        lines = []
        for line in source.split("\n"):
            text = line.lstrip(" ")
            lines.append(self.indent * ((len(line) - len(text)) // 4) + text)
        return "\n".join(lines)

    def _decorated(self, lines: list[str]) -> list[str]:
        """Comments and blank lines at the start of statements of the top level."""
        if not self.comments and not self.blank:
            return lines
        out: list[str] = []
        for line in lines:
            top = not line.startswith((" ", "else", "elif", "except", "finally"))
            if top and self.blank and out and self.rng.random() < 0.3:
                out.append("")
            if top and self.comments and self.rng.random() < 0.4:
                out.append(self.rng.choice(_COMMENTS))
            out.append(f"{line}  {self.rng.choice(_COMMENTS)}" if self.comments and self.rng.random() < 0.1 else line)
        return out
