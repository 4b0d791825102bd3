"""`terse inspect` and `terse convert` of a 3 GB model: time and peak memory; what is converted is checked."""

import filecmp
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

from measure import best_of
from runtimes import TERSE, terse

LAYERS, WIDTH = 12, 8192


def write_large(path):
    """A chain of matrices of 268 MB each, as external data of which the file system stores nothing (a sparse file)."""
    nodes, weights = [], []
    for i in range(LAYERS):
        nodes.append(helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"], name=f"layer{i}"))
        weight = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[WIDTH, WIDTH], data_location=TensorProto.EXTERNAL)
        for key, value in {"location": "large.data", "offset": i * WIDTH * WIDTH * 4, "length": WIDTH * WIDTH * 4}.items():
            weight.external_data.add(key=key, value=str(value))
        weights.append(weight)
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", WIDTH])
    graph = helper.make_graph(nodes, "large", [value("x0")], [value(f"x{LAYERS}")], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    with open(path.parent / "large.data", "wb") as data:
        data.truncate(LAYERS * WIDTH * WIDTH * 4)
        for i in range(LAYERS):  # no two matrices alike, or they would be one weight
            data.seek(i * WIDTH * WIDTH * 4)
            data.write(np.random.default_rng(i).standard_normal(WIDTH * 64, dtype=np.float32).tobytes())


def main():
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "large.onnx"
        write_large(path)
        assert "805.3" in terse("inspect", path) or "805" in terse("inspect", path)
        seconds, memory = best_of(3, [TERSE, "inspect", path])
        print(f"inspect of {LAYERS * WIDTH * WIDTH * 4 / 1e9:.1f} GB: {seconds * 1000:.0f} ms, {memory:.0f} MB")
        out = path.parent / "out.onnx"
        seconds, memory = best_of(1, [TERSE, "convert", path, "-o", out])
        assert filecmp.cmp(path.parent / "large.data", out.parent / "out.onnx.data", shallow=False)
        print(f"convert: {seconds:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
