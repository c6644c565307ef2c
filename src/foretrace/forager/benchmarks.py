"""Repositories that SWE-bench's tasks come from, by whatever name: nothing is made of them, nor of their forks.

    benchmark_of("someone/Django", ["django"])       # "django/django": it must not be used
    benchmark_of("toolz/toolz")                      # None
    why_not("someone/Django")                        # "someone/Django is django/django of SWE-bench, or a fork of it: …"

CWM's report leaves out all repositories of SWE-bench and their forks (section 2.3). A fork keeps the name of its repository,
of its distribution or of its package: one is enough. Other benchmarks are read from their files: `corpus.benchmarks`.
"""

import re
from collections.abc import Iterable, Mapping

SWE_BENCH: Mapping[str, tuple[str, ...]] = {
    "astropy/astropy": (),
    "django/django": (),
    "matplotlib/matplotlib": ("mpl-toolkits",),
    "mwaskom/seaborn": (),
    "pallets/flask": (),
    "psf/requests": (),
    "pydata/xarray": (),
    "pylint-dev/pylint": (),
    "pytest-dev/pytest": (),
    "scikit-learn/scikit-learn": ("sklearn",),
    "sphinx-doc/sphinx": (),
    "sympy/sympy": (),
    "marshmallow-code/marshmallow": (),
    "pvlib/pvlib-python": ("pvlib",),
    "pydicom/pydicom": (),
    "pylint-dev/astroid": (),
    "pyvista/pyvista": (),
    "sqlfluff/sqlfluff": (),
}
"""Of its test and development splits (arXiv:2310.06770, appendix A), with the names of their packages where they differ."""


def benchmark_of(repo: str, names: Iterable[str] = ()) -> str | None:
    """The repository of a benchmark that this one is, or is a fork of; None if it is neither, as far as names tell.

    Args:
        repo: as `owner/name`, an address, or a name.
        names: others of it: its distribution, its packages.

    """
    own = {_plain(re.split(r"[/:]", repo.rstrip("/").removesuffix(".git"))[-1]), *map(_plain, names)}
    known = ((theirs, {theirs.partition("/")[2], *others}) for theirs, others in SWE_BENCH.items())
    return next((theirs for theirs, called in known if own & called), None)


def why_not(repo: str, names: Iterable[str] = ()) -> str:
    """Why nothing may be made of a repository, nor learnt of it; empty if it may. Arguments as of `benchmark_of`."""
    found = benchmark_of(repo, names)
    return f"{repo} is {found} of SWE-bench, or a fork of it: nothing is made of it" if found else ""


def _plain(name: str) -> str:
    """A name as packages are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
