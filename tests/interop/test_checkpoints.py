"""Weight files: what terse writes loads in safetensors, and what safetensors and torch.save write comes out of terse equal.

Both through build/PRESET/tests/checkpoint_copy, which is built with the tests: it reads weights and writes safetensors.
"""

import collections
import json
import os
import pathlib
import subprocess

import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from runtimes import ROOT, TERSE

PROGRAM = pathlib.Path(os.environ.get("CHECKPOINT_COPY", TERSE.parent / "tests/checkpoint_copy"))

TYPED_STORAGE = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64"]
UNTYPED_STORAGE = ["uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
SAFETENSORS = TYPED_STORAGE + UNTYPED_STORAGE + ["float4_e2m1fn_x2"]


def copy(source, folder, *limit):
    """What terse makes of weights: the folder."""
    folder.mkdir()
    done = subprocess.run([str(PROGRAM), str(source), str(folder), *map(str, limit)], capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise ValueError(done.stderr)
    return folder


def tensor(dtype, *shape):
    dtype = getattr(torch, dtype)
    count = torch.Size(shape).numel() * torch.empty(0, dtype=dtype).element_size()
    bits = torch.randint(0, 2 if dtype == torch.bool else 120, (count,), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return bits.view(dtype).reshape(shape)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        bytes_of = lambda t: t.detach().contiguous().reshape(-1).view(torch.uint8)
        assert torch.equal(bytes_of(found[name]), bytes_of(tensor)), name


def every_type(names):
    tensors = {f"{dtype}.{'x'.join(map(str, shape))}": tensor(dtype, *shape) for dtype in names for shape in [(3, 4), (5,), (), (0, 2)]}
    tensors.pop("float4_e2m1fn_x2.", None)  # one number of 4 bits is no byte
    return tensors


def test_a_file_of_every_type_is_copied_byte_for_byte(tmp_path):
    """Order, spelling and padding of the header are those of safetensors' own writer."""
    tensors = every_type(SAFETENSORS) | {'a "quoted" name \n é': tensor("float32", 2)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    written = copy(tmp_path, tmp_path / "out") / "model.safetensors"
    assert_equal(load_file(written), tensors)
    assert written.read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_shards_of_terse_load_by_their_index(tmp_path):
    tensors = {f"layers.{i}.weight": tensor("bfloat16", 16, 16 + i) for i in range(7)}
    save_file(tensors, tmp_path / "model.safetensors")
    out = copy(tmp_path, tmp_path / "out", 2000)
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in tensors.values())
    loaded = {}
    for name, shard in index["weight_map"].items():
        assert (out / shard).stat().st_size <= 2000
        with safetensors.safe_open(out / shard, "pt") as file:
            loaded[name] = file.get_tensor(name)
    assert_equal(loaded, tensors)
    assert_equal(load_file(copy(out, tmp_path / "whole") / "model.safetensors"), tensors)


def test_shards_of_transformers_are_read_and_ours_load_there(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=2)
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(tmp_path / "theirs", max_shard_size="8KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
    ours = copy(tmp_path / "theirs", tmp_path / "ours", 5000)
    assert len(list(ours.glob("*.safetensors"))) > 1
    config.save_pretrained(ours)
    assert_equal(transformers.LlamaForCausalLM.from_pretrained(ours).state_dict(), model.state_dict())


def saved(path, weights, **options):
    torch.save(weights, path, **options)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_state_dict_of_every_type_is_read(tmp_path, protocol):
    tensors = every_type(TYPED_STORAGE + UNTYPED_STORAGE)
    saved(tmp_path / "pytorch_model.bin", collections.OrderedDict(tensors), pickle_protocol=protocol)
    assert_equal(load_file(copy(tmp_path, tmp_path / "out") / "model.safetensors"), tensors)


def test_views_of_a_storage_are_read(tmp_path):
    base = tensor("float16", 6, 8)
    tensors = {
        "whole": base,
        "tied": base,
        "row": base[3],
        "rows": base[2:4],
        "column": base[:, 5],
        "every_other": base[::2, 1::3],
        "transposed": base.t(),
        "permuted": tensor("float32", 2, 3, 4, 5).permute(3, 0, 2, 1),
        "one": base[2:3, :].t(),
        "end": base[6:],
        "booleans": tensor("bool", 4, 5).t(),
    }
    saved(tmp_path / "w.bin", tensors)
    assert_equal(load_file(copy(tmp_path / "w.bin", tmp_path / "out") / "model.safetensors"), tensors)


def test_a_module_of_parameters_and_buffers_is_read(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    saved(tmp_path / "state.bin", model.state_dict())
    assert_equal(load_file(copy(tmp_path / "state.bin", tmp_path / "a") / "model.safetensors"), model.state_dict())
    saved(tmp_path / "parameters.bin", dict(model.named_parameters()))
    assert_equal(load_file(copy(tmp_path / "parameters.bin", tmp_path / "b") / "model.safetensors"), dict(model.named_parameters()))


def test_sharded_state_dicts_are_read(tmp_path):
    saved(tmp_path / "pytorch_model-00001-of-00002.bin", {"a": tensor("float32", 2)})
    saved(tmp_path / "pytorch_model-00002-of-00002.bin", {"b": tensor("float32", 3)})
    weight_map = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    expected = {"a": tensor("float32", 2), "b": tensor("float32", 3)}
    assert_equal(load_file(copy(tmp_path, tmp_path / "out") / "model.safetensors"), expected)


class Harmful:
    def __reduce__(self):
        return os.system, ("echo harm",)


@pytest.mark.parametrize(
    "weights, options, message",
    [
        ({"w": torch.ones(2)}, {"_use_new_zipfile_serialization": False}, "before PyTorch 1.6"),
        ({"w": Harmful()}, {}, f"'{os.system.__module__}.system'"),
        (torch.nn.Linear(2, 2), {}, "'torch.nn.modules.linear.Linear'"),
        ({"model": {"w": torch.ones(2)}}, {}, "tensor 'model': the pickle holds a dict, expected a tensor"),
        ({"w": torch.ones(2), "step": 3}, {}, "tensor 'step': the pickle holds an int, expected a tensor"),
        ({"w": torch.ones(1).expand(1 << 20)}, {}, "repeat or overlap"),
        ({"w": torch.ones(2, dtype=torch.complex64).conj()}, {}, "conjugated"),
        ({"w": torch.ones(2).to_sparse()}, {}, "'torch._utils._rebuild_sparse_tensor'"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, weights, options, message):
    saved(tmp_path / "w.bin", weights, **options)
    with pytest.raises(ValueError, match="w.bin: ") as error:
        copy(tmp_path / "w.bin", tmp_path / "out")
    assert message in str(error.value)
