"""Checkpoints of tiny random encoders and encoder-decoders as transformers writes them, a row a family and head.

The graph that terse builds gives PyTorch's outputs, in terse and, converted, in onnxruntime; every preset's output runs.
"""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import families
from families import BERT_LIKE, DECODER, ENCODER, ENCODER_DECODER, FAMILIES, T5_LIKE, Family
from runtimes import PRESETS, compress, relative_error, run_onnxruntime, terse

TOLERANCE = 1e-4  # two correct executors differ by 1e-6; exact gelu in place of its tanh form by 1e-3
SIZES = (3, 13, 7)  # batch, sequence, decoder sequence

ALBERT, DISTILBERT, ELECTRA, MOBILEBERT = (FAMILIES[name].settings for name in ("albert", "distilbert", "electra", "mobilebert"))
CLASSES = dict(num_labels=3)
HIDDEN = ("last_hidden_state",)
FEATURES = FAMILIES["bert-base"].outputs
NAMES = ("albert", "bert", "bert-base", "distilbert", "electra", "electra-generator", "mobilebert", "t5", "t5-gated")
VARIANTS = {name: FAMILIES[name] for name in NAMES} | {
    "albert-groups": Family(
        "AlbertConfig", "AlbertModel", ALBERT | dict(num_hidden_layers=5, num_hidden_groups=2, inner_group_num=2), ENCODER, FEATURES
    ),
    "albert-classes": Family("AlbertConfig", "AlbertForSequenceClassification", ALBERT | CLASSES, ENCODER),
    "albert-tokens": Family("AlbertConfig", "AlbertForTokenClassification", ALBERT | dict(hidden_act="gelu"), ENCODER),
    "bert-pretraining": Family("BertConfig", "BertForPreTraining", BERT_LIKE, ENCODER, ("prediction_logits",)),
    "bert-classes": Family("BertConfig", "BertForSequenceClassification", BERT_LIKE | CLASSES, ENCODER),
    "bert-two-classes": Family("BertConfig", "BertForSequenceClassification", BERT_LIKE, ENCODER),
    "bert-tokens": Family("BertConfig", "BertForTokenClassification", BERT_LIKE | CLASSES, ENCODER),
    "bert-tanh-gelu": Family("BertConfig", "BertForMaskedLM", BERT_LIKE | dict(hidden_act="gelu_new", layer_norm_eps=1e-3), ENCODER),
    "bert-odd-width": Family("BertConfig", "BertModel", BERT_LIKE | dict(hidden_size=52, hidden_act="silu"), ENCODER, FEATURES),
    "distilbert-plain": Family("DistilBertConfig", "DistilBertModel", DISTILBERT, outputs=HIDDEN),
    "distilbert-masked": Family("DistilBertConfig", "DistilBertForMaskedLM", DISTILBERT | dict(activation="relu")),
    "distilbert-tokens": Family("DistilBertConfig", "DistilBertForTokenClassification", DISTILBERT),
    "electra-plain": Family("ElectraConfig", "ElectraModel", ELECTRA | dict(hidden_act="relu"), ENCODER, HIDDEN),
    "electra-wide": Family("ElectraConfig", "ElectraForPreTraining", ELECTRA | dict(embedding_size=64, hidden_act="relu"), ENCODER),
    "electra-classes": Family("ElectraConfig", "ElectraForSequenceClassification", ELECTRA | CLASSES, ENCODER),
    "electra-tokens": Family("ElectraConfig", "ElectraForTokenClassification", ELECTRA | CLASSES, ENCODER),
    "mobilebert-plain": Family("MobileBertConfig", "MobileBertModel", MOBILEBERT | dict(num_feedforward_networks=4), ENCODER, FEATURES),
    "mobilebert-classes": Family("MobileBertConfig", "MobileBertForSequenceClassification", MOBILEBERT | CLASSES, ENCODER),
    "mobilebert-tokens": Family("MobileBertConfig", "MobileBertForTokenClassification", MOBILEBERT | dict(num_feedforward_networks=1), ENCODER),
    "t5-encoder": Family("T5Config", "T5EncoderModel", T5_LIKE, DECODER, HIDDEN, dict(attn_implementation="eager")),
    "t5-few-buckets": Family(
        "T5Config", "T5ForConditionalGeneration",
        T5_LIKE | dict(relative_attention_num_buckets=8, relative_attention_max_distance=9, num_decoder_layers=1, d_kv=8), ENCODER_DECODER,
    ),
    "t5-silu": Family("T5Config", "T5ForConditionalGeneration", T5_LIKE | dict(feed_forward_proj="gated-silu"), ENCODER_DECODER),
}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Gives folder, inputs and PyTorch's outputs of a variant, made at its first use."""
    root, made = tmp_path_factory.mktemp("encoders"), {}

    @torch.no_grad()
    def checkpoint(variant):
        if variant not in made:
            family = VARIANTS[variant]
            model = build(variant, family)
            model.save_pretrained(root / variant)
            inputs = families.feed(family, SIZES, seed=2)
            result = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
            outputs = {name.removeprefix("prediction_"): result[name].numpy() for name in family.outputs}
            made[variant] = root / variant, inputs, outputs
        return made[variant]

    return checkpoint


def build(variant, family):
    if variant in FAMILIES:
        return families.build(variant)
    torch.manual_seed(sum(variant.encode()))
    config = getattr(transformers, family.config)(vocab_size=families.VOCABULARY, **families.special_tokens(family), **family.settings)
    model = getattr(transformers, family.model)._from_config(config, **family.loading).eval()
    families.randomise(model, family.norm_centre)
    return model


def run_checkpoint(folder, inputs, out):
    arguments = []
    for name, array in inputs.items():
        np.save(out / f"{name}.npy", array)
        arguments += ["--input", f"{name}={out / name}.npy"]
    terse("run", folder, *arguments, "--output-dir", out / "out")
    return {p.stem: np.load(p) for p in (out / "out").glob("*.npy")}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert relative_error(found[name], values) <= TOLERANCE, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_run_gives_pytorchs_outputs(checkpoints, variant, tmp_path):
    folder, inputs, expected = checkpoints(variant)
    assert_close(run_checkpoint(folder, inputs, tmp_path), expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_converted_checkpoints_run_in_onnxruntime(checkpoints, variant, tmp_path):
    folder, inputs, expected = checkpoints(variant)
    terse("convert", folder, "-o", tmp_path / "model.onnx")
    assert_close(run_onnxruntime(tmp_path / "model.onnx", inputs), expected)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("variant", ["albert", "bert", "bert-classes", "distilbert", "electra", "electra-generator", "mobilebert", "t5-gated"])
def test_compressed_checkpoints_run_in_onnxruntime_as_in_terse(checkpoints, variant, preset, tmp_path):
    folder, inputs, expected = checkpoints(variant)
    out = compress(folder, tmp_path / "out.onnx", preset)
    theirs, ours = run_onnxruntime(out, inputs), run_checkpoint(out, inputs, tmp_path)
    assert theirs.keys() == expected.keys()
    for name in theirs:
        assert relative_error(ours[name], theirs[name]) <= 1e-3


def old_names(tensors):
    """As files of 2018 have them."""
    spelled = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in tensors.items():
        for now, before in spelled.items():
            name = name.replace(now, before)
        renamed[name] = tensor
    return renamed | {"bert.embeddings.position_ids": torch.arange(64)[None], "cls.seq_relationship.weight": torch.zeros(2, 64)}


def test_old_files_give_the_same_outputs(checkpoints, tmp_path):
    folder, inputs, expected = checkpoints("bert")
    save_file(old_names(load_file(folder / "model.safetensors")), tmp_path / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    kept = {k: v for k, v in config.items() if k not in ("architectures", "model_type", "transformers_version")}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    assert_close(run_checkpoint(tmp_path, inputs, tmp_path), expected)


ROLES = {
    "query.weight": "q", "q_lin.weight": "q", ".q.weight": "q",
    "key.weight": "k", "k_lin.weight": "k", ".k.weight": "k",
    "value.weight": "v", "v_lin.weight": "v", ".v.weight": "v",
    "attention.output.dense.weight": "attention_output", "s.0.attention.dense.weight": "attention_output", "out_lin.weight": "attention_output", ".o.weight": "attention_output",
    "intermediate.dense.weight": "up", ".ffn.weight": "up", "lin1.weight": "up", "wi.weight": "up", "wi_0.weight": "gate", "wi_1.weight": "up",
    ".0.output.dense.weight": "down", ".1.output.dense.weight": "down", "ffn_output.weight": "down", "lin2.weight": "down", "wo.weight": "down",
    "word_embeddings.weight": "embedding", "shared.weight": "embedding", "token_type_embeddings.weight": "embedding",
    "position_embeddings.weight": "position", "relative_attention_bias.weight": "position",
    "lm_head.weight": "head", "cls.predictions.dense.weight": "head",
    "pooler.dense.weight": "pooler", "pooler.weight": "pooler", "dense_prediction.weight": "classifier", "classifier.out_proj.weight": "classifier", "classifier.weight": "classifier",
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_roles_of_built_graphs_are_found(checkpoints, variant):
    folder, _, _ = checkpoints(variant)
    weights = json.loads(terse("inspect", folder, "--tensors", "--json"))["model"]["weights"]
    seen = 0
    for weight in weights:
        for end, kind in ROLES.items():
            if weight["name"].endswith(end) and not weight["name"].startswith("pre_"):
                assert weight["roles"][0]["kind"] == kind, weight["name"]
                seen += 1
    assert seen >= (9 if "albert" in variant and "distil" not in variant else 13)  # ALBERT has one layer's weights, used several times
