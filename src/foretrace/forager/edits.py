r"""The edit tool's blocks: lines to search for, and lines to put in their place.

    path, choices = read_edit("a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE")
    content, lines = apply_edit(b"import os\nx = 1\n", choices)        # (b"import os\nx = 2\n", range(2, 3))

Whole lines are compared, all their spaces too, and they have to stand at one place only. A file keeps its line endings and
the bytes that are no UTF-8. A separator may stand among the lines as well (a heading in reStructuredText is one): of the
readings of a block, the one with most lines that are found in the file is meant.
"""

from foretrace.errors import FormatError

_SEARCH, _SEPARATOR, _REPLACE = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"
_FORM = f"an edit is a path, then\n{_SEARCH}\n[lines that are in the file]\n{_SEPARATOR}\n[lines instead]\n{_REPLACE}"
_SHOWN = 8
"""Lines shown before and after an edit."""
Choice = tuple[list[str], list[str]]


def write_edit(path: str, search: str, replacement: str) -> str:
    """The argument of an edit. Line feeds at the ends of the texts end lines; no replacement removes lines."""
    new = [replacement.removesuffix("\n")] if replacement else []
    return "\n".join([path, _SEARCH, search.removesuffix("\n"), _SEPARATOR, *new, _REPLACE])


def read_edit(argument: str) -> tuple[str, list[Choice]]:
    """The path, and what may be meant: pairs of lines to search for and lines to put there.

    Raises:
        FormatError: it is no edit. The message is for the agent, as those below are.

    """
    lines = argument.strip("\n").split("\n")
    if len(lines) < 4 or lines[1].rstrip() != _SEARCH or lines[-1].rstrip() != _REPLACE:
        raise FormatError(_FORM)
    if lines.count(_SEARCH) > 1 or lines.count(_REPLACE) > 1:
        raise FormatError("one edit a call, please: there is more than one block in this one, and nothing was changed")
    at = [number for number, line in enumerate(lines) if line.rstrip() == _SEPARATOR]
    choices = [(lines[2:number], lines[number + 1 : -1]) for number in at if lines[2:number] not in ([], [""])]
    if not choices:
        raise FormatError(f"there are no lines to search for, or no {_SEPARATOR} after them; {_FORM}")
    return lines[0].strip(), choices


def apply_edit(content: bytes, choices: list[Choice]) -> tuple[bytes, range]:
    """The new content of a file, and the numbers of the lines that are new.

    Raises:
        FormatError: the lines are not in the file, or at several places.

    """
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    bare = [line.removesuffix("\r") for line in lines]
    for search, replacement in reversed(choices):
        places = _places(bare, search)
        if len(places) > 1:
            where = ", ".join(str(place + 1) for place in places[:10])
            raise FormatError(f"the search lines stand at {len(places)} places (lines {where}): add lines until it is one")
        if places:
            start = places[0]
            ending = "\r" if lines[start].endswith("\r") else ""
            new = [*lines[:start], *(line + ending for line in replacement), *lines[start + len(search) :]]
            numbers = range(start + 1, start + 1 + len(replacement))
            return "\n".join(new).encode("utf-8", "surrogateescape"), numbers
    raise FormatError(_not_found(bare, choices[0][0]))


def _places(lines: list[str], search: list[str]) -> list[int]:
    last = len(lines) - len(search)
    return [i for i in range(last + 1) if lines[i] == search[0] and lines[i : i + len(search)] == search]


def _not_found(lines: list[str], search: list[str]) -> str:
    """Why, as far as it can be told: mostly it is the spaces."""
    loose = _places([line.strip() for line in lines], [line.strip() for line in search])
    if loose:
        return f"the search lines are not in the file: those from line {loose[0] + 1} on differ from them in spaces"
    first = search[0].strip()
    near = [number for number, line in enumerate(lines, 1) if first and line.strip() == first]
    hint = f"; the first of them is line {near[0]}, those after it differ" if near else ""
    return f"the search lines are not in the file{hint}: nothing was changed"


def numbered(lines: list[str], first: int) -> str:
    """Lines with their numbers, as `cat -n` prints them."""
    return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, first))


def surroundings(content: bytes, new: range) -> str:
    """The lines around an edit."""
    lines = [text.removesuffix("\r") for text in content.decode("utf-8", "replace").split("\n")]
    first = max(1, new.start - _SHOWN)
    return numbered(lines[first - 1 : new.stop - 1 + _SHOWN], first)
