"""Writes what transformers makes of conversations with the templates of tests/interop/test_chat_templates.py: the checks of
tests/calibration/chat_template. Needs transformers 5.23 and the packages of tests/interop:  python make.py
"""

import json
import pathlib
import sys

from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/interop"))
from test_chat_templates import CONVERSATIONS, TEMPLATES, TOOLS  # noqa: E402

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def rows():
    for name, template in TEMPLATES.items():
        conversations = [TOOLS] if name == "tool_call" else CONVERSATIONS
        for add in (False, True):
            texts, _ = render_jinja_template(conversations, chat_template=template, add_generation_prompt=add, **TOKENS)
            for messages, text in zip(conversations, texts):
                yield {"name": name, "template": template, "messages": messages, "prompt": add, "text": text}


(HERE / "expected.json").write_text("[" + ",\n".join(map(json.dumps, rows())) + "]\n")
