"""The optional C extensions; everything else about the package is in `pyproject.toml`.

Where no compiler is found installation still succeeds, and `foretrace doctor` says what is slower.
"""

from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("src/foretrace")
FLAGS = ["-std=gnu11", "-O3", "-fno-plt", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter"]


def library(module: str, files: str, headers: str) -> Extension:
    """A plain library without Python's API, called through ctypes: one build serves every version of Python."""
    return Extension(
        f"foretrace.{module}",
        sources=sorted(map(str, SOURCES.glob(files))),
        depends=sorted(map(str, SOURCES.glob(headers))),
        extra_compile_args=["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-pthread"],
        extra_link_args=["-pthread"],
        py_limited_api=True,
        optional=True,
    )


def native(module: str, folder: str, *shared: str) -> Extension:
    """An extension from all C files of a folder, and some that it shares."""
    headers = {*(SOURCES / folder).glob("*.h"), *(SOURCES / "trace/native").glob("*.h")}
    return Extension(
        f"foretrace.{module}",
        sources=[*sorted(map(str, (SOURCES / folder).glob("*.c"))), *(str(SOURCES / file) for file in shared)],
        depends=sorted(map(str, headers)),
        include_dirs=[str(SOURCES / "trace/native")],
        extra_compile_args=[*FLAGS, "-Wno-missing-field-initializers"],
        optional=True,
    )


kernel = library("engine._kernel", "engine/_kernel.c", "engine/_kernel_body.h")
attention = library("model._attention", "model/native/*.c", "model/native/*.h")
reader = native("trace._binary", "trace/native")
recorder = native("record._recorder", "record/native", "trace/native/buffer.c", "trace/native/wire.c")
setup(ext_modules=[kernel, attention, reader, recorder])
