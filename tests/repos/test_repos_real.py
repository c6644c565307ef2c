"""Real releases from the package index, whole: minutes, and a network."""

from pathlib import Path

import pytest
from small_image import needs_box

from foretrace.errors import UsageError
from foretrace.repos import BuildOptions, build, build_all, read_source
from foretrace.repos.index import find_sdist

pytestmark = [needs_box, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def index() -> None:
    try:
        find_sdist("simpleeval", "1.0.8")
    except UsageError as error:
        pytest.skip(str(error))


def test_releases_are_built_without_a_model_and_without_a_network_in_the_box(tmp_path: Path) -> None:
    sources = [read_source(spec) for spec in ("simpleeval==1.0.8", "jsonpointer==3.12", "funcy==2.1", "cachetools==8.0.1")]
    built = {each.source: each for each in build_all(sources, tmp_path, BuildOptions(), workers=2)}
    passing = {source: len(each.image.passing) if each.image else each.reason for source, each in built.items()}
    assert passing == {"simpleeval==1.0.8": 160, "jsonpointer==3.12": 92, "funcy==2.1": 219, "cachetools==8.0.1": 465}
    for each in built.values():
        assert each.image is not None
        assert each.image.notes["used_network"] is False
        assert each.image.origin.licence in ("MIT", "BSD-3-Clause")


def test_what_has_no_wheel_is_built_in_a_box_with_a_network(tmp_path: Path) -> None:
    root = tmp_path / "needs"
    (root / "tests").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        '[project]\nname = "needs"\nversion = "1"\n[project.optional-dependencies]\n'
        'test = ["docopt==0.6.2", "no-such-distribution-at-all==9"]\n[tool.setuptools]\npackages = []\n'
    )
    (root / "tests" / "test_needs.py").write_text("def test_it():\n    import docopt, yaml\n")
    built = build(read_source(str(root)), tmp_path / "images")
    assert built.image is not None, built.reason
    assert built.image.notes["used_network"] is True
    assert built.image.plan.requirements == ("pytest", "docopt==0.6.2", "pyyaml")
    assert len(built.image.notes["attempts"]) == 3
