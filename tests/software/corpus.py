"""Awkward and hostile replies with what exactly is to come of each.

The first part are replies that ChatDev's and gpt-engineer's regular expressions lose or garble (blocks that hold the
word CODE, blank lines, hyphens, sub-folders, two mains, nested fences, truncation …), the second part answers made to
break a parser. Line numbers in `problems` are those of the reply.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    reply: str
    files: tuple[tuple[str, str], ...] = ()
    deletes: tuple[str, ...] = ()
    problems: tuple[tuple[str | None, int, str], ...] = ()
    """Path, line, and words of the message."""
    notices: tuple[str, ...] = ()
    """Words of each notice."""


AWKWARD = [
    Case(
        "the word CODE in capitals",
        "keys.py\n```python\nKEYCODE_UP = 1\nERROR_CODE = 'QR CODE'\n```\n",
        (("keys.py", "KEYCODE_UP = 1\nERROR_CODE = 'QR CODE'\n"),),
    ),
    Case(
        "blank lines, also inside a string",
        'main.py\n```python\nimport os\n\n\nTEXT = """a\n\n\nb"""\n\n```',
        (("main.py", 'import os\n\n\nTEXT = """a\n\n\nb"""\n\n'),),
    ),
    Case(
        "a hyphen in the name",
        "my-app.py\n```python\nx = 1\n```",
        (("my-app.py", "x = 1\n"),),
    ),
    Case(
        "sub-folders and upper case",
        "### src/Utils/Helper.py\n\n```python\nx = 1\n```\n",
        (("src/Utils/Helper.py", "x = 1\n"),),
    ),
    Case(
        "two files that both hold __main__",
        "main.py\n```python\nif __name__ == '__main__':\n    print(1)\n```\n"
        "tools/cli.py\n```python\nif __name__ == '__main__':\n    print(2)\n```\n",
        (
            ("main.py", "if __name__ == '__main__':\n    print(1)\n"),
            ("tools/cli.py", "if __name__ == '__main__':\n    print(2)\n"),
        ),
    ),
    Case(
        "names without an extension",
        "Dockerfile\n```dockerfile\nFROM python\n```\n**Makefile**\n```make\nall:\n\ttrue\n```\n"
        "LICENSE\n```\nMIT\n```\n.gitignore\n```\n*.log\n```\nrequirements.txt\n```\npygame\n```\n",
        (
            ("Dockerfile", "FROM python\n"),
            ("Makefile", "all:\n\ttrue\n"),
            ("LICENSE", "MIT\n"),
            (".gitignore", "*.log\n"),
            ("requirements.txt", "pygame\n"),
        ),
    ),
    Case(
        "a fence inside a Python docstring",
        'main.py\n```python\ndef f():\n    """Example:\n\n```\nf()\n```\n    """\n    return 1\n```\nDone.\n',
        (("main.py", 'def f():\n    """Example:\n\n```\nf()\n```\n    """\n    return 1\n'),),
    ),
    Case(
        "fences inside Markdown, then another file",
        "README.md\n```markdown\n# Snake\n\n```bash\npython main.py\n```\n\nand\n\n```\nmake\n```\n\nBye.\n```\n\n"
        "main.py\n```python\nx = 1\n```\n",
        (
            ("README.md", "# Snake\n\n```bash\npython main.py\n```\n\nand\n\n```\nmake\n```\n\nBye.\n"),
            ("main.py", "x = 1\n"),
        ),
    ),
    Case(
        "cut off in the middle of a fence",
        "main.py\n```python\nimport os\n\ndef f(",
        problems=(("main.py", 2, "not closed"),),
    ),
    Case(
        "cut off in the middle of the second <file>",
        '<file path="a.py">\nx = 1\n</file>\n<file path="b.py">\ny = ',
        (("a.py", "x = 1\n"),),
        problems=(("b.py", 4, "not closed"),),
    ),
    Case(
        "prose before a fence is no name",
        "Here is the code you asked for, e.g. a game:\n\n```python\nx = 1\n```\n",
        problems=((None, 3, "without a file name"),),
    ),
    Case(
        "prose that introduces a whole file",
        "Sure! Here is the updated `src/game.py`:\n\n```python\nx = 1\n```\n",
        (("src/game.py", "x = 1\n"),),
    ),
    Case(
        "prose that introduces a change to a file",
        "In `main.py`, change this line:\n\n```python\nx = 2\n```\n",
        problems=((None, 3, "without a file name"),),
    ),
    Case(
        "every way to write the name",
        "File: a.py\n```python\na = 1\n```\n**b.py**:\n```python\nb = 1\n```\n`c.py`\n```python\nc = 1\n```\n"
        '```python d.py\nd = 1\n```\n```python title="e.py"\ne = 1\n```\n```f.py\nf = 1\n```\n'
        "1. **`g.py`**\n```python\ng = 1\n```\n#### 2. h.py (helper)\n```python\nh = 1\n```\n"
        "**File: `i.py`**\n```python\ni = 1\n```\n**File:** j.py\n```python\nj = 1\n```\n"
        "```python:k/k.py\nk = 1\n```\n```python\n# l/l.py\nl = 1\n```\n",
        (
            *((f"{c}.py", f"{c} = 1\n") for c in "abcdefghij"),
            ("k/k.py", "k = 1\n"),
            ("l/l.py", "# l/l.py\nl = 1\n"),
        ),
    ),
    Case(
        "a name with a description of the file, and of a change",
        "- `a.py`: the rules of the game\n```python\na = 1\n```\n2. **b.py** - the screen\n```python\nb = 1\n```\n"
        "`c.py`: change this line\n```python\nc = 1\n```\nFile: d.py (new)\n```python\nd = 1\n```\n",
        (("a.py", "a = 1\n"), ("b.py", "b = 1\n"), ("d.py", "d = 1\n")),
        problems=((None, 10, "without a file name"),),
    ),
    Case(
        "sentences that small models write",
        "The `a.py` file is as follows:\n```python\na = 1\n```\nCreate a file named `b.py` with this content:\n"
        "```python\nb = 1\n```\nSave this as c.py:\n```python\nc = 1\n```\nHere's the complete code for **d/d.py**:\n"
        "```python\nd = 1\n```\n```js // e.js\nlet e;\n```\n",
        (("a.py", "a = 1\n"), ("b.py", "b = 1\n"), ("c.py", "c = 1\n"), ("d/d.py", "d = 1\n"), ("e.js", "let e;\n")),
    ),
    Case(
        "names from published failures that are none",
        "matplotlib.pyplot\n```python\nx = 1\n```\nself.draw_pixel\n```python\ny = 1\n```\n"
        ".py\n```python\nz = 1\n```\n",
        problems=(
            (None, 2, "without a file name"),
            (None, 6, "without a file name"),
            (None, 10, "without a file name"),
        ),
    ),
    Case(
        "shell lines and output are prose",
        "Run `main.py`:\n```bash\npython main.py\n```\nmain.py\n```console\n$ python main.py\n```\n"
        '<file path="main.py">\nprint(1)\n</file>\nIt prints\n```text\n1\n```\n',
        (("main.py", "print(1)\n"),),
    ),
    Case(
        "spaces in folders and names",
        '<file path="My Game/level one.json">\n{}\n</file>\n`Data Files/words.txt`\n```\nabc\n```\n',
        (("My Game/level one.json", "{}\n"), ("Data Files/words.txt", "abc\n")),
    ),
    Case(
        "a list item's indented fence",
        "1. main.py\n\n   ```python\n   def f():\n       return 1\n\n   f()\n   ```\n",
        (("main.py", "def f():\n    return 1\n\nf()\n"),),
    ),
    Case(
        "tilde fences and longer fences",
        "a.md\n~~~~markdown\n```\nx\n```\n~~~\n~~~~\nb.md\n`````\n````\n```\n````\n`````\n",
        (("a.md", "```\nx\n```\n~~~\n"), ("b.md", "````\n```\n````\n")),
    ),
    Case(
        "a fence around the content of <file>",
        '<file path="a.py">\n\n```python\nx = 1\n```\n</file>\n',
        (("a.py", "x = 1\n"),),
        notices=("a.py: the fence",),
    ),
    Case(
        "a fence around the content of <file>, and one in its docstring",
        '<file path="a.py">\n```python\nDOC = """\n```\nx\n```\n"""\n```\n</file>\n',
        (("a.py", 'DOC = """\n```\nx\n```\n"""\n'),),
        notices=("a.py: the fence",),
    ),
    Case(
        "two fences as the content of <file> are no wrapping",
        '<file path="a.txt">\n```\none\n```\nand\n```\ntwo\n```\n</file>\n',
        (("a.txt", "```\none\n```\nand\n```\ntwo\n```\n"),),
    ),
    Case(
        "a fence around the whole answer",
        'Here:\n```xml\n<file path="a.py">\nx = 1\n</file>\n<delete path="b.py"/>\n```\nAnd\nc.txt\n```\ntext\n```\n',
        (("a.py", "x = 1\n"), ("c.txt", "text\n")),
        ("b.py",),
    ),
    Case(
        "a title, a sentence, then the fence",
        "### src/game.py\nThis file holds the rules.\n\n```python\nx = 1\n```\n",
        (("src/game.py", "x = 1\n"),),
    ),
    Case(
        "a folder above, the bare name in the info string",
        "**src/app.py**\n```app.py\nx = 1\n```\n",
        (("src/app.py", "x = 1\n"),),
    ),
    Case(
        "Windows line ends are kept",
        '<file path="a.bat">\r\necho 1\r\n\r\n</file>\r\n',
        (("a.bat", "echo 1\r\n\r\n"),),
    ),
    Case(
        "requirements in a bare fence",
        "requirements.txt\n```\npygame==2.5.0\nnumpy\n```\n",
        (("requirements.txt", "pygame==2.5.0\nnumpy\n"),),
    ),
    Case(
        "requirements as prose only",
        "The software needs no dependencies beyond tkinter.\n",
    ),
]

_TEMPLATES = "a = '{}' '{{ }}' '{% if %}'\nb = '<INFO> Finished'\n"

HOSTILE = [
    Case(
        "template signs and control words are data",
        f'<file path="t.py">\n{_TEMPLATES}</file>\n<INFO> Finished\n',
        (("t.py", _TEMPLATES),),
    ),
    Case(
        "a closing tag as data in a string",
        '<file path="p.py">\nDOC = """\n</file>\n<file path="evil.py">\n"""\nx = 1\n</file>\n',
        (("p.py", 'DOC = """\n</file>\n<file path="evil.py">\n"""\nx = 1\n'),),
    ),
    Case(
        "a <file> tag in a string, in a fence",
        'p.py\n```python\nDOC = """\n<file path="evil.py">\nx\n</file>\n"""\n```\n',
        (("p.py", 'DOC = """\n<file path="evil.py">\nx\n</file>\n"""\n'),),
    ),
    Case(
        "a closing tag as data where nothing can be proved",
        '<file path="p.js">\nlet s = `\n</file>\n`;\n</file>\n',
        (("p.js", "let s = `\n"),),
        problems=(("p.js", 5, "between two closing tags"),),
    ),
    Case(
        "<file> tags documented in Markdown",
        '<file path="README.md">\nAnswer with\n<file path="x.py">\n…\n</file>\nand nothing else.\n</file>\n',
        (("README.md", 'Answer with\n<file path="x.py">\n…\n</file>\nand nothing else.\n'),),
    ),
    Case(
        "a forgotten closing tag before the next file",
        '<file path="a.js">\nlet a;\n<file path="b.js">\nlet b;\n</file>\n<file path="c.js">\nlet c;\n</file>\n',
        (("b.js", "let b;\n"), ("c.js", "let c;\n")),
        problems=(("a.js", 1, "not closed"),),
    ),
    Case(
        "a forgotten closing fence before the next named fence",
        "a.js\n```js\nlet a;\n\nb.js\n```js\nlet b;\n```\n",
        (("b.js", "let b;\n"),),
        problems=(("a.js", 2, "not closed"),),
    ),
    Case(
        "a fence left open before <file>",
        'The tree:\n```\nproject/\n  a.py\n\n<file path="a.py">\nx = 1\n</file>\n',
        (("a.py", "x = 1\n"),),
    ),
    Case(
        "the closing tag glued to the last line",
        '<file path="a.py">\nx = 1</file>\n',
        problems=(("a.py", 1, "alone on a line"),),
    ),
    Case(
        "both tags and the text on one line",
        '<file path="VERSION">1.0</file>\n',
        problems=(("VERSION", 1, "alone on a line"),),
    ),
    Case(
        "a tag without a path",
        "<file>\nx = 1\n</file>\n",
        problems=((None, 1, "names no path"),),
        notices=("closing tag",),
    ),
    Case(
        "two blocks for one file",
        '<file path="a.py">\nx = 1\n</file>\n<file path="./a.py">\nx = 2\n</file>\n',
        (("./a.py", "x = 2\n"),),
        notices=("given twice",),
    ),
    Case(
        "an excerpt after the whole file",
        '<file path="a.py">\nx = 1\ny = 2\n</file>\nThe point of it is\n```python\ny = 2\n```\n'
        "### a.py\n```python\ny = 3\n```\n",
        (("a.py", "x = 1\ny = 2\n"),),
        notices=("the <file> was taken", "excerpt"),
    ),
    Case(
        "given and deleted, deleted and given",
        '<file path="a.py">\nx = 1\n</file>\n<delete path="a.py"/>\n<delete path="b.py"/>\n'
        '<file path="b.py">\nx = 1\n</file>\n',
        (("b.py", "x = 1\n"),),
        ("a.py",),
        notices=("it was deleted", "it was taken"),
    ),
    Case(
        "tags inside a sentence are text",
        'Use `<file path="x.py">` and </file> as asked. A <delete path="y.py"/> in a sentence is nothing.\n',
    ),
    Case(
        "an untagged, unnamed block",
        "```\nsomething\n```\n",
        notices=("without a file name",),
    ),
    Case(
        "an empty file in both forms",
        '<file path="pkg/__init__.py">\n</file>\n<file path="pkg/b/__init__.py"/>\n',
        (("pkg/__init__.py", ""), ("pkg/b/__init__.py", "")),
    ),
    Case(
        "paths are passed on as written, for the workspace to refuse",
        '<file path="../../etc/cron.d/x">\nx\n</file>\n<file path="C:\\x">\nx\n</file>\n',
        (("../../etc/cron.d/x", "x\n"), ("C:\\x", "x\n")),
    ),
]
