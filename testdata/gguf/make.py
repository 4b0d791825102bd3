"""Writes the GGUF files of this folder with llama.cpp's own Python package, which is the judge of what they mean.

    pip install gguf==0.19.0
    python make.py

blocks.gguf     random blocks of every type that terse decodes, each beside the numbers that the package makes of them,
                and metadata of every type
split-*.gguf    one model in three files
big_endian.gguf the same header in the other byte order

lm_imatrix.*    are llama-imatrix's own, in both forms, of ../lm (made a GGUF file by convert_hf_to_gguf.py) and its
                calibration text: -f calib.txt --chunks 4 -c 128 -b 128 --output-format gguf|dat
"""

import pathlib

import gguf
import numpy as np

FOLDER = pathlib.Path(__file__).parent

# Where the f16 fields of a block lie: random bytes there would be NaN or infinite now and then.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0], "MXFP4": [], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_XS": [0],
}  # fmt: skip
ROWS = 2


def random_blocks(random, name):
    elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    blocks = random.integers(0, 256, (ROWS * 256 // elements, size), dtype=np.uint8)
    for at in HALVES[name]:
        halves = random.normal(0, 0.01, len(blocks)).astype(np.float16)
        blocks[:, at : at + 2] = halves.view(np.uint8).reshape(-1, 2)
    if name == "MXFP4":
        blocks[:, 0] = random.integers(100, 140, len(blocks))
        blocks[:2, 0] = [0, 1]  # subnormal scales
    return blocks.reshape(ROWS, -1)


def add_metadata(writer):
    writer.add_uint8("a.u8", 200)
    writer.add_int8("a.i8", -100)
    writer.add_uint16("a.u16", 60000)
    writer.add_int16("a.i16", -30000)
    writer.add_uint32("a.u32", 4000000000)
    writer.add_int32("a.i32", -2000000000)
    writer.add_float32("a.f32", 0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "Grüße\nzwei")
    writer.add_uint64("a.u64", 2**63)
    writer.add_int64("a.i64", -(2**62))
    writer.add_float64("a.f64", 0.1)
    writer.add_array("a.strings", ["<s>", "", "\u2581the"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_array("a.floats", [0.5, -1.5])
    writer.add_array("a.bools", [True, False])
    writer.add_array("a.nested", [[1, 2], [3]])


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def blocks_file():
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(FOLDER / "blocks.gguf", "test")
    add_metadata(writer)
    for name in HALVES:
        kind = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(random, name)
        writer.add_tensor(name, blocks, raw_dtype=kind)
        writer.add_tensor(name + ".f32", gguf.quants.dequantize(blocks, kind).astype(np.float32))
    numbers = random.normal(size=(3, 5)).astype(np.float32)
    writer.add_tensor("F16", numbers.astype(np.float16))
    writer.add_tensor("BF16", gguf.quants.quantize(numbers, gguf.GGMLQuantizationType.BF16),
                      raw_dtype=gguf.GGMLQuantizationType.BF16)  # fmt: skip
    writer.add_tensor("I32", np.arange(24, dtype=np.int32).reshape(2, 3, 4))
    finish(writer)


def split_files():
    writer = gguf.GGUFWriter(FOLDER / "split.gguf", "test", split_max_tensors=2)
    writer.add_string("general.name", "in three files")
    for i in range(5):
        writer.add_tensor(f"t{i}", np.full((i + 1, 4), i, np.float32))
    finish(writer)


def big_endian_file():
    writer = gguf.GGUFWriter(FOLDER / "big_endian.gguf", "test", endianess=gguf.GGUFEndian.BIG)
    writer.add_tensor("t", np.zeros((1, 4), np.float32), tensor_endianess=gguf.GGUFEndian.BIG)
    finish(writer)


if __name__ == "__main__":
    blocks_file()
    split_files()
    big_endian_file()
