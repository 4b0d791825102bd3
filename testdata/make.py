"""Makes everything in this folder: text, tokenizers, a language model, a classifier, exports, evaluation data, reference outputs.

    pip install torch==2.13.0 transformers==5.23.0 onnx==1.20.0 onnxscript onnxruntime
    python make.py [OUT_DIR]            about five minutes on two cores; OUT_DIR is this folder unless given

Seeded throughout: on one machine and with these versions the same command writes the same weights.
"""
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import transformers

from export import disagreement, export, reference
from grammar import Grammar
from train import (
    accuracy, byte_level_tokenizer, encode_samples, perplexity, train_classifier, train_lm, unigram_perplexity, windows, wordpiece_tokenizer,
)

WINDOWS, WINDOW_LENGTH = 64, 64
TRAINING_SEED, CALIBRATION_SEED, EVALUATION_SEED = 1, 2, 3


def documents(seed, count):
    grammar = Grammar(seed)
    return "".join(grammar.document() + "\n" for _ in range(count))


def labelled(seed, count):
    grammar = Grammar(seed)
    return [grammar.labelled_text() for _ in range(count)]


def make_lm(folder):
    """Trains, exports and measures the language model."""
    text = documents(TRAINING_SEED, 6000)
    tokenizer = byte_level_tokenizer(text)
    model = train_lm(tokenizer, text)
    save_checkpoint(model, tokenizer, folder)
    for name, seed in (("calib", CALIBRATION_SEED), ("eval", EVALUATION_SEED)):
        held_out = documents(seed, 40)
        (folder / f"{name}.txt").write_text(held_out, encoding="utf-8")
        ids = windows(tokenizer, held_out, WINDOWS, WINDOW_LENGTH)
        np.savez_compressed(folder / f"{name}.npz", input_ids=ids.numpy())
    unigram = unigram_perplexity(tokenizer(text, add_special_tokens=False)["input_ids"], ids)
    print(f"lm: held-out perplexity {perplexity(model, ids):.2f}, of unigrams {unigram:.1f}")

    inputs = lm_reference_inputs(ids.numpy())
    example = {name: torch.from_numpy(values) for name, values in inputs.items()}
    export(model, example, folder / "dynamo.onnx", dynamo=True)
    half = half_precision(model)
    half.set_attn_implementation("eager")  # the TorchScript exporter would widen what follows sdpa to float32
    export(half, example, folder / "torchscript.onnx", dynamo=False)
    save_reference(model, inputs, folder)


def lm_reference_inputs(ids):
    """Four rows of 24 tokens: two full ones, one padded on the right, one with a gap.

    Every position may look at the first token, because exporters disagree on what a row with nothing to attend to gives.
    """
    ids = ids[:4, :24].copy()
    mask = np.ones_like(ids)
    mask[2, 18:] = 0
    mask[3, 1:6] = 0
    ids[mask == 0] = 0
    return {"input_ids": ids, "attention_mask": mask}


def half_precision(model):
    """A float16 copy; its weights are exactly the model's."""
    copy = type(model)(model.config).eval()
    copy.load_state_dict(model.state_dict())
    return copy.half()


def make_classifier(folder):
    """Trains, exports and measures the classifier."""
    training = labelled(TRAINING_SEED, 12000)
    tokenizer = wordpiece_tokenizer([t for s in training for t in (s["text"], s["text_pair"]) if t])
    model = train_classifier(tokenizer, training)
    save_checkpoint(model, tokenizer, folder)
    by_id = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    (folder / "vocab.txt").write_text("\n".join(by_id) + "\n", encoding="utf-8")
    for name, seed, count in (("calib", CALIBRATION_SEED, 64), ("eval", EVALUATION_SEED, 256)):
        samples = labelled(seed, count)
        lines = [json.dumps(s, ensure_ascii=False) + "\n" for s in samples]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        inputs, labels = encode_samples(tokenizer, samples)
        arrays = {key: values.numpy() for key, values in inputs.items()}
        np.savez_compressed(folder / f"{name}.npz", **arrays, labels=labels.numpy())
    print(f"classifier: held-out accuracy {accuracy(model, inputs, labels):.3f}, by chance 0.25")

    few = {key: values[:8] for key, values in arrays.items()}
    example = {key: torch.from_numpy(values) for key, values in few.items()}
    export(model, example, folder / "dynamo.onnx", dynamo=True)
    export(model, example, folder / "torchscript.onnx", dynamo=False)
    save_reference(model, few, folder)
    save_test_data_set(model, few, folder / "test_data_set_0")


def save_checkpoint(model, tokenizer, folder):
    """A Hugging Face checkpoint in float16."""
    half_precision(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}  # the name that transformers 4 knows too
    path.write_text(json.dumps(settings, indent=2) + "\n")


def save_reference(model, inputs, folder):
    """Saves PyTorch's logits for the inputs and prints how closely onnxruntime agrees on every export."""
    expected = reference(model, inputs)
    np.savez_compressed(folder / "reference.npz", **inputs, logits=expected)
    for path in sorted(folder.glob("*.onnx")):
        print(f"{path.relative_to(folder.parent)}: {path.stat().st_size} bytes, differs from PyTorch by {disagreement(path, inputs, expected):.1e}")


def save_test_data_set(model, inputs, folder):
    """The same in the layout of ONNX's own tests: two samples as one batch, a protobuf file per input and output."""
    folder.mkdir(exist_ok=True)
    inputs = {name: values[:2] for name, values in inputs.items()}
    tensors = [(f"input_{i}", name, values) for i, (name, values) in enumerate(inputs.items())]
    for file, name, values in [*tensors, ("output_0", "logits", reference(model, inputs))]:
        (folder / f"{file}.pb").write_bytes(onnx.numpy_helper.from_array(values, name).SerializeToString())


def main():
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, make in (("classifier", make_classifier), ("lm", make_lm)):
        torch.manual_seed(20260101)
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
        make(root / name)


if __name__ == "__main__":
    main()
