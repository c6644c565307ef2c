from collections.abc import Iterator

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from serving import serving

from foretrace.serve.model import ServedModel


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, ServedModel]]:
    with serving() as running:
        yield running


@pytest.fixture
def url(server: tuple[str, ServedModel]) -> str:
    return server[0]


@pytest.fixture
def served(server: tuple[str, ServedModel]) -> ServedModel:
    return server[1]
