"""Names that could not be imported, told apart: the product's own missing file, another package's name, a package
to install.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping

DISTRIBUTIONS = {
    "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn", "bs4": "beautifulsoup4",
    "serial": "pyserial", "dotenv": "python-dotenv", "Crypto": "pycryptodome", "wx": "wxPython", "gi": "PyGObject",
    "skimage": "scikit-image", "docx": "python-docx", "pptx": "python-pptx", "fitz": "PyMuPDF", "jwt": "PyJWT",
    "dateutil": "python-dateutil", "OpenGL": "PyOpenGL", "speech_recognition": "SpeechRecognition", "telegram":
    "python-telegram-bot", "usb": "pyusb", "zmq": "pyzmq", "MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary",
    "magic": "python-magic", "win32api": "pywin32", "pgzrun": "pgzero", "mpl_toolkits": "matplotlib", "attr":
    "attrs", "Xlib": "python-xlib",
}  # fmt: skip
"""Import names whose package is called otherwise."""
WELL_KNOWN = {
    "numpy", "pandas", "scipy", "matplotlib", "seaborn", "requests", "flask", "django", "fastapi", "pygame",
    "arcade", "pyglet", "kivy", "customtkinter", "ttkbootstrap", "sqlalchemy", "pydantic", "rich", "click", "typer",
    "tqdm", "networkx", "sympy", "plotly", "httpx", "aiohttp", "uvicorn", "starlette", "jinja2", "pytest",
    "hypothesis", "textual", "colorama", "tabulate", "qrcode", "gtts", "pyttsx3", "playsound", "pyperclip",
    "openpyxl", "xlrd", "lxml", "chess", "mido", "nltk", "wordcloud", "textblob", "reportlab", "markdown",
    "selenium", "schedule", "psutil", "pyautogui", "keyboard", "faker", "torch", "tensorflow", "PyQt5", "PyQt6",
    "PySide2", "PySide6", "folium", "geopy", "wikipedia", "langdetect", "googletrans", "translate", "cryptography",
}  # fmt: skip
OTHER_SYSTEMS = {"winreg", "msvcrt", "winsound", "_winapi", "nt"}
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^'\n]{1,200})'")
_NO_NAME = re.compile(
    r"ImportError: cannot import name '([^'\n]{1,200})' from (?:partially initialized module )?'([^'\n]{1,200})'"
)


def explain(stderr: str, files: Iterable[str], requirements: str = "") -> str:
    """One sentence on an import error in a program's error output, or "" when there is none."""
    names = list(files)
    found = _NO_MODULE.findall(stderr)
    if found:
        return _no_module(found[-1], names, requirements)
    lacking = _NO_NAME.findall(stderr)
    if lacking:
        name, module = lacking[-1]
        own = f"{module.replace('.', '/')}.py" in names or f"{module.replace('.', '/')}/__init__.py" in names
        circle = " (the modules import each other in a circle)" if "partially initialized" in stderr else ""
        return f"{'the own module' if own else 'the module'} {module} has no {name!r}{circle}"
    return ""


def _no_module(name: str, files: list[str], requirements: str) -> str:
    top = name.partition(".")[0]
    base = name.rpartition(".")[2]
    if top in OTHER_SYSTEMS:
        return f"{top} exists on Windows only"
    if top in sys.stdlib_module_names:
        return f"{name} belongs to Python's own library but is not in this box"
    same = [f for f in files if f == f"{base}.py" or f.endswith((f"/{base}.py", f"/{base}/__init__.py"))]
    if same:
        return (
            f"{name} is the product's own {same[0]}, but cannot be imported by that name from where the program starts"
        )
    if any(f.startswith(f"{top}/") or f == f"{top}.py" for f in files):
        return f"{name} is a file of the product that was not written"
    package = DISTRIBUTIONS.get(top, top if top in WELL_KNOWN or _listed(top, requirements) else "")
    if package:
        return f"{name} is in the package {package}, which is not installed in this box"
    return f"{name} is neither a file of the product nor a package that is known here"


def _listed(name: str, requirements: str) -> bool:
    wanted = name.lower().replace("_", "-")
    lines = (re.match(r"\s*([A-Za-z0-9._-]+)", line) for line in requirements.splitlines())
    return any(match and match[1].lower().replace("_", "-") == wanted for match in lines)


def requirements_of(files: Mapping[str, bytes]) -> str:
    """The text of requirements.txt, or ""."""
    return files.get("requirements.txt", b"").decode("utf-8", "replace")


def wanted(trees: Mapping[str, ast.Module]) -> dict[str, str]:
    """Top-level names the product cannot do without, each with the first place that imports it (`file:line`).

    Imports that are allowed to fail (inside `try` with a handler for ImportError, or for type checkers only) are left
    out, and so is Python's own library.
    """
    found: dict[str, str] = {}
    for file, tree in trees.items():
        for node in _firm(tree.body):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names:
                    found.setdefault(top, f"{file}:{node.lineno}")
    return found


def say_missing(name: str, files: Iterable[str], requirements: str = "") -> str:
    """One sentence on a name that cannot be imported."""
    return _no_module(name, list(files), requirements)


def _firm(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that will run without a safety net: not the guarded part of a `try`, not type-checking blocks."""
    for node in body:
        if isinstance(node, ast.Try) and any(_forgives(h) for h in node.handlers):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        for part in ("body", "orelse", "finalbody"):
            inner = getattr(node, part, None)
            if isinstance(inner, list):
                yield from _firm([n for n in inner if isinstance(n, ast.stmt)])


def _forgives(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(name in ast.dump(handler.type) for name in ("ImportError", "ModuleNotFoundError", "'Exception'"))
