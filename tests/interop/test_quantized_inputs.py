"""Checkpoints that other tools have quantized: terse computes with just the numbers that their codes mean, and hands the codes on.

The files are packed by quantized_models.py; libraries that write such files pack the same words, or read ours as we do."""

import importlib.util
import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from compressed_tensors.entrypoints.convert.converters.autoawq import AutoAWQConverter
from compressed_tensors.compressors.naive_quantized.base import FloatQuantizationCompressor, IntQuantizationCompressor, NaiveQuantizationCompressor
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import load_file, save_file

import families
import gguf_models
import llama_cpp
import quantized_models
from quantized_models import Scheme
from runtimes import TERSE, relative_error, run_onnxruntime, terse
from test_folders import run_terse, run_transformers

EXACT = 1e-5  # of sums in another order
ROUNDED = 2e-3  # of weights decoded into f16

SCHEMES = {
    "gptq": Scheme("gptq"),
    "gptq-asymmetric": Scheme("gptq", symmetric=False),
    "gptq-v2": Scheme("gptq_v2", symmetric=False),
    "gptq-one-group": Scheme("gptq", group=-1),
    "gptq-2-bits": Scheme("gptq", bits=2, group=16),
    "gptq-3-bits": Scheme("gptq", bits=3),
    "gptq-3-bits-v2": Scheme("gptq_v2", bits=3, symmetric=False),
    "gptq-8-bits": Scheme("gptq", bits=8),
    "gptq-act-order": Scheme("gptq", order="shuffled"),
    "gptq-act-order-asymmetric": Scheme("gptq", bits=8, order="shuffled", symmetric=False),
    "awq": Scheme("awq", symmetric=False),
    "awq-symmetric": Scheme("awq"),
    "awq-gemv": Scheme("awq-gemv", symmetric=False),
}


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    """Gives (folder, inputs, PyTorch's outputs) of a family and a scheme, made at first use."""
    root = tmp_path_factory.mktemp("quantized")
    made = {}

    def get(family, scheme):
        if (family, scheme) not in made:
            folder = root / f"{family}-{len(made)}"
            model = quantized_models.write(family, scheme, folder)
            inputs = families.feed(families.FAMILIES[family], families.FED, seed=2)
            made[family, scheme] = folder, inputs, quantized_models.outputs(model, family, inputs)
        return made[family, scheme]

    return get


def check(found, expected, bound):
    for name, values in expected.items():
        assert relative_error(found[name], values) <= bound


def encodings(folder):
    """What `inspect` calls the weights of linears, by name."""
    tensors = json.loads(terse("inspect", folder, "--tensors", "--json"))["model"]["weights"]
    return {tensor["name"]: tensor["encoding"] for tensor in tensors}


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_codes_mean_in_terse_what_they_mean(quantized, family, name, tmp_path):
    scheme = SCHEMES[name]
    folder, inputs, expected = quantized(family, scheme)
    check(run_terse(folder, inputs, tmp_path), expected, ROUNDED if scheme.order == "shuffled" else EXACT)


@pytest.mark.parametrize("family", ["mistral", "phi", "phi3", "gemma", "gptj", "granite", "gpt_neo"])
@pytest.mark.parametrize("name", ["gptq-asymmetric", "awq"])
def test_other_families_have_codes_too(quantized, family, name, tmp_path):
    folder, inputs, expected = quantized(family, SCHEMES[name])
    check(run_terse(folder, inputs, tmp_path), expected, EXACT)


@pytest.mark.parametrize("name, expected", [
    ("gptq", "int4 block 32"), ("gptq-asymmetric", "uint4 block 32"), ("gptq-one-group", "int4 channel"), ("gptq-2-bits", "int2 block 16"),
    ("gptq-3-bits", "int4 block 32"), ("gptq-8-bits", "int8 block 32"), ("gptq-act-order", "f16"), ("awq", "uint4 block 32"),
])
def test_inspect_names_the_encoding(quantized, name, expected):
    folder, _, _ = quantized("llama", SCHEMES[name])
    assert encodings(folder)["model.layers.0.mlp.up_proj.weight"] == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scales_of_other_types_are_read(quantized, dtype, tmp_path):
    folder, inputs, expected = quantized("llama", Scheme("gptq", symmetric=False, dtype=dtype))
    check(run_terse(folder, inputs, tmp_path), expected, EXACT)


def test_a_head_with_codes_of_its_own_is_not_the_table(quantized, tmp_path):
    folder, inputs, expected = quantized("mistral", Scheme("gptq", head=True))
    check(run_terse(folder, inputs, tmp_path), expected, EXACT)
    assert encodings(folder)["lm_head.weight"] == "int4 block 32"


@pytest.mark.parametrize("name", SCHEMES)
def test_codes_go_to_onnx(quantized, name, tmp_path):
    folder, inputs, expected = quantized("llama", SCHEMES[name])
    terse("convert", folder, "-o", tmp_path / "model.onnx")
    check(run_onnxruntime(tmp_path / "model.onnx", inputs), expected, ROUNDED)


@pytest.mark.parametrize("name", SCHEMES)
def test_codes_go_to_compressed_tensors(quantized, name, tmp_path):
    folder, inputs, expected = quantized("llama", SCHEMES[name])
    terse("convert", folder, "-o", tmp_path / "out")
    check(run_transformers("llama", tmp_path / "out", inputs), expected, ROUNDED)
    check(run_terse(tmp_path / "out", inputs, tmp_path), expected, ROUNDED)


def gguf_source(folder, scheme):
    """A folder with a tokenizer, as llama.cpp wants one; the inputs and PyTorch's logits."""
    size = gguf_models.write_tokenizer("smollm", folder)
    model = quantized_models.write("llama", scheme, folder, vocabulary=size)
    ids = np.random.default_rng(4).integers(5, size, (3, 13))
    return ids, quantized_models.outputs(model, "llama", {"input_ids": ids, "attention_mask": np.ones_like(ids)})["logits"]


@pytest.mark.parametrize("name, block_type", [("gptq", "Q4_0"), ("gptq-one-group", "Q4_0"), ("gptq-3-bits", "Q4_0"), ("gptq-8-bits", "Q8_0"), ("gptq-act-order", "F16")])
def test_codes_go_to_gguf(name, block_type, tmp_path):
    """Blocks of one group share its scale. llama.cpp is run with the numbers that gguf-py makes of the blocks, for it rounds what meets them."""
    ids, expected = gguf_source(tmp_path / "model", SCHEMES[name])
    terse("convert", tmp_path / "model", "-o", tmp_path / "out.gguf")
    assert gguf_models.tensors(tmp_path / "out.gguf")["blk.0.ffn_up.weight"][0] == block_type
    dense = gguf_models.dequantized(tmp_path / "out.gguf", tmp_path / "dense.gguf")
    assert relative_error(llama_cpp.logits(dense, ids), expected) <= ROUNDED


def test_codes_that_no_block_type_has_are_refused_with_the_cure(tmp_path):
    ids, expected = gguf_source(tmp_path / "model", SCHEMES["gptq-asymmetric"])
    done = subprocess.run([str(TERSE), "convert", str(tmp_path / "model"), "-o", str(tmp_path / "out.gguf")], capture_output=True, text=True)
    assert done.returncode == 1 and "uint4 block 32" in done.stderr and "--dtype f16" in done.stderr
    terse("convert", tmp_path / "model", "-o", tmp_path / "out.gguf", "--dtype", "f16")
    assert relative_error(llama_cpp.logits(tmp_path / "out.gguf", ids), expected) <= 3e-3


def test_codes_are_given_new_ones(quantized, tmp_path):
    folder, inputs, expected = quantized("llama", SCHEMES["gptq-asymmetric"])
    terse("compress", folder, "-o", tmp_path / "out.onnx", "--pass", "quantize,bits=8,block=32,requantize=yes")
    check(run_onnxruntime(tmp_path / "out.onnx", inputs), expected, 2e-2)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("order", ["given", "shuffled"])
def test_autogptq_packs_the_same_words(bits, order):
    path = Path(sysconfig.get_path("purelib")) / "auto_gptq/nn_modules/qlinear/qlinear_cuda.py"
    if not path.exists():
        pytest.skip("auto-gptq has no package for this Python")
    spec = importlib.util.spec_from_file_location("qlinear_cuda", path)
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    scheme = Scheme("gptq", bits=bits, symmetric=False, order=order)
    codes = quantized_models.quantize(torch.randn(64, 96, generator=torch.Generator().manual_seed(bits)), scheme, seed=3)
    module = library.QuantLinear(bits, 32, 96, 64, bias=False)
    linear = torch.nn.Linear(96, 64, bias=False)
    linear.weight.data = codes.decode()
    module.pack(linear, codes.scales.float(), torch.from_numpy(codes.zeros).float(), torch.from_numpy(codes.group_of))
    for name, ours in quantized_models.pack_gptq(codes, scheme).items():
        assert torch.equal(getattr(module, name), ours), name


def test_compressed_tensors_unpacks_awq_to_the_same_codes():
    scheme = Scheme("awq", symmetric=False)
    codes = quantized_models.quantize(torch.randn(32, 96, generator=torch.Generator().manual_seed(1)), scheme, seed=1)
    tensors = {f"m.{name}": tensor for name, tensor in quantized_models.pack_awq(codes, scheme).items()}
    theirs = AutoAWQConverter(group_size=32).process(tensors)
    assert np.array_equal(unpack_from_int32(theirs["m.weight_packed"], 4, torch.Size([32, 96])).numpy() + 8, codes.codes)
    assert np.array_equal(unpack_from_int32(theirs["m.weight_zero_point"], 4, torch.Size([32, 3]), packed_dim=0).numpy() + 8, codes.zeros)
    assert torch.equal(theirs["m.weight_scale"], codes.scales)


COMPRESSED = {
    "3-bits": (PackedQuantizationCompressor, dict(num_bits=3, strategy="group", group_size=32)),
    "3-bits-asymmetric": (PackedQuantizationCompressor, dict(num_bits=3, strategy="group", group_size=32, symmetric=False)),
    "4-bits-asymmetric": (PackedQuantizationCompressor, dict(num_bits=4, strategy="group", group_size=32, symmetric=False)),
    "6-bits": (PackedQuantizationCompressor, dict(num_bits=6, strategy="channel")),
    "8-bits": (PackedQuantizationCompressor, dict(num_bits=8, strategy="channel")),
    "bytes": (IntQuantizationCompressor, dict(num_bits=8, strategy="channel")),
    "bytes-asymmetric": (IntQuantizationCompressor, dict(num_bits=8, strategy="channel", symmetric=False)),
    "bytes-of-4-bits": (NaiveQuantizationCompressor, dict(num_bits=4, strategy="group", group_size=32)),
    "float8": (FloatQuantizationCompressor, dict(num_bits=8, type="float", strategy="channel")),
    "float8-of-blocks": (FloatQuantizationCompressor, dict(num_bits=8, type="float", strategy="block", block_structure=[32, 16])),
    "bytes-of-a-tensor": (IntQuantizationCompressor, dict(num_bits=8, strategy="tensor")),
}


@torch.no_grad()
def write_compressed(folder, compressor, arguments):
    """A folder whose weights compressed-tensors has packed; the model with what it unpacks."""
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**arguments))
    model = families.build("mistral")
    model.save_pretrained(folder)
    tensors = dict(model.state_dict())
    for name, module, _ in quantized_models.linears(model, Scheme("gptq")):
        top, size = 2 ** arguments["num_bits"] - 1, arguments.get("group_size", module.weight.shape[1])
        parts = module.weight.unflatten(1, (-1, size))
        low, high = parts.amin(2), parts.amax(2)
        if arguments["strategy"] == "tensor":
            low, high = low.min().reshape(1), high.max().reshape(1)
        elif arguments["strategy"] == "block":
            blocks = module.weight.unflatten(1, (-1, 16)).unflatten(0, (-1, 32))
            low, high = blocks.amin((1, 3)), blocks.amax((1, 3))
        symmetric = arguments.get("symmetric", True)
        scale = 2 * torch.maximum(-low, high) / top if symmetric else (high - low) / top
        zero = torch.zeros_like(scale) if symmetric else (-low / scale).round() - 2 ** (arguments["num_bits"] - 1)
        packed = compressor.compress({"weight": module.weight, "weight_scale": scale, "weight_zero_point": zero.to(torch.int8)}, scheme)
        module.weight.copy_(compressor.decompress(packed, scheme)["weight"])
        tensors.pop(f"{name}.weight")
        tensors |= {f"{name}.{suffix}": tensor.contiguous() for suffix, tensor in packed.items()}
    save_file(tensors, folder / "model.safetensors")
    groups = {"group_0": json.loads(scheme.model_dump_json())}
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "compressed-tensors", "quantization_status": "compressed", "config_groups": groups, "ignore": ["lm_head"]}
    (folder / "config.json").write_text(json.dumps(config))
    return model


@pytest.mark.parametrize("name", COMPRESSED)
def test_what_compressed_tensors_packs_is_read(name, tmp_path):
    model = write_compressed(tmp_path / "model", *COMPRESSED[name])
    inputs = families.feed(families.FAMILIES["mistral"], families.FED, seed=2)
    bound = 1e-2 if "float8" in name else EXACT  # decoded into bf16
    check(run_terse(tmp_path / "model", inputs, tmp_path), quantized_models.outputs(model, "mistral", inputs), bound)


def test_zeros_that_autogptq_gives_every_module_as_bias_are_no_bias(quantized, tmp_path):
    folder, inputs, expected = quantized("llama", SCHEMES["gptq"])
    tensors = load_file(folder / "model.safetensors")
    for name in [n for n in tensors if n.endswith(".scales")]:
        tensors[name.replace(".scales", ".bias")] = torch.zeros(tensors[name].shape[1], dtype=torch.float16)
    old = tmp_path / "old"
    old.mkdir()
    save_file(tensors, old / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (old / "quantize_config.json").write_text(json.dumps({"bits": 4, "group_size": 32, "desc_act": False, "sym": True}))
    config.pop("quantization_config")
    (old / "config.json").write_text(json.dumps(config))
    check(run_terse(old, inputs, tmp_path), expected, EXACT)
