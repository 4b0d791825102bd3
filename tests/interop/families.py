"""Makes tiny random models of every family that terse must handle, as torch's two ONNX exporters and transformers write them.

    pip install torch==2.13.0 transformers==5.23.0 onnx==1.20.0 onnxscript onnxruntime
    python families.py OUT_DIR [FAMILY...]

Writes OUT_DIR/FAMILY-KIND/ for the kinds dynamo, torchscript (model.onnx) and checkpoint (config.json, model.safetensors), each with
inputs.npz (one feed of the graph's inputs, its batch and lengths other than those exported with, its masks with zeros) and outputs.npz
(PyTorch's float32 outputs for it). Prints how closely onnxruntime agrees. Nothing is stripped: real exporters' output is the point.
"""
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers

VOCABULARY = 256
EXPORTED, FED = (2, 9, 6), (3, 13, 7)  # batch, sequence, decoder sequence
KINDS = ("dynamo", "torchscript", "checkpoint")
DIMENSIONS = {
    "input_ids": ("batch", "sequence"),
    "attention_mask": ("batch", "sequence"),
    "token_type_ids": ("batch", "sequence"),
    "decoder_input_ids": ("batch", "decoder_sequence"),
}
DECODER = ("input_ids", "attention_mask")
ENCODER = ("input_ids", "attention_mask", "token_type_ids")
ENCODER_DECODER = ("input_ids", "attention_mask", "decoder_input_ids")

LLAMA_LIKE = dict(
    hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=160, max_position_embeddings=64
)
BERT_LIKE = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=160, max_position_embeddings=64)
T5_LIKE = dict(d_model=64, d_kv=16, d_ff=160, num_layers=2, num_heads=4, decoder_start_token_id=0)


@dataclass(frozen=True)
class Family:
    """One row: classes of transformers by name, the configuration's settings, the graph's inputs and outputs."""

    config: str
    model: str
    settings: dict
    inputs: tuple = DECODER
    outputs: tuple = ("logits",)
    loading: dict = field(default_factory=dict)  # arguments of from_config
    norm_centre: float = 1.0  # what a normalisation's gain is spread around


FAMILIES = {
    "bert": Family("BertConfig", "BertForMaskedLM", BERT_LIKE, ENCODER),
    "bert-base": Family("BertConfig", "BertModel", BERT_LIKE, ENCODER, ("last_hidden_state", "pooler_output")),
    "distilbert": Family(
        "DistilBertConfig", "DistilBertForSequenceClassification",
        dict(dim=64, hidden_dim=160, n_layers=2, n_heads=4, max_position_embeddings=64, num_labels=3),
    ),
    "albert": Family("AlbertConfig", "AlbertForMaskedLM", BERT_LIKE | dict(embedding_size=32, num_hidden_layers=3), ENCODER),
    "electra": Family("ElectraConfig", "ElectraForPreTraining", BERT_LIKE | dict(embedding_size=32), ENCODER),
    "electra-generator": Family("ElectraConfig", "ElectraForMaskedLM", BERT_LIKE | dict(embedding_size=32), ENCODER),
    "mobilebert": Family(
        "MobileBertConfig", "MobileBertForMaskedLM",
        BERT_LIKE | dict(embedding_size=32, intra_bottleneck_size=32, intermediate_size=96, num_feedforward_networks=2), ENCODER,
    ),
    "gpt2": Family("GPT2Config", "GPT2LMHeadModel", dict(n_embd=64, n_layer=2, n_head=4, n_positions=64)),
    "gpt_neo": Family(
        "GPTNeoConfig", "GPTNeoForCausalLM",
        dict(hidden_size=64, num_layers=2, num_heads=4, max_position_embeddings=64, window_size=5, attention_types=[[["global", "local"], 1]]),
    ),
    "gptj": Family("GPTJConfig", "GPTJForCausalLM", dict(n_embd=64, n_layer=2, n_head=4, n_positions=64, rotary_dim=8)),
    "phi": Family("PhiConfig", "PhiForCausalLM", LLAMA_LIKE | dict(num_key_value_heads=4, partial_rotary_factor=0.5)),
    "phi3": Family("Phi3Config", "Phi3ForCausalLM", LLAMA_LIKE | dict(sliding_window=5)),
    "llama": Family("LlamaConfig", "LlamaForCausalLM", LLAMA_LIKE | dict(tie_word_embeddings=True)),
    "llama3": Family(
        "LlamaConfig", "LlamaForCausalLM",
        LLAMA_LIKE | dict(head_dim=32, max_position_embeddings=128, rope_parameters=dict(
            rope_type="llama3", rope_theta=5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
    ),
    "qwen2": Family("Qwen2Config", "Qwen2ForCausalLM", LLAMA_LIKE),
    "qwen3": Family("Qwen3Config", "Qwen3ForCausalLM", LLAMA_LIKE | dict(head_dim=32, tie_word_embeddings=True)),
    "mistral": Family("MistralConfig", "MistralForCausalLM", LLAMA_LIKE | dict(sliding_window=5)),
    "mixtral": Family(
        "MixtralConfig", "MixtralForCausalLM", LLAMA_LIKE | dict(num_local_experts=4, num_experts_per_tok=2, sliding_window=None),
        loading=dict(experts_implementation="batched_mm"),
    ),
    "granite": Family(
        "GraniteConfig", "GraniteForCausalLM", LLAMA_LIKE | dict(
            embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.5, logits_scaling=2.0, tie_word_embeddings=True),
    ),
    "granitemoe": Family(
        "GraniteMoeConfig", "GraniteMoeForCausalLM", LLAMA_LIKE | dict(
            num_local_experts=4, num_experts_per_tok=2, embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.5,
            logits_scaling=2.0, tie_word_embeddings=True),
        loading=dict(experts_implementation="batched_mm"),
    ),
    "gemma": Family("GemmaConfig", "GemmaForCausalLM", LLAMA_LIKE | dict(head_dim=32, num_key_value_heads=1), norm_centre=0.0),
    "gemma2": Family(
        "Gemma2Config", "Gemma2ForCausalLM", LLAMA_LIKE | dict(head_dim=32, query_pre_attn_scalar=16, sliding_window=5),
        loading=dict(attn_implementation="eager"), norm_centre=0.0,
    ),
    "t5": Family("T5Config", "T5ForConditionalGeneration", T5_LIKE, ENCODER_DECODER, loading=dict(attn_implementation="eager")),
    "t5-gated": Family(
        "T5Config", "T5ForConditionalGeneration", T5_LIKE | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        ENCODER_DECODER, loading=dict(attn_implementation="eager"),
    ),
}


class Positional(torch.nn.Module):
    """A model as exporters like it: positional inputs, a tuple of tensors as output, no cache."""

    def __init__(self, model, family):
        super().__init__()
        self.model, self.inputs, self.outputs = model, family.inputs, family.outputs
        self.options = {"use_cache": False} if isinstance(model, transformers.GenerationMixin) else {}

    def forward(self, *values):
        result = self.model(**dict(zip(self.inputs, values)), **self.options)
        return tuple(result[name] for name in self.outputs)


def build(name):
    """A family's random model, the same on every call."""
    family = FAMILIES[name]
    torch.manual_seed(sum(name.encode()))
    config = getattr(transformers, family.config)(vocab_size=VOCABULARY, **special_tokens(family), **family.settings)
    model = getattr(transformers, family.model)._from_config(config, **family.loading).eval()
    untie(model, family)
    randomise(model, family.norm_centre)
    return model


def untie(model, family):
    """transformers ties T5's head whatever its configuration says."""
    if not family.settings.get("tie_word_embeddings", True):
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())


def special_tokens(family):
    """Token ids inside the small vocabulary, where the family's own defaults are not."""
    ids = {"pad_token_id": 0}
    return ids if family.inputs == ENCODER or "DistilBert" in family.config else ids | {"bos_token_id": 1, "eos_token_id": 2}


@torch.no_grad()
def randomise(model, norm_centre):
    """Weights of a trained model's scale: unit-gain matrices, spread gains of normalisations, biases that matter."""
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape)
        if weight.dim() > 1:
            fan_in = 1 if is_table(model, weight) else weight.shape[0 if is_conv1d(model, name) else -1]
            weight.copy_(noise * (0.3 if fan_in == 1 else fan_in**-0.5) * share_of_scores(model, name))
        elif name.endswith("weight"):
            weight.copy_(norm_centre + 0.2 * noise)
        else:
            weight.copy_(0.1 * noise)


def share_of_scores(model, name):
    """T5's scores have no scale: it is in the weights of its queries."""
    return model.config.d_kv**-0.5 if name.endswith("Attention.q.weight") else 1


def is_table(model, weight):
    return any(isinstance(m, torch.nn.Embedding) and m.weight is weight for m in model.modules())


def is_conv1d(model, name):
    """Whether a weight is one of GPT-2's linears, which are stored as [in, out]."""
    return type(model.get_submodule(name.rpartition(".")[0])).__name__ == "Conv1D"


def feed(family, sizes, seed):
    """Random inputs, int64; masks have padding at the end and a gap, and always keep the first token."""
    random = np.random.default_rng(seed)
    length = dict(zip(("batch", "sequence", "decoder_sequence"), sizes))
    draw = {
        "attention_mask": padding_mask,
        "token_type_ids": lambda shape: np.arange(shape[1])[None].repeat(shape[0], 0) * 2 // shape[1],
    }
    shapes = {name: tuple(length[axis] for axis in DIMENSIONS[name]) for name in family.inputs}
    values = {name: draw.get(name, lambda shape: random.integers(3, VOCABULARY, shape))(shape) for name, shape in shapes.items()}
    return {name: array.astype(np.int64) for name, array in values.items()}


def padding_mask(shape):
    """Row 0 full, row 1 padded at its end, row 2 (if any) with a gap."""
    mask = np.ones(shape)
    mask[1, -3:] = 0
    mask[2:, 2:4] = 0
    return mask


def tensors(inputs):
    return tuple(torch.from_numpy(values) for values in inputs.values())


@torch.no_grad()
def save(model, family, kind, folder):
    """Writes the model into the folder, in the form that the kind names."""
    if kind == "checkpoint":
        model.save_pretrained(folder)
        return
    names = {"input_names": list(family.inputs), "output_names": list(family.outputs)}
    options = dynamo_options(family) if kind == "dynamo" else torchscript_options(family)
    torch.onnx.export(Positional(model, family).eval(), tensors(feed(family, EXPORTED, seed=1)), str(folder / "model.onnx"), **names, **options)


def dynamo_options(family):
    dims = {axis: torch.export.Dim(axis, min=2, max=64) for axis in ("batch", "sequence", "decoder_sequence")}
    shapes = tuple({i: dims[axis] for i, axis in enumerate(DIMENSIONS[name])} for name in family.inputs)
    return {"dynamo": True, "opset_version": 20, "external_data": False, "verbose": False, "dynamic_shapes": (shapes,)}


def torchscript_options(family):
    axes = {name: dict(enumerate(DIMENSIONS[name])) for name in family.inputs}
    return {"dynamo": False, "opset_version": 17, "dynamic_axes": axes | {name: {0: "batch"} for name in family.outputs}}


@torch.no_grad()
def make(name, kind, out):
    """Writes OUT/NAME-KIND/ and returns it."""
    family, model = FAMILIES[name], build(name)
    folder = Path(out) / f"{name}-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    inputs = feed(family, FED, seed=2)
    results = Positional(model, family)(*tensors(inputs))
    np.savez(folder / "inputs.npz", **inputs)
    np.savez(folder / "outputs.npz", **{output: values.numpy() for output, values in zip(family.outputs, results)})
    save(model, family, kind, folder)
    return folder


def disagreement(folder):
    """Largest difference of onnxruntime's outputs from the saved ones, as a share of the largest value of each."""
    inputs, outputs = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    known = {node.name for node in session.get_inputs()}
    results = session.run(list(outputs), {name: inputs[name] for name in inputs if name in known})
    return max(np.abs(result - outputs[name]).max() / np.abs(outputs[name]).max() for name, result in zip(outputs, results))


def export_family(name, out):
    """Writes a family in every kind; for each a line of how large it is and how closely onnxruntime agrees, or why there is none."""
    return {kind: report(name, kind, out) for kind in KINDS}


def report(name, kind, out):
    try:
        folder = make(name, kind, out)
        if kind == "checkpoint":
            return "written"
        nodes = len(onnx.load(str(folder / "model.onnx"), load_external_data=False).graph.node)
        return f"{nodes} nodes, {(folder / 'model.onnx').stat().st_size} bytes, differs from PyTorch by {disagreement(folder):.1e}"
    except Exception as error:  # any failure of an exporter is a row of the table, not the end of it
        lines = str(error).strip().splitlines() or [""]
        return f"failed: {type(error).__name__}: {lines[0][:200]}"


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    out, names = sys.argv[1], sys.argv[2:] or list(FAMILIES)
    for name in names:
        for kind, line in export_family(name, out).items():
            print(f"{name}-{kind}: {line}", flush=True)


if __name__ == "__main__":
    main()
