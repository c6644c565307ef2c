"""LiveCodeBench's official files, read without trust: rows are recognised by their fields, pickles are not unpickled.

    rows = official_rows(options, CODE_FIELDS, "code_generation_lite")
    private_tests(row["private_test_cases"])                  # [{"input": …, "output": …, "testtype": "stdin"}, …]

The files are a gigabyte, and grow with each release; so no digest is known here, and whoever publishes a number says which
release it was, and the window of dates, whose last day is not in it.
"""

import base64
import binascii
import io
import json
import os
import pickletools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.files import VARIABLE
from foretrace.evals.types import Options

_MAX_BYTES = 1 << 30
"""Of the tests of one problem, unpacked."""
_ERRATA_ATCODER = {"abc311_c", "abc326_d", "abc327_b", "abc333_e", "abc337_e", "abc343_a", "abc343_e", "abc350_c"}
_ERRATA_ATCODER |= {"abc355_e", "abc362_c", "arc185_c", "arc189_a"}
ERRATA = frozenset({"3194", "3221", "3308", "3363", "3453"} | _ERRATA_ATCODER)
"""Problems that the authors list as accepting several answers, interactive or broken (their ERRATA.md); they still count."""
_PICKLED = {"PROTO", "FRAME", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "MEMOIZE", "BINPUT", "STOP"}
"""What the pickle of a text is made of."""


def official_rows(options: Options, fields: Iterable[str], name: str) -> list[dict[str, Any]]:
    """Rows of all `.jsonl` files at the given paths whose first row has these fields, within the window.

    Raises:
        UsageError: there are none.

    """
    wanted = set(fields)
    places = [*map(Path, options.paths), *(Path(place) for place in [os.environ.get(VARIABLE, "")] if place)]
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.jsonl")))]
    rows = [row for file in dict.fromkeys(files) for row in _rows(file, wanted)]
    if not rows:
        looked = ", ".join(map(str, places)) or "no folder, as none was named"
        raise UsageError(
            f"no official files of {name} in {looked}; fetch them from huggingface.co/datasets/livecodebench/{name} and "
            f"name their folder by --data or in {VARIABLE}"
        )
    return in_window(rows, options)


def _rows(file: Path, wanted: set[str]) -> Iterator[dict[str, Any]]:
    with open(file, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                return
            if not isinstance(row, dict) or not wanted <= row.keys() or "test_info" in row:
                return
            yield row


def in_window(rows: list[dict[str, Any]], options: Options) -> list[dict[str, Any]]:
    """Rows whose contest was on a day of the window.

    Raises:
        UsageError: there are none.

    """
    if options.window is None:
        return rows
    first, end = options.window
    found = [row for row in rows if first <= str(row["contest_date"])[:10] < end]
    if not found:
        dates = sorted(str(row["contest_date"])[:10] for row in rows)
        raise UsageError(f"no problem from {first} to before {end}: they are from {dates[0]} to {dates[-1]}")
    return found


def listed(value: Any) -> Any:
    """A field that is JSON, or the text of some."""
    return json.loads(value) if isinstance(value, str) else value


def private_tests(value: Any) -> list[dict[str, Any]]:
    """Hidden tests: JSON, or JSON in a pickle, compressed, in base64.

    Raises:
        UsageError: it is something else.

    """
    if not isinstance(value, str):
        return list(value)
    try:
        tests = json.loads(value)
    except ValueError:
        tests = json.loads(_pickled_text(_unpacked(value)))
    if not isinstance(tests, list):
        raise UsageError("hidden tests of LiveCodeBench are no list: the file is damaged")
    return tests


def _unpacked(value: str) -> bytes:
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(value, validate=True), _MAX_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise UsageError(f"hidden tests of LiveCodeBench cannot be unpacked ({error}): the file is damaged") from error
    if not unpacking.eof:
        raise UsageError(f"hidden tests of LiveCodeBench are damaged, or more than {_MAX_BYTES >> 20} MiB")
    return data


def _pickled_text(data: bytes) -> str:
    """The text whose pickle this is. Nothing is unpickled: a pickle is a program, and this reads the only word of it."""
    texts = []
    try:
        for operation, argument, _ in pickletools.genops(io.BytesIO(data)):
            if operation.name not in _PICKLED:
                raise UsageError(f"a pickle in LiveCodeBench's hidden tests is more than a text ({operation.name}): refused")
            if "UNICODE" in operation.name:
                texts.append(argument)
    except ValueError as error:
        raise UsageError(f"hidden tests of LiveCodeBench are no pickle of a text: {error}") from error
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise UsageError(f"a pickle in LiveCodeBench's hidden tests has {len(texts)} texts: refused")
    return texts[0]


def tags_of(row: Mapping[str, Any], **more: str) -> dict[str, str]:
    """By which results are told apart."""
    errata = "yes" if str(row["question_id"]) in ERRATA else "no"
    return {"difficulty": row["difficulty"], "month": str(row["contest_date"])[:7], "errata": errata, **more}
