"""The template sandbox: what a prompt may do, and that everything else ends as one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.company import Role
from chatdev.company.templates import environment, rendered
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
        ("{% for a in names %}" * 30 + "{% endfor %}" * 30, "p.yaml:3: the prompt is nested too deeply"),
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
