"""Edits: whole lines, once, with their bytes kept."""

import random

import pytest

from foretrace.errors import FormatError
from foretrace.forager.edits import apply_edit, read_edit, surroundings, write_edit

FILE = b"import os\n\ndef f(x):\n    return x\n\ndef g(x):\n    return x\n"


def edited(content: bytes, search: str, replacement: str) -> bytes:
    path, choices = read_edit(write_edit("a.py", search, replacement))
    assert path == "a.py"
    return apply_edit(content, choices)[0]


@pytest.mark.parametrize(
    ("search", "replacement", "expected"),
    [
        ("import os", "import sys", FILE.replace(b"import os", b"import sys")),
        ("def f(x):\n    return x", "def f(x):\n    return -x", FILE.replace(b"return x", b"return -x", 1)),
        ("import os\n", "", FILE.removeprefix(b"import os\n")),
        ("import os", "\n", FILE.replace(b"import os", b"")),
        ("import os", "import os\nimport re\n", FILE.replace(b"import os", b"import os\nimport re")),
    ],
)
def test_lines_are_replaced(search: str, replacement: str, expected: bytes) -> None:
    assert edited(FILE, search, replacement) == expected


def test_the_release_form_of_an_edit_is_understood() -> None:
    """An empty line between the marks is an empty line, as there."""
    text = "a.py\n<<<<<<< SEARCH\nimport os\n=======\n\n>>>>>>> REPLACE"
    assert apply_edit(FILE, read_edit(text)[1]) == (FILE.replace(b"import os", b""), range(1, 2))


@pytest.mark.parametrize(
    ("search", "complaint"),
    [
        ("    return x", r"at 2 places \(lines 4, 7\)"),
        ("import o", "not in the file: nothing"),
        ("  import os", "those from line 1 on differ from them in spaces"),
        ("def f(x):\n    return y", "the first of them is line 3"),
    ],
)
def test_what_does_not_stand_there_once_is_not_replaced(search: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        edited(FILE, search, "x")


@pytest.mark.parametrize(
    "text",
    [
        "a.py",
        "a.py\nx",
        "a.py\n<<<<<<< SEARCH\nx\n>>>>>>> REPLACE",
        "a.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE",
        "a.py\n<<<<<<< SEARCH\nx\n=======\ny",
        "a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\na.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE",
    ],
)
def test_what_is_no_edit_is_said(text: str) -> None:
    with pytest.raises(FormatError):
        read_edit(text)


def test_line_endings_and_foreign_bytes_are_kept() -> None:
    content = b"a\r\nb\xff\r\nc\r\n\x80"
    assert edited(content, "a", "x\ny") == b"x\r\ny\r\nb\xff\r\nc\r\n\x80"
    assert edited(content, "c", "") == b"a\r\nb\xff\r\n\x80"


def test_a_separator_among_the_lines_is_understood() -> None:
    content = b"Title\n=======\n\ntext\n"
    assert edited(content, "Title\n=======", "Name\n====") == b"Name\n====\n\ntext\n"
    assert edited(content, "text", "=======\nmore") == b"Title\n=======\n\n=======\nmore\n"


def test_any_line_that_stands_once_can_be_replaced_and_put_back() -> None:
    rng = random.Random(1)
    for _ in range(300):
        lines = [rng.choice(["a", "b", " a", "", "=======", "c\t"]) + str(n) * rng.randint(0, 1) for n in range(6)]
        content = "\n".join(lines).encode()
        at = rng.randrange(len(lines))
        if not lines[at] or lines.count(lines[at]) > 1:
            continue
        changed = edited(content, lines[at], "NEW")
        assert changed.decode().split("\n") == [*lines[:at], "NEW", *lines[at + 1 :]]
        assert edited(changed, "NEW", lines[at]) == content


def test_the_surroundings_are_shown_with_their_numbers() -> None:
    content = "".join(f"line {n}\n" for n in range(1, 40)).encode()
    shown = surroundings(content, range(20, 22)).split("\n")
    assert (shown[0], shown[-1]) == ("    12\tline 12", "    29\tline 29")
    assert surroundings(b"a\n", range(1, 2)) == "     1\ta\n     2\t"
