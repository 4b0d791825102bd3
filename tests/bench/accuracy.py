"""Size and accuracy of every recipe on the two real models, measured in onnxruntime."""

import pathlib
import sys
import tempfile

import numpy as np

import measure  # noqa: F401  (finds runtimes)
from runtimes import PRESETS, compress, cosines, kl_divergence, mean_pooled, session


def windows(model):
    with np.load(model.parents[1] / "eval-30x256.npz") as saved:
        return saved["input_ids"]


def logits(runtime, ids):
    feeds = {"input_ids": ids[None], "attention_mask": np.ones_like(ids[None])}
    return runtime.run(["logits"], {i.name: feeds[i.name] for i in runtime.get_inputs()})[0][0]


def reference_logits(model, count=None):
    """The first `count` windows with the logits that the uncompressed model gives."""
    runtime = session(model)
    return [(row, logits(runtime, row)) for row in windows(model)[:count]]


def divergence(model, references):
    runtime = session(model)
    return np.mean([kl_divergence(expected, logits(runtime, ids)) for ids, expected in references])


def sentence_vectors(model, sentences):
    runtime = session(model)
    names = [i.name for i in runtime.get_inputs()]
    out = []
    for start in range(0, len(sentences["input_ids"]), 20):
        feeds = {name: sentences[name][start : start + 20] for name in names}
        hidden = runtime.run(["last_hidden_state"], feeds)[0]
        out.append(mean_pooled(hidden, feeds["attention_mask"]))
    return np.concatenate(out)


def language_model(folder, out, recipes):
    model = folder / "smollm2-onnx/dynamo/model.onnx"
    references = reference_logits(model)
    print(f"language model: {model.stat().st_size / 1e6:.1f} MB")
    for name, arguments in recipes.items():
        compress(model, out, *arguments)
        print(f"  {name:28} {out.stat().st_size / 1e6:7.1f} MB  KL {divergence(out, references):.4f} nats")


def encoder(folder, out, recipes):
    model = folder / "minilm-onnx/dynamo/model.onnx"
    with np.load(folder / "minilm-onnx/sentences-300.npz") as saved:
        sentences = dict(saved)
    expected = sentence_vectors(model, sentences)
    print(f"MiniLM: {model.stat().st_size / 1e6:.1f} MB")
    for name, arguments in recipes.items():
        compress(model, out, *arguments)
        found = cosines(sentence_vectors(out, sentences), expected)
        print(f"  {name:28} {out.stat().st_size / 1e6:7.1f} MB  cosine mean {found.mean():.5f}, worst {found.min():.5f}")


def main(models):
    recipes = {preset: [preset] for preset in PRESETS}
    with tempfile.TemporaryDirectory() as temporary:
        out = pathlib.Path(temporary) / "out.onnx"
        eight_bit = pathlib.Path(temporary) / "int8-block32.txt"
        eight_bit.write_text("quantize,bits=8,block=32\n")
        recipes["8-bit block 32, linears"] = [eight_bit]
        encoder(pathlib.Path(models), out, recipes)
        language_model(pathlib.Path(models), out, recipes)


if __name__ == "__main__":
    main(sys.argv[1])
