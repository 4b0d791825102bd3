"""Text: what `terse run --prompt` writes and `terse eval` measures is what transformers makes of the same checkpoint."""

import json
import math

import pytest
import torch
from runtimes import ROOT, terse
from transformers import AutoModelForCausalLM, AutoTokenizer

LM = ROOT / "testdata/lm"
PROMPTS = ["Drania, a brewer from", "The waiters whom the", "Stürwin", "Three and five jars make", "x"]


@pytest.fixture(scope="module")
def lm():
    return AutoTokenizer.from_pretrained(LM), AutoModelForCausalLM.from_pretrained(LM, dtype=torch.float32).eval()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_text(lm, prompt):
    tokenizer, model = lm
    inputs = tokenizer(prompt, return_tensors="pt")
    written = model.generate(**inputs, do_sample=False, max_new_tokens=40)[0][inputs.input_ids.shape[1] :]
    assert terse("run", LM / "dynamo.onnx", "--prompt", prompt, "--tokens", 40) == tokenizer.decode(written, skip_special_tokens=True) + "\n"


def perplexity(tokenizer, model, text, length):
    """Windows of the stream with BOS in the place of each one's first token."""
    ids = tokenizer(text).input_ids
    total, count = 0.0, 0
    for begin in range(0, len(ids) - length + 1, length):
        window = torch.tensor([[tokenizer.bos_token_id, *ids[begin + 1 : begin + length]]])
        with torch.no_grad():
            logits = model(window).logits[0].double()
        total += torch.nn.functional.cross_entropy(logits[:-1], window[0, 1:], reduction="sum").item()
        count += length - 1
    return math.exp(total / count)


def test_perplexity_of_a_text(lm, tmp_path):
    text = LM / "eval.txt"
    terse("eval", LM / "dynamo.onnx", "--data", text, "--seq-len", 100, "--report", tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())["evaluation"]
    assert found["perplexity"] == pytest.approx(perplexity(*lm, text.read_text(), 100), rel=1e-5)
