"""Whether an image still is what its manifest says: the same files, and tests that end as they did.

found = check(image, backend="bubblewrap")
found.ok, found.changed, found.different
"""

from dataclasses import dataclass, field

from foretrace.repos.image import RepoImage
from foretrace.repos.store import digest_of
from foretrace.repos.testing import TestRun
from foretrace.repos.verify import run_once

LAYER_DIGESTS = "digests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check told."""

    image: RepoImage
    changed: tuple[str, ...]
    """Layers whose files are not those that were built."""
    different: dict[str, str]
    """Tests that ended otherwise than in the manifest, and how; flaky ones do not count."""
    flaky: int
    """Of the tests that are known to be flaky, those that ended otherwise."""
    run: TestRun = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether all is as it was."""
        return not self.changed and not self.different and not self.run.doubts and not self.run.ended


def check(image: RepoImage, *, backend: str = "bubblewrap", seconds: float = 900.0) -> Checked:
    """Runs an image's tests in a fresh environment, and compares its files with its digests.

    Raises:
        SandboxError: no environment can be had.

    """
    digests = dict(image.notes.get(LAYER_DIGESTS, {}))
    changed = [layer for layer, digest in digests.items() if digest_of(image.folder / layer) != digest]
    run = run_once(image.image, image, backend=backend, seconds=seconds)
    different, flaky = {}, 0
    for name in {**image.tests, **run.outcomes}:
        before = image.tests[name].outcome.value if name in image.tests else "missing"
        now = run.outcomes[name].value if name in run.outcomes else "missing"
        if before != now and (name in image.flaky or (name not in image.tests and image.flaky)):
            flaky += 1
        elif before != now:
            different[name] = f"{before}, now {now}"
    return Checked(image=image, changed=tuple(changed), different=different, flaky=flaky, run=run)
