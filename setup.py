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

native = Path("src/foretrace/record/native")
recorder = Extension(
    "foretrace.record._recorder",
    sources=sorted(map(str, native.glob("*.c"))),
    depends=sorted(map(str, native.glob("*.h"))),
    extra_compile_args=["-std=gnu11", "-O3", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
    optional=True,
)

setup(ext_modules=[kernel, recorder])
