"""Models whose replies somebody writes: a mailbox of files, and a person."""

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.llm.base import SayLimits
from chatdev.llm.by_hand import ByHandModel
from chatdev.llm.mailbox import label_of
from chatdev.llm.select import absolute, open_model, preflight, resolve


def box(folder, notices=None):
    model = open_model(f"mailbox:{folder}", on_notice=(notices if notices is not None else []).append)
    preflight(model)
    return model


def said(stream, key="coding/programmer/said1"):
    stream.name_next(key, "coding")
    return "".join(stream.say(SayLimits()))


def later(seconds, do):
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


def aged(path, data):
    """A reply that was written a while ago under another name, and now moved into its place."""
    part = path.with_suffix(".part")
    part.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.utime(part, (time.time() - 60, time.time() - 60))
    part.rename(path)


def test_a_prompt_is_a_file_and_the_reply_a_file_beside_it(tmp_path):
    notices = []
    model = box(tmp_path / "box", notices)
    stream = model.open("You are brief.\n")
    stream.hear("Say hello.\n")
    prompt = tmp_path / "box" / "001-programmer-coding.prompt.md"
    reply = tmp_path / "box" / "001-programmer-coding.reply.md"
    later(0.3, lambda: aged(reply, "hello\r\nthere"))
    assert said(stream) == "hello\nthere"
    assert prompt.read_text() == "You are brief.\n\n\nSay hello.\n"
    assert str(prompt) in notices[0]
    assert str(reply) in notices[0]
    assert stream.reply.usage.money == 0.0
    assert stream.waited > 0
    stream.hear("Again.")
    aged(tmp_path / "box" / "002-programmer-coding.reply.md", "once more")
    assert said(stream, "coding/programmer/said2") == "once more"
    second = (tmp_path / "box" / "002-programmer-coding.prompt.md").read_text()
    assert second == (
        "# system\n\nYou are brief.\n\n# user\n\nSay hello.\n\n# assistant\n\nhello\nthere\n\n# user\n\nAgain.\n"
    ), "whole in itself, for a fresh chat"


def test_a_reply_is_taken_only_when_it_is_whole(tmp_path):
    model = box(tmp_path)
    stream = model.open("x")
    stream.hear("y")
    reply = tmp_path / "001-programmer-coding.reply.md"

    def grow():
        reply.write_text("")
        for _ in range(4):
            time.sleep(0.8)
            with reply.open("a") as file:
                file.write("part ")

    writer = later(0, grow)
    assert said(stream) == "part part part part "
    writer.join()


def test_a_prompt_of_an_earlier_life_is_not_posted_twice_and_its_reply_is_taken(tmp_path):
    def life():
        stream = box(tmp_path).open("head")
        stream.hear("prompt")
        return stream

    aged(tmp_path / "001-programmer-coding.reply.md", "an answer to something else")
    (tmp_path / "001-programmer-coding.prompt.md").write_text("something else")
    aged(tmp_path / "002-programmer-coding.reply.md", "first")
    assert said(life()) == "first"
    assert said(life()) == "first"
    assert not (tmp_path / "003-programmer-coding.prompt.md").exists()
    aged(tmp_path / "003-programmer-coding-2.reply.md", "other")
    assert said(life(), "coding~2/programmer/said1".replace("~", "-")) == "other"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("wide \u00e9".encode("utf-16"), "wide \u00e9"),
        (b"caf\xe9 \x00end", "caf\ufffd end"),
    ],
)
def test_replies_of_every_editor_are_read(tmp_path, data, text):
    stream = box(tmp_path).open("x")
    stream.hear("y")
    aged(tmp_path / "001-programmer-coding.reply.md", data)
    assert said(stream) == text


def test_an_empty_or_endless_reply_is_said_and_waited_on(tmp_path):
    notices = []
    stream = box(tmp_path, notices).open("x")
    stream.hear("y")
    reply = tmp_path / "001-programmer-coding.reply.md"
    aged(reply, "")
    later(1.2, lambda: aged(reply, b"x" * 9_000_000))
    later(2.4, lambda: aged(reply, "good"))
    assert said(stream) == "good"
    assert "is empty" in notices[1]
    assert "too large" in notices[2]


def test_waiting_for_a_reply_burns_no_processor(tmp_path):
    stream = box(tmp_path).open("x")
    stream.hear("y")
    later(3, lambda: aged(tmp_path / "001-programmer-coding.reply.md", "there"))
    before = time.thread_time()
    said(stream)
    assert time.thread_time() - before < 0.3


def test_a_mailbox_that_cannot_be_written_is_told_before_anything_begins(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the mailbox cannot be written"):
        box(tmp_path / "file" / "box")


def test_names_of_the_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve("human") == "human"
    assert absolute("mailbox:box") == f"mailbox:{tmp_path / 'box'}"
    with pytest.raises(UserError, match="has no name"):
        resolve("mailbox:")
    with pytest.raises(UserError, match="a name too many"):
        open_model("human:ada")
    with pytest.raises(UserError, match="nobody to ask"):
        open_model("human")


def test_a_person_is_shown_what_is_new_and_remembers_the_rest():
    pages = []
    model = open_model("human", on_page=lambda page: pages.append(page) or "fine")
    assert isinstance(model, ByHandModel)
    assert not model.resends
    stream = model.open("You review.")
    stream.hear("File one.")
    assert said(stream, "review.1.code_review/reviewer/said1") == "fine"
    stream.hear("File two.")
    said(stream)
    assert (pages[0].new, pages[1].new) == ("You review.\n\nFile one.", "File two.")
    assert (pages[0].key, pages[0].phase) == ("review.1.code_review/reviewer/said1", "coding")
    assert stream.waited == 0.0, "whoever asks the person reports the time"


def test_a_conversation_is_saved_and_loaded(tmp_path):
    pages = []
    model = open_model("human", on_page=lambda page: pages.append(page) or "fine")
    stream = model.open("head")
    stream.hear("one")
    said(stream)
    stream.save(tmp_path / "snapshot")
    again = model.open("head")
    assert again.load(tmp_path / "snapshot")
    assert not model.open("other").load(tmp_path / "snapshot")
    again.hear("two")
    said(again)
    assert pages[-1].new == "two"
    copy = again.fork()
    copy.hear("three")
    assert len(copy.messages) == len(again.messages) + 1


@given(st.text())
def test_a_label_is_always_a_plain_file_name(key):
    label = label_of(key)
    assert label
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-")
    assert not label.startswith(".")
