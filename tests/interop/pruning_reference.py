"""SparseGPT and Wanda as published, plainly, in PyTorch (f32): what terse's pruning is judged by.

    python pruning_reference.py MODEL METHOD PATTERN CALIBRATION OUT [WINDOWS]

SparseGPT: Frantar and Alistarh 2023, arXiv:2301.00774: blocks of 128 columns, a mask a block over all rows, 1 % of damping.
Wanda: Sun et al. 2023, arXiv:2306.11695: |w| * ||x||_2, compared within each row; weights that stay do not change.
Both go through the decoder's layers in their order, each layer's inputs being what the pruned layers before it give. Table and head stay as they are.

MODEL is a decoder's folder, METHOD sparsegpt or wanda, PATTERN a ratio such as 0.5, or n:m (n of every m stay). CALIBRATION is a text, of which the first
WINDOWS (100) windows of 512 tokens are used. The pruned model goes to the folder OUT.
"""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

BLOCK, DAMPING, WINDOW = 128, 0.01, 512


def parse_pattern(text):
    """(ratio, kept, group); without a group 0."""
    if ":" not in text:
        return float(text), 0, 0
    kept, group = map(int, text.split(":"))
    return 1 - kept / group, kept, group


def smallest(scores, count):
    """True at the `count` smallest scores of each row."""
    chosen = torch.zeros_like(scores, dtype=torch.bool)
    return chosen.scatter_(1, scores.topk(count, dim=1, largest=False).indices, True)


def smallest_of_groups(scores, kept, group):
    return smallest(scores.reshape(-1, group), group - kept).reshape(scores.shape)


def wanda(weight, hessian, pattern):
    ratio, kept, group = parse_pattern(pattern)
    scores = weight.abs() * hessian.diagonal().sqrt()
    pruned = smallest_of_groups(scores, kept, group) if group else smallest(scores, int(weight.shape[1] * ratio))
    return weight.masked_fill(pruned, 0)


def inverse_factor(hessian):
    """U, upper triangular, with U^T U = (H + damping)^-1."""
    damped = hessian + DAMPING * hessian.diagonal().mean() * torch.eye(len(hessian))
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)


def sparsegpt(weight, hessian, pattern):
    ratio, kept, group = parse_pattern(pattern)
    weight, hessian = weight.clone(), hessian.clone()
    dead = hessian.diagonal() == 0
    hessian.diagonal()[dead] = 1
    weight[:, dead] = 0
    factor = inverse_factor(hessian)
    for begin in range(0, weight.shape[1], BLOCK):
        end = min(begin + BLOCK, weight.shape[1])
        block, u = weight[:, begin:end].clone(), factor[begin:end, begin:end]
        scores, errors = (block / u.diagonal()) ** 2, torch.zeros_like(block)
        if not group:
            pruned = scores <= scores.flatten().sort().values[int(scores.numel() * ratio) - 1]
        else:
            pruned = torch.zeros_like(block, dtype=torch.bool)
        for i in range(end - begin):
            if group and i % group == 0:
                scores = (block[:, i : i + group] / u.diagonal()[i : i + group]) ** 2
                pruned[:, i : i + group] = smallest(scores, group - kept)
            kept_column = block[:, i].masked_fill(pruned[:, i], 0)
            errors[:, i] = (block[:, i] - kept_column) / u[i, i]
            block[:, i:] -= errors[:, i, None] * u[i, i:]
            block[:, i] = kept_column
        weight[:, begin:end] = block
        weight[:, end:] -= errors @ factor[begin:end, end:]
    return weight


METHODS = {"sparsegpt": sparsegpt, "wanda": wanda}


class Stopped(Exception):
    pass


def first_inputs(model, windows):
    """What each window brings to the first layer, and the other arguments of every layer."""
    inputs, arguments = [], {}

    def stop(_, positional, named):
        inputs.append(positional[0])
        arguments.update(named)
        raise Stopped

    handle = model.model.layers[0].register_forward_pre_hook(stop, with_kwargs=True)
    for window in windows:
        try:
            model(window[None], use_cache=False)
        except Stopped:
            pass
    handle.remove()
    return inputs, arguments


def run_layer(layer, hidden, arguments):
    out = layer(hidden, **arguments)
    return out[0] if isinstance(out, tuple) else out


def hessians(layer, inputs, arguments):
    """X^T X of the inputs of every linear, by name."""
    linears = {name: module for name, module in layer.named_modules() if isinstance(module, torch.nn.Linear)}
    sums = {name: torch.zeros(linear.in_features, linear.in_features) for name, linear in linears.items()}

    def watch(name):
        def add(_, positional):
            rows = positional[0].reshape(-1, positional[0].shape[-1])
            sums[name].addmm_(rows.T, rows)

        return linears[name].register_forward_pre_hook(add)

    handles = [watch(name) for name in linears]
    for hidden in inputs:
        run_layer(layer, hidden, arguments)
    for handle in handles:
        handle.remove()
    return {name: (linears[name], sums[name]) for name in linears}


@torch.no_grad()
def prune(model, windows, method, pattern, progress=lambda layer: None):
    """Prunes the linears of all layers where they are. `windows`: token ids, all of one length."""
    inputs, arguments = first_inputs(model, windows)
    for index, layer in enumerate(model.model.layers):
        for linear, hessian in hessians(layer, inputs, arguments).values():
            linear.weight.copy_(METHODS[method](linear.weight, hessian, pattern))
        inputs = [run_layer(layer, hidden, arguments) for hidden in inputs]
        progress(index)


@torch.no_grad()
def perplexity(model, windows):
    """Of all tokens but each window's first."""
    total, count = 0.0, 0
    for window in windows:
        logits = model(window[None], use_cache=False).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits.double(), window[1:], reduction="sum").item()
        count += len(window) - 1
    return torch.tensor(total / count).exp().item()


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def text_windows(folder, text, count, length=WINDOW):
    """Contiguous windows without overlap, as terse cuts them."""
    with open(text, encoding="utf-8") as file:
        ids = AutoTokenizer.from_pretrained(folder)(file.read())["input_ids"]
    return torch.tensor(ids[: len(ids) // length * length]).reshape(-1, length)[:count]


def main(folder, method, pattern, calibration, out, windows=100):
    model = load(folder)
    prune(model, text_windows(folder, calibration, int(windows)), method, pattern, lambda layer: print(f"layer {layer}", file=sys.stderr, flush=True))
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
