"""Images of repositories against doing without: `python bench/repos.py images [NAME]`, after `foretrace repos build … -o images`.

One JSON line. `tests`: seconds of a run in a fresh environment, by our plugin, and of bare pytest on a copy of the same
files, by turns, with their ratio. `open_ms`: milliseconds to open an environment, run `true` and close it. `store`: all images
as they lie on disk, where equal files are one, and without that.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from foretrace.repos import RepoImage, list_images, load_image, run_tests
from foretrace.sandbox.environments import open_environment

ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_environment(image: RepoImage) -> None:
    with open_environment(image.image) as environment:
        run = run_tests(environment, image)
    assert run.passed >= image.passing, sorted(image.passing - run.passed)


def bare(image: RepoImage, testbed: Path) -> None:
    """Pytest itself, with the image's packages and our own interpreter."""
    (packages,) = (image.folder / "layer/opt/venv/lib").glob("python*/site-packages")
    paths = [str(testbed / place) for place in (".", "src") if (testbed / place).is_dir()]
    environment = {**image.image.env, "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([*paths, str(packages)])}
    command = [sys._base_executable, "-S", "-m", "pytest", "-q", "-p", "no:cacheprovider", *image.command.arguments]
    subprocess.run(command, cwd=testbed, env=environment, check=False, stdout=subprocess.DEVNULL)


def tests(image: RepoImage) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        testbed = Path(place) / "testbed"
        shutil.copytree(image.folder / "layer/testbed", testbed, symlinks=True)
        pairs = [(seconds(lambda: in_environment(image)), seconds(lambda: bare(image, testbed))) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return {"environment": round(ours, 2), "pytest": round(theirs, 2), "ratio": round(ratio, 2)}


def opening(image: RepoImage) -> float:
    def work() -> None:
        with open_environment(image.image) as environment:
            environment.exec(["true"])

    return round(1000 * statistics.median(seconds(work) for _ in range(20)), 1)


def store(images: list[RepoImage]) -> dict[str, float]:
    """Megabytes: a file that several images have counts once on disk."""
    seen: dict[tuple[int, int], int] = {}
    whole = 0
    for image in images:
        for path in (image.folder / "layer").rglob("*"):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                seen[status.st_dev, status.st_ino] = status.st_size
                whole += status.st_size
    kept = sum(seen.values())
    return {"megabytes": round(kept / 1e6, 1), "without": round(whole / 1e6, 1), "ratio": round(whole / kept, 1)}


def main() -> None:
    folder = Path(sys.argv[1])
    images = list_images(folder)
    chosen = [load_image(folder / name) for name in sys.argv[2:]] or [min(images, key=lambda image: image.seconds)]
    for image in chosen:
        print(json.dumps({"image": image.name, "open_ms": opening(image), "tests": tests(image), "store": store(images)}))


if __name__ == "__main__":
    main()
