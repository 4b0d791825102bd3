"""Mixtures of experts: every expert's matrices are quantized, measured, left out and written by themselves, and the files run.

Folders, GGUF files and their types are in test_architectures.py and test_gguf.py like those of other families.
"""

import json

import families
import gguf
import gguf_models
import llama_cpp
import numpy as np
import onnx
import pytest
import torch
import transformers
from runtimes import compress, relative_error, run_onnxruntime, run_terse, terse
from safetensors.torch import load_file, save_file
from test_folders import arrays, run_terse as run_folder

MIXTURES = ["mixtral", "granitemoe"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("experts")
    return {name: families.make(name, "checkpoint", root) for name in MIXTURES}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("experts-data") / "data.npz"
    np.savez(path, **families.feed(families.FAMILIES["mixtral"], (16, 24, 12), seed=7))
    return path


def weights_of(report):
    return {w["name"]: w for w in json.loads(report.read_text())["weights"]}


def large_floats(model):
    """Constants of an ONNX file that hold a matrix's numbers as floats."""
    return [t.name for t in onnx.load(model).graph.initializer if t.data_type == onnx.TensorProto.FLOAT and np.prod(t.dims) > 2000]


def mean_error(found, expected):
    return relative_error(found["logits"], expected["logits"])


@pytest.mark.parametrize("preset", ["int8", "int4"])
@pytest.mark.parametrize("name", MIXTURES)
def test_every_expert_is_quantized_and_runs_in_onnxruntime(folders, name, preset, tmp_path):
    model = compress(folders[name], tmp_path / "model.onnx", preset)
    inputs = arrays(folders[name] / "inputs.npz")
    assert not large_floats(model)
    assert mean_error(run_onnxruntime(model, inputs), run_terse(model, inputs, tmp_path / "run")) <= 1e-4


@pytest.mark.parametrize("exporter", ["dynamo", "torchscript"])
@pytest.mark.parametrize("name", MIXTURES)
def test_stacks_of_raw_exports_become_linears_of_experts(name, exporter, data, tmp_path):
    """99 % of the linears' bytes get 4 bits: all but the routers'. Each expert is solved for its own tokens."""
    folder = families.make(name, exporter, tmp_path)
    inputs = arrays(folder / "inputs.npz")
    model = compress(folder / "model.onnx", tmp_path / "small.onnx", "int4", "--data", data, "--report", tmp_path / "report.json")
    weights = weights_of(tmp_path / "report.json")
    linears = [w for w in weights.values() if {r["kind"] for r in w["roles"]} & {"q", "k", "v", "attention_output", "gate", "up", "gate_up", "down", "router"}]
    small = sum(w["bytes_before"] for w in linears if "int4" in w["after"])
    assert small >= 0.99 * sum(w["bytes_before"] for w in linears)
    experts = [w for w in linears if any(r.get("expert") is not None for r in w["roles"])]
    assert len(experts) == 2 * 4 * 2 and all(w["output_error"] is not None for w in experts)
    assert sum(node.op_type == "MatMulNBits" for node in onnx.load(model).graph.node) == 2 * (4 + 2 * 4) + 1
    assert mean_error(run_onnxruntime(model, inputs), run_terse(model, inputs, tmp_path / "run")) <= 1e-4


@pytest.mark.parametrize("name", MIXTURES)
def test_calibration_solves_each_expert_for_its_own_tokens(folders, name, data, tmp_path):
    arguments = ["--eval-data", data, "--report"]
    compress(folders[name], tmp_path / "plain.onnx", "int4", *arguments, tmp_path / "plain.json")
    compress(folders[name], tmp_path / "solved.onnx", "int4", "--data", data, *arguments, tmp_path / "solved.json")
    plain, solved = (json.loads((tmp_path / f"{kind}.json").read_text()) for kind in ("plain", "solved"))
    assert solved["evaluation"]["kl_mean"] < plain["evaluation"]["kl_mean"]
    experts = [w for w in solved["weights"] if any(r.get("expert") is not None for r in w["roles"])]
    assert len(experts) == 2 * 4 * 3 and all(w["output_error"] is not None for w in experts)


def test_an_expert_of_few_tokens_says_so(folders, data, tmp_path):
    np.savez(tmp_path / "few.npz", **families.feed(families.FAMILIES["mixtral"], (8, 5, 1), seed=1))
    compress(folders["mixtral"], tmp_path / "model.onnx", "int4", "--data", tmp_path / "few.npz", "--report", tmp_path / "report.json")
    notes = [w["note"] for name, w in weights_of(tmp_path / "report.json").items() if ".experts." in name]
    assert len(notes) == 24 and all("fewer rows are routed to it" in note for note in notes)


@pytest.mark.parametrize("name", MIXTURES)
def test_experts_that_count_least_are_left_out(folders, name, data, tmp_path):
    """In every target, with one number of experts in graph, configuration and metadata."""
    step = ["--pass", "prune,experts=25%", "--data", data]
    inputs = arrays(folders[name] / "inputs.npz")
    terse("compress", folders[name], "-o", tmp_path / "folder", *step, "--report", tmp_path / "report.json")
    terse("compress", folders[name], "-o", tmp_path / "model.onnx", *step)
    config = json.loads((tmp_path / "folder/config.json").read_text())
    assert config["num_local_experts"] == 3
    routers = [w for weight, w in weights_of(tmp_path / "report.json").items() if "note" in w and "left out experts" in w["note"]]
    assert len(routers) == 2
    loaded, said = getattr(transformers, families.FAMILIES[name].model).from_pretrained(tmp_path / "folder", output_loading_info=True)
    assert not said["missing_keys"] and not said["unexpected_keys"] and not said["mismatched_keys"]
    with torch.no_grad():
        expected = loaded.eval()(**{k: torch.from_numpy(v) for k, v in inputs.items()}).logits.numpy()
    real = inputs["attention_mask"].astype(bool)
    for found in (run_folder(tmp_path / "folder", inputs, tmp_path / "run"), run_onnxruntime(tmp_path / "model.onnx", inputs)):
        assert relative_error(found["logits"][real], expected[real]) <= 1e-4


@pytest.mark.parametrize("name", ["mixtral", "granitemoe", "qwen3_moe"])
def test_experts_are_left_out_of_gguf_files(name, tmp_path):
    made = gguf_models.make(name, tmp_path / "model")
    np.savez(tmp_path / "data.npz", input_ids=np.random.default_rng(1).integers(5, 200, (8, 12)))
    terse("convert", made.folder, "-o", tmp_path / "whole.gguf")
    for source in (made.folder, tmp_path / "whole.gguf"):
        out = tmp_path / "small.gguf"
        terse("compress", source, "-o", out, "--force", "--pass", "prune,experts=1", "--data", tmp_path / "data.npz")
        metadata = gguf_models.metadata(out)
        counts = [values[1] for key, values in metadata.items() if key.endswith(".expert_count")]
        assert counts == [{"mixtral": 3, "granitemoe": 3, "qwen3_moe": 5}[name]]
        ours = run_folder(out, {"input_ids": made.ids, "attention_mask": np.ones_like(made.ids)}, tmp_path / "run")["logits"]
        assert relative_error(llama_cpp.logits(out, made.ids), ours) <= 1e-3


def test_an_importance_matrix_has_an_entry_for_each_expert(tmp_path):
    """Columns that one expert alone never sees cost it nothing there, and the others as before."""
    made = gguf_models.make("wide-experts", tmp_path / "model")
    writer = gguf.GGUFWriter(tmp_path / "imatrix.gguf", "")
    writer.add_type("imatrix")
    for key, values in {"imatrix.datasets": ["text"], "imatrix.chunk_count": 1, "imatrix.chunk_size": 512}.items():
        writer.add_array(key, values) if isinstance(values, list) else writer.add_uint32(key, values)
    sums = np.ones((4, 256), np.float32)
    sums[2, :128] = 0
    sums[3] = 0
    writer.add_tensor("blk.0.ffn_up_exps.weight.in_sum2", sums)
    writer.add_tensor("blk.0.ffn_up_exps.weight.counts", np.array([[9.0], [9.0], [9.0], [0.0]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    step = ["--pass", "quantize,type=Q2_K,only=up", "--report", tmp_path / "report.json"]
    terse("compress", made.folder, "-o", tmp_path / "out.gguf", "--stats", tmp_path / "imatrix.gguf", *step)
    notes = {w["name"]: w for w in weights_of(tmp_path / "report.json").values() if "layers.0" in w["name"] and ".w3." in w["name"]}
    has_entry = {name.split(".")[5]: w.get("output_error") is not None for name, w in notes.items()}
    assert has_entry == {"0": True, "1": True, "2": True, "3": False}
    assert gguf_models.tensors(tmp_path / "out.gguf")["blk.0.ffn_up_exps.weight"][0] == "Q2_K"


@pytest.mark.parametrize("name", MIXTURES)
def test_files_of_a_models_state_are_read_as_published_ones(folders, name, tmp_path):
    """transformers 5 has the matrices of all experts in one tensor in memory."""
    model = getattr(transformers, families.FAMILIES[name].model).from_pretrained(folders[name])
    model.config.save_pretrained(tmp_path / "state")
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    state = {key: value.contiguous() for key, value in model.state_dict().items() if key not in tied}
    assert any(value.dim() == 3 for value in state.values())
    save_file(state, tmp_path / "state/model.safetensors", metadata={"format": "pt"})
    terse("convert", tmp_path / "state", "-o", tmp_path / "back")
    back = getattr(transformers, families.FAMILIES[name].model).from_pretrained(tmp_path / "back").state_dict()
    assert back.keys() == model.state_dict().keys()
    assert all(torch.equal(back[key], value) for key, value in model.state_dict().items())
