"""The kernels are built once, in a folder of the tests' own."""

from __future__ import annotations

import shutil

import pytest

from chatdev.llm.local.fast.build import NoCompilerError, build, library, load


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("CHATDEV_CACHE", str(tmp_path_factory.mktemp("kernels")))
    library.cache_clear()
    yield
    patch.undo()
    library.cache_clear()


@pytest.fixture(scope="session")
def kernels(_cache_of_its_own):
    try:
        return library()
    except NoCompilerError as error:
        pytest.skip(f"no compiler here: {error}")


@pytest.fixture(scope="session")
def plain_kernels(kernels):
    """As built for a processor of which nothing is known."""
    return load(build(shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")))
