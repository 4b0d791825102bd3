"""llama.cpp as the judge of GGUF files: what it computes with one, and what its converter makes of a folder.

Each call is a process of its own, so that a crash in there is a failed test. tests/interop/fetch_llama_cpp.py brings llama.cpp.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import fetch_llama_cpp
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def outputs(path, made):
    """What a file of one of gguf_models computes with the ids that the model was made with."""
    if made.row.encoder:
        return embeddings(path, made.ids)
    return logits(path, made.ids) if made.decoder_ids is None else answers(path, made.ids, made.decoder_ids)


def logits(model, ids):
    """[rows, tokens, vocabulary] of rows of token ids, each a sequence of its own."""
    return np.stack(in_child("logits", model, ids=np.asarray(ids).tolist()))


def answers(model, ids, decoder_ids):
    """[rows, decoder tokens, vocabulary] of an encoder-decoder."""
    return np.stack(in_child("answers", model, ids=np.asarray(ids).tolist(), decoder_ids=np.asarray(decoder_ids).tolist()))


def embeddings(model, ids, pooling="none"):
    """[rows, tokens, width] of an encoder; pooled ("mean", "cls", or as the file says, "file"): [rows, width], and rows may have any lengths."""
    return np.stack(in_child("embeddings", model, ids=[list(map(int, row)) for row in ids], pooling=pooling))


def tokenize(model, texts, special=True, control=False):
    """Token ids of each text, with the tokens that the file says to add; with `control` those whose texts stand in a text count too."""
    return [row.tolist() for row in in_child("tokenize", model, texts=texts, special=special, control=control)]


def in_child(task, model, **request):
    request |= {"task": task, "model": str(model), "home": str(home())}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.npz"
        done = run([sys.executable, HERE / "llama_cpp_child.py", out], json.dumps(request))
        assert done.returncode == 0, f"llama.cpp cannot {task} {model}: exit {done.returncode}\n{complaints(done.stderr)}"
        with np.load(out) as saved:
            return [saved[f"{i}"] for i in range(len(saved.files))]


def complaints(stderr):
    """What it said, without the listing of the file."""
    return "\n".join(line for line in stderr.splitlines() if not line.startswith(("llama_model_loader: ", "print_info: ", "load_backend: ")))[-4000:]


def convert(folder, out, dtype, tokens_as):
    """A folder's GGUF by llama.cpp's converter, which knows tokenizers by hashes: `tokens_as` is the name that it shall take a made-up one for."""
    done = run([sys.executable, HERE / "llama_cpp_convert.py", home() / "converter", tokens_as, folder, "--outfile", out, "--outtype", dtype])
    assert done.returncode == 0, f"convert_hf_to_gguf.py cannot convert {folder}\n{done.stderr[-4000:]}"
    return out


def home():
    fetch_llama_cpp.main(fetch_llama_cpp.HOME)
    return fetch_llama_cpp.HOME


def run(command, text=""):
    return subprocess.run([str(word) for word in command], input=text, capture_output=True, encoding="utf-8", errors="replace", timeout=120)
