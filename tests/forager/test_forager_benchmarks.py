"""What SWE-bench is made of is left out, whatever it calls itself."""

import pytest

from foretrace.forager.benchmarks import SWE_BENCH, benchmark_of, why_not


@pytest.mark.parametrize(
    ("repo", "names", "found"),
    [
        ("django/django", [], "django/django"),
        ("someone/Django", [], "django/django"),
        ("https://example.org/someone/scikit_learn.git", [], "scikit-learn/scikit-learn"),
        ("git@example.org:someone/sympy.git/", [], "sympy/sympy"),
        ("git@example.org:someone/sympy.git", [], "sympy/sympy"),
        ("someone/my-fork", ["MyFork", "sklearn"], "scikit-learn/scikit-learn"),
        ("someone/x", ["mpl_toolkits"], "matplotlib/matplotlib"),
        ("requests", [], "psf/requests"),
        ("toolz/toolz", ["toolz", "tlz"], None),
        ("someone/requests-mock", ["requests_mock"], None),
    ],
)
def test_names_tell(repo: str, names: list[str], found: str | None) -> None:
    assert benchmark_of(repo, names) == found
    told = f"{repo} is {found} of SWE-bench, or a fork of it: nothing is made of it"
    assert why_not(repo, names) == (told if found else "")


def test_every_one_of_them_is_found() -> None:
    assert len(SWE_BENCH) == 18
    for repo, others in SWE_BENCH.items():
        assert benchmark_of(repo) == repo
        assert all(benchmark_of("someone/else", [name]) == repo for name in others)
