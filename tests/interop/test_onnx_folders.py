"""Folders of several ONNX models: what `convert` makes of T5, and what `compress` makes of folders, in onnxruntime."""

import json

import families
import numpy as np
import onnx
import pytest
import torch
from families import ENCODER_DECODER, FAMILIES, Family
from onnx import helper, numpy_helper
from runtimes import relative_error, run_onnxruntime, terse
from test_folders import run_terse
from test_uses import T5, TEXTS, make_pair


@pytest.fixture
def t5(request, tmp_path):
    """A checkpoint with a tokenizer, and its parts as ONNX files."""
    pair = make_pair(Family("T5Config", "T5ForConditionalGeneration", T5[request.param], ENCODER_DECODER), "t5", tmp_path)
    terse("convert", pair.folder, "-o", tmp_path / "parts", "--to", "onnx")
    return pair, tmp_path / "parts"


def run_parts(folder, inputs, run=run_onnxruntime):
    """Logits, as a runtime computes them with both files."""
    encoder = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    hidden = run(folder / "encoder_model.onnx", encoder)["last_hidden_state"]
    decoder = {"input_ids": inputs["decoder_input_ids"], "encoder_attention_mask": inputs["attention_mask"], "encoder_hidden_states": hidden}
    return run(folder / "decoder_model.onnx", decoder)["logits"]


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@torch.no_grad()
def pytorch_logits(model, inputs):
    return model(**{name: torch.from_numpy(values) for name, values in inputs.items()}).logits.numpy()


@pytest.mark.parametrize("t5", T5, indirect=True)
def test_parts_of_t5_compute_what_pytorch_does(t5):
    pair, parts = t5
    inputs = families.feed(FAMILIES["t5"], (3, 13, 7), seed=2)
    assert relative_error(run_parts(parts, inputs), pytorch_logits(pair.model, inputs)) <= 1e-4
    assert {"config.json", "decoder_model.onnx", "encoder_model.onnx", "tokenizer.json"} <= set(files(parts))


@torch.no_grad()
@pytest.mark.parametrize("t5", ["gated"], indirect=True)
def test_parts_of_t5_write_what_transformers_writes(t5):
    pair, parts = t5
    ids = pair.tokenizer(TEXTS[1]).input_ids
    expected = pair.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=12, min_new_tokens=12)[0].tolist()
    written = [0]
    for _ in range(len(expected) - 1):
        inputs = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64), "decoder_input_ids": np.array([written])}
        scores = run_parts(parts, inputs)[0, -1]
        scores[pair.model.config.eos_token_id] = -np.inf  # min_new_tokens
        written.append(int(scores.argmax()))
    assert written == expected


@pytest.mark.parametrize("t5, recipe", [*[(name, "int4") for name in T5], ("gated", "int8")], indirect=["t5"])
def test_a_folder_is_compressed_with_text(t5, recipe, tmp_path):
    _, parts = t5
    data, other, report = tmp_path / "data.txt", tmp_path / "other.txt", tmp_path / "report.json"
    data.write_text(" ".join(TEXTS[:200]).replace("\n", " "))
    other.write_text(" ".join(TEXTS[300:400]).replace("\n", " "))
    (parts / "notes").mkdir()
    (parts / "notes/mine.txt").write_text("stays")
    found = []
    for name, calibration in ("plain", []), ("solved", ["--data", data, "--seq-len", 32]):
        terse("compress", parts, "-o", tmp_path / name, "--recipe", recipe, *calibration, "--eval-data", other, "--report", report)
        found.append(json.loads(report.read_text()))
    assert files(tmp_path / "solved") == files(parts)
    assert found[1]["evaluation"]["task"] == "language model"
    assert recipe == "int8" or found[1]["evaluation"]["kl_mean"] < found[0]["evaluation"]["kl_mean"]  # 8 bits of a random model leave nothing to win
    assert [model["name"] for model in found[1]["models"]] == ["encoder_model.onnx", "decoder_model.onnx"]
    assert found[1]["models"][1]["taken_over"] == {"encoder_model.onnx": 1}  # the table
    inputs = families.feed(FAMILIES["t5"], (3, 13, 7), seed=2)
    by_terse = run_parts(tmp_path / "solved", inputs, lambda model, values: run_terse(model, values, tmp_path / "run"))
    assert relative_error(run_parts(tmp_path / "solved", inputs), by_terse) <= 1e-3


@pytest.mark.parametrize("t5", ["gated"], indirect=True)
def test_a_folder_of_parts_has_the_perplexity_of_the_whole(t5, tmp_path):
    pair, parts = t5
    data, report = tmp_path / "data.txt", tmp_path / "report.json"
    data.write_text(" ".join(TEXTS[:100]).replace("\n", " "))
    whole = pair.measure(data)
    terse("compress", parts, "-o", tmp_path / "out", "--recipe", "int8", "--eval-data", data, "--report", report)
    evaluation = json.loads(report.read_text())["evaluation"]
    assert evaluation["rows"] == whole["rows"]
    assert evaluation["reference_perplexity"] == pytest.approx(whole["perplexity"], rel=1e-5)


def with_cache_inputs(decoder, out):
    """The decoder again, with inputs that no data can be fed to, as exporters write its second form."""
    model = onnx.load(decoder)
    for part in ("decoder", "encoder"):
        model.graph.input.append(helper.make_tensor_value_info(f"past_key_values.0.{part}.key", onnx.TensorProto.FLOAT, ["batch", 4, "past", 16]))
    onnx.save(model, out)


def codes_of(path):
    return {t.name: numpy_helper.to_array(t).tobytes() for t in onnx.load(path).graph.initializer if t.data_type == onnx.TensorProto.UINT8}


@pytest.mark.parametrize("t5", ["gated"], indirect=True)
def test_weights_that_two_files_share_stay_the_same(t5, tmp_path):
    _, parts = t5
    data, report = tmp_path / "data.txt", tmp_path / "report.json"
    data.write_text(" ".join(TEXTS[:200]).replace("\n", " "))
    with_cache_inputs(parts / "decoder_model.onnx", parts / "decoder_with_past_model.onnx")
    terse("compress", parts, "-o", tmp_path / "out", "--recipe", "int4", "--data", data, "--seq-len", 32, "--report", report)
    models = {model["name"]: model for model in json.loads(report.read_text())["models"]}
    assert "without_data" not in models["decoder_model.onnx"]
    assert models["decoder_with_past_model.onnx"]["without_data"] == "keys and values of earlier tokens are inputs"
    first, second = (codes_of(tmp_path / "out" / name) for name in ("decoder_model.onnx", "decoder_with_past_model.onnx"))
    assert first and first == second
