"""The optional C extension; everything else about the package is in `pyproject.toml`.

Where no compiler is found installation still succeeds, and `foretrace doctor` says what is slower.
"""

from setuptools import Extension, setup

kernel = Extension(
    "foretrace.engine._kernel",
    sources=["src/foretrace/engine/_kernel.c"],
    depends=["src/foretrace/engine/_kernel_body.h"],
    extra_compile_args=["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math"],
    py_limited_api=True,  # a plain library without Python's API: one build serves every version
    optional=True,
)

setup(ext_modules=[kernel])
