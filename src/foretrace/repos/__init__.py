"""Executable repositories: from an sdist, a checkout or a git URL to files to change and tests that tell the result.

    from foretrace.repos import build, load_image, read_source, run_tests
    build(read_source("toolz==1.2.0"), Path("images"))
    image = load_image("images/toolz-1.2.0")

No model is needed, and nothing of a repository runs outside a box. See `docs/repos.md`.
"""

from foretrace.repos.attempt import Attempt, TestLimits
from foretrace.repos.batch import build_all
from foretrace.repos.build import BuildOptions, Built, Rescue, build
from foretrace.repos.image import RepoImage, TestRecord, list_images, load_image
from foretrace.repos.plan import InstallPlan
from foretrace.repos.sources import Origin, Source, read_source, read_sources
from foretrace.repos.testing import Outcome, TestCommand, TestRun, run_tests

__all__ = [
    "Attempt",
    "BuildOptions",
    "Built",
    "InstallPlan",
    "Origin",
    "Outcome",
    "RepoImage",
    "Rescue",
    "Source",
    "TestCommand",
    "TestLimits",
    "TestRecord",
    "TestRun",
    "build",
    "build_all",
    "list_images",
    "load_image",
    "read_source",
    "read_sources",
    "run_tests",
]
