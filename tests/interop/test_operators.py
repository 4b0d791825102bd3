"""Forms of operators that ONNX's node tests do not have, judged by onnxruntime: those of older opsets, and com.microsoft's."""

import os
import subprocess

import numpy as np
import onnxruntime
from onnx import ValueInfoProto, helper, numpy_helper

from runtimes import TERSE

RANDOM = np.random.default_rng(7)
X = RANDOM.standard_normal((2, 3, 4)).astype(np.float32)
ROW = RANDOM.standard_normal((1, 3, 1)).astype(np.float32)

# name, opset, operator, attributes, inputs, outputs
OLD_FORMS = [
    ("reduce_mean", 11, "ReduceMean", {"axes": [0, -1], "keepdims": 0}, [X], 1),
    ("reduce_mean_all", 7, "ReduceMean", {}, [X], 1),
    ("reduce_sum", 11, "ReduceSum", {"axes": [1]}, [X], 1),
    ("reduce_max", 12, "ReduceMax", {"axes": [2]}, [X], 1),
    ("reduce_l2", 17, "ReduceL2", {"axes": [2]}, [X], 1),
    ("squeeze", 7, "Squeeze", {"axes": [0]}, [ROW], 1),
    ("squeeze_all", 11, "Squeeze", {}, [ROW], 1),
    ("unsqueeze", 11, "Unsqueeze", {"axes": [0, 4]}, [X], 1),
    ("split", 11, "Split", {"axis": 2, "split": [1, 3]}, [X], 2),
    ("split_even", 11, "Split", {"axis": 2}, [X], 2),
    ("split_even_13", 13, "Split", {"axis": 1}, [X], 3),
    ("slice", 9, "Slice", {"starts": [0, -2], "ends": [1, 100], "axes": [0, 2]}, [X], 1),
    ("slice_first_axes", 7, "Slice", {"starts": [1, 0], "ends": [2, -1]}, [X], 1),
    ("pad", 10, "Pad", {"pads": [0, 1, 0, 0, 0, 2], "value": 2.5}, [X], 1),
    ("pad_reflect", 9, "Pad", {"pads": [0, 1, 0, 0, 1, 2], "mode": "reflect"}, [X], 1),
    ("pad_half", 10, "Pad", {"pads": [0, 1, 0, 0, 0, 2], "value": 2.5}, [X.astype(np.float16)], 1),
    ("clip", 10, "Clip", {"min": -0.5, "max": 0.25}, [X], 1),
    ("clip_max", 7, "Clip", {"max": 0.25}, [X], 1),
    ("top_k", 9, "TopK", {"k": 2, "axis": 1}, [X], 2),
    ("dropout", 10, "Dropout", {"ratio": 0.9}, [X], 1),
    ("dropout_7", 7, "Dropout", {}, [X], 1),
    ("softmax_default", 11, "Softmax", {}, [X], 1),
    ("softmax_axis_0", 12, "Softmax", {"axis": 0}, [X], 1),
    ("softmax_last", 7, "Softmax", {"axis": 2}, [X], 1),
    ("log_softmax", 11, "LogSoftmax", {"axis": 1}, [X], 1),
    ("hardmax", 11, "Hardmax", {"axis": 1}, [X], 1),
    ("batch_normalization", 8, "BatchNormalization", {}, [X, *([np.abs(X[0, :, 0]) + 1] * 4)], 1),
    ("batch_normalization_9", 9, "BatchNormalization", {"epsilon": 1e-3}, [X, *([np.abs(X[0, :, 0]) + 1] * 4)], 1),
    ("scatter", 9, "Scatter", {"axis": 1}, [X, np.array([[[2], [0]]]), np.array([[[5], [6]]], np.float32)], 1),
    ("dequantize_scalar", 10, "DequantizeLinear", {}, [np.arange(6, dtype=np.uint8).reshape(2, 3), np.float32(0.5), np.uint8(3)], 1),
    ("one_hot", 9, "OneHot", {}, [np.array([1, -1, 7]), np.array(3), np.array([0, 2], np.float32)], 1),
]


def block_quantized(bits, columns, blocks, zero_points):
    """A table of packed codes, an index tensor, scales, perhaps zero points."""
    rows = 10
    inputs = [
        RANDOM.integers(0, 256, (rows, columns * bits // 8), dtype=np.uint8),
        np.array([[3, 0, -1], [9, 9, 5]]),
        RANDOM.standard_normal((rows, blocks)).astype(np.float32),
    ]
    if zero_points:
        inputs.append(RANDOM.integers(0, 256, (rows, (blocks * bits + 7) // 8), dtype=np.uint8))
    return inputs


CONTRIB = [
    (f"gather_block_{bits}_{'asymmetric' if zero else 'symmetric'}", 21, "GatherBlockQuantized", {"bits": bits, "block_size": 16}, block_quantized(bits, 48, 3, zero), 1)
    for bits in (4, 8)
    for zero in (False, True)
]


def write_test(folder, domain, opset, operator, attributes, inputs, outputs):
    """A folder as ONNX's node tests have it, with onnxruntime's results."""
    inputs = [np.asarray(i) for i in inputs]
    names = [f"input_{i}" for i in range(len(inputs))]
    results = [f"output_{i}" for i in range(outputs)]
    node = helper.make_node(operator, names, results, domain=domain, **attributes)
    given = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(i.dtype), i.shape) for n, i in zip(names, inputs)]
    made = [ValueInfoProto(name=n) for n in results]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], operator, given, made), opset_imports=opsets, ir_version=min(8, 3 + opset // 3))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, dict(zip(names, inputs)))
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for kind, arrays in (("input", inputs), ("output", expected)):
        for i, array in enumerate(arrays):
            (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(array)).SerializeToString())


def run_tests(folder, count):
    program = TERSE.parent / "tests/calibration_tests"
    environment = {**os.environ, "TERSE_NODE_TESTS": str(folder)}
    done = subprocess.run([str(program), "--test-suite=calibration/node"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    run = sum(int(line.split()[1]) for line in done.stdout.splitlines() if " tests run, " in line)
    assert run == count, done.stdout[-4000:]


def test_older_forms_compute_what_they_compute_in_onnxruntime(tmp_path):
    for name, opset, *rest in OLD_FORMS:
        write_test(tmp_path / name, "", opset, *rest)
    run_tests(tmp_path, len(OLD_FORMS))


def test_microsoft_operators_compute_what_they_compute_in_onnxruntime(tmp_path):
    for name, opset, *rest in CONTRIB:
        write_test(tmp_path / name, "com.microsoft", opset, *rest)
    run_tests(tmp_path, len(CONTRIB))
