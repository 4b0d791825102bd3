"""Exports models to ONNX with both of torch's exporters, and compares the files with PyTorch."""
import re

import numpy as np
import onnx
import onnxruntime
import torch
from transformers import GenerationMixin

# A source file's place on the machine that exported; the names of nodes have slashes too, but end otherwise.
SOURCE_FILE = re.compile(rb"/[\w./+-]+\.py\b|site-packages")


class Logits(torch.nn.Module):
    """A model as exporters like it: positional inputs, the logits as output, no cache."""

    def __init__(self, model, inputs):
        super().__init__()
        self.model, self.inputs = model, inputs
        self.options = {"use_cache": False} if isinstance(model, GenerationMixin) else {}

    def forward(self, *values):
        return self.model(**dict(zip(self.inputs, values)), **self.options).logits


def export(model, samples, path, dynamo):
    """Writes one `.onnx` file with dynamic batch and sequence axes; `samples` maps each graph input to an example [batch, sequence]."""
    names = list(samples)
    options = dynamo_options(names) if dynamo else torchscript_options(names, model)
    with torch.no_grad():
        wrapped = Logits(model, names).eval()
        torch.onnx.export(wrapped, tuple(samples.values()), str(path), input_names=names, output_names=["logits"], **options)
    remove_traces(path)


def dynamo_options(names):
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence", min=2)}
    return {"dynamo": True, "opset_version": 20, "external_data": False, "verbose": False, "dynamic_shapes": ((axes,) * len(names),)}


def torchscript_options(names, model):
    axes = {0: "batch", 1: "sequence"}
    logits = axes if isinstance(model, GenerationMixin) else {0: "batch"}
    return {"dynamo": False, "opset_version": 17, "dynamic_axes": {**{name: axes for name in names}, "logits": logits}}


def remove_traces(path):
    """Drops what exporters say of the machine they ran on, stack traces above all, and keeps the module paths of the nodes."""
    model = onnx.load(str(path))
    graph = model.graph
    for thing in [model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info]:
        kept = [p for p in thing.metadata_props if not is_trace(p)]
        del thing.metadata_props[:]
        thing.metadata_props.extend(kept)
        thing.ClearField("doc_string")
    onnx.save(model, str(path))
    found = SOURCE_FILE.search(path.read_bytes())
    assert not found, f"{path} still names {found[0]}"


def is_trace(entry):
    return "stack_trace" in entry.key or SOURCE_FILE.search(entry.value.encode())


@torch.no_grad()
def reference(model, inputs):
    """PyTorch's float32 logits, each sample run on its own, as the files' users run them: [samples, ...]."""
    tensors = [torch.from_numpy(values).split(1) for values in inputs.values()]
    return torch.cat([Logits(model, list(inputs))(*sample) for sample in zip(*tensors)]).numpy()


def disagreement(path, inputs, expected):
    """Largest difference of onnxruntime's logits from the expected ones, as a share of the largest logit."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], inputs)[0]
    return float(np.abs(logits - expected).max() / np.abs(expected).max())
