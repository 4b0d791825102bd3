"""The process in which llama_cpp.py has llama.cpp run a file: a request as JSON on stdin, a row an array in OUT.npz."""

import ctypes
import importlib
import json
import os
import pathlib
import sys
import types

import numpy as np

POOLING = {"none": 0, "mean": 1, "cls": 2, "file": -1}
F32, NO_FLASH_ATTENTION = 0, 0
ADVANCED = {"avx2", "fma", "f16c", "bmi2"}


class Library(ctypes.CDLL):
    """The bindings are of a commit behind the libraries' release: functions that came in between may lack."""

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return types.SimpleNamespace()


def load(home):
    """The bindings, with a CPU backend whose kernels are the same on all machines that have AVX2: no AMX, whose kernels crash on some."""
    os.environ["LLAMA_CPP_LIB_PATH"] = str(home / "lib")
    package = types.ModuleType("llama_cpp")  # without its __init__, which wants packages that nothing here needs
    package.__path__ = [str(home / "bindings/llama_cpp")]
    sys.modules["llama_cpp"] = package
    importlib.import_module("llama_cpp._ctypes_extensions").load_shared_library = lambda name, folder: Library(str(folder / f"lib{name}.so"))
    api = importlib.import_module("llama_cpp.llama_cpp")
    api.llama_backend_init()
    kind = "haswell" if ADVANCED <= set(pathlib.Path("/proc/cpuinfo").read_text().split()) else "x64"
    backends = ctypes.CDLL(str(home / "lib/libggml.v0.5.0.so"))
    backends.ggml_backend_load.restype = ctypes.c_void_p
    if not backends.ggml_backend_load(str(home / f"lib/libggml-cpu-{kind}.so").encode()):
        sys.exit("llama.cpp's CPU backend does not load")
    assert_layout(api)
    return api


def assert_layout(api):
    """The bindings' structs are those of the libraries: numbers that stand near the end of each come out as their headers say."""
    model, context = api.llama_model_default_params(), api.llama_context_default_params()
    found = (model.use_extra_bufts, model.check_tensors, context.n_batch, context.type_k, context.offload_kqv, context.no_perf)
    assert found == (True, False, 2048, 1, True, True), found


class Model:
    def __init__(self, api, path, **options):
        self.api = api
        settings = api.llama_model_default_params()
        settings.use_extra_bufts = False  # no weights repacked
        settings.check_tensors = True
        for name, value in options.items():
            setattr(settings, name, value)
        self.model = api.llama_model_load_from_file(os.fsencode(path), settings)
        if not self.model:
            sys.exit("the model does not load")
        self.vocabulary = api.llama_model_get_vocab(self.model)

    def context(self, length, **options):
        settings = self.api.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = max(length, 32)
        settings.n_threads = settings.n_threads_batch = 1
        settings.type_k = settings.type_v = F32
        settings.flash_attn_type = NO_FLASH_ATTENTION
        for name, value in options.items():
            setattr(settings, name, value)
        context = self.api.llama_init_from_model(self.model, settings)
        if not context:
            sys.exit("no context for the model")
        return context


def make_batch(api, ids):
    """One sequence, each of whose tokens gives its output."""
    batch = api.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
    return batch


def decode(api, context, ids):
    memory = api.llama_get_memory(context)
    if memory:
        api.llama_memory_clear(memory, True)
    status = api.llama_decode(context, make_batch(api, ids))
    if status != 0:
        sys.exit(f"llama_decode gives {status}")


def encode(api, context, ids):
    status = api.llama_encode(context, make_batch(api, ids))
    if status != 0:
        sys.exit(f"llama_encode gives {status}")


def numbers(pointer, *shape):
    return np.ctypeslib.as_array(pointer, shape).copy()


def logits(api, request):
    model = Model(api, request["model"])
    width = api.llama_vocab_n_tokens(model.vocabulary)
    context = model.context(max(map(len, request["ids"])))
    for ids in request["ids"]:
        decode(api, context, ids)
        yield numbers(api.llama_get_logits(context), len(ids), width)


def answers(api, request):
    """Of an encoder-decoder, whose decoder sees what the encoder made of `ids`."""
    model = Model(api, request["model"])
    width = api.llama_vocab_n_tokens(model.vocabulary)
    context = model.context(max(map(len, request["ids"] + request["decoder_ids"])))
    for ids, decoder_ids in zip(request["ids"], request["decoder_ids"]):
        encode(api, context, ids)
        decode(api, context, decoder_ids)
        yield numbers(api.llama_get_logits(context), len(decoder_ids), width)


def embeddings(api, request):
    model = Model(api, request["model"])
    width = api.llama_model_n_embd(model.model)
    context = model.context(max(map(len, request["ids"])), embeddings=True, pooling_type=POOLING[request["pooling"]])
    run = encode if api.llama_model_has_encoder(model.model) else decode
    for ids in request["ids"]:
        run(api, context, ids)
        if request["pooling"] == "none":
            yield numbers(api.llama_get_embeddings(context), len(ids), width)
        else:
            yield numbers(api.llama_get_embeddings_seq(context, 0), width)


def tokenize(api, request):
    model = Model(api, request["model"], vocab_only=True)
    for text in request["texts"]:
        data = text.encode()
        room = (api.llama_token * (len(data) + 16))()
        count = api.llama_tokenize(model.vocabulary, data, len(data), room, len(room), request["special"], request.get("control", False))
        yield np.array(room[:count], np.int64)


TASKS = {"logits": logits, "answers": answers, "embeddings": embeddings, "tokenize": tokenize}


def main(out):
    request = json.load(sys.stdin)
    api = load(pathlib.Path(request["home"]))
    np.savez(out, **{str(i): row for i, row in enumerate(TASKS[request["task"]](api, request))})


if __name__ == "__main__":
    main(sys.argv[1])
