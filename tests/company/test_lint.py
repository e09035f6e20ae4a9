"""What shows only in the company as a whole: names, loops, prompts, and what flows from phase to phase."""

from __future__ import annotations

import pytest

from chatdev.company import lint

from .conftest import House

ROLES = "roles: [boss, coder, critic]\nreflection: ask\n"


def test_the_small_company_is_clean(house: House) -> None:
    bundle = house.load()
    assert bundle.warnings == []
    assert lint(bundle) == []


@pytest.mark.parametrize(
    ("chain", "lines"),
    [
        ("[design, cod]", ['mine.yaml:3: unknown phase "cod" (did you mean "code"?)']),
        ("[design, code, verfy]", ['mine.yaml:3: unknown phase "verfy" (did you mean "verify"?)']),
        ("[design, zzz]", ['mine.yaml:3: unknown phase "zzz"']),
        (
            "\n- design\n- loop: {name: a, times: 2, do: [{loop: {name: b, times: 2, do: [code, lok]}}]}",
            ['mine.yaml:5: unknown phase "lok" (did you mean "look"?)'],
        ),
        (
            "\n- code",
            ['mine.yaml:4: nobody writes artifact "design" before phase "code" reads it. Phase "design" writes it'],
        ),
        (
            "\n- design\n- code\n- mend\n- look\n- mend",
            ['mine.yaml:6: nobody writes artifact "findings" before phase "mend" reads it. Phase "look" writes it'],
        ),
        (
            "\n- design\n- code\n- loop:\n    name: x\n    times: 2\n    do:\n    - mend\n    - look",
            ['mine.yaml:10: nobody writes artifact "findings" before phase "mend" reads it. Phase "look" writes it'],
        ),
        (
            "\n- loop:\n    name: x\n    times: 2\n    until: verified\n    do: [design, code]",
            ['mine.yaml:7: loop "x" can never end by "verified": there is no `verify` in it'],
        ),
        (
            "\n- design\n- loop: {name: x, times: 2, until: no_placeholders, do: [placeholders, design]}",
            ['mine.yaml:5: loop "x" can never end by "no_placeholders": no phase in it writes files'],
        ),
        (
            "\n- design\n- loop: {name: x, times: 2, until: loo.done, do: [code, look, mend]}",
            ['mine.yaml:5: loop "x" can never end by "loo.done": phase "loo" is not in it (did you mean "look"?)'],
        ),
        (
            "\n- design\n- loop: {name: x, times: 2, until: code.done, do: [code]}",
            ['mine.yaml:5: loop "x" can never end by "code.done": phase "code" has no done_when'],
        ),
        (
            "\n- design\n- code\n- loop: {name: x, times: 2, until: look.dne, do: [look]}",
            ['mine.yaml:6: unknown condition "look.dne" (did you mean "done"?)'],
        ),
        (
            "\n- design\n- loop: {name: x, times: 2, until: verfied, do: [verify, code]}",
            ['mine.yaml:5: unknown condition "verfied" (did you mean "verified"?)'],
        ),
        (
            "\n- design\n- loop: {name: x, times: 2, until: never, do: [code]}",
            [
                'mine.yaml:5: unknown condition "never" (known: verified, no_placeholders, unchanged, '
                "<phase>.done, <phase>.unchanged)"
            ],
        ),
    ],
)
def test_chains(house: House, chain: str, lines: list[str]) -> None:
    house.put({"mine.yaml": f"{ROLES}chain: {chain}\n"})
    assert house.faults("mine.yaml") == lines


@pytest.mark.parametrize(
    "loop",
    [
        "{name: x, times: 2, until: verified, do: [{loop: {name: y, times: 2, do: [verify, code]}}]}",
        "{name: x, times: 2, until: no_placeholders, do: [code]}",
        "{name: x, times: 2, until: unchanged, do: [code]}",
        "{name: x, times: 2, until: code.unchanged, do: [code]}",
        "{name: x, times: 2, do: [code]}",
    ],
)
def test_loops_that_can_end(house: House, loop: str) -> None:
    house.put({"mine.yaml": f"roles: [boss, coder]\nchain:\n- design\n- loop: {loop}\n"})
    assert house.load("mine.yaml").company.chain


def test_a_company_may_do_without_what_a_prompt_shows_only_if_it_is_there(house: House) -> None:
    phase = "instructor: boss\nassistant: coder\nreads: design\nconclusion: files\nprompt: '{}'\n"
    house.put(
        {
            "mine.yaml": f"{ROLES}chain: [mine]\n",
            "phases/mine.yaml": phase.format("{% if design %}{{ design }}{% endif %}"),
        }
    )
    assert house.load("mine.yaml").used_phases() == ["mine"]
    house.put({"mine.yaml": f"{ROLES}chain: [mine, design]\n"})
    assert house.faults("mine.yaml") == [
        'mine.yaml:3: nobody writes artifact "design" before phase "mine" reads it. Phase "design" writes it'
    ]
    house.put({"mine.yaml": f"{ROLES}chain: [mine]\n", "phases/mine.yaml": phase.format("{{ design }}")})
    assert len(house.faults("mine.yaml")) == 1
    guarded = phase.replace("design", "dsign").format("{% if dsign %}{{ dsign }}{% endif %}")
    house.put({"phases/mine.yaml": guarded})
    assert 'did you mean "design"' in house.faults("mine.yaml")[0]


def test_a_loop_may_end_by_a_person_having_nothing_to_say(house: House) -> None:
    house.put(
        {
            "company.yaml": "roles: [coder]\nchain: [{loop: {name: x, times: 2, until: wish.done, do: [wish]}}]\n",
            "phases/wish.yaml": "instructor: human\nassistant: coder\nconclusion: files\nprompt: '{{ comment }}'\n",
        }
    )
    assert house.load(".").used_roles() == ["coder"]


PHASE = "instructor: boss\nassistant: coder\n"


@pytest.mark.parametrize(
    ("phase", "lines"),
    [
        ("instructor: bos\nassistant: coder\nprompt: x\n",
         ['phases/mine.yaml:1: unknown role "bos" (did you mean "boss"?)']),
        ("instructor: boss\nassistant: zzz\nprompt: x\n",
         ['phases/mine.yaml:2: unknown role "zzz" (known: boss, coder, critic)']),
        ("instructor: boss\nassistant: human\nprompt: x\n",
         ["phases/mine.yaml:2: a person can be the instructor of a phase, not the assistant"]),
        ("instructor: coder\nassistant: coder\nturns: 2\nprompt: x\n",
         ['phases/mine.yaml:2: "coder" cannot talk with itself for 2 turns']),
        (PHASE + "writes: test_report\nprompt: x\n",
         ['phases/mine.yaml:3: "test_report" is kept by the framework and cannot be written']),
        (PHASE + "writes: files\nprompt: x\n", ['phases/mine.yaml:3: writes "files" needs conclusion: files']),
        (PHASE + "writes: [files, a]\nconclusion: files\nprompt: x\n",
         ["phases/mine.yaml:3: conclusion: files writes files and nothing else"]),
        (PHASE + "writes: [a, b]\nprompt: x\n",
         ["phases/mine.yaml:3: conclusion: text writes one artifact; use conclusion: yaml for several"]),
        (PHASE + "writes: [a, b, c]\nconclusion: line\nprompt: x\n",
         ["phases/mine.yaml:3: conclusion: line writes at most two artifacts, the line and what is said besides it; "
          "use conclusion: yaml for more"]),
        (PHASE + "conclusion: yaml\nprompt: x\n", ["phases/mine.yaml:3: conclusion: yaml needs writes"]),
        (PHASE + "choices: [a]\nprompt: x\n", ["phases/mine.yaml:3: choices needs conclusion: line"]),
        (PHASE + "conclusion: line\nchoices: [a]\ndefault: b\nprompt: x\n",
         ['phases/mine.yaml:5: default "b" is not one of the choices']),
        (PHASE + "reflect: Well?\nprompt: x\n",
         ['phases/mine.yaml:3: reflect needs conclusion: line or yaml; "text" always concludes']),
        (PHASE + "only: [a]\nprompt: x\n",
         ["phases/mine.yaml:3: only needs conclusion: files; this phase writes none"]),
        (PHASE + "done_when: Finished\nprompt: x\n",
         ["phases/mine.yaml:3: done_when must be one line that begins with <INFO>"]),
        (PHASE + "prompt: |\n  a\n\n  {{ tsk }}\n",
         ['phases/mine.yaml:6: prompt uses "tsk", which is not in reads']),
        (PHASE + "reads: [task]\nprompt: |\n  a\n  {{ tsk }}\n",
         ['phases/mine.yaml:6: prompt uses "tsk", which is not in reads (did you mean "task"?)']),
        (PHASE + "prompt: '{{ comment }}'\n", ['phases/mine.yaml:3: prompt uses "comment", which is not in reads']),
        ("instructor: human\nassistant: coder\nprompt: '{{ instructor.title }}'\n",
         ['phases/mine.yaml:3: prompt uses "instructor", which is not in reads']),
        (PHASE + "prompt: |\n  a\n  {% if %}\n",
         ["phases/mine.yaml:5: prompt is not a valid template: Expected an expression, got 'end of statement block'"]),
        (PHASE + "prompt: '{{ 1 | nope }}'\n",
         ["phases/mine.yaml:3: prompt is not a valid template: No filter named 'nope'"]),
        (PHASE + "prompt: x\ninstructor_prompt: '{{'\n",
         ["phases/mine.yaml:4: instructor_prompt is not a valid template: unexpected 'end of template'"]),
        (PHASE + "prompt: \"{{ ''.__class__ }}\"\n", ['phases/mine.yaml:3: prompt may not look at "__class__"']),
        (PHASE + "prompt: \"{{ ''['__class__'] }}\"\n", ['phases/mine.yaml:3: prompt may not look at "__class__"']),
        (PHASE + "prompt: \"{{ ''.upper() }}\"\n",
         ["phases/mine.yaml:3: prompt may not call anything (filters such as `| trim` can be used)"]),
        (PHASE + "prompt: \"{{ 'a' * 9999999999 }}\"\n", ["phases/mine.yaml:3: prompt may not use the operator *"]),
        (PHASE + "prompt: '{{ 9 ** 9 ** 9 }}'\n",
         ["phases/mine.yaml:3: prompt may not use the operator **"]),
        (PHASE + "prompt: '{% include \"x\" %}'\n", ["phases/mine.yaml:3: prompt may not include other files"]),
        (PHASE + "prompt: '{{ role.nme }}'\n",
         ['phases/mine.yaml:3: prompt uses "role.nme", but only name and title are known of a role']),
        (PHASE + "prompt: |\n  a\n" + "  {% for a in role %}\n" * 3 + "  {% endfor %}{% endfor %}{% endfor %}\n",
         ["phases/mine.yaml:7: prompt is not a valid template: more than 2 loops in one another"]),
        (PHASE + "prompt: '{% set a = [role, role] %}'\n",
         ["phases/mine.yaml:3: prompt is not a valid template: {% set %} is not for prompts"]),
        (PHASE + "reads: task\nprompt: |\n  a\n  {% for letter in task %}{{ letter }}{% endfor %}\n",
         ['phases/mine.yaml:6: prompt loops over "task", which is one text']),
        (PHASE + "prompt: '{{ role.name | center(999999999) }}'\n",
         ["phases/mine.yaml:3: prompt is not a valid template: No filter named 'center'"]),
        (PHASE + "prompt: '{{ " + "(" * 9000 + " }}'\n",
         ["phases/mine.yaml:3: prompt is not a valid template: it is nested too deeply or too long"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("used", [True, False])
def test_phases_used_or_not(house: House, phase: str, lines: list[str], used: bool) -> None:
    chain = "[mine, design]" if used else "[design, code]"
    house.put({"company.yaml": f"roles: [boss, coder]\nreflection: null\nchain: {chain}\n", "phases/mine.yaml": phase})
    assert house.faults(".") == lines


@pytest.mark.parametrize(
    ("phase", "lines"),
    [
        (PHASE + "reads: [tsk]\nprompt: x\n",
         ['phases/mine.yaml:3: nobody writes artifact "tsk" before phase "mine" reads it (did you mean "task"?)']),
        (PHASE + "reads:\n  - task\n  - zzz\nprompt: x\n",
         ['phases/mine.yaml:5: nobody writes artifact "zzz" before phase "mine" reads it']),
        (PHASE + "reads: [test_report]\nprompt: x\n",
         ['company.yaml:2: nobody writes artifact "test_report" before phase "mine" reads it. '
          "The check `verify` writes it"]),
        (PHASE + "reads: [comment]\nprompt: x\n",
         ['phases/mine.yaml:3: phase "mine" cannot read "comment": what the person said; '
          "only in a phase whose instructor is `human`"]),
    ],
)  # fmt: skip
def test_reading_what_is_not_there(house: House, phase: str, lines: list[str]) -> None:
    house.put({"company.yaml": "roles: [boss, coder]\nchain: [mine, verify]\n", "phases/mine.yaml": phase})
    assert house.faults(".") == lines


def test_the_report_may_be_read_after_the_check(house: House) -> None:
    phase = PHASE + "reads: [test_report, placeholders, changes]\nprompt: '{{ test_report }}'\n"
    house.put({"company.yaml": "roles: [boss, coder]\nchain: [verify, mine]\n", "phases/mine.yaml": phase})
    assert house.load(".").phases["mine"].reads == ["test_report", "placeholders", "changes"]


def test_a_role_that_is_known_but_not_listed(house: House) -> None:
    house.put({"mine.yaml": "chain: [design, code, look]\nroles: [boss, coder]\n"})
    assert house.faults("mine.yaml") == ['mine.yaml:2: phase "look" needs the role "critic", which is not listed here']


def test_unknown_roles_and_phases_in_lists(house: House) -> None:
    house.put({"mine.yaml": "roles:\n  - boss\n  - codr\n  - human\nchain: [design]\nreview: [desing, code]\n"})
    assert house.faults("mine.yaml") == [
        'mine.yaml:1: phase "design" needs the role "coder", which is not listed here',
        'mine.yaml:3: unknown role "codr" (did you mean "coder"?)',
        'mine.yaml:4: "human" stands for the person at the keyboard and is no role',
        'mine.yaml:6: unknown phase "desing" (did you mean "design"?)',
        'mine.yaml:6: review names "code", which is not in the chain',
    ]


def test_an_unknown_reflection_phase(house: House) -> None:
    phase = PHASE + "conclusion: line\nreflect: Well?\nprompt: x\n"
    house.put({"company.yaml": "roles: [boss, coder]\nreflection: aks\nchain: [mine]\n", "phases/mine.yaml": phase})
    assert house.faults(".") == ['company.yaml:2: unknown phase "aks" (did you mean "ask"?)']


def test_the_reflection_phase_is_there_only_where_it_is_needed(house: House) -> None:
    assert "ask" not in house.load().phases
    phase = PHASE + "conclusion: line\nreflect: Well?\nprompt: x\n"
    house.put({"company.yaml": ROLES + "chain: [mine]\n", "phases/mine.yaml": phase})
    assert house.load(".").used_phases() == ["mine", "ask"]
    assert house.load(".", reflection="null").used_phases() == ["mine"]


def test_what_is_there_for_nobody_is_a_warning(house: House) -> None:
    house.put({"mine.yaml": "roles:\n- boss\n- coder\n- critic\nchain: [design]\n"})
    assert [str(warning) for warning in house.load("mine.yaml").warnings] == [
        'mine.yaml:4: no phase of the chain uses the role "critic"',
        f'{house.library}/phases/design.yaml:4: nobody reads artifact "design", which phase "design" writes',
    ]


@pytest.mark.parametrize("role", ["prompt: '{{ design }}'\n", "prompt: |\n  {{ design }}\n"])
def test_a_role_knows_little(house: House, role: str) -> None:
    house.put({"company.yaml": "roles: [boss, coder]\nchain: [design, code]\n", "roles/boss.yaml": role})
    line = 2 if "|" in role else 1
    assert house.faults(".") == [f'roles/boss.yaml:{line}: prompt uses "design", which a role\'s prompt does not know']
