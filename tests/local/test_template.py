"""Chat templates in the forms that are met: what is fed must be what the template itself would render."""

from __future__ import annotations

import pytest

from chatdev.llm.local.template import ChatFormat, Speller
from tests.local.conftest import CHATML, byte_tokenizer

LLAMA2 = (
    "{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] "
    "{% if loop.index0 == 0 and sys is defined %}<<SYS>>\n{{ sys }}\n<</SYS>>\n\n{% endif %}{{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }} {{ eos_token }}{% else %}{{ raise_exception('no') }}{% endif %}"
    "{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<start>model\n{% endif %}"
)
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TALK = [("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four"), ("user", "five")]


def appended(speller, head):
    """What a stream feeds for TALK, as text, up to where the next reply begins."""
    ids = speller.head(head)
    after_reply, first = False, True
    for role, content in TALK:
        if role == "user":
            ids += speller.heard(content, first=first, after_reply=after_reply)
            after_reply = False
        else:
            ids += speller.recalled(content)
            after_reply = True
        first = False
    return speller.tokenizer.decode(ids + speller.asked())


@pytest.mark.parametrize("template", [CHATML, LLAMA2, GEMMA, THINKING])
def test_what_is_appended_is_what_the_template_renders(template):
    tokenizer = byte_tokenizer(template)
    chat = ChatFormat.of(tokenizer)
    wire = [{"role": role, "content": content} for role, content in TALK]
    if template is GEMMA:
        wire[0]["content"] = "Be kind.\n\none"
    else:
        wire.insert(0, {"role": "system", "content": "Be kind."})
    whole = tokenizer.apply_chat_template(wire, tokenize=False, add_generation_prompt=True)
    assert appended(Speller(tokenizer, chat), "Be kind.") == whole
    assert ("rewrites" in chat.note) == (template is THINKING)


def test_no_template_and_a_broken_one_fall_back_to_plain_text_and_say_so():
    for template in (None, "{{ nonsense.of.all.sorts() }}", "always the same"):
        chat = ChatFormat.of(byte_tokenizer(template))
        assert "plain one is used" in chat.note
        assert chat.stops
        text = appended(Speller(byte_tokenizer(template), chat), "Be kind.")
        assert text.startswith("<s>System: Be kind.\n\nUser: one\n\nAssistant: two\n\nUser: three")
