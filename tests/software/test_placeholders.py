"""What counts as unfinished, and what only looks like it."""

import textwrap

import pytest

from chatdev.software.placeholders import find_placeholders


def found(**texts):
    texts = {name.replace("__", "."): textwrap.dedent(text) for name, text in texts.items()}
    return [(one.path, one.line, one.name) for one in find_placeholders(texts)]


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        "raise NotImplementedError",
        "raise NotImplementedError('later')",
        '"""Docs."""\n    pass',
        '"""Docs."""\n    ...',
        '"""Only docs."""',
        "# TODO: implement this\n    pass",
        "pass  # FIXME",
    ],
)
def test_functions_that_do_nothing(body):
    assert found(m__py=f"def move(self):\n    {body}\n") == [("m.py", 1, "move")]


def test_methods_nested_and_async_functions_are_named_in_full():
    assert found(
        m__py="""
        class Snake:
            def grow(self):
                pass

            async def eat(self):
                def later():
                    ...
                return later
        """
    ) == [("m.py", 3, "Snake.grow"), ("m.py", 7, "Snake.eat.later")]


@pytest.mark.parametrize(
    "source",
    [
        "class A(ABC):\n    @abstractmethod\n    def f(self): ...\n    def hook(self): pass\n",
        "class A(metaclass=abc.ABCMeta):\n    @abc.abstractmethod\n    def f(self): raise NotImplementedError\n",
        "from typing import Protocol\nclass P(Protocol[int]):\n    def f(self) -> int: ...\n",
        "@overload\ndef f(x: int) -> int: ...\n@typing.overload\ndef f(x: str) -> str: ...\ndef f(x): return x\n",
        "class Base:\n    def f(self): raise NotImplementedError\nclass Child(Base):\n    def f(self): return 1\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    def f(): ...\n",
        "try:\n    import x\nexcept ImportError:\n    def x(): pass\n",
        "def f():\n    try:\n        g()\n    except ValueError:\n        pass\n",
        "class TooLong(ValueError):\n    pass\n",
        "class Empty(Exception):\n    '''Docs.'''\n",
        "import click\n@click.group()\ndef cli():\n    pass\n",
        "import click\n@click.group()\ndef cli():\n    '''Docs.'''\n",
        "todo_list = []\nprint('You can pass')\n# the todo list of the user\ndef todo(): return todo_list\n",
        "def passenger():\n    return 'pass'\n",
        "def f():\n    pass\n    return 1\n",
        "def f(:\n    pass\n",
        "TEXT = '''\n# TODO: implement\n'''\n",
        "def f():\n    if x:\n        pass\n    else:\n        y()\n",
        "def f():\n    ...\n" + "X = 1\n" * 170_000,  # data, a million characters of it
    ],
)
def test_what_is_finished_or_meant_to_be_empty(source):
    assert find_placeholders({"m.py": source}) == []


def test_a_base_class_is_recognised_across_files():
    base = "class Shape:\n    def area(self):\n        raise NotImplementedError\n    def name(self):\n        pass\n"
    child = (
        "from base import Shape\nclass Round(Shape): ...\nclass Circle(Round):\n    def area(self):\n        return 3\n"
    )
    assert [one.name for one in find_placeholders({"base.py": base, "child.py": child})] == ["Shape.name"]


def test_comments_of_other_languages():
    assert found(
        a__js="f();\n  // TODO: implement collision\n}\nconst todo = ['// TODO: implement'];\n// todo items of users\n",
        b__html="<ul id='todo'></ul>\n<!-- TODO: add your code here -->\n<!-- FIXME -->\n",
        c__css="/* TODO */\n.todo { color: red }\n",
        d__go="func main() {\n\t// not implemented yet\n}\n",
        e__sh="# TODO: implement\n# TODO list printer\n",
        f__md="// TODO: implement\n",
        g__py="def f():\n    # TODO: implement the rules\n    return None\n",
        h__rs="// See TODO list in the manual, where implement is a word\n",
    ) == [
        ("a.js", 2, "// TODO: implement collision"),
        ("b.html", 2, "<!-- TODO: add your code here"),
        ("b.html", 3, "<!-- FIXME"),
        ("c.css", 1, "/* TODO"),
        ("d.go", 2, "// not implemented yet"),
        ("e.sh", 1, "# TODO: implement"),
        ("g.py", 2, "# TODO: implement the rules"),
    ]


def test_reasons_are_told():
    whys = [
        one.why
        for one in find_placeholders({"m.py": "def a(): pass\ndef b(): ...\ndef c(): raise NotImplementedError()\n"})
    ]
    assert whys == ['its body is only "pass"', 'its body is only "..."', "it only raises NotImplementedError"]
