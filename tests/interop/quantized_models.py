"""Checkpoints as GPTQ, AWQ and compressed-tensors leave them, of families.py's tiny models: rounded to the nearest code, packed here from the formats' descriptions.

`write` makes a folder, and gives the model in PyTorch with just the numbers that its codes mean.
"""

import json
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import save_file

import families

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]  # which of eight neighbouring rows each nibble of a word holds


@dataclass(frozen=True)
class Scheme:
    """One row: a method, and what its writers can choose."""

    method: str  # "gptq", "gptq_v2", "awq", "awq-gemv"
    bits: int = 4
    group: int = 32  # columns that share a scale; -1: all
    symmetric: bool = True
    order: str = "given"  # "given", or "shuffled": groups of columns that do not lie side by side
    head: bool = False  # lm_head has codes too
    dtype: torch.dtype = torch.float16  # of scales and of all that has no codes

    @property
    def config(self):
        if self.method.startswith("awq"):
            return {"quant_method": "awq", "bits": self.bits, "group_size": self.group, "zero_point": not self.symmetric,
                    "version": "gemv" if "gemv" in self.method else "gemm", "modules_to_not_convert": None}
        return {"quant_method": "gptq", "bits": self.bits, "group_size": self.group, "desc_act": self.order == "shuffled",
                "sym": self.symmetric, "lm_head": self.head, "checkpoint_format": self.method}


@dataclass
class Codes:
    """A weight [out, in]: (code - zero point) * scale."""

    codes: np.ndarray  # [out, in]
    zeros: np.ndarray  # [out, groups]
    scales: torch.Tensor  # [out, groups]
    group_of: np.ndarray  # [in]

    def decode(self):
        differences = torch.from_numpy(self.codes.astype(np.float32) - self.zeros[:, self.group_of].astype(np.float32))
        return differences * self.scales.float()[:, torch.from_numpy(self.group_of).long()]


def quantize(weight, scheme, seed):
    """Nearest codes. Zero points are never 0: version 1 of GPTQ has none."""
    columns = weight.shape[1]
    size = columns if scheme.group == -1 else scheme.group
    group_of = np.arange(columns) // size
    if scheme.order == "shuffled":
        np.random.default_rng(seed).shuffle(group_of)
    top, groups = 2**scheme.bits - 1, group_of.max() + 1
    scales, zeros = torch.empty(weight.shape[0], groups), np.empty((weight.shape[0], groups), np.int64)
    for g in range(groups):
        part = weight[:, group_of == g].float()
        least, greatest = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
        scales[:, g] = 2 * part.abs().amax(1) / top if scheme.symmetric else (greatest - least) / top
        scales[:, g] = scales[:, g].clamp(min=1e-4).to(scheme.dtype).float()
        zeros[:, g] = 2 ** (scheme.bits - 1) if scheme.symmetric else (-least / scales[:, g]).round().clamp(1, top).numpy()
    codes = np.rint(weight.float().numpy() / scales[:, torch.from_numpy(group_of)].numpy()) + zeros[:, group_of]
    return Codes(np.clip(codes, 0, top).astype(np.uint64), zeros, scales.to(scheme.dtype), group_of.astype(np.int32))


def words(fields, bits):
    """Rows of fields without gaps, the first in the low bits: i32 [rows, ceil(n * bits / 32)]."""
    rows, count = fields.shape
    bit_rows = np.zeros((rows, -(-count * bits // 32) * 32), np.uint8)
    for b in range(bits):
        bit_rows[:, np.arange(count) * bits + b] = fields.astype(np.uint64) >> np.uint64(b) & np.uint64(1)
    packed = np.packbits(bit_rows, axis=1, bitorder="little")
    return torch.from_numpy(packed.view(np.int32).copy())


def pack_gptq(c, scheme):
    zeros = c.zeros.T - (1 if scheme.method == "gptq" else 0)
    return {"qweight": words(c.codes, scheme.bits).T, "qzeros": words(zeros, scheme.bits), "scales": c.scales.T,
            "g_idx": torch.from_numpy(c.group_of)}


def pack_awq(c, scheme):
    def interleaved(rows):  # [n, out] -> [n, out / 8]
        return words(rows.reshape(rows.shape[0], -1, 8)[:, :, AWQ_ORDER].reshape(rows.shape), 4)

    tensors = {"qweight": interleaved(c.codes.T), "scales": c.scales.T}
    return tensors if scheme.symmetric else tensors | {"qzeros": interleaved(c.zeros.T)}


def pack_awq_gemv(c, scheme):
    groups = c.zeros.shape[1]
    per_word = {128: 1, 64: 2, 32: 4}[scheme.group]
    width = -(-(-(-groups // 8)) // per_word) * per_word  # in words, as its kernels load them
    pad = width * 8 - groups
    return {"qweight": words(c.codes, 4), "qzeros": words(np.pad(c.zeros, ((0, 0), (0, pad))), 4),
            "scales": torch.nn.functional.pad(c.scales, (0, pad))}


PACKERS = {"gptq": pack_gptq, "gptq_v2": pack_gptq, "awq": pack_awq, "awq-gemv": pack_awq_gemv}


def linears(model, scheme):
    """Modules that the methods give codes: all Linear and Conv1D modules, the head only if asked for."""
    for name, module in model.named_modules():
        is_conv1d = type(module).__name__ == "Conv1D"
        if (isinstance(module, torch.nn.Linear) or is_conv1d) and (scheme.head or not name.endswith("lm_head")):
            yield name, module, is_conv1d


def cast(model, dtype):
    """The weights alone: buffers of rotary frequencies stay as they are."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)


@torch.no_grad()
def write(family, scheme, folder, vocabulary=families.VOCABULARY):
    """Writes the folder; gives the model in float32 with the numbers of its codes."""
    model = families.build(family)
    model.resize_token_embeddings(vocabulary, mean_resizing=False)
    cast(model, scheme.dtype)
    model.save_pretrained(folder)
    tensors = dict(model.state_dict())
    if model.config.tie_word_embeddings and not scheme.head:
        tensors.pop("lm_head.weight", None)
    cast(model, torch.float32)
    for i, (name, module, is_conv1d) in enumerate(linears(model, scheme)):
        weight = module.weight.T if is_conv1d else module.weight
        codes = quantize(weight, scheme, seed=i)
        for suffix, tensor in PACKERS[scheme.method](codes, scheme).items():
            tensors[f"{name}.{suffix}"] = tensor
        tensors.pop(f"{name}.weight")
        module.weight = torch.nn.Parameter(codes.decode().T.contiguous() if is_conv1d else codes.decode())
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": scheme.config}))
    return model


@torch.no_grad()
def outputs(model, family, inputs):
    row = families.FAMILIES[family]
    results = families.Positional(model, row)(*families.tensors({name: inputs[name] for name in row.inputs}))
    return dict(zip(row.outputs, (values.numpy() for values in results)))
