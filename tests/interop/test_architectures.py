"""Checkpoints of tiny random models as transformers writes them: the graph that terse builds gives PyTorch's outputs, in terse and in onnxruntime.

Every family in both dialects of config.json, with rows that are not padded, padded on the right and on the left.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
import transformers

import families
from families import FAMILIES, LLAMA_LIKE, Family
from runtimes import relative_error, run_onnxruntime, session, terse

TOLERANCE = 1e-4  # two correct executors differ by 1e-6; a wrong epsilon by 1e-2

GPT2, GPT_NEO = FAMILIES["gpt2"].settings, FAMILIES["gpt_neo"].settings
NAMES = ("gemma", "gemma2", "gpt2", "gpt_neo", "gptj", "granite", "granitemoe", "llama", "llama3", "mistral", "mixtral", "phi", "phi3")


def longrope(trained):
    """Settings of a model that was trained on so many tokens; transformers writes into them."""
    short, long = [1.0 + i / 8 for i in range(8)], [2.0 + i for i in range(8)]
    rope = dict(rope_type="longrope", rope_theta=1e4, short_factor=short, long_factor=long)
    return LLAMA_LIKE | dict(original_max_position_embeddings=trained, rope_parameters=rope)


VARIANTS = {name: FAMILIES[name] for name in NAMES} | {
    "gemma2-uncapped": dataclasses.replace(
        FAMILIES["gemma2"], settings=FAMILIES["gemma2"].settings | dict(attn_logit_softcapping=None, final_logit_softcapping=None)
    ),
    "gpt_neo-runs": Family(
        "GPTNeoConfig", "GPTNeoForCausalLM",
        GPT_NEO | dict(num_layers=3, attention_types=[[["local"], 1], [["global", "local"], 1]], intermediate_size=96),
    ),
    "gpt2-scores": Family("GPT2Config", "GPT2LMHeadModel", GPT2 | dict(scale_attn_by_inverse_layer_idx=True, n_inner=96)),
    "gpt2-unscaled": Family("GPT2Config", "GPT2LMHeadModel", GPT2 | dict(scale_attn_weights=False, activation_function="relu")),
    "gpt2-plain": Family("GPT2Config", "GPT2Model", GPT2, outputs=("last_hidden_state",)),
    "gpt2-classes": Family("GPT2Config", "GPT2ForSequenceClassification", GPT2 | dict(num_labels=3)),
    "llama-biases": Family("LlamaConfig", "LlamaForCausalLM", LLAMA_LIKE | dict(attention_bias=True, mlp_bias=True)),
    "llama-linear": Family(
        "LlamaConfig", "LlamaForCausalLM", LLAMA_LIKE | dict(rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=4.0))
    ),
    "llama-dynamic": Family(
        "LlamaConfig", "LlamaForCausalLM",
        LLAMA_LIKE | dict(max_position_embeddings=8, rope_parameters=dict(rope_type="dynamic", rope_theta=1e4, factor=4.0)),
    ),
    "llama-yarn": Family(
        "LlamaConfig", "LlamaForCausalLM",
        LLAMA_LIKE | dict(rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=16)),
    ),
    "llama-plain": Family("LlamaConfig", "LlamaModel", LLAMA_LIKE, outputs=("last_hidden_state",)),
    "llama-classes": Family("LlamaConfig", "LlamaForSequenceClassification", LLAMA_LIKE | dict(num_labels=3)),
    "phi-norms": Family("PhiConfig", "PhiForCausalLM", FAMILIES["phi"].settings | dict(qk_layernorm=True, num_key_value_heads=2)),
    "phi3-long": Family("Phi3Config", "Phi3ForCausalLM", longrope(trained=8)),
    "phi3-short": Family("Phi3Config", "Phi3ForCausalLM", longrope(trained=32)),
    "qwen2": Family("Qwen2Config", "Qwen2ForCausalLM", LLAMA_LIKE),
    "qwen2-late-windows": Family(
        "Qwen2Config", "Qwen2ForCausalLM", LLAMA_LIKE | dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)
    ),
    "qwen3": Family("Qwen3Config", "Qwen3ForCausalLM", LLAMA_LIKE | dict(head_dim=32, tie_word_embeddings=True)),
    "qwen3_moe": Family(
        "Qwen3MoeConfig", "Qwen3MoeForCausalLM",
        LLAMA_LIKE | dict(head_dim=32, num_hidden_layers=3, moe_intermediate_size=96, num_experts=6, num_experts_per_tok=3, mlp_only_layers=[1]),
    ),
    "qwen3_moe-shares": Family(
        "Qwen3MoeConfig", "Qwen3MoeForCausalLM",
        LLAMA_LIKE | dict(head_dim=32, moe_intermediate_size=96, num_experts=6, num_experts_per_tok=3, norm_topk_prob=True, decoder_sparse_step=2),
    ),
    "mistral-unlimited": Family("MistralConfig", "MistralForCausalLM", LLAMA_LIKE | dict(sliding_window=None)),
}


def as_transformers_4(config):
    """A configuration in the older spelling."""
    rope = dict(config.pop("rope_parameters", None) or {})
    if rope:
        config["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope:
            config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        config["rope_scaling"] = rope if rope["rope_type"] != "default" else None
        if rope["rope_type"] == "linear":
            rope["type"] = rope.pop("rope_type")
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    if config["model_type"] == "gemma":
        config["hidden_act"] = "gelu"  # which meant the tanh form
    return config | {"transformers_version": "4.38.0"}


DIALECTS = {"transformers-4": as_transformers_4, "transformers-5": lambda config: config}
PADDINGS = {"none": [], "right": [(1, slice(-4, None)), (2, slice(-1, None))], "left": [(1, slice(0, 4)), (2, slice(0, 1))]}


def inputs_of(padding):
    ids = np.random.default_rng(3).integers(3, families.VOCABULARY, (3, 13))
    mask = np.ones_like(ids)
    for row, columns in PADDINGS[padding]:
        mask[row, columns] = ids[row, columns] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Gives model and folder of a variant, made at its first use."""
    root, made = tmp_path_factory.mktemp("architectures"), {}

    def model(variant):
        if variant not in made:
            family = VARIANTS[variant]
            torch.manual_seed(sum(variant.encode()))
            config = getattr(transformers, family.config)(vocab_size=families.VOCABULARY, **families.special_tokens(family), **family.settings)
            built = getattr(transformers, family.model)._from_config(config, **family.loading).eval()
            families.randomise(built, family.norm_centre)
            built.save_pretrained(root / variant)
            made[variant] = built
        return made[variant], root / variant

    return model


def in_dialect(folder, dialect):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    if config["transformers_version"].startswith("5."):
        (folder / "config-5.json").write_text(json.dumps(config))
    file.write_text(json.dumps(DIALECTS[dialect](json.loads((folder / "config-5.json").read_text()))))
    return folder


@torch.no_grad()
def run_pytorch(model, inputs, outputs):
    result = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: result[name].numpy() for name in outputs}


def run_checkpoint(folder, inputs, out):
    out.mkdir(parents=True, exist_ok=True)
    arguments = []
    for name, array in inputs.items():
        np.save(out / f"{name}.npy", array)
        arguments += ["--input", f"{name}={out / name}.npy"]
    terse("run", folder, *arguments, "--output-dir", out / "out")
    return {p.stem: np.load(p) for p in (out / "out").glob("*.npy")}


def assert_close(found, expected, mask):
    """Rows of padding do not count: nobody reads them."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        rows = mask.astype(bool) if values.ndim == 3 else slice(None)
        assert relative_error(found[name][rows], values[rows]) <= TOLERANCE, name


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_run_gives_pytorchs_outputs(models, variant, dialect, padding, tmp_path):
    model, folder = models(variant)
    inputs = inputs_of(padding)
    expected = run_pytorch(model, inputs, VARIANTS[variant].outputs)
    assert_close(run_checkpoint(in_dialect(folder, dialect), inputs, tmp_path), expected, inputs["attention_mask"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_converted_checkpoints_run_in_onnxruntime(models, variant, tmp_path):
    model, folder = models(variant)
    terse("convert", in_dialect(folder, "transformers-5"), "-o", tmp_path / "model.onnx")
    for padding in PADDINGS:
        inputs = inputs_of(padding)
        expected = run_pytorch(model, inputs, VARIANTS[variant].outputs)
        assert_close(run_onnxruntime(tmp_path / "model.onnx", inputs), expected, inputs["attention_mask"])


@pytest.mark.parametrize("variant", [name for name in VARIANTS if "plain" not in name and "classes" not in name])
def test_roles_of_built_graphs_are_found(models, variant):
    _, folder = models(variant)
    weights = json.loads(terse("inspect", in_dialect(folder, "transformers-5"), "--tensors", "--json"))["model"]["weights"]
    roles = {w["name"]: [(role["kind"], role.get("layer")) for role in w["roles"]] for w in weights}
    expected = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "o_proj": "attention_output", "gate_proj": "gate", "up_proj": "up", "down_proj": "down"}
    expected |= {"attn.c_attn": "qkv", "attn.c_proj": "attention_output", "mlp.c_fc": "up", "mlp.c_proj": "down"}
    expected |= {"qkv_proj": "qkv", "gate_up_proj": "gate_up", "out_proj": "attention_output", "self_attn.dense": "attention_output"}
    expected |= {"fc1": "up", "fc2": "down", "fc_in": "up", "fc_out": "down", "w1": "gate", "w3": "up", "w2": "down", "router.layer": "router"}
    seen = 0
    for name, found in roles.items():
        for part, kind in expected.items():
            if name.endswith(f".{part}.weight"):
                layer = int(name.split(".")[2])
                assert found == [(kind, layer)], name
                seen += 1
    assert seen >= 8


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("variant", ["gemma", "gemma2", "gpt2", "gpt_neo", "gptj", "granite", "llama3", "mistral", "mixtral", "phi", "phi3", "phi3-short", "qwen3"])
def test_a_cache_goes_in_and_out(models, variant, padding, tmp_path):
    """The first tokens with an empty cache, then the rest with theirs: the logits of all at once."""
    model, folder = models(variant)
    terse("convert", in_dialect(folder, "transformers-5"), "-o", tmp_path / "model.onnx", "--kv-cache")
    runtime = session(tmp_path / "model.onnx")
    inputs = inputs_of(padding)
    ids, mask = inputs.values()
    cache = {i.name: np.zeros([len(ids), i.shape[1], 0, i.shape[3]], np.float32) for i in runtime.get_inputs() if i.name.startswith("past")}
    logits = []
    for begin, end in [(0, 6), (6, 12), (12, 13)]:
        positions = np.arange(begin, end)[None].repeat(len(ids), 0)
        feed = {"input_ids": ids[:, begin:end], "attention_mask": mask[:, :end], "position_ids": positions}
        found, *present = runtime.run(None, feed | cache)
        logits.append(found)
        cache = {o.name.replace("present", "past_key_values"): values for o, values in zip(runtime.get_outputs()[1:], present)}
    assert_close({"logits": np.concatenate(logits, 1)}, run_pytorch(model, inputs, ["logits"]), mask)
