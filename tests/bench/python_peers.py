"""Seconds that quantizers written in Python take on a processor: python_peers.py gptq|autoround CHECKPOINT TEXT WINDOWS [LAYERS]

Both give linears 4 bits in blocks of 32 and calibrate on windows of 512 tokens: llm-compressor's GPTQ, AutoRound's 200 steps of tuning. Loading the model and
reading the text do not count. LAYERS: only so many of the model's layers.
"""

import logging
import os
import sys
import time

import torch

THREADS, WINDOW, STEPS = 2, 512, 200


def load(folder, layers):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    if layers:
        config.num_hidden_layers = layers
    return AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32)


def read_windows(folder, text, count):
    from transformers import AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)(open(text, encoding="utf-8").read())["input_ids"]
    return [ids[i * WINDOW : (i + 1) * WINDOW] for i in range(count)]


def gptq(model, folder, windows):
    import datasets
    from llmcompressor import oneshot
    from llmcompressor.modifiers.gptq import GPTQModifier

    data = datasets.Dataset.from_dict({"input_ids": windows, "attention_mask": [[1] * WINDOW] * len(windows)})
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32}
    recipe = GPTQModifier(ignore=["lm_head"], config_groups={"group_0": {"targets": ["Linear"], "weights": weights}})
    oneshot(model=model, dataset=data, recipe=recipe, max_seq_length=WINDOW, num_calibration_samples=len(windows))


def autoround(model, folder, windows):
    from auto_round import AutoRound
    from transformers import AutoTokenizer

    data = [torch.tensor([row]) for row in windows]
    options = dict(bits=4, group_size=32, sym=True, iters=STEPS, nsamples=len(data), seqlen=WINDOW, batch_size=8, dataset=data)
    AutoRound(model, AutoTokenizer.from_pretrained(folder), device_map="cpu", **options).quantize()


def main(method, folder, text, windows, layers="0"):
    logging.disable(logging.INFO)
    torch.set_num_threads(THREADS)
    model, data = load(folder, int(layers)), read_windows(folder, text, int(windows))
    quantize = {"gptq": gptq, "autoround": autoround}[method]
    out, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    start = time.perf_counter()
    quantize(model, folder, data)
    seconds = time.perf_counter() - start
    os.dup2(out, 1)
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
