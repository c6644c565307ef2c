"""An instance's world: the image with the mistake in it, and nothing that tells what was right.

    world = make_world(instance, image, Path("worlds/toolz-7"))       # or world_of, if it may be there
    with open_environment(world, limits) as environment: ...

A mistake is one more layer on the image. The layer has a history of its own, one root commit with the mistake in it: in the
old one `git diff HEAD` would show the answer, and its objects would still hold it. Bytecode of the right code goes, too.
"""

import secrets
import shlex
import shutil
from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.forager.tasks.instance import Instance
from foretrace.sandbox.environment import EnvironmentLimits, Image, Status
from foretrace.sandbox.environments import open_environment
from foretrace.sandbox.environments.layers import on_top

BUG = "/tmp/foretrace.bug"
_MAKE = """
set -e
git apply --index --whitespace=nowarn {bug}
when=$(git log -1 --format=%aI)
git ls-files -z > /tmp/foretrace.files
mkdir /tmp/foretrace.git
cp .git/config /tmp/foretrace.git/
cp -r .git/info /tmp/foretrace.git/ 2> /dev/null || true
rm -rf .git
git init --quiet --initial-branch=main --template=
cp -r /tmp/foretrace.git/. .git/
git update-index --add -z --stdin < /tmp/foretrace.files
export GIT_AUTHOR_DATE="$when" GIT_COMMITTER_DATE="$when"
export GIT_AUTHOR_NAME=foretrace GIT_AUTHOR_EMAIL=foretrace@localhost
export GIT_COMMITTER_NAME=foretrace GIT_COMMITTER_EMAIL=foretrace@localhost
git commit --quiet --no-verify --allow-empty --cleanup=verbatim -m 'The repository
'
git repack -a -d -q --threads=1
rm -rf .git/COMMIT_EDITMSG .git/logs .git/hooks .git/branches .git/description .git/ORIG_HEAD
find . -name __pycache__ -type d -prune -exec rm -rf {{}} +
git status --porcelain
"""


def make_world(
    instance: Instance, image: Image, folder: Path, *, backend: str = "bubblewrap", limits: EnvironmentLimits | None = None
) -> Image:
    """The image in which the instance is worked on; the image itself if the mistake is there already.

    Args:
        instance: whose `bug` is made.
        image: of its repository.
        folder: for the new layer; it must not be there.
        backend: of the environment in which the layer is made.
        limits: of that environment.

    Raises:
        SandboxError: the mistake cannot be made in this image, or the environment failed.

    """
    if not instance.bug:
        return image
    with open_environment(image, limits or EnvironmentLimits(), backend=backend) as environment:
        environment.write(BUG, instance.bug.encode())
        made = environment.exec(["sh", "-c", _MAKE.format(bug=shlex.quote(BUG))], seconds=120)
        if made.status is not Status.OK or made.code or made.output.strip():
            told = made.output.decode(errors="replace").strip()[-500:]
            raise SandboxError(f"the mistake of {instance.instance_id} cannot be made in this image: {told or made.status}")
        return environment.commit(folder)


def world_of(
    instance: Instance, image: Image, folder: Path, *, backend: str = "bubblewrap", limits: EnvironmentLimits | None = None
) -> Image:
    """The world whose layer is in `folder`, made if it is not there; errors as of `make_world`.

    Many may ask for it at once, and any of them may be killed: the folder is there whole or not at all.
    """
    if not instance.bug:
        return image
    if not folder.exists():
        part = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}")
        part.parent.mkdir(parents=True, exist_ok=True)
        make_world(instance, image, part, backend=backend, limits=limits)
        try:
            part.rename(folder)
        except OSError:  # another was faster
            shutil.rmtree(part, ignore_errors=True)
    return on_top(image, folder)
