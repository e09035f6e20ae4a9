"""Every fault of a single file: the exact line a person gets."""

from __future__ import annotations

import pytest

from chatdev.company.messages import did_you_mean

from .conftest import House

CHAIN = "chain: [design, code]\n"
ROLES = "roles: [boss, coder]\n"
STEP = "chain: a step is the name of a phase or check, or has the key `phase` or `loop`; found"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["mine.yaml:1: expected a mapping of settings, found nothing"]),
        ("- a\n", ["mine.yaml:1: expected a mapping of settings, found a list"]),
        ("x\n", ['mine.yaml:1: expected a mapping of settings, found "x"']),
        (ROLES, ['mine.yaml:1: the key "chain" is missing']),
        (ROLES + CHAIN + "limts: {}\n", ['mine.yaml:3: unknown key "limts" (did you mean "limits"?)']),
        (
            ROLES + CHAIN + "stream:\n  size: 3\n",
            ['mine.yaml:4: unknown key "size" in stream (known: precision, scope, sinks, window)'],
        ),
        (
            ROLES + CHAIN + "sandbox: {engine: dokcer}\n",
            [
                "mine.yaml:3: sandbox.engine must be auto, docker, bubblewrap, host or none, "
                'found "dokcer" (did you mean "docker"?)'
            ],
        ),
        (ROLES + CHAIN + "sandbox: {memory: 12 GB}\n", [
            'mine.yaml:3: sandbox.memory must be a size such as 512m or 1g, found "12 GB"'
        ]),
        (ROLES + CHAIN + "gui: no\n", ['mine.yaml:3: gui: expected true or false, found "no" (write false)']),
        (ROLES + CHAIN + "gui: On\n", ['mine.yaml:3: gui: expected true or false, found "On" (write true)']),
        (ROLES + CHAIN + "gui: 1\n", ['mine.yaml:3: gui: expected true or false, found "1"']),
        (ROLES + CHAIN + "gui: [true]\n", ["mine.yaml:3: gui: expected true or false, found a list"]),
        (ROLES + CHAIN + "limits: {tokens: 0}\n", ["mine.yaml:3: limits.tokens must be at least 1, found 0"]),
        (ROLES + CHAIN + "limits: {minutes: 0}\n", ["mine.yaml:3: limits.minutes must be more than 0, found 0"]),
        (ROLES + CHAIN + "sampling: {top_p: 1.5}\n", ["mine.yaml:3: sampling.top_p must be at most 1, found 1.5"]),
        (ROLES + CHAIN + "limits: {minutes: 12:30}\n", [
            'mine.yaml:3: limits.minutes: expected a number such as 0.2, found "12:30"'
        ]),
        (ROLES + CHAIN + "limits: {minutes: .inf}\n", [
            'mine.yaml:3: limits.minutes: expected a number such as 0.2, found ".inf"'
        ]),
        (ROLES + CHAIN + "limits: {minutes: 1e999}\n", [
            'mine.yaml:3: limits.minutes: the number "1e999" is too large'
        ]),
        (ROLES + CHAIN + "limits: {tokens: 010}\n", [
            'mine.yaml:3: limits.tokens: expected a whole number such as 3 or 200_000, found "010"'
        ]),
        (ROLES + CHAIN + "limits: {tokens: 0x1F}\n", [
            'mine.yaml:3: limits.tokens: expected a whole number such as 3 or 200_000, found "0x1F"'
        ]),
        (ROLES + CHAIN + "limits: {tokens: 3.5}\n", [
            'mine.yaml:3: limits.tokens: expected a whole number such as 3 or 200_000, found "3.5"'
        ]),
        (ROLES + CHAIN + f"limits: {{tokens: {'9' * 30}}}\n", [
            f'mine.yaml:3: limits.tokens: the number "{"9" * 30}" is too large'
        ]),
        (ROLES + CHAIN + "limits: {tokens: }\n", [
            "mine.yaml:3: limits.tokens: expected a whole number, found nothing"
        ]),
        (ROLES + CHAIN + "limits: 3\n", ["mine.yaml:3: limits must be a mapping, found 3"]),
        (ROLES + CHAIN + "stream: {sinks: -1}\n", [
            'mine.yaml:3: stream.sinks: expected "pinned" or a number of tokens, found -1'
        ]),
        (ROLES + CHAIN + "model: [a]\n", ["mine.yaml:3: model must be text, found a list"]),
        (ROLES + CHAIN + "review: some\n", [
            'mine.yaml:3: review: expected "none", "all" or a list of phases, found "some"'
        ]),
        (ROLES + CHAIN + "review: [[a]]\n", ["mine.yaml:3: review: expected names of phases, found a list"]),
        (ROLES + CHAIN + "name: My Company\n", [
            'mine.yaml:3: "My Company" is not a name (letters, digits, _ and -, a letter first)'
        ]),
        (ROLES + "chain: design\n", ['mine.yaml:2: chain must be a list, found "design"']),
        (ROLES + "chain: []\n", ["mine.yaml:2: chain is empty"]),
        (ROLES + "chain:\n- design\n- {lop: x}\n", [f'mine.yaml:4: {STEP} "lop"']),
        (ROLES + "chain:\n- design\n- [code]\n", [f"mine.yaml:4: {STEP} a list"]),
        (ROLES + "chain:\n- {phase: design, trns: 3}\n", [
            'mine.yaml:3: unknown key "trns" in chain (did you mean "turns"?)'
        ]),
        (ROLES + "chain:\n- loop:\n    name: x\n    do: [design]\n", [
            'mine.yaml:3: the key "times" is missing in loop'
        ]),
        (ROLES + "chain:\n- loop: {name: x, times: 0, do: [design]}\n", [
            "mine.yaml:3: loop.times must be at least 1, found 0"
        ]),
        (ROLES + "chain:\n- loop: {name: x, times: 2, do: [design], untill: verified}\n", [
            'mine.yaml:3: unknown key "untill" in loop (did you mean "until"?)'
        ]),
        (ROLES + "chain:\n- {check: verfy}\n", [
            'mine.yaml:3: check must be verify or placeholders, found "verfy" (did you mean "verify"?)'
        ]),
        (CHAIN + "roles: boss\n", [
            'mine.yaml:2: roles: expected a list of role names or a mapping from name to settings, found "boss"'
        ]),
        (CHAIN + "roles: [boss, coder, boss]\n", ['mine.yaml:2: roles: "boss" is listed twice']),
        (CHAIN + "roles:\n  boss:\n  coder: {modl: x}\n", [
            'mine.yaml:4: unknown key "modl" in roles.coder (did you mean "model"?)'
        ]),
        (CHAIN + "roles:\n- boss\n- coder\n- Big Boss\n", [
            'mine.yaml:5: "Big Boss" is not a name (lower-case letters, digits, _ and -, a letter first)'
        ]),
    ],
)  # fmt: skip
def test_a_company(house: House, text: str, lines: list[str]) -> None:
    house.put({"mine.yaml": text})
    assert house.faults("mine.yaml") == lines


PHASE = "instructor: boss\nassistant: coder\nprompt: x\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("assistant: coder\nprompt: x\n", '1: the key "instructor" is missing'),
        ("instructor: boss\nassistant: coder\nprompt: ''\n", "3: prompt is empty"),
        (PHASE + "turns: 101\n", "4: turns must be at most 100, found 101"),
        (PHASE + "reads: [a, b-c]\n",
         '4: "b-c" is not an artifact\'s name (lower-case letters, digits and _, a letter first)'),
        (PHASE + "conclusion: file\n",
         '4: conclusion must be text, line, files, yaml, pictures or answers, found "file" (did you mean "files"?)'),
        (PHASE + "phase_class: os.system\n",
         '4: unknown key "phase_class" (known: assistant, choices, conclusion, default, done_when, instructor, '
         "instructor_prompt, name, never, only, prompt, questions, reads, reask, reflect, reply_tokens, stop_when, "
         "title, turns, writes)"),
    ],
)  # fmt: skip
def test_a_phase(house: House, text: str, line: str) -> None:
    house.put({"company.yaml": ROLES + CHAIN, "phases/mine.yaml": text})
    assert house.faults(".") == [f"phases/mine.yaml:{line}"]


def test_a_role(house: House) -> None:
    house.put({"company.yaml": ROLES + CHAIN, "roles/mine.yaml": "titel: x\nprompt: y\n"})
    assert house.faults(".") == ['roles/mine.yaml:1: unknown key "titel" (did you mean "title"?)']


def test_all_faults_of_all_files_come_at_once_in_order(house: House) -> None:
    house.put(
        {
            "company.yaml": "roles: [boss, coder]\ngui: off\nchain: [design, cod, code]\nlimts: 1\n",
            "phases/a.yaml": "a: 1\na: 2\n",
            "phases/b.yaml": PHASE + "turns: 0\n",
            "roles/boss.yaml": "prompt: 'no end\n",
        }
    )
    assert house.faults(".") == [
        'company.yaml:2: gui: expected true or false, found "off" (write false)',
        'company.yaml:3: unknown phase "cod" (did you mean "code"?)',
        'company.yaml:4: unknown key "limts" (did you mean "limits"?)',
        'phases/a.yaml:2: the key "a" is given twice (first in line 1)',
        "phases/b.yaml:4: turns must be at least 1, found 0",
        "roles/boss.yaml:2: this is not valid YAML: found unexpected end of stream",
    ]


def test_text_fields_keep_what_was_typed(house: House) -> None:
    house.put({"mine.yaml": ROLES + CHAIN + "description: 1.10\nbackground: no\nmodel: 12:30\n"})
    company = house.load("mine.yaml").company
    assert (company.description, company.background, company.model) == ("1.10", "no", "12:30")


def test_numbers(house: House) -> None:
    house.put({"mine.yaml": ROLES + CHAIN + "limits: {tokens: 200_000, money: null, minutes: 1.5e1}\n"})
    limits = house.load("mine.yaml").company.limits
    assert (limits.tokens, limits.money, limits.minutes) == (200_000, None, 15.0)


def test_no_suggestion_where_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["reviewer", "tester"]) == ""
    assert did_you_mean("revewer", ["reviewer", "tester"]) == ' (did you mean "reviewer"?)'
