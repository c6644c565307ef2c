"""The optional C extensions; everything else about the package is in `pyproject.toml`.

Where no compiler is found installation still succeeds, and `foretrace doctor` says what is slower.
"""

from pathlib import Path

from setuptools import Extension, setup

kernel = Extension(
    "foretrace.engine._kernel",
    sources=["src/foretrace/engine/_kernel.c"],
    depends=["src/foretrace/engine/_kernel_body.h"],
    extra_compile_args=["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math"],
    py_limited_api=True,  # a plain library without Python's API: one build serves every version
    optional=True,
)

SOURCES = Path("src/foretrace")
FLAGS = ["-std=gnu11", "-O3", "-fno-plt", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter"]


def native(module: str, folder: str, *shared: str) -> Extension:
    """An extension from all C files of a folder, and some that it shares."""
    return Extension(
        f"foretrace.{module}",
        sources=[*sorted(map(str, (SOURCES / folder).glob("*.c"))), *(str(SOURCES / file) for file in shared)],
        depends=sorted(map(str, SOURCES.glob("*/native/*.h"))),
        include_dirs=[str(SOURCES / "trace/native")],
        extra_compile_args=[*FLAGS, "-Wno-missing-field-initializers"],
        optional=True,
    )


reader = native("trace._binary", "trace/native")
recorder = native("record._recorder", "record/native", "trace/native/buffer.c", "trace/native/wire.c")
setup(ext_modules=[kernel, reader, recorder])
