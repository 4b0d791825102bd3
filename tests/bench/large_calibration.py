"""Memory and time of `compress --recipe int4 --data` on a Llama of 7B's shape: large_calibration.py SCRATCH [LAYERS] [WINDOWS]

Weights are random, f16, as many layers as are asked for (default 2; 405 MB each, and 524 MB of tables), written into the folder
SCRATCH and removed. With two depths, as in `2,4`, it says what 32 layers come to.
"""

import json
import pathlib
import shutil
import sys

import numpy as np

from measure import measured
from runtimes import TERSE

HIDDEN, FFN, HEADS, VOCABULARY, FULL_DEPTH, TOKENS = 4096, 11008, 32, 32000, 32, 512

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": FFN,
    "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5, "hidden_act": "silu",
    "max_position_embeddings": 4096, "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "float16",
    "bos_token_id": 1, "eos_token_id": 2,
}


def shapes(layers):
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    for i in range(layers):
        layer = f"model.layers.{i}."
        for name in "qkvo":
            yield f"{layer}self_attn.{name}_proj.weight", (HIDDEN, HIDDEN)
        yield layer + "mlp.gate_proj.weight", (FFN, HIDDEN)
        yield layer + "mlp.up_proj.weight", (FFN, HIDDEN)
        yield layer + "mlp.down_proj.weight", (HIDDEN, FFN)
        yield layer + "input_layernorm.weight", (HIDDEN,)
        yield layer + "post_attention_layernorm.weight", (HIDDEN,)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCABULARY, HIDDEN)


def write_checkpoint(folder, layers):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, "num_hidden_layers": layers}))
    header, end = {}, 0
    for name, shape in shapes(layers):
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    free = shutil.disk_usage(folder).free
    assert free > 2 * end, f"{folder}: {free / 1e9:.1f} GB free, expected {2 * end / 1e9:.1f}"
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(1)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes(layers):
            numbers = random.standard_normal(shape, dtype=np.float32) * 0.02 if len(shape) == 2 else np.ones(shape)
            file.write(numbers.astype(np.float16).tobytes())


def measure(scratch, layers, windows):
    """(seconds, MB); what was written is checked by what the report says of it."""
    folder = scratch / f"llama-{layers}"
    try:
        write_checkpoint(folder, layers)
        np.save(folder / "ids.npy", np.random.default_rng(2).zipf(1.3, (windows, TOKENS)).clip(0, VOCABULARY - 1))
        report = folder / "report.json"
        seconds, memory = measured([TERSE, "compress", folder, "-o", scratch / f"out-{layers}.onnx", "--force", "--recipe", "int4",
                                    "--data", folder / "ids.npy", "--report", report])
        report = json.loads(report.read_text())
        solved = [weight for weight in report["weights"] if "output_error" in weight]
        assert len(solved) >= 7 * layers and all(weight["output_error"] < 0.02 for weight in solved), solved
        print(f"{layers} layers, {windows} windows of {TOKENS}: {seconds:.0f} s, {memory:.0f} MB at the most; "
              f"{ {row['phase']: round(row['seconds']) for row in report['phases']} }", flush=True)
        return seconds, memory
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for path in scratch.glob(f"out-{layers}.onnx*"):
            path.unlink()


def main(scratch, depths="2", windows="64"):
    found = {int(depth): measure(pathlib.Path(scratch), int(depth), int(windows)) for depth in depths.split(",")}
    if len(found) > 1:
        (few, less), (many, more) = min(found.items()), max(found.items())
        seconds, memory = (b + (b - a) / (many - few) * (FULL_DEPTH - many) for a, b in zip(less, more))
        print(f"{FULL_DEPTH} layers would take {seconds / 60:.0f} min and {memory:.0f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
