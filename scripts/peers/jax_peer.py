"""The training loop of fallline's recipes in JAX: many steps in one jitted `lax.scan`.

A scan is an epoch long, or, where that takes longer than a timed run should overshoot, a part of
one. The lines that it is spoken to with are in serve.py.
"""

import functools
import os
import time

from data import batches, initial_weights
from serve import Refused, serve

# About how long one scan is, in seconds: long beside the cost of starting one, short beside a run.
SCAN = 0.05
# Steps of the scans that tell how long a step is.
TRIAL = 8


def start(specification):
    if specification["image"] is not None:
        raise Refused("this peer has no layers of images")
    use_processors(specification["threads"])
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import optax
    from jax import numpy as jnp

    activation = {
        "identity": lambda x: x,
        "relu": jax.nn.relu,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "gelu": functools.partial(jax.nn.gelu, approximate=False),
        "silu": jax.nn.silu,
        "softplus": jax.nn.softplus,
        "mish": jax.nn.mish,
        "hard-swish": jax.nn.hard_swish,
    }[specification["activation"]]
    optimizer = optimizer_of(optax, specification)
    x, y = (jnp.asarray(part) for part in batches(specification))
    weights = [(jnp.array(weight.T), jnp.array(bias)) for weight, bias in initial_weights(specification)]

    smoothing = specification["label_smoothing"]

    def loss_of(parameters, x, y):
        for weight, bias in parameters[:-1]:
            x = activation(x @ weight + bias)
        weight, bias = parameters[-1]
        logits = x @ weight + bias
        if smoothing == 0:
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        targets = optax.smooth_labels(jax.nn.one_hot(y, logits.shape[-1]), smoothing)
        return optax.softmax_cross_entropy(logits, targets).mean()

    def step(carry, batch):
        parameters, state = carry
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
        updates, state = optimizer.update(gradients, state, parameters)
        return (optax.apply_updates(parameters, updates), state), loss

    @functools.partial(jax.jit, static_argnames="length")
    def scan(carry, x, y, first, length):
        """`length` steps from batch `first` on, the first batch following the last."""
        at = lambda carry, i: step(carry, (x[i], y[i]))
        carry, losses = jax.lax.scan(at, carry, (first + jnp.arange(length)) % len(x))
        return carry, losses.sum()

    carry, first = (weights, optimizer.init(weights)), 0
    length = min(TRIAL, len(x))

    def train(most_steps, deadline):
        nonlocal carry, first
        steps, total = 0, 0.0
        while True:
            count = int(min(length, most_steps - steps))
            carry, losses = scan(carry, x, y, first, length=count)
            total += float(losses)  # waits for the scan
            steps, first = steps + count, (first + count) % len(x)
            if steps >= most_steps or time.perf_counter() >= deadline:
                return steps, total

    train(length, 0)
    begun = time.perf_counter()
    train(length, 0)
    seconds = (time.perf_counter() - begun) / length
    length = max(1, min(len(x), int(SCAN / seconds)))
    train(length, 0)
    carry, first = (weights, optimizer.init(weights)), 0
    return "jax", jax.__version__, train


def use_processors(threads):
    """Lets this process run on so many processors: from their number XLA takes that of its threads."""
    if not hasattr(os, "sched_setaffinity"):
        raise Refused("the number of JAX's threads can be set on Linux only")
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise Refused(f"JAX has a thread for each processor: {threads} wanted, {len(allowed)} allowed")
    # Processors of different cores first.
    cores = {}
    for processor in allowed:
        cores.setdefault(siblings(processor), []).append(processor)
    ranked = sorted((rank, processor) for core in cores.values() for rank, processor in enumerate(core))
    os.sched_setaffinity(0, [processor for _, processor in ranked[:threads]])


def siblings(processor):
    """What names the core of a processor, where Linux tells."""
    path = f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list"
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return str(processor)


def optimizer_of(optax, specification):
    """The rule as optax has it; a decay is added to the gradient first, as in PyTorch."""
    hyper = specification["hyper"]
    if specification["optimizer"] == "adam":
        rule = optax.adam(hyper["learning_rate"], hyper["beta1"], hyper["beta2"], hyper["epsilon"])
    else:
        # None: no momentum is kept.
        rule = optax.sgd(hyper["learning_rate"], hyper["momentum"] or None, hyper["nesterov"])
    decay = hyper["weight_decay"]
    return optax.chain(optax.add_decayed_weights(decay), rule) if decay else rule


if __name__ == "__main__":
    serve(start)
