"""A tiny Llama that writes program files without being trained: a grammar in its last layer, chance in its attention.

Every phrase of the grammar is one token. The output matrix is solved so that after each phrase only those that may
follow are likely, about equally; which of them it is, the attention over everything heard and said decides. So the
files differ with the seed and with every token of the past, and are well-formed all the same.
"""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

CHAT = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TALK = ["Here it is. ", "I would do this: ", "Let me write. "]
OPEN = ['<file path="main.py">\n', '<file path="game.py">\n']
LINES = [
    "x = 1\n",
    "y = 2\n",
    "z = [1, 2]\n",
    "name = 'a'\n",
    "size = 20\n",
    "speed = 3\n",
    "done = 0\n",
    "t = 0\n",
]
CLOSE = "</file>\n"
END = 4


def write_model(folder) -> str:
    """Save the model into `folder`; returns its name for `--model`."""
    tokenizer = _tokenizer()
    phrases = {text: tokenizer.convert_tokens_to_ids(text) for text in (*TALK, *OPEN, *LINES, CLOSE)}
    torch.manual_seed(3)
    size = len(tokenizer)
    config = LlamaConfig(
        vocab_size=size, hidden_size=384, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, bos_token_id=1, eos_token_id=END, pad_token_id=0,
        initializer_range=0.08, tie_word_embeddings=False,
    )  # fmt: skip
    network = AutoModelForCausalLM.from_config(config)
    embedding = network.model.embed_tokens.weight.data
    embedding.copy_(torch.nn.init.orthogonal_(torch.empty_like(embedding)) * 20)
    follows = torch.zeros(size, size)
    newline = tokenizer.convert_tokens_to_ids("Ċ")
    follows[[newline, *phrases.values()]] = -60.0
    for start in (newline, *(phrases[text] for text in TALK)):
        follows[start, [phrases[text] for text in (*OPEN, *(TALK if start == newline else ()))]] = 0.0
    lines = [phrases[text] for text in LINES]
    for start in OPEN:
        follows[phrases[start], lines] = 0.0
    for at, start in enumerate(lines):
        # No line follows itself, or the likeliest text would be one line for ever.
        follows[start, [lines[(at + step) % len(lines)] for step in (1, 2, 3, 5)]] = 0.0
        follows[start, phrases[CLOSE]] = 1.5
    follows[phrases[CLOSE], END] = 0.0
    normed = embedding / embedding.pow(2).mean(-1, keepdim=True).sqrt()
    network.lm_head.weight.data.copy_((torch.linalg.pinv(normed) @ follows).T)
    network.generation_config.eos_token_id = END
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"hf:{folder}"


def _tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate([*SPECIAL, *alphabet])}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="<|im_end|>", pad_token="<pad>",
        additional_special_tokens=SPECIAL[3:],
    )  # fmt: skip
    tokenizer.add_tokens([*TALK, *OPEN, *LINES, CLOSE])
    tokenizer.chat_template = CHAT
    return tokenizer
