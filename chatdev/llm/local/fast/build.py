"""Building the kernels: this machine's own C++ compiler, once for each source, compiler and kind of processor.

The library is kept in the user's cache folder under a name that holds the digest of the sources, the flags and the
compiler's own predefined macros (which say compiler, version and processor). Nothing is downloaded, and a library is
never looked for anywhere else.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCES = ("kernels.h", "attention.h", "step.cpp")
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fopenmp", "-shared", "-fPIC")
SECONDS = 120
"""Most time for a build."""


class NoCompilerError(RuntimeError):
    """The kernels cannot be built here; torch's own serve."""


def cache_folder() -> Path:
    """Where this user's programs keep what they can make again."""
    if chosen := os.environ.get("CHATDEV_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "chatdev"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chatdev"


@functools.cache
def library() -> Any:
    """The kernels, built if need be; a `ctypes.CDLL`.

    Raises:
        NoCompilerError: no compiler, or it failed.
    """
    if os.name != "posix":
        raise NoCompilerError("the kernels are built on Linux and macOS only")
    named = os.environ.get("CXX")
    reasons = []
    for compiler in (named,) if named else COMPILERS:
        path = shutil.which(compiler)
        if path is None:
            continue
        try:
            arm = platform.machine() in ("arm64", "aarch64")
            return load(build(path, "-mcpu=native" if arm else "-march=native"))
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            reasons.append(f"{compiler}: {said.strip().splitlines()[-1] if said.strip() else type(error).__name__}")
    raise NoCompilerError("; ".join(reasons) or "no C++ compiler (g++ or clang++) was found")


def build(compiler: str, *processor: str) -> Path:
    """The library, from the cache folder or built now; `processor` is the compiler's flag for it.

    Raises:
        OSError: the cache folder cannot be written.
        subprocess.SubprocessError: the compiler failed.
    """
    here = Path(__file__).parent
    flags = [*FLAGS, *processor]
    macros = _run([compiler, "-std=c++17", "-fopenmp", *processor, "-x", "c++", "-dM", "-E", os.devnull])
    digest = hashlib.sha256("\0".join([compiler, macros, *flags]).encode())
    for name in SOURCES:
        digest.update((here / name).read_bytes())
    folder = cache_folder()
    target = folder / f"step-{digest.hexdigest()[:24]}.so"
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            made = Path(fresh) / "step.so"
            _run([compiler, *flags, "-o", str(made), str(here / "step.cpp")])
            made.replace(target)  # in one go: another process may be doing the same
    except PermissionError as error:
        raise OSError(f"{folder} cannot be written") from error
    return target


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=True, stdin=subprocess.DEVNULL
    )
    return done.stdout


def load(path: Path) -> Any:
    """Open a library and say what its functions take."""
    loaded = ctypes.CDLL(str(path))
    pointers = [ctypes.c_void_p, ctypes.c_void_p]
    loaded.scratch_floats.argtypes, loaded.scratch_floats.restype = pointers, ctypes.c_size_t
    loaded.step.argtypes, loaded.step.restype = pointers, None
    loaded.multiply.argtypes, loaded.multiply.restype = [*pointers, ctypes.c_void_p], None
    loaded.sizes.argtypes, loaded.sizes.restype = [ctypes.c_int], ctypes.c_int32
    return loaded
