"""A distribution's name, version and licence, from its metadata or else from the text of its licence.

The licence is an SPDX expression: that of `License-Expression`, else of the classifiers, else of a short `License` field,
else of the licence file's text; `unknown` if none of them says. Where one is ambiguous ("BSD License") the next is asked.
"""

import email
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

METADATA_FILES = ("METADATA", "PKG-INFO", "pyproject.toml")
UNKNOWN = "unknown"

_CLASSIFIERS = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
}
_SPELLINGS = {
    "mit": "MIT", "mit license": "MIT", "the mit license": "MIT", "expat": "MIT", "apache 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0", "apache 2": "Apache-2.0", "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0", "apache software license 2.0": "Apache-2.0", "isc": "ISC",
    "isc license": "ISC", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause",
    "bsd 2-clause": "BSD-2-Clause", "new bsd": "BSD-3-Clause", "new bsd license": "BSD-3-Clause",
    "3-clause bsd": "BSD-3-Clause", "bsd 3-clause license": "BSD-3-Clause", "mpl-2.0": "MPL-2.0", "mpl 2.0": "MPL-2.0",
    "psf": "PSF-2.0", "psfl": "PSF-2.0", "psf-2.0": "PSF-2.0", "unlicense": "Unlicense", "zlib": "Zlib", "0bsd": "0BSD",
    "gplv2": "GPL-2.0-only", "gplv3": "GPL-3.0-only", "lgplv3": "LGPL-3.0-only", "gpl-3.0": "GPL-3.0-only",
    "cc0": "CC0-1.0", "cc0-1.0": "CC0-1.0",
}  # fmt: skip
_TEXTS = (
    ("Apache-2.0", r"apache license\W+version 2\.0"),
    ("MPL-2.0", r"mozilla public license,? (version|v\.) ?2\.0"),
    ("AGPL-3.0-only", r"gnu affero general public license\W+version 3"),
    ("LGPL-3.0-only", r"gnu lesser general public license\W+version 3"),
    ("GPL-3.0-only", r"gnu general public license\W+version 3"),
    ("GPL-2.0-only", r"gnu general public license\W+version 2"),
    ("PSF-2.0", r"python software foundation license version 2"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy.*shall be included in all"),
    ("MIT-0", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.*(neither the name|may not be used to endorse)"),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
    (
        "ISC",
        r"permission to use, copy, modify,? and(/or)? distribute this software for any purpose.*hereby granted, provided",
    ),
    ("0BSD", r"permission to use, copy, modify,? and(/or)? distribute this software for any purpose.*hereby granted"),
)
"""Sentences that only one licence has; the first that matches."""
_SPDX = re.compile(r"\(?[A-Za-z0-9][\w.+-]*(?:-\d[\w.]*)?\)?(?: (?:AND|OR|WITH) \(?[\w.+-]+\)?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a distribution says of itself."""

    title: str = ""
    """Name and version; empty if it does not say."""
    licence: str = UNKNOWN


@dataclass(slots=True)
class _Fields:
    name: str = ""
    version: str = ""
    expression: str = ""
    licence: str = ""
    classifiers: list[str] = field(default_factory=list)


def is_licence_file(name: str) -> bool:
    """Whether a file of that name has the text of a licence."""
    return re.match(r"(?i)(licen[cs]e|copying|unlicense)([.-]|$)", name) is not None and not name.endswith(".py")


def read_metadata(files: Mapping[str, str]) -> Metadata:
    """Reads metadata from the texts of a distribution's files, by path."""
    found = _Fields()
    for path in sorted(files, key=lambda path: (_rank(path), path.count("/"), path)):
        name = path.rsplit("/", 1)[-1]
        if name in METADATA_FILES:
            found = _from_toml(files[path]) if name.endswith(".toml") else _from_headers(files[path])
            if found.name:
                break
    texts = [
        files[path]
        for path in sorted(files, key=lambda path: (path.count("/"), path))
        if is_licence_file(path.rsplit("/", 1)[-1])
    ]
    title = f"{found.name} {found.version}".strip() if found.name else ""
    return Metadata(title=title, licence=next(iter(_licences(found, texts)), UNKNOWN))


def licence_of_text(text: str) -> str:
    """The licence that a text is; empty if it is not recognised."""
    words = " ".join(text.lower().split())
    return next((name for name, pattern in _TEXTS if re.search(pattern, words)), "")


def _rank(path: str) -> int:
    name = path.rsplit("/", 1)[-1]
    return METADATA_FILES.index(name) if name in METADATA_FILES else len(METADATA_FILES)


def _licences(found: _Fields, texts: list[str]) -> Iterator[str]:
    """Licences that the sources tell, best first."""
    if found.expression:
        yield found.expression
    classified = [c.rsplit(" :: ", 1)[-1] for c in found.classifiers if c.startswith("License :: ")]
    known = [_CLASSIFIERS[c] for c in classified if c in _CLASSIFIERS]
    if known:
        yield " OR ".join(sorted(set(known)))
    short = found.licence.strip()
    if short.lower() in _SPELLINGS:
        yield _SPELLINGS[short.lower()]
    for text in [short, *texts]:
        if licence_of_text(text):
            yield licence_of_text(text)
    if short and len(short) < 60 and "-" in short and _SPDX.fullmatch(short):
        yield short
    if "BSD License" in classified or short.lower() in {"bsd", "bsd license"}:
        yield "LicenseRef-BSD"


def _from_headers(text: str) -> _Fields:
    headers = email.message_from_string(text)
    return _Fields(
        name=headers.get("Name", ""),
        version=headers.get("Version", ""),
        expression=headers.get("License-Expression", ""),
        licence=headers.get("License", ""),
        classifiers=[str(value) for value in headers.get_all("Classifier", [])],
    )


def _from_toml(text: str) -> _Fields:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return _Fields()
    project: Any = document.get("project")
    if not isinstance(project, dict):
        tool: Any = document.get("tool")
        project = tool.get("poetry", {}) if isinstance(tool, dict) else {}
    licence = project.get("license", "")
    table = licence if isinstance(licence, dict) else {}
    return _Fields(
        name=str(project.get("name", "")),
        version=str(project.get("version", "")),
        expression=licence if isinstance(licence, str) and _SPDX.fullmatch(licence) else "",
        licence=str(table.get("text", "")),
        classifiers=[str(value) for value in project.get("classifiers", []) if isinstance(value, str)],
    )
