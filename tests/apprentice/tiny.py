"""One family of very small programs: a counter with a name, a limit and a step."""

import random
from dataclasses import dataclass
from types import SimpleNamespace

COUNTER = '''"""{name}: counts up to {limit}."""

NAME = "{name}"
LIMIT = {limit}
STEP = {step}


class Counter:
    """Counts in steps and stops at the limit."""

    def __init__(self) -> None:
        self.value = 0

    def add(self) -> int:
        """Count one step."""
        self.value = min(LIMIT, self.value + STEP)
        return self.value
'''
MAIN = '''"""{name}, in the terminal."""

from counter import LIMIT, NAME, Counter


def main() -> None:
    """Count on every line; q ends."""
    counter = Counter()
    print(f"{{NAME}}: 0 of {{LIMIT}}")
    while input("Enter counts, q ends: ").strip() != "q":
        print(counter.add())


if __name__ == "__main__":
    main()
'''
TESTS = '''"""What the task promises."""

import counter
from counter import Counter


def test_name():
    assert counter.NAME == "{name}"


def test_limit():
    one = Counter()
    for _ in range({limit} + 2):
        one.add()
    assert one.value == {limit}


def test_step():
    assert Counter().add() == {step}
'''
PLAN = "counter.py: the counter and its settings\nmain.py: the program in the terminal"
MANUAL = "# {name}\n\nCounts up to {limit} in steps of {step}.\n\n    python main.py\n"
SYLLABLES = "ba be bo da de do fa fi ga ka ko la li ma mi na no pa pe ra ri sa si ta to va wi za".split()  # noqa: SIM905


@dataclass(frozen=True)
class Defect:
    path: str
    good: str
    bad: str
    review: str
    summary: str
    seen_by: str


DEFECTS = (
    Defect(
        "counter.py", "min(LIMIT,", "max(LIMIT,",
        "1. counter.py, Counter.add: the value jumps to the limit at once. Take the smaller of the two.",
        "counter.py, Counter.add: max gives the limit at the first step. Use min.", "tests",
    ),
    Defect(
        "counter.py", "self.value = 0", "self.values = 0",
        "1. counter.py, Counter.__init__: the attribute is called value everywhere else.",
        "counter.py, Counter.__init__ sets self.values, and add reads self.value. Name it value.", "tests",
    ),
    Defect(
        "main.py", "from counter import LIMIT, NAME, Counter", "from counter import LIMITS, NAME, Counter",
        "1. main.py imports LIMITS, which counter.py does not have. Import LIMIT.",
        "main.py imports LIMITS from counter.py, where it is called LIMIT.", "start",
    ),
    Defect(
        "counter.py", '        """Count one step."""\n', "",
        "1. counter.py, Counter.add has no docstring. Say what it does.",
        "The report names no fault.", "review",
    ),
)  # fmt: skip


FAMILIES = {"counter": None}


def is_held_out(one):
    return one.choices["limit"] == 50


def held_out(families=()):
    return [one for one in (lesson("counter", seed) for seed in range(10_000, 10_600)) if is_held_out(one)]


def unknown_tasks(seed, count=100):
    rng = random.Random(seed)
    return [f"Build a {rng.choice(['chess engine', 'mail client', 'weather map', 'compiler'])}" for _ in range(count)]


def lesson(family, seed):
    """The lesson of a seed, in the shape that the curriculum promises."""
    rng = random.Random(seed)
    name = " ".join("".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))).title() for _ in range(2))
    choices = {"name": name, "limit": rng.randint(20, 99), "step": rng.randint(2, 9)}
    program = SimpleNamespace(
        modality="Terminal program",
        reason="Counting needs a keyboard and nothing else.",
        language_reason="Python does this well and comes with everything needed.",
        files={"main.py": MAIN.format(**choices), "counter.py": COUNTER.format(**choices)},
        tests={"tests/test_counter.py": TESTS.format(**choices)},
        manual=MANUAL.format(**choices),
        plan=PLAN,
        defects=DEFECTS,
    )
    task = f'Build a counter called "{name}" that stops at {choices["limit"]} and counts in steps of {choices["step"]}.'
    return SimpleNamespace(family="counter", choices=choices, told=tuple(choices), task=task, program=program, marks=())


def digest(lessons):
    return f"{len(list(lessons))} lessons"
