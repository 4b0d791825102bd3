"""The judge of GGUF files itself: llama.cpp, on what its own converter makes, gives PyTorch's outputs."""

import gguf_models
import llama_cpp
import numpy as np
import pytest
from runtimes import relative_error


@pytest.mark.parametrize("name", ["llama3", "bert"])
def test_outputs_are_pytorchs(name, tmp_path):
    model = gguf_models.make(name, tmp_path / name)
    path = llama_cpp.convert(model.folder, tmp_path / "theirs.gguf", "f32", model.row.pre)
    found = llama_cpp.outputs(path, model)
    assert relative_error(found, model.expected) <= 1e-3
    if model.row.encoder:
        assert relative_error(llama_cpp.embeddings(path, model.ids, "mean"), found.mean(1)) <= 1e-6
        assert relative_error(llama_cpp.embeddings(path, model.ids, "cls"), found[:, 0]) <= 1e-6


def test_a_crash_is_told(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(np.arange(64, dtype=np.uint8)))
    with pytest.raises(AssertionError, match="llama.cpp cannot logits .*x.gguf: exit"):
        llama_cpp.logits(tmp_path / "x.gguf", [[1]])
