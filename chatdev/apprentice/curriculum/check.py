"""Proof that what the curriculum teaches is right: programs parse, run, pass their tests; seeded defects are seen.

python -m chatdev.apprentice.curriculum.check                    # 20 combinations of every family
python -m chatdev.apprentice.curriculum.check snake --count 200
python -m chatdev.apprentice.curriculum.check --write FOLDER     # one of each family and user interface, for the ladder
"""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

import click

from chatdev.apprentice.curriculum.draw import Draw
from chatdev.apprentice.curriculum.lessons import FAMILIES, lesson
from chatdev.apprentice.curriculum.model import Lesson, Program
from chatdev.apprentice.curriculum.trial import failing, talk

FILE, PROGRAM, TESTS, MANUAL, REVIEW = 2800, 4750, 1600, 700, 300
"""Largest sizes in characters: what fits the model's window."""
DEFECT_SECONDS = 1.0
"""How long the tests of a broken program may run: some defects are endless loops."""


def problems(one: Lesson, *, defects: bool = True) -> list[str]:
    """Everything that is wrong with a lesson; empty when it may be taught."""
    program = one.program
    found = _sizes(program)
    found += [f"{name} does not parse: {error}" for name, error in _unparsed({**program.files, **program.tests})]
    if found:
        return found
    found += _loose_imports(program)
    failed = failing(program.files, program.tests)
    found += [f"fails: {each}" for each in failed]
    if one.choices["ui"] == "terminal":
        found += [f"in the terminal: {error}" for error in [talk(program.files)] if error]
    text = "\n".join(program.files.values())
    slots = {slot.name: slot for slot in FAMILIES[one.family].slots()}
    for name in one.told:
        value = one.choices[name]
        if (slots[name].pool or slots[name].kind == "number") and (
            str(value) not in text or str(value) not in one.task
        ):
            found.append(f"the task tells {name} {value!r}, the program or the task does not")
    return found + (_defects(one) if defects and not found else [])


def untidy(folder: Path) -> str:
    """What ruff says of all programs in a folder (unused imports and variables, undefined names, bad comparisons)."""
    ruff = [sys.executable, "-m", "ruff"]
    options = [
        "--isolated",
        "--quiet",
        "--config",
        f"src = ['{folder}/*']",
        "--config",
        "line-length = 120",
        str(folder),
    ]
    rules = ["--output-format", "concise", "--select", "F,E4,E7,E9,W2,W3,B,E501,I,SIM,UP,C4"]
    said = [subprocess.run([*ruff, *command, *options], capture_output=True, text=True, check=False).stdout.strip()
            for command in (["check", *rules], ["format", "--diff"])]  # fmt: skip
    return "\n".join(filter(None, said))


def write(program: Program, folder: Path) -> None:
    """Write a program with its tests and its manual."""
    for name, text in {**program.files, **program.tests, "manual.md": program.manual}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def lesson_of(family: str, ui: str, seed: int) -> Lesson:
    """A lesson with a wanted user interface."""
    one = lesson(family, seed)
    while one.choices["ui"] != ui:
        seed += 1009
        one = lesson(family, seed)
    return one


def _sizes(program: Program) -> list[str]:
    sizes = [(name, len(text), FILE) for name, text in program.files.items()]
    sizes.append(("the program", sum(size for _, size, _ in sizes), PROGRAM))
    sizes += [(name, len(text), TESTS) for name, text in program.tests.items()]
    sizes.append(("the manual", len(program.manual), MANUAL))
    sizes += [(f"on {d.good!r}", len(text), REVIEW) for d in program.defects for text in (d.review, d.summary)]
    return [f"{name} has {size} characters, more than {most}" for name, size, most in sizes if size > most]


def _unparsed(files: Mapping[str, str]) -> Iterator[tuple[str, SyntaxError]]:
    for name, text in files.items():
        try:
            ast.parse(text)
        except SyntaxError as error:
            yield name, error


def _loose_imports(program: Program) -> list[str]:
    """Names that one file of the program imports from another, which does not have them."""
    found: list[str] = []
    for name, text in program.files.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.py" in program.files:
                there = _defined(program.files[f"{node.module}.py"])
                found += [
                    f"{name} imports {each.name}, which is not there" for each in node.names if each.name not in there
                ]
    return found


def _defined(text: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {each.id for t in targets for each in ast.walk(t) if isinstance(each, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {each.asname or each.name for each in node.names}
    return names


def _defects(one: Lesson) -> list[str]:
    """Defects that are not seen by what should see them."""
    program = one.program
    found: list[str] = [] if len(program.defects) >= 4 else [f"only {len(program.defects)} defects"]
    for defect in program.defects:
        files = program.broken(defect)
        if program.files[defect.path].count(defect.good) != 1:
            found.append(f"not once: {defect.good!r}")
            continue
        unparsed = list(_unparsed(files))
        failed = [] if unparsed else failing(files, program.tests, DEFECT_SECONDS)
        imports = [each for each in failed if each.startswith("import:")]
        if defect.seen_by == "tests" and (not failed or imports or unparsed):
            found.append(f"no test sees {defect.bad!r}: {failed or unparsed}")
        elif defect.seen_by == "import" and not imports and not unparsed:
            found.append(f"it imports all the same: {defect.bad!r}")
        elif defect.seen_by == "start" and not (talk(files) if one.choices["ui"] == "terminal" else _undefined(files)):
            found.append(f"it starts all the same: {defect.bad!r}")
        elif defect.seen_by in ("start", "review") and (failed or unparsed):
            found.append(f"not only a {defect.seen_by} sees {defect.bad!r}: {failed}")
    return found


def _undefined(files: Mapping[str, str]) -> bool:
    """True when main.py uses a name that is nowhere bound in it."""
    nodes = list(ast.walk(ast.parse(files["main.py"])))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    return bool(used - bound - _defined(files["main.py"]) - {*dir(builtins), "__name__"})


@click.command()
@click.argument("names", nargs=-1)
@click.option("--count", default=20, show_default=True, help="Combinations of each family.")
@click.option("--first", default=0, help="The first seed.")
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write one of each family and user interface.")
def main(names: tuple[str, ...], count: int, first: int, folder: Path | None) -> None:
    """Check families of the curriculum and say how large their programs are."""
    bad = 0
    for name in names or sorted(FAMILIES):
        sizes: list[tuple[int, int]] = []
        wrong: dict[str, int] = {}
        with tempfile.TemporaryDirectory() as place:
            for seed in range(first, first + count):
                one = lesson(name, seed)
                sizes.append((sum(map(len, one.program.files.values())), sum(map(len, one.program.tests.values()))))
                for problem in problems(one):
                    wrong[problem] = wrong.get(problem, seed)
                write(one.program, Path(place) / str(seed))
            wrong |= dict.fromkeys(untidy(Path(place)).splitlines()[:6], -1)
        bad += len(wrong)
        code, tests = ([pair[i] for pair in sizes] for i in (0, 1))
        click.echo(
            f"{name:14} {count} checked, code {median(code):.0f} (at most {max(code)}), "
            f"tests {median(tests):.0f} (at most {max(tests)})"
        )
        for problem, seed in list(wrong.items())[:8]:
            click.echo(f"    seed {seed}: {problem}")
        if folder:
            draw = Draw("ladder", name, first)
            for ui in FAMILIES[name].uis():
                write(lesson_of(name, ui, draw.below(10**6)).program, folder / f"{name}-{ui}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
