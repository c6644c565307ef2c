"""Many images at once, one process each; killed at any moment, a second run goes on where it was.

    for built in build_all(sources, Path("images"), BuildOptions(), workers=8): ...

What is done has a folder, what failed a report in `.failed`; both are left alone by the next run. Work that a killed run
left behind is removed by the process number in its name.
"""

import multiprocessing
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from foretrace.errors import SandboxError, UsageError
from foretrace.repos.build import WORK, BuildOptions, Built, Rescue, build
from foretrace.repos.sources import Source
from foretrace.repos.wheels import find_installer
from foretrace.sandbox.environments import backends


def build_all(
    sources: Iterable[Source],
    out: Path,
    options: BuildOptions | None = None,
    *,
    workers: int = 1,
    rescue: Rescue | None = None,
) -> Iterator[Built]:
    """Builds images of sources and tells of each as it is done; their order is not that of the sources.

    Args:
        sources: read one by one, as workers are free.
        out: the folder of images, made if need be.
        options: for all.
        workers: images at a time.
        rescue: see `build`; it must be picklable where there are several workers.

    Raises:
        SandboxError: no box can be had here.
        UsageError: the folder cannot be used.

    """
    options = options or BuildOptions()
    check_backend(options.backend)
    find_installer(options.installer)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: not a folder that images can be put in: {error.strerror}") from error
    remove_stale(out)
    work = partial(_safely, out=out.resolve(), options=options, rescue=rescue)
    return map(work, sources) if workers <= 1 else _in_processes(sources, work, workers)


def check_backend(name: str) -> None:
    """Really opens a box.

    Raises:
        UsageError: there is no such backend.
        SandboxError: it does not work here.

    """
    known = backends()
    if name not in known:
        raise UsageError(f"no sandbox called {name!r}; there are: {', '.join(known)}")
    probe = known[name].probe()
    if not probe.works:
        raise SandboxError(f"the sandbox {name!r} does not work here: {probe.reason}; see: foretrace doctor")


def _in_processes(sources: Iterable[Source], work: "partial[Built]", workers: int) -> Iterator[Built]:
    """One process an image; if one dies, those beside it are tried once more."""
    waiting, again = iter(sources), set[Source]()
    todo: list[Source] = []
    while True:
        running: dict[Future[Built], Source] = {}
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            try:
                while True:
                    while len(running) < workers and (source := todo.pop() if todo else next(waiting, None)):
                        running[pool.submit(work, source)] = source
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del running[future]
            except BrokenProcessPool:
                for source in running.values():
                    if source in again:
                        yield Built(source=source.spec, reason="its process died twice; is there enough memory?")
                    else:
                        todo.append(source)
                        again.add(source)


def _safely(source: Source, *, out: Path, options: BuildOptions, rescue: Rescue | None) -> Built:
    """A build that has an answer whatever happens: one repository does not end the work of all."""
    try:
        return build(source, out, options, rescue=rescue)
    except Exception as error:  # whatever its files make our readers raise
        return Built(source=source.spec, reason=f"{type(error).__name__}: {error}")


def remove_stale(out: Path) -> None:
    """Removes what killed builds left: folders of processes that are no more."""
    places = [*(out / WORK).glob("*.*"), *(out / ".interpreters").glob(".cpython-*"), *(out / ".cache").glob("git/*.*")]
    for path in places:
        number = path.name.rsplit(".", 1)[-1]
        if number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
