"""Licences as SPDX expressions, from whatever tells them."""

import pytest

from foretrace.corpus.licence import licence_of_text, read_metadata

MIT = "Permission is hereby granted, free of charge, to any person obtaining\na copy of this software ... shall be included in all copies"
BSD2 = "Redistribution and use in source and binary forms, with or without modification"


def headers(*lines: str) -> dict[str, str]:
    return {"PKG-INFO": "\n".join(["Name: demo", "Version: 2", *lines, "", "Body"])}


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        (headers("License-Expression: MIT OR Apache-2.0", "License: BSD"), "MIT OR Apache-2.0"),
        (headers("Classifier: License :: OSI Approved :: MIT License", "License: GPL"), "MIT"),
        (headers("Classifier: License :: OSI Approved :: Apache Software License"), "Apache-2.0"),
        (headers("License: MIT License"), "MIT"),
        (headers("License: BSD-3-Clause-Clear"), "BSD-3-Clause-Clear"),
        (headers("License: see the file"), "unknown"),
        (headers("License: see the file") | {"LICENSE": MIT}, "MIT"),
        (headers("Classifier: License :: OSI Approved :: BSD License") | {"LICENSE.txt": BSD2}, "BSD-2-Clause"),
        (headers("Classifier: License :: OSI Approved :: BSD License"), "LicenseRef-BSD"),
        ({"pyproject.toml": '[project]\nname = "demo"\nversion = "2"\nlicense = "ISC"'}, "ISC"),
        ({"pyproject.toml": '[project]\nname = "demo"\nversion = "2"\nlicense = {text = "MIT"}'}, "MIT"),
        ({"pyproject.toml": '[project]\nname = "demo"\nversion = "2"\nlicense = {file = "LICENSE"}', "COPYING": MIT}, "MIT"),
        (headers(), "unknown"),
    ],
)
def test_a_licence_is_taken_from_the_best_that_tells_it(files: dict[str, str], licence: str) -> None:
    assert read_metadata(files).licence == licence
    assert read_metadata(files).title == "demo 2"


def test_metadata_that_cannot_be_read_tell_nothing() -> None:
    assert read_metadata({"pyproject.toml": "not = [toml"}).title == ""
    assert read_metadata({}).licence == "unknown"


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "MIT"),
        (MIT.split(" ...")[0], "MIT-0"),
        (BSD2, "BSD-2-Clause"),
        (BSD2 + " ... Neither the name of", "BSD-3-Clause"),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 3", "GPL-3.0-only"),
        ("All rights reserved.", ""),
    ],
)
def test_texts_of_licences(text: str, licence: str) -> None:
    assert licence_of_text(text) == licence
