"""Finding, merging, overriding, and writing a company so that a run can be resumed with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdev.company import Company, CompanyBundle, Phase, Role, known_companies, load_company
from chatdev.company.steps import CheckStep, LoopStep, PhaseStep
from chatdev.errors import UserErrors

from .conftest import House

ROLES = "roles: [boss, coder]\n"
CHAIN = "chain: [design, code]\n"


def test_a_name_of_the_library(house: House) -> None:
    bundle = house.load("small")
    assert bundle.company.name == "small"
    assert list(bundle.roles) == ["boss", "coder", "critic"]
    assert bundle.used_phases() == ["design", "code", "look", "mend"]
    assert bundle.sources["phase:look"] == house.library / "phases/look.yaml"
    assert known_companies(house.library) == ["small"]


def test_steps_are_typed(house: House) -> None:
    house.put({"mine.yaml": ROLES + "chain: [design, {phase: code, turns: 2, title: Now}, {check: verify}, verify]\n"})
    chain = house.load("mine.yaml").company.chain
    assert [type(step) for step in chain] == [PhaseStep, PhaseStep, CheckStep, CheckStep]
    step = chain[1]
    assert isinstance(step, PhaseStep)
    phase = house.load().phases["code"]
    assert (step.applied(phase).turns, step.applied(phase).title, phase.turns) == (2, "Now", 1)
    assert isinstance(house.load().company.chain[2], LoopStep)


def test_an_unknown_name(house: House) -> None:
    assert house.faults("smal") == ['unknown company "smal" (did you mean "small"?) (known: small)']
    assert house.faults("zzz") == ['unknown company "zzz" (known: small)']
    assert house.faults("") == ['unknown company "" (known: small)']
    assert house.faults("none.yaml") == ["none.yaml: there is no such file or folder"]
    assert house.faults("x/y") == ["x/y: there is no such file or folder"]
    assert len(house.faults("x" * 5000)) == 1


def test_a_bare_name_is_the_librarys_even_beside_a_folder_of_that_name(house: House) -> None:
    house.put({"small/company.yaml": "nonsense: 1\n"})
    assert house.load("small").company.description == "Small."
    assert house.faults("./small")


def test_a_folder_adds_and_overrides(house: House) -> None:
    house.put(
        {
            "firm/company.yaml": "roles: [boss, coder, cook]\nchain: [design, code, dine]\n",
            "firm/roles/cook.yaml": "prompt: You cook.\n",
            "firm/roles/boss.yaml": "title: Other\nprompt: You lead differently.\n",
            "firm/phases/dine.yaml": "instructor: boss\nassistant: cook\nprompt: Cook.\n",
        }
    )
    bundle = house.load("firm")
    assert (bundle.company.name, bundle.roles["boss"].title, bundle.roles["cook"].title) == ("firm", "Other", "Cook")
    assert bundle.sources["role:boss"] == house.here / "firm/roles/boss.yaml"
    assert bundle.sources["role:coder"] == house.library / "roles/coder.yaml"


def test_a_file_in_company_configs_has_its_folders_beside_it(house: House) -> None:
    files = {"phases/own.yaml": "instructor: boss\nassistant: coder\nprompt: x\n"}
    house.put({"company_configs/mine.yaml": ROLES + "chain: [own]\n", **files})
    assert house.load("company_configs/mine.yaml").used_phases() == ["own"]
    assert house.load(".").company.name == "mine"
    house.put({"company_configs/other.yaml": ROLES + "chain: [own]\n"})
    assert house.faults(".") == [
        ".: there are several companies in this folder; name one: company_configs/mine.yaml, company_configs/other.yaml"
    ]


def test_an_empty_folder(house: House) -> None:
    assert house.faults(".") == [".: there is no company.yaml in this folder, and no file in its company_configs/"]


def test_the_name_in_the_file_counts(house: House) -> None:
    own = "name: {}\ninstructor: boss\nassistant: coder\nprompt: x\n"
    house.put({"company.yaml": ROLES + "chain: [own]\n", "phases/a.yaml": own.format("own")})
    assert house.load(".").phases["own"].title == "Own"
    house.put({"phases/b.yml": own.format("own")})
    assert house.faults(".") == ['phases/b.yml:1: two phases are named "own" (the other is phases/a.yaml)']


def test_extends_merges_mappings_and_replaces_lists(house: House) -> None:
    base = "description: Base.\nroles: [boss, coder]\nlimits: {tokens: 10, files: 3}\nreview: [design]\n" + CHAIN
    house.put(
        {
            "base.yaml": base,
            "mine.yaml": "extends: base.yaml\nlimits: {files: 4}\nroles: {coder: {model: 'hf:x'}}\n",
            "third.yaml": "extends: mine\nchain: [design]\nroles: [boss, coder]\nreview: none\n",
        }
    )
    company = house.load("mine.yaml").company
    assert (company.name, company.description, company.extends) == ("mine", "", None)
    assert (company.limits.tokens, company.limits.files) == (10, 4)
    assert {name: use.model for name, use in company.roles.items()} == {"boss": None, "coder": "hf:x"}
    assert house.load("mine.yaml").roles["coder"].model == "hf:x"
    assert company.review == ["design"]
    third = house.load("third.yaml").company
    assert (len(third.chain), third.roles["coder"].model, third.limits.files, third.review) == (1, None, 4, "none")


def test_extends_means_the_library_in_a_file_of_the_same_name(house: House) -> None:
    house.put({"company_configs/small.yaml": "extends: small\ndescription: Mine.\n"})
    company = house.load("company_configs/small.yaml").company
    assert (company.description, len(company.chain)) == ("Mine.", 4)


def test_faults_of_a_parent_name_the_parents_file(house: House) -> None:
    house.put(
        {
            "a.yaml": "extends: b.yaml\n" + CHAIN,
            "b.yaml": "extends: a.yaml\n" + ROLES,
            "c.yaml": "extends: smal\n",
            "d.yaml": "extends: e.yaml\n",
            "e.yaml": ROLES + "chain: [desig]\ngui: maybe\n",
        }
    )
    assert house.faults("a.yaml") == ['b.yaml:1: extends goes round in a circle at "a.yaml"']
    assert house.faults("c.yaml") == ['c.yaml:1: unknown company "smal" (did you mean "small"?) (known: small)']
    assert house.faults("d.yaml") == [
        'e.yaml:2: unknown phase "desig" (did you mean "design"?)',
        'e.yaml:3: gui: expected true or false, found "maybe"',
    ]


def test_settings_from_the_command_line(house: House) -> None:
    bundle = house.load(
        sandbox__memory="1g", limits__money="null", gui="false", review="[design, code]", background="1.10",
        roles__critic__model="openai:x: y", description="'null'",
    )  # fmt: skip
    company = bundle.company
    assert (company.sandbox.memory, company.limits.money, company.gui) == ("1g", None, False)
    assert (company.review, company.background, company.description) == (["design", "code"], "1.10", "null")
    assert bundle.roles["critic"].model == "openai:x: y"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("limts.tokens", "3", '--set limts.tokens=3: unknown key "limts" (did you mean "limits"?)'),
        ("limits.tokns", "3", '--set limits.tokns=3: unknown key "tokns" in limits (did you mean "tokens"?)'),
        ("limits.tokens", "x", "--set limits.tokens=x: limits.tokens: expected a whole number such as 3 or 200_000, "
                               'found "x"'),
        ("gui", "no", '--set gui=no: gui: expected true or false, found "no" (write false)'),
        ("chain.0", "x", "--set chain.0=x: chain is a list; give it whole, as [a, b]"),
        ("limits..x", "1", "--set limits..x=1: the key has an empty part"),
        ("review", "[a", "--set review=[a:1: this is not valid YAML: expected ',' or ']', found stream end"),
        ("review", "[desin]", '--set review=[desin]: unknown phase "desin" (did you mean "design"?)'),
        ("model", "x\udce9", "--set model=x?: the character U+DCE9 is not allowed"),
        ("model", "'x\0'", "--set model='x?':1: the character U+0000 is not allowed"),
    ],
)  # fmt: skip
def test_faults_on_the_command_line(house: House, key: str, value: str, line: str) -> None:
    assert house.faults("small", **{key: value}) == [line]


def test_acceptance_tests_lie_beside_the_file_that_names_them(house: House) -> None:
    house.put(
        {"firm/company.yaml": ROLES + CHAIN + "accept: checks\n", "firm/checks/test_a.py": "", "my/test_b.py": ""}
    )
    assert house.load("firm").company.accept == str(house.here / "firm/checks")
    assert house.load("firm", accept="my").company.accept == str(house.here / "my")
    assert house.faults("firm", accept="none") == ["--set accept=none: accept: there is no file or folder none"]


def test_what_was_written_is_read_again_without_the_library(house: House, tmp_path: Path) -> None:
    house.put({"firm/company.yaml": "extends: small\nlimits: {money: null}\n", "firm/words.yaml": "gui: mine\n"})
    bundle = house.load("firm", roles__coder__model="hf:x")
    product = tmp_path / "product/.chatdev/company"
    bundle.write(product)
    again = load_company(str(product), library=tmp_path / "gone")
    assert again == bundle
    assert (product / "words.yaml").read_text(encoding="utf-8") == "gui: mine\n"
    assert again.words == product / "words.yaml"
    again.write(product)
    assert load_company(str(product), library=tmp_path / "gone") == bundle
    assert not list(product.rglob("*.part"))


printable = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Cn", "Co"], include_characters="\n\t", exclude_characters="{}\ufeff"
    ),
    max_size=40,
)
words = printable.filter(bool)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(printable, min_size=3, max_size=3), prompts=st.lists(words, min_size=3, max_size=3), data=st.data()
)
def test_whatever_the_texts_a_bundle_survives_being_written(
    tmp_path: Path, texts: list[str], prompts: list[str], data: st.DataObject
) -> None:
    phase = Phase(
        name="p", title=texts[0], instructor="a", assistant="a", conclusion="line",
        default=data.draw(st.none() | words), prompt=prompts[0], only=None, writes=["x"],
    )  # fmt: skip
    company = Company.model_validate(
        {
            "name": "c",
            "description": texts[1],
            "background": texts[2],
            "roles": {"a": {"model": data.draw(st.none() | words)}},
            "limits": {
                "tokens": data.draw(st.integers(1, 10**12)),
                "money": data.draw(st.none() | st.floats(0, 1e9)),
            },
            "gui": data.draw(st.booleans()),
            "chain": ["p", "verify", {"loop": {"name": "l", "times": 2, "do": [{"phase": "p", "turns": 1}]}}],
        }
    )
    role = Role(name="a", title=texts[2], prompt=prompts[1], model=company.roles["a"].model)
    bundle = CompanyBundle(company, {"a": role}, {"p": phase})
    bundle.write(tmp_path / "c")
    assert load_company(str(tmp_path / "c"), library=tmp_path) == bundle


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_company_only_user_errors(house: House, data: st.DataObject) -> None:
    from chatdev.company.bundle import dumped

    keys = st.sampled_from([*Company.model_fields, *Phase.model_fields, "loop", "phase", "check", "do", "x"])
    leaves = st.sampled_from(["design", "code", "boss", "verify", "none", "no", "3", "", "{{ x }}", "verified", "a.b"])
    tree = st.recursive(
        st.none() | leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=4), max_leaves=15
    )
    house.put({"company.yaml": dumped(data.draw(st.dictionaries(keys, tree, max_size=5)))})
    house.put({"phases/mine.yaml": dumped(data.draw(st.dictionaries(keys, tree, max_size=6)))})
    try:
        assert house.load(".").company.chain
        lines = []
    except UserErrors as found:
        lines = [str(error) for error in found.errors] or ["pydantic"]
    assert not any("\n" in line or "Input should" in line or "pydantic" in line for line in lines)


def test_a_company_extends_one_in_a_folder_beside_it(house: House) -> None:
    house.put({"base/company.yaml": ROLES + CHAIN, "mine/company.yaml": "extends: ../base\ndescription: Mine.\n"})
    assert house.load("./mine").company.description == "Mine."
    house.put({"mine/company.yaml": "extends: ../nowhere\n"})
    assert house.faults("./mine") == ["mine/company.yaml:1: there is no such file or folder"]
    house.put({"mine/company.yaml": f"extends: {'x' * 5000}\n"})
    assert len(house.faults("./mine")) == 1


@pytest.mark.parametrize("name", ["phases/solo.yaml", "roles/solo.yml", "words.yaml"])
def test_what_is_called_like_a_file_and_is_none_is_told(house: House, name: str) -> None:
    house.put({"company.yaml": ROLES + CHAIN})
    (house.here / name).mkdir(parents=True)
    assert house.faults(".") == [f"{name}: is no plain file"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["phases/solo.yaml", "words.yaml", "company.yaml"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "nowhere"])
def test_no_pipe_and_no_device_is_waited_for(house: House, name: str, kind: str) -> None:
    house.put({"company.yaml": ROLES + CHAIN, "phases/other.yaml": "instructor: boss\nassistant: coder\nprompt: x\n"})
    place = house.here / name
    place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero" if kind == "endless" else "/there/is/nothing")
    assert house.faults(".") == [f"{name}: is no plain file"]
    if name == "company.yaml":
        assert house.faults("./company.yaml") == [f"{name}: is no plain file"]


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("held: '({{ name }} again)'\n", []),
        ("helt: x\n", ['words.yaml:1: nobody says "helt" (did you mean "held"?)']),
        ("person: |\n  Look:\n  {{ coment }}\n",
         ['words.yaml:3: person uses "coment", which is not known there (did you mean "comment"?)']),
        ("held: '{{ name '\n",
         ["words.yaml:1: held is not a valid template: unexpected end of template, "
          "expected 'end of print statement'"]),
        ("held: '{% set a = name %}'\n", ["words.yaml:1: held is not a valid template: {% set %} is not for prompts"]),
        ("held:\n", ["words.yaml:1: held: expected a text"]),
        ("held: [a]\n", ["words.yaml:1: held: expected a text"]),
        ("- held\n", ["words.yaml:1: expected a mapping of names to texts"]),
        ("held: a\nheld: b\n", ["words.yaml:2: the key \"held\" is given twice (first in line 1)"]),
    ],
)  # fmt: skip
def test_the_words_of_a_folder_are_checked(house: House, words: str, lines: list[str]) -> None:
    house.put({"company.yaml": ROLES + CHAIN, "words.yaml": words})
    if lines:
        assert house.faults(".") == lines
    else:
        assert house.load(".").words == house.here / "words.yaml"
