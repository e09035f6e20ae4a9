"""The template sandbox: what a prompt may do, and that everything else ends as one line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.company import Role, bounds
from chatdev.company.templates import environment, only_if_there, rendered
from chatdev.errors import UserError

VALUES = {"task": " A snake ", "review": "", "role": Role(name="cto", title="Chief", prompt="x"), "names": ["a", "b"]}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ task | trim }} by {{ role.title }}\n", "A snake by Chief\n"),
        ("a\n{% if review %}\nb\n{% endif %}\nc\n", "a\nc\n"),
        ("{% for n in names %}{{ loop.index }}{{ n }} {% endfor %}", "1a 2b "),
        ("{{ names | join(', ') }}", "a, b"),
        ("<b> & {{ '<i>' }}", "<b> & <i>"),
    ],
)
def test_filling_in(template: str, text: str) -> None:
    assert rendered(template, VALUES) == text


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{{ ''.__class__ }}", "p.yaml:3: the prompt tries something that is not allowed: "
                               "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ task | attr('__class__') }}", "p.yaml:3: the prompt tries something that is not allowed: "
                                           "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ role['__' ~ 'class__'] }}", "p.yaml:3: the prompt tries something that is not allowed: "
                                         "access to attribute '__class__' of 'Role' object is unsafe"),
        ("{{ 'a' * 9 }}", "p.yaml:3: the prompt tries something that is not allowed: the operator * is not allowed"),
        ("{{ '%99d' % 9 }}", "p.yaml:3: the prompt tries something that is not allowed: the operator % is not allowed"),
        ("{{ tsk }}", "p.yaml:3: the prompt names something that is not there: 'tsk' is undefined"),
        ("{{ range(9) }}", "p.yaml:3: the prompt tries something that is not allowed: "
                           "Undefined is not safely callable"),
        ("{{ task", "p.yaml:3: the prompt is not a valid template: "
                    "unexpected end of template, expected 'end of print statement'"),
        ("{% include 'x' %}", "p.yaml:3: the prompt cannot be filled in: no loader for this environment specified"),
        ("{{ 1 / 0 }}", "p.yaml:3: the prompt cannot be filled in: division by zero"),
        ("{{ " + "(" * 9000, "p.yaml:3: the prompt is nested too deeply"),
        ("{% for a in names %}" * 3 + "{% endfor %}" * 3,
         "p.yaml:3: the prompt is not a valid template: more than 2 loops in one another"),
    ],
)  # fmt: skip
def test_refused_in_one_line(template: str, line: str) -> None:
    with pytest.raises(UserError) as caught:
        rendered(template, VALUES, where="p.yaml:3")
    assert str(caught.value) == line


@pytest.mark.parametrize("method", ["task.upper()", "names.append('c')", "role.model_copy()", "names.__len__()"])
def test_nothing_can_be_called(method: str) -> None:
    with pytest.raises(UserError, match="not allowed"):
        rendered("{{ " + method + " }}", VALUES)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for i in task %}{% endfor %}", "a loop over the letters of a text"),
        ("{% for i in task | list %}{% for j in task | list %}{% endfor %}{% endfor %}", "100,000 rounds of loops"),
        ("{% for i in names | map('list') | first %}" * 3 + "{% endfor %}" * 3, "more than 2 loops"),
        ("{% for i in task | list %}" + "{{ task }}" * 9 + "{% endfor %}", "more than 2,000,000 characters"),
        ("{{ task | list | join(task) | list | join(task) }}", "more than 2,000,000 characters"),
        ("{{ task | replace('x', task) | replace('x', task) }}", "more than 2,000,000 characters"),
        ("{{ task | list | join(task) ~ task | list | join(task) ~ 'x' ~ task | list | join(task) }}", "2,000,000"),
        ("{{ task | list | join(task) + task | list | join(task) + 'x' + task | list | join(task) }}", "2,000,000"),
        ("{{ task | indent(999999999) }}", "an indentation"),
        ("{{ task | indent(task) }}", "an indentation"),
        ("{{ names | tojson(indent=999999999) }}", "cannot be filled in"),
        ("{{ 'x' | center(999999999999) }}", "No filter named 'center'"),
        ("{{ '%999999999d' | format(1) }}", "No filter named 'format'"),
        ("{{ 1 | round(999999999, 'ceil') }}", "No filter named 'round'"),
        ("{% set a = [task, task] %}{{ a }}", "{% set %} is not for prompts"),
        ("{% set a %}{{ task }}{% endset %}", "{% set %} is not for prompts"),
        ("{% with a = [task, task] %}{{ a }}{% endwith %}", "{% with %} is not for prompts"),
        ("{% macro a() %}{% endmacro %}", "{% macro %} is not for prompts"),
    ],
)
def test_no_template_takes_for_ever(template: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        rendered(template, {"task": "x" * 1_000, "names": [["a", "b"]]}, where="p.yaml:3")
    assert "\n" not in str(caught.value)


def test_time_is_bounded_where_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_SECONDS", -1.0)
    with pytest.raises(UserError, match="it takes longer than"):
        rendered("{% for name in names %}{% endfor %}", VALUES)
    with pytest.raises(UserError, match="it takes longer than"):
        rendered("{{ task }}", VALUES)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for a in names %}{% for b in names %}{{ a }}{{ b }}{% if not loop.last %},{% endif %}{% endfor %};"
         "{% endfor %}",
         "aa,ab;ba,bb;"),
        ("{% for a in names if a != 'b' %}{{ loop.length }}{{ a }}{% else %}none{% endfor %}", "1a"),
        ("{% for a in names %}{{ loop.index }}/{{ loop.length }} {% endfor %}{% for a in names %}{{ a }}{% endfor %}",
         "1/2 2/2 ab"),
        ("{{ task | trim ~ ' x ' ~ 3 }}", "A snake x 3"),
        ("{{ 'a' + 'b' }}{{ 1 + 2 }}", "ab3"),
        ("{{ task | replace('snake', 'worm') | trim | upper }}", "A WORM"),
        ("{{ 'a\nb' | indent(2) }}{{ names | tojson }}{{ role.title | default('x') }}", 'a\n  b["a", "b"]Chief'),
        ("{{ [role] | join(', ', attribute='title') }}", "Chief"),
    ],
)  # fmt: skip
def test_what_honest_prompts_do_goes_on_working(template: str, text: str) -> None:
    assert rendered(template, VALUES) == text


def test_values_are_never_templates() -> None:
    assert rendered("{{ task }}", {"task": "{{ ''.__class__ }}{% raw %}"}) == "{{ ''.__class__ }}{% raw %}"


def test_the_environment_is_one_and_the_same() -> None:
    assert environment() is environment()


pieces = st.sampled_from(
    ["{{ ", " }}", "{% if ", " %}", "{% endif %}", "{% for a in ", "task", "names", " | ", "join", "(", ")", ".", "_"]
)


@given(st.lists(pieces | st.text(max_size=3), max_size=12).map("".join))
def test_whatever_the_template_only_user_errors(template: str) -> None:
    try:
        text = rendered(template, VALUES)
    except UserError as error:
        text = str(error)
        assert "\n" not in text
    assert isinstance(text, str)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{% if a %}{{ a }}{% endif %}", {"a"}),
        ("{% if a %}{{ a }}{% endif %}{{ a }}", set()),
        ("{% if a %}{{ b }}{% elif b %}{{ a }}{% endif %}", set()),
        ("{% if a %}{% if b %}{{ a }} {{ b }}{% else %}{{ a }}{% endif %}{% endif %}", {"a", "b"}),
        ("{% if not a %}{{ a }}{% endif %}", set()),
        ("{% if a.b %}x{% endif %}", set()),
        ("plain", set()),
    ],
)
def test_what_a_prompt_shows_only_if_it_is_there(text, names):
    assert only_if_there(text) == names
