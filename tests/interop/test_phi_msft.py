"""Phi-2 under the names and keys of its first publication, whose code is no part of transformers: judged by transformers' phi with the same numbers."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import families
import gguf_models
import llama_cpp
from runtimes import relative_error, run_onnxruntime, terse
from test_folders import run_terse

NAMES = {
    r"model\.embed_tokens": "transformer.embd.wte",
    r"model\.layers\.(\d+)\.input_layernorm": r"transformer.h.\1.ln",
    r"model\.layers\.(\d+)\.self_attn\.dense": r"transformer.h.\1.mixer.out_proj",
    r"model\.layers\.(\d+)\.mlp\.(fc\d)": r"transformer.h.\1.mlp.\2",
    r"model\.final_layernorm": "lm_head.ln",
    r"lm_head": "lm_head.linear",
}


def first_names(weights):
    """Queries, keys and values become one matrix, and one bias."""
    renamed = {}
    for name, tensor in weights.items():
        if found := re.fullmatch(r"model\.layers\.(\d+)\.self_attn\.q_proj\.(weight|bias)", name):
            parts = [weights[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            renamed[f"transformer.h.{found[1]}.mixer.Wqkv.{found[2]}"] = torch.cat(parts)
        for now, first in NAMES.items():
            if re.fullmatch(now + r"\.(weight|bias)", name):
                renamed[re.sub(now, first, name)] = tensor
    return renamed


@pytest.fixture(scope="module")
def phi(tmp_path_factory):
    """The folder, inputs for it, and PyTorch's logits."""
    folder = tmp_path_factory.mktemp("phi-msft")
    size = gguf_models.write_tokenizer("gpt2", folder)
    model = gguf_models.build("phi", families.FAMILIES["phi"], size)
    save_file(first_names(model.state_dict()), folder / "model.safetensors")
    config = {"model_type": "phi-msft", "architectures": ["PhiForCausalLM"], "vocab_size": size, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_head_kv": None,
              "n_inner": 160, "n_positions": 64, "rotary_dim": 8, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": False}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    ids = np.random.default_rng(4).integers(5, size, (3, 13))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    with torch.no_grad():
        return folder, inputs, model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()


def test_terse_and_onnxruntime_give_pytorchs_logits(phi, tmp_path):
    folder, inputs, expected = phi
    terse("convert", folder, "-o", tmp_path / "model.onnx")
    for found in (run_terse(folder, inputs, tmp_path), run_onnxruntime(tmp_path / "model.onnx", inputs)):
        assert relative_error(found["logits"], expected) <= 1e-4


def test_llama_cpp_gives_pytorchs_logits_and_the_file_comes_back(phi, tmp_path):
    folder, inputs, expected = phi
    terse("convert", folder, "-o", tmp_path / "model.gguf")
    assert relative_error(llama_cpp.logits(tmp_path / "model.gguf", inputs["input_ids"]), expected) <= 1e-3
    terse("convert", tmp_path / "model.gguf", "-o", tmp_path / "back")
    assert relative_error(run_terse(tmp_path / "back", inputs, tmp_path / "run")["logits"], expected) <= 1e-4
