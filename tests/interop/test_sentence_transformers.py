"""Folders for sentence-transformers: it encodes with what terse writes, and an ONNX file beside its modules gives the same vectors."""

import json
import shutil

import gguf_models
import numpy as np
import pytest
import torch
from runtimes import cosines, relative_error, run_onnxruntime, terse
from test_uses import LINES, SENTENCES, make_pair

sentence_transformers = pytest.importorskip("sentence_transformers")

MODULES = ["Transformer", "Pooling", "Normalize"]
PIPELINES = {
    "dense": ["convert"],
    "f16": ["convert", "--dtype", "f16"],
    "int8": ["compress", "--recipe", "int8"],
    "int4": ["compress", "--recipe", "int4"],
    "zero-points": ["compress", "--pass", "quantize,bits=4,block=16,grid=asymmetric,scale=f32"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As sentence-transformers saves a model."""
    folder = make_pair(SENTENCES, "bert", tmp_path_factory.mktemp("sentences")).folder
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"} for i, kind in enumerate(MODULES)]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32, "do_lower_case": False}))
    return folder


def load(folder):
    return sentence_transformers.SentenceTransformer(str(folder), device="cpu")


def run(words, folder, out):
    command, *options = words
    terse(command, folder, "-o", out, *options)
    return out


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_folder_is_encoded_with(folder, pipeline, tmp_path):
    found, original = (load(path).encode(LINES).astype(np.float64) for path in (run(PIPELINES[pipeline], folder, tmp_path / "out"), folder))
    assert np.allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-3)
    bound = {"dense": 1 - 1e-6, "f16": 1 - 1e-4, "int8": 0.999}.get(pipeline, 0.95)
    assert cosines(found, original).min() >= bound


@torch.no_grad()
@pytest.mark.parametrize("same", [["convert"], ["compress", "--pass", "quantize,bits=4,block=32,scale=f32"], ["compress", "--pass", "quantize,bits=8,block=32,scale=f32"]], ids=["f32", "int4", "int8"])
def test_an_onnx_file_in_its_folder_gives_the_folders_vectors(folder, same, tmp_path):
    """As its ONNX backend runs onnx/model.onnx: tokenizer and modules behind the model are its own. optimum, which the backend takes, is not for transformers 5."""
    whole = shutil.copytree(folder, tmp_path / "whole")
    (whole / "onnx").mkdir()
    run(same, folder, whole / "onnx/model.onnx")
    model = load(whole)
    features = model.preprocess(LINES)
    inputs = {name: features[name].numpy() for name in ("input_ids", "attention_mask")}
    inputs["token_type_ids"] = np.zeros_like(inputs["input_ids"])
    hidden = run_onnxruntime(whole / "onnx/model.onnx", inputs)["last_hidden_state"]
    features["token_embeddings"] = torch.from_numpy(hidden)
    for module in list(model)[1:]:
        features = module(features)
    expected = load(run(same, folder, tmp_path / "folder")).encode(LINES)
    assert relative_error(features["sentence_embedding"].numpy(), expected) <= 1e-3


def test_a_gguf_file_says_how_its_vectors_are_pooled(folder, tmp_path):
    run(["convert"], folder, tmp_path / "model.gguf")
    assert gguf_models.metadata(tmp_path / "model.gguf")["bert.pooling_type"][1] == 1  # mean
