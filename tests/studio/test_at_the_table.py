"""A person at the page: everything that may be answered, by one who looks, edits, refuses, and is asked by agents."""

import json
import subprocess

from tests.chain.table import BUILD, PLAN, company, file

from .pages import events_of, product_in, run_address, start_run, until, wait_for_end

LOOK = "instructor: programmer\nassistant: reviewer\nreads: [files]\nwrites: review\nprompt: '{{ files }}'\n"
CHAIN = """\
review: [plan, build, mend, last, after]
chain: [clarify, plan, build, look, mend, last, after]
roles: {ceo: , cpo: , cto: , programmer: , reviewer: {model: human}}
"""
SAID = [
    "1. What colour should it be?",
    "A plan.",
    "A better plan.",
    file('print("hello")'),
    file('print("mended")'),
    file("last = 1", "last.py"),
    file("after = 1", "after.py"),
]


class Asked:
    """The questions of a run as its page shows them, one after another."""

    def __init__(self, page, product):
        self.page, self.product, self.count = page, product, 0

    def next(self, *words):
        """Wait for the next question to be in the page; its words must be there."""
        self.count += 1
        until(self.page, f"document.querySelectorAll('.kind-asked').length >= {self.count}")
        asked = events_of(self.product, "asked")[self.count - 1]
        self.page.wait_for_selector(f".question[data-id='{asked.id}'] .choices [data-choice]")
        shown = self.page.locator(".question").inner_text()
        for word in words:
            assert word in shown
        return asked

    def answer(self, choice, scope=""):
        self.page.locator(f".question [data-choice={choice}][data-scope='{scope}']").click()

    def say(self, choice, text):
        self.page.locator(".question .field textarea").last.fill(text)
        self.answer(choice)

    def edit(self, label, text):
        self.page.get_by_text("Edit it yourself").click()
        area = self.page.get_by_label(label, exact=True)
        was = area.input_value()
        area.fill(text)
        self.answer("edit")
        return was


def git(product, *arguments):
    return subprocess.run(["git", *arguments], cwd=product, check=True, capture_output=True, text=True).stdout


def test_every_answer_is_given_from_the_page(studio, open_page):
    phases = {"build": BUILD, "mend": BUILD, "last": BUILD, "after": BUILD, "plan": PLAN, "look": LOOK}
    mine = company(studio.folder, CHAIN, **phases)
    text = (studio.folder / "mine" / "company.yaml").read_text(encoding="utf-8")
    (studio.folder / "mine" / "company.yaml").write_text(
        f"extends: default\n{text.split(chr(10), 2)[2]}", encoding="utf-8"
    )
    script = studio.folder / "script.yaml"
    script.write_text(json.dumps({"name": "test", "replies": SAID}), encoding="utf-8")
    start_run(studio.folder, "--company", mine, "--model", f"scripted:{script}", "--answers", "inbox", "--quiet")
    product = product_in(studio.folder)
    page = open_page(run_address(product))
    you = Asked(page, product)

    you.next("An agent asks you", "What colour should it be?")
    page.wait_for_selector(".chip[data-state='waits-for you']")
    you.answer("comment")
    until(page, "document.getElementById('toast').textContent === 'Write something first.'")
    you.say("comment", "Blue, please.")
    you.next("A plan.")
    you.say("reject", "Too short.")
    you.next("A better plan.")
    assert you.edit("The text", "My own plan.") == "A better plan.\n"
    you.next("My own plan.")
    you.answer("approve")

    you.next('print("hello")')
    assert you.edit("main.py", 'print("by hand")\n') == 'print("hello")\n'
    asked = you.next('print("by hand")')
    assert git(product, "log", "-1", "--format=%an").strip() == "Human"
    you.answer("stop")
    page.wait_for_selector(".kind-stopped")
    page.locator(".question").wait_for(state="hidden")
    page.get_by_role("button", name="Resume").click()
    assert you.next('print("by hand")').id > asked.id, "whoever resumes is asked again"
    you.answer("always")

    you.next("You are the Code Reviewer", 'print("by hand")')
    you.say("comment", "It should say hello.")
    you.next('print("mended")')
    you.answer("skip")
    you.next("last.py")
    you.answer("always", "run")
    wait_for_end(page)

    answers = [(event["answer"], event["text"]) for event in events_of(product, "answered")]
    assert answers == [
        ("comment", "Blue, please."),
        ("reject", "Too short."),
        ("edit", "My own plan."),
        ("approve", ""),
        ("edit", ""),
        ("stop", ""),
        ("always", ""),
        ("comment", "It should say hello."),
        ("skip", ""),
        ("always", "run"),
    ]
    assert (product / "main.py").read_text(encoding="utf-8") == 'print("by hand")\n', "what was skipped is taken back"
    assert (product / "after.py").is_file(), "and nobody asked about it"
    told = [event["text"] for event in events_of(product, "told")]
    assert any("by hand" in text and "+" in text for text in told), "the agents are told of the edit"
    assert any("Blue, please." in text for text in told)
