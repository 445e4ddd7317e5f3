"""The training loop of fallline's recipes in JAX: a whole epoch in one jitted `lax.scan`.

    jax_scan.py --data DIR --widths 784,128,10 --batch 64 --threads 2 --epochs 4

Prints a JSON list of samples/s, one for each epoch; the first includes compilation. Data is in
memory as floats, and batches are contiguous slices, unshuffled: kinder than what fallline does. The
last short batch is left out, since a scan needs equal ones.
"""

import argparse
import json
import os
import time


def main():
    parser = argparse.ArgumentParser()
    for name, kind in [("data", str), ("widths", str), ("batch", int), ("threads", int), ("epochs", int)]:
        parser.add_argument("--" + name, type=kind, required=True)
    options = parser.parse_args()
    # XLA takes its threads from the affinity mask.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    import jax
    import optax
    from jax import numpy as jnp

    from data import train_split

    x, y = train_split(options.data)
    batches = len(x) // options.batch
    x = jnp.asarray(x[: batches * options.batch].reshape(batches, options.batch, -1))
    y = jnp.asarray(y[: batches * options.batch].reshape(batches, options.batch))
    widths = [int(width) for width in options.widths.split(",")]
    keys = jax.random.split(jax.random.key(0), len(widths))
    parameters = [
        (jax.random.normal(key, (before, after)) * (2 / before) ** 0.5, jnp.zeros(after))
        for key, before, after in zip(keys, widths, widths[1:])
    ]
    optimizer = optax.adam(1e-3)

    def loss_of(parameters, x, y):
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        weight, bias = parameters[-1]
        return optax.softmax_cross_entropy_with_integer_labels(x @ weight + bias, y).mean()

    def step(carry, batch):
        parameters, state = carry
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(parameters, updates), state), loss

    epoch = jax.jit(lambda carry: jax.lax.scan(step, carry, (x, y)))
    carry, rates = (parameters, optimizer.init(parameters)), []
    for _ in range(options.epochs):
        begun = time.perf_counter()
        carry, losses = epoch(carry)
        losses.block_until_ready()
        rates.append(batches * options.batch / (time.perf_counter() - begun))
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
