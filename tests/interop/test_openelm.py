"""OpenELM, whose modelling code is no part of transformers: judged by a module written for this test, after the paper and the published files' names."""

import json

import gguf_models
import llama_cpp
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from runtimes import compress, relative_error, run_onnxruntime, run_terse, terse
from test_architectures import PADDINGS, inputs_of, run_checkpoint
from test_gguf import FREE, differences

CONFIG = {
    "model_type": "openelm", "architectures": ["OpenELMForCausalLM"], "vocab_size": 256, "model_dim": 64, "head_dim": 16,
    "num_transformer_layers": 2, "num_query_heads": [4, 6], "num_kv_heads": [2, 3], "ffn_multipliers": [1.0, 2.3], "ffn_dim_divisor": 32,
    "ffn_with_glu": True, "activation_fn_name": "swish", "normalization_layer_name": "rms_norm", "normalize_qk_projections": True,
    "share_input_output_layers": True, "rope_freq_constant": 10000, "rope_max_length": 128, "max_context_length": 64,
}  # fmt: skip
INNER = [64, 160]  # 1.0 * 64; 2.3 * 64 = 147.2, of whose neighbours 128 is too small (less than 90 %), so the next


def random_weights(vocabulary=256):
    torch.manual_seed(5)
    matrix = lambda out, columns: torch.randn(out, columns) * columns**-0.5
    gain = lambda width: 1 + 0.2 * torch.randn(width)
    weights = {"transformer.token_embeddings.weight": 0.3 * torch.randn(vocabulary, 64), "transformer.norm.weight": gain(64)}
    for layer, (heads, kv, inner) in enumerate(zip(CONFIG["num_query_heads"], CONFIG["num_kv_heads"], INNER)):
        own = {
            "attn.qkv_proj": matrix((heads + 2 * kv) * 16, 64), "attn.out_proj": matrix(64, heads * 16),
            "attn.q_norm": gain(16), "attn.k_norm": gain(16), "attn_norm": gain(64), "ffn_norm": gain(64),
            "ffn.proj_1": matrix(2 * inner, 64), "ffn.proj_2": matrix(64, inner),
        }  # fmt: skip
        weights |= {f"transformer.layers.{layer}.{name}.weight": tensor for name, tensor in own.items()}
    return weights


def turn(x):
    """Rotary positions of [batch, heads, tokens, 16], pairs as halves."""
    angles = torch.arange(x.shape[2])[:, None] * 10000 ** (-torch.arange(8) / 8)
    first, second = x.chunk(2, -1)
    return torch.cat([first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], -1)


def layer_of(weights, layer, x, bias):
    w = lambda name: weights[f"transformer.layers.{layer}.{name}.weight"]
    heads, kv = CONFIG["num_query_heads"][layer], CONFIG["num_kv_heads"][layer]
    normed = rms_norm(x, (64,), w("attn_norm"), 1e-6)
    q, k, v = (normed @ w("attn.qkv_proj").T).unflatten(2, (-1, 16)).transpose(1, 2).split([heads, kv, kv], 1)
    q, k = (turn(rms_norm(part, (16,), w(f"attn.{name}_norm"), 1e-6)) for name, part in (("q", q), ("k", k)))
    context = scaled_dot_product_attention(q, k, v, bias, enable_gqa=True)
    x = x + context.transpose(1, 2).flatten(2) @ w("attn.out_proj").T
    gate, up = (rms_norm(x, (64,), w("ffn_norm"), 1e-6) @ w("ffn.proj_1").T).chunk(2, -1)
    return x + (silu(gate) * up) @ w("ffn.proj_2").T


@torch.no_grad()
def run_pytorch(weights, inputs):
    table = weights["transformer.token_embeddings.weight"]
    ids, mask = (torch.from_numpy(array) for array in inputs.values())
    seen = mask.bool()[:, None, None] & torch.ones(ids.shape[1], ids.shape[1], dtype=bool).tril()
    bias = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
    x = table[ids]
    for layer in range(2):
        x = layer_of(weights, layer, x, bias)
    return (rms_norm(x, (64,), weights["transformer.norm.weight"], 1e-6) @ table.T).numpy()


@pytest.fixture(scope="session")
def openelm(tmp_path_factory):
    folder, weights = tmp_path_factory.mktemp("openelm"), random_weights()
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder, weights


@pytest.mark.parametrize("padding", PADDINGS)
def test_outputs_are_those_of_the_reference_module(openelm, padding, tmp_path):
    folder, weights = openelm
    inputs = inputs_of(padding)
    terse("convert", folder, "-o", tmp_path / "model.onnx")
    expected, rows = run_pytorch(weights, inputs), inputs["attention_mask"].astype(bool)
    for found in (run_checkpoint(folder, inputs, tmp_path), run_onnxruntime(tmp_path / "model.onnx", inputs)):
        assert relative_error(found["logits"][rows], expected[rows]) <= 1e-4


def test_int4_reaches_all_linears_and_runs(openelm, tmp_path):
    folder, _ = openelm
    out = compress(folder, tmp_path / "out.onnx", "int4", "--report", tmp_path / "report.json")
    weights = json.loads((tmp_path / "report.json").read_text())["weights"]
    layer = "transformer.layers.1."
    kinds = {w["name"].removeprefix(layer): w["roles"][0]["kind"] for w in weights if w["name"].startswith(layer) and "int4" in w["after"]}
    assert kinds == {"attn.qkv_proj.weight": "qkv", "attn.out_proj.weight": "attention_output", "ffn.proj_1.weight": "gate_up", "ffn.proj_2.weight": "down"}
    inputs = inputs_of("none")
    theirs, ours = run_onnxruntime(out, inputs), run_terse(out, inputs, tmp_path)
    assert relative_error(ours["logits"], theirs["logits"]) <= 1e-3


@pytest.fixture(scope="session")
def with_tokenizer(tmp_path_factory):
    """A folder that llama.cpp can have, token ids for it, and the reference module's logits."""
    folder = tmp_path_factory.mktemp("openelm-gguf")
    size = gguf_models.write_tokenizer("llama.model", folder)
    weights = random_weights(size)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": size, "bos_token_id": 1, "eos_token_id": 2}))
    ids = np.random.default_rng(4).integers(5, size, (3, 13))
    return folder, ids, run_pytorch(weights, {"input_ids": ids, "attention_mask": np.ones_like(ids)})


@pytest.mark.parametrize("steps", [[], ["--pass", "quantize,type=Q8_0,only=gate_up+down"]])
def test_llama_cpp_gives_the_logits_and_the_file_comes_back(with_tokenizer, steps, tmp_path):
    folder, ids, expected = with_tokenizer
    terse("compress" if steps else "convert", folder, "-o", tmp_path / "model.gguf", *steps)
    assert relative_error(llama_cpp.logits(tmp_path / "model.gguf", ids), expected) <= (5e-2 if steps else 1e-3)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    terse("convert", tmp_path / "model.gguf", "-o", tmp_path / "back", *(["--dtype", "f32"] if steps else []))
    assert relative_error(run_checkpoint(tmp_path / "back", inputs, tmp_path)["logits"], expected) <= (2e-2 if steps else 1e-4)


def test_the_file_is_that_of_llama_cpps_own_converter(with_tokenizer, tmp_path):
    folder, _, _ = with_tokenizer
    terse("convert", folder, "-o", tmp_path / "ours.gguf")
    theirs = llama_cpp.convert(folder, tmp_path / "theirs.gguf", "f32", "default")
    found, expected = gguf_models.metadata(tmp_path / "ours.gguf"), gguf_models.metadata(theirs)
    assert not list(differences(found, expected, FREE))
    found, expected = gguf_models.tensors(tmp_path / "ours.gguf"), gguf_models.tensors(theirs)
    assert found.keys() == expected.keys()
    assert all(t[:2] == expected[n][:2] and t[2].tobytes() == expected[n][2].tobytes() for n, t in found.items())
