#!/usr/bin/env python3
"""A state dict of PyTorch as a safetensors file, and back.

    pip install torch safetensors numpy
    python3 scripts/pt_to_safetensors.py net.pt net.safetensors
    python3 scripts/pt_to_safetensors.py --back net.safetensors net.pt

`fallline import net.safetensors --recipe R --save model.safetensors` makes a model of such a file;
`fallline export model.safetensors --pytorch net.safetensors` writes one.

The .pt file is what `torch.save` wrote: a state dict, or a dict that has one under `state_dict`, `model` or another key
(`--key`, with points for a dict in a dict). It is read with `weights_only=True`, so nothing in it is run. Types stay as they
are, f16 and bf16 too; tensors that share memory are written one by one; integers, such as counts of batches, are left out,
with a word, since no layer of fallline has any. The order of the state dict goes into the metadata, for `--by-order`.

With `--optimizer KEY` the state of the optimizer under that key goes along: of each parameter what Adam, AdamW or SGD keep,
as `optimizer.state.NAME.exp_avg` and so on, and in the metadata the number of steps. Numbers of parameters in such a state
are those of `model.parameters()`, which are the tensors of the state dict without buffers: names that end with running_mean,
running_var, num_batches_tracked, or with a name that `--buffer` gives. Back, the optimizer is under the key `optimizer`, for
`optimizer.load_state_dict`.
"""

import argparse
import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

WRAPPED = ("state_dict", "model_state_dict", "model")
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
STATE = "optimizer.state."
ORDER, ABOUT = "tensor_order", "optimizer"
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
# What the rules keep of a parameter.
SLOTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer")


def fail(text):
    sys.exit(f"error: {text}")


def found(whole, key, what):
    """The dict under a key with points."""
    for part in key.split("."):
        if not isinstance(whole, dict) or part not in whole:
            keys = ", ".join(map(str, whole)) if isinstance(whole, dict) else "none"
            fail(f"--{what} {key}: expected a key of the file, found {part} nowhere among: {keys}")
        whole = whole[part]
    return whole


def is_state_dict(value):
    return isinstance(value, dict) and value and all(isinstance(each, torch.Tensor) for each in value.values())


def state_dict(whole, key):
    """The tensors by name."""
    if key is not None:
        whole = found(whole, key, "key")
    elif not is_state_dict(whole) and isinstance(whole, dict):
        whole = next((whole[name] for name in WRAPPED if is_state_dict(whole.get(name))), whole)
    if not is_state_dict(whole):
        keys = ", ".join(map(str, whole)) if isinstance(whole, dict) else type(whole).__name__
        fail(f"expected a dict of tensors, found {keys}; --key names one in the file")
    return whole


def parameters(names, buffers):
    """The names of what is trained, in the order of `model.parameters()`."""
    return [name for name in names if name.rsplit(".", 1)[-1] not in buffers]


def optimizer_tensors(optimizer, names):
    """What the optimizer keeps, by the names of parameters, and what is to be said of it."""
    state, groups = optimizer["state"], optimizer["param_groups"]
    numbers = [number for group in groups for number in group["params"]]
    if len(numbers) != len(names):
        fail(f"expected an optimizer of {len(names)} parameters, as the state dict has, found {len(numbers)}; --buffer "
             "names what is no parameter")
    tensors, steps = {}, set()
    for number, name in zip(numbers, names):
        for slot, value in state.get(number, {}).items():
            if slot == "step":
                steps.add(int(value))
            elif slot in SLOTS and value is not None:
                tensors[f"{STATE}{name}.{slot}"] = value
    if len(steps) > 1:
        fail(f"expected one number of steps for all parameters, found {sorted(steps)}")
    # SGD does not count; what it has kept comes from a step at least.
    about = {"step": steps.pop() if steps else int(bool(tensors))}
    kept = ("lr", "betas", "eps", "weight_decay", "amsgrad", "decoupled_weight_decay", "momentum", "dampening", "nesterov")
    about |= {key: groups[0][key] for key in kept if key in groups[0]}
    return tensors, about


def to_safetensors(arguments):
    whole = torch.load(arguments.file, map_location="cpu", weights_only=True)
    tensors = state_dict(whole, arguments.key)
    left = [name for name, tensor in tensors.items() if tensor.dtype not in FLOATS]
    if left:
        print(f"left out, since they are no floating-point numbers: {', '.join(left)}")
    kept = {name: tensor for name, tensor in tensors.items() if name not in left}
    metadata = {"format": "pt", ORDER: json.dumps(list(kept))}
    if arguments.optimizer:
        optimizer = found(whole, arguments.optimizer, "optimizer")
        names = parameters(tensors, BUFFERS + tuple(arguments.buffer))
        more, about = optimizer_tensors(optimizer, names)
        kept |= more
        metadata[ABOUT] = json.dumps(about)
    # Apart from each other and without gaps, as the format wants it.
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in kept.items()}, arguments.out, metadata)
    print(f"wrote {arguments.out}: {len(kept)} tensors")


def natural(name):
    """What puts 10.weight behind 9.weight, and weights before biases, as modules have them."""
    last = name.rsplit(".", 1)[-1]
    parts = [int(part) if part.isdigit() else part for part in name.split(".")[:-1]]
    return [(isinstance(part, str), part) for part in parts], "bias" in last, last


def to_pt(arguments):
    with safe_open(arguments.file, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    state = {name: tensors.pop(name) for name in list(tensors) if name.startswith(STATE)}
    order = json.loads(metadata.get(ORDER, "[]"))
    names = [name for name in order if name in tensors] if set(order) >= set(tensors) else sorted(tensors, key=natural)
    saved = {name: tensors[name] for name in names}
    if state:
        saved = {"state_dict": saved, "optimizer": optimizer_of(state, metadata, names, arguments)}
    torch.save(saved, arguments.out)
    print(f"wrote {arguments.out}: {len(tensors)} tensors" + (f", {len(state)} of an optimizer" if state else ""))


def optimizer_of(state, metadata, names, arguments):
    """What `load_state_dict` of an optimizer of `model.parameters()` takes."""
    about = json.loads(metadata.get(ABOUT, "{}"))
    trained = parameters(names, BUFFERS + tuple(arguments.buffer))
    step = about.pop("step", None)
    of_numbers = {}
    for number, name in enumerate(trained):
        own = {slot: state[f"{STATE}{name}.{slot}"] for slot in SLOTS if f"{STATE}{name}.{slot}" in state}
        if "exp_avg" in own:
            own["step"] = torch.tensor(float(step))
        of_numbers[number] = own
    # `load_state_dict` takes the options of the groups from here: those that the file does not tell are PyTorch's.
    is_adam = any(name.endswith(".exp_avg") for name in state)
    kind = torch.optim.Adam if is_adam else torch.optim.SGD
    if is_adam and about.pop("decoupled_weight_decay", False):
        kind = torch.optim.AdamW
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in about.items()}
    made = kind([torch.nn.Parameter(torch.zeros(1)) for _ in trained], **options).state_dict()
    return made | {"state": of_numbers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the file that is read")
    parser.add_argument("out", help="the file that is written")
    parser.add_argument("--back", action="store_true", help="from safetensors to a .pt file")
    parser.add_argument("--key", help="the key of the state dict, such as model or ema.model")
    parser.add_argument("--optimizer", metavar="KEY", help="the key of the optimizer's state dict, to go along")
    parser.add_argument("--buffer", action="append", default=[], metavar="NAME", help="the last name of tensors that are not trained")
    arguments = parser.parse_args()
    (to_pt if arguments.back else to_safetensors)(arguments)


if __name__ == "__main__":
    main()
