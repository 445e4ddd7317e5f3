"""The training loop of fallline's recipes in JAX: many steps in one jitted `lax.scan`.

A scan is an epoch long, or, where that takes longer than a timed run should overshoot, a part of
one. The lines that it is spoken to with are in serve.py.
"""

import functools
import os
import time

from data import UNCOUNTED, batches, initial_weights
from serve import Refused, serve

# About how long one scan is, in seconds: long beside the cost of starting one, short beside a run.
SCAN = 0.05
# Steps of the scans that tell how long a step is.
TRIAL = 8
# As PyTorch's, beside the norm that a gradient is clipped by.
CLIP_EPSILON = 1e-6


def start(specification):
    use_processors(specification["threads"])
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import optax
    from jax import numpy as jnp

    from jax_network import activation_of, network_of

    if specification["network"] is None:
        weights, apply = dense_network_of(jnp, specification, activation_of(specification["activation"]))
    else:
        weights, apply = network_of(specification)
    optimizer = optimizer_of(optax, specification)
    x, y = batches(specification)
    mean_of = mean_over(jnp, y)
    x, y = jnp.asarray(x), jnp.asarray(y)
    # The fastest random numbers that JAX has.
    key = jax.random.key(0, impl="unsafe_rbg")

    smoothing, most = specification["label_smoothing"], specification["clip_norm"]

    def loss_of(parameters, x, y, key):
        logits = apply(parameters, x, key)
        if smoothing == 0:
            return mean_of(optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(y, 0)), y)
        targets = optax.smooth_labels(jax.nn.one_hot(y, logits.shape[-1]), smoothing)
        return mean_of(optax.softmax_cross_entropy(logits, targets), y)

    def step(carry, batch):
        parameters, state = carry
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
        if most is not None:
            norm = jnp.sqrt(sum((gradient * gradient).sum() for gradient in jax.tree.leaves(gradients)))
            factor = jnp.minimum(1, most / (norm + CLIP_EPSILON))
            gradients = jax.tree.map(lambda gradient: gradient * factor, gradients)
        updates, state = optimizer.update(gradients, state, parameters)
        return (optax.apply_updates(parameters, updates), state), loss

    @functools.partial(jax.jit, static_argnames="length")
    def scan(carry, x, y, first, length):
        """`length` steps from batch `first` on, the first batch following the last."""
        at = lambda carry, i: step(carry, (x[i], y[i], jax.random.fold_in(key, i)))
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


def dense_network_of(jnp, specification, activation):
    """Weights and biases of dense layers, and the function of them."""
    weights = [(jnp.array(weight.T), jnp.array(bias)) for weight, bias in initial_weights(specification)]

    def apply(parameters, x, key):
        for weight, bias in parameters[:-1]:
            x = activation(x @ weight + bias)
        weight, bias = parameters[-1]
        return x @ weight + bias

    return weights, apply


def mean_over(jnp, labels):
    """The mean of losses, of those that count if some of the labels say that theirs does not."""
    if (labels != UNCOUNTED).all():
        return lambda losses, y: losses.mean()
    return lambda losses, y: jnp.where(y == UNCOUNTED, 0, losses).sum() / jnp.maximum((y != UNCOUNTED).sum(), 1)


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
    decay = hyper["weight_decay"]
    betas = hyper["beta1"], hyper["beta2"]
    if specification["optimizer"] == "adamw":
        return optax.adamw(hyper["learning_rate"], *betas, hyper["epsilon"], weight_decay=decay)
    if specification["optimizer"] == "adam":
        rule = optax.adam(hyper["learning_rate"], *betas, hyper["epsilon"])
    else:
        # None: no momentum is kept.
        rule = optax.sgd(hyper["learning_rate"], hyper["momentum"] or None, hyper["nesterov"])
    return optax.chain(optax.add_decayed_weights(decay), rule) if decay else rule


if __name__ == "__main__":
    serve(start)
