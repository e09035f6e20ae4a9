"""The tkinter programs of the curriculum, with every button pressed and every key struck. Needs Xvfb; tkinter too."""

import shutil
import subprocess
import sys

import pytest

DRIVER = """
import sys, tkinter as tk, traceback
from chatdev.apprentice.curriculum import FAMILIES
from chatdev.apprentice.curriculum.check import lesson_of
from chatdev.apprentice.curriculum.trial import house

TEXTS = ["bread", "2", "1", "", "3.5", "1/0", "km", "hit", "stand", "rock", "a", "hide", "x y"]
errors = []

def widgets(parent, *kinds):
    found = [parent] if isinstance(parent, kinds) else []
    return found + [w for child in parent.winfo_children() for w in widgets(child, *kinds)]

def drive(root, *_):
    root.report_callback_exception = lambda *error: errors.append("".join(traceback.format_exception(*error)))
    for number, text in enumerate(TEXTS):
        for box in widgets(root, tk.Listbox):
            box.selection_set(0)
        for entry in widgets(root, tk.Entry):
            entry.delete(0, "end")
            entry.insert(0, text)
        buttons = widgets(root, tk.Button)
        buttons[number % len(buttons)].invoke() if buttons else None
        root.focus_force()
        for key in ("Return", "Up", "Left", "r"):
            root.event_generate(f"<{key}>")
        root.update()
    assert widgets(root, tk.Label, tk.Canvas)
    root.destroy()

tk.Tk.mainloop = drive
for name, family in FAMILIES.items():
    if "tkinter" in family.uis():
        files = lesson_of(name, "tkinter", 11).program.files
        with house(files):
            exec(compile(files["main.py"], name, "exec"), {"__name__": "__main__"})
        if errors:
            sys.exit(name + "\\n" + errors[0])
print("driven")
"""


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="there is no Xvfb")
def test_no_button_and_no_key_ends_in_an_error():
    pytest.importorskip("tkinter")
    command = ["xvfb-run", "-a", sys.executable, "-c", DRIVER]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "driven", done.stderr[-3000:]
