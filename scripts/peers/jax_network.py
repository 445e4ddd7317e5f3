"""Networks of sequences in JAX: parameters by the names that fallline's saved models have, and the function of them.

Images are [samples, height, width, channels], sequences [samples, positions, channels].
"""

import functools

import jax
import numpy
from jax import numpy as jnp

from data import saved_tensors
from serve import Refused

# A network without any of these is one of images.
SEQUENCES = {"embedding", "rows", "recurrent", "attention", "transformer-block", "position-dense"}

# Weights begin as normal ones of this deviation where there is no saved model: of no influence on the time.
DEVIATION = 0.02


def activation_of(name, parameter=None):
    return {
        "identity": lambda x: x,
        "relu": jax.nn.relu,
        "leaky-relu": functools.partial(jax.nn.leaky_relu, negative_slope=parameter),
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "gelu": functools.partial(jax.nn.gelu, approximate=False),
        "silu": jax.nn.silu,
        "softplus": jax.nn.softplus,
        "elu": functools.partial(jax.nn.elu, alpha=parameter),
        "mish": jax.nn.mish,
        "hard-swish": jax.nn.hard_swish,
    }[name]


def network_of(specification):
    """The initial parameters by name, and `apply(parameters, x, key)` for a batch `x` [samples, features]; `key` is
    what is dropped by."""
    network = specification["network"]
    modules = network["modules"]
    if not any(module["type"] in SEQUENCES for module in modules):
        raise Refused("this peer has no layers of images")
    shapes, layers = {}, []
    for number, module in enumerate(modules):
        settings = dict(module)
        kind = settings.pop("type")
        if kind not in MAKERS:
            raise Refused(f"this peer has no layer {kind}")
        own, layer = MAKERS[kind](**settings)
        shapes |= {f"{number}.{name}": shape for name, shape in own.items()}
        layers.append(layer)
    codes, positions_from = modules[0]["type"] == "embedding", network["positions_from"]

    def apply(parameters, x, key):
        if not codes:
            x = x.reshape(-1, *network["input"])
        for number, layer in enumerate(layers):
            if number == positions_from:
                x = x.reshape(len(x), -1, x.shape[-1])
            own = functools.partial(under, parameters, f"{number}.")
            x = layer(own, x, jax.random.fold_in(key, number))
        return x

    return initial_of(specification, shapes), apply


def under(parameters, prefix, name):
    """The parameter of a name within a module; None if there is none, as of a bias that was not asked for."""
    return parameters.get(prefix + name)


def initial_of(specification, shapes):
    """Those of the saved model, or random weights, biases of 0, and factors of 1 that normalisations have."""
    if specification["initial"] is not None:
        saved = saved_tensors(specification["initial"])
        # What is not trained is made anew.
        fixed = {
            f"{number}.weight"
            for number, module in enumerate(specification["network"]["modules"])
            if module["type"] == "sinusoidal-positions"
        }
        if set(saved) - fixed != set(shapes):
            raise Refused(f"the initial weights are {sorted(saved)}, not {sorted(shapes)}")
        return {name: jnp.array(saved[name]).reshape(shapes[name]) for name in shapes}
    random = numpy.random.default_rng(0)

    def made(shape):
        if len(shape) > 1:
            return random.normal(0, DEVIATION, shape)
        return numpy.zeros(shape)

    norms = lambda name: name.split(".")[-2].endswith("norm") and name.endswith("weight")
    of_positions = lambda name: len(shapes[name]) == 1 and name.count(".") == 1 and name.endswith("weight")
    ones = lambda name: norms(name) or of_positions(name)
    arrays = {name: numpy.ones(shape) if ones(name) else made(shape) for name, shape in shapes.items()}
    return {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}


# Each of these makes the shapes of a layer's parameters, and the layer: a function of what gives a parameter by its
# name, of the input, and of a key.


def dense(inputs, outputs, bias):
    shapes = {"weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {})
    return shapes, lambda own, x, key: linear(x, own("weight"), own("bias"))


def linear(x, weight, bias):
    y = x @ weight.T
    return y if bias is None else y + bias


def conv(inputs, outputs, kernel, stride, padding, dilation, groups, bias):
    shape = (outputs, inputs // groups, *kernel)
    if len(kernel) == 1:
        # A sequence is an image of height 1.
        kernel, stride, dilation, padding = [1, *kernel], [1, *stride], [1, *dilation], [[0, 0], *padding]

    def layer(own, x, key):
        y = jax.lax.conv_general_dilated(
            x,
            own("weight").reshape(*shape[:2], *kernel),
            stride,
            padding,
            rhs_dilation=dilation,
            feature_group_count=groups,
            dimension_numbers=("NHWC", "OIHW", "NHWC"),
        )
        return y + own("bias") if bias else y

    return {"weight": shape} | ({"bias": (outputs,)} if bias else {}), layer


def embedding(categories, width):
    return {"weight": (categories, width)}, lambda own, x, key: own("weight")[x]


def position_embedding(positions, channels):
    return {"weight": (positions, channels)}, lambda own, x, key: x + own("weight")


def sinusoidal_positions(positions, channels):
    angles = numpy.arange(positions)[:, None] / 10_000 ** (numpy.arange(0, channels, 2) / channels)
    values = numpy.stack([numpy.sin(angles), numpy.cos(angles)], axis=2).reshape(positions, -1)[:, :channels]
    values = values.astype(numpy.float32)
    return {}, lambda own, x, key: x + values


def position_norm(norm, channels, epsilon=1e-5):
    if norm == "rms":
        return {"weight": (channels,)}, lambda own, x, key: (
            x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + epsilon) * own("weight")
        )

    def layer(own, x, key):
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred * centred).mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + epsilon) * own("weight") + own("bias")

    return {"weight": (channels,), "bias": (channels,)}, layer


def dropout(rate):
    def layer(own, x, key):
        if rate == 0:
            return x
        return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)

    return {}, layer


def lstm_cell(state, x, weight, _):
    h, c = state
    i, f, g, o = jnp.split(x + h @ weight, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_cell(state, x, weight, bias):
    (h,) = state
    of_x, of_h = jnp.split(x, 3, axis=-1), jnp.split(h @ weight + bias, 3, axis=-1)
    r, z = (jax.nn.sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2]))
    n = jnp.tanh(of_x[2] + r * of_h[2])
    return ((1 - z) * n + z * h,)


def plain_cell(function, state, x, weight, _):
    return (function(x + state[0] @ weight),)


def recurrent(cell, inputs, units, bidirectional, returns, nonlinearity):
    function = activation_of(nonlinearity or "identity")
    step, gates, states = {
        "lstm": (lstm_cell, 4, 2),
        "gru": (gru_cell, 3, 1),
        "rnn": (functools.partial(plain_cell, function), 1, 1),
    }[cell]
    suffixes = ["", "_reverse"] if bidirectional else [""]
    shapes = {}
    for suffix in suffixes:
        shapes |= {
            f"weight_ih_l0{suffix}": (gates * units, inputs),
            f"weight_hh_l0{suffix}": (gates * units, units),
            f"bias_ih_l0{suffix}": (gates * units,),
            f"bias_hh_l0{suffix}": (gates * units,),
        }

    def direction(own, x, suffix):
        """The states at all positions [positions, samples, units], and the last one."""
        weight, bias = own(f"weight_hh_l0{suffix}").T, own(f"bias_hh_l0{suffix}")
        # The projections of all positions are one product; of a GRU, a gate stands between both biases.
        before = own(f"bias_ih_l0{suffix}")
        projected = linear(x, own(f"weight_ih_l0{suffix}"), before if cell == "gru" else before + bias)

        def advance(state, x):
            state = step(state, x, weight, bias)
            return state, state[0] if returns == "all" else None

        zero = tuple(jnp.zeros((x.shape[1], units), x.dtype) for _ in range(states))
        last, all_states = jax.lax.scan(advance, zero, projected, reverse=suffix != "")
        return all_states, last[0]

    def layer(own, x, key):
        ways = [direction(own, x.swapaxes(0, 1), suffix) for suffix in suffixes]
        if returns == "last":
            return jnp.concatenate([last for _, last in ways], axis=-1)
        return jnp.concatenate([all_states for all_states, _ in ways], axis=-1).swapaxes(0, 1)

    return shapes, layer


def attention(channels, heads, kv_heads, width, causal, rotary_base, bias):
    sizes = [heads * width, kv_heads * width, kv_heads * width]
    shapes = {"in_proj_weight": (sum(sizes), channels), "out_proj.weight": (channels, sizes[0])}
    if bias:
        shapes |= {"in_proj_bias": (sum(sizes),), "out_proj.bias": (channels,)}

    def layer(own, x, key):
        projected = linear(x, own("in_proj_weight"), own("in_proj_bias"))
        parts = jnp.split(projected, [sizes[0], sizes[0] + sizes[1]], axis=-1)
        q, k, v = (part.reshape(*x.shape[:2], -1, width) for part in parts)
        if rotary_base is not None:
            q, k = turned(q, rotary_base), turned(k, rotary_base)
        y = jax.nn.dot_product_attention(q, k, v, is_causal=causal)
        return linear(y.reshape(*x.shape[:2], -1), own("out_proj.weight"), own("out_proj.bias"))

    return shapes, layer


def turned(x, base):
    """Pairs of [samples, positions, heads, width], a number of the first half and one of the second, by their angles."""
    half = numpy.arange(x.shape[3] // 2)
    angles = numpy.arange(x.shape[1])[:, None, None] * base ** (-2 * half / x.shape[3])
    cosines, sines = numpy.cos(angles).astype(numpy.float32), numpy.sin(angles).astype(numpy.float32)
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cosines - b * sines, b * cosines + a * sines], axis=-1)


def transformer_block(hidden, function, norm, normalise, dropout, **of_attention):
    channels, bias, rate, before = of_attention["channels"], of_attention["bias"], dropout, normalise == "before"
    swiglu = function == "swiglu"
    parts = {
        "attend.attention.": attention(**of_attention),
        "compute.up.": dense(channels, 2 * hidden if swiglu else hidden, bias),
        "compute.down.": dense(hidden, channels, bias),
    }
    norms = ["attend.norm.", "compute.norm."] if before else ["attend_norm.", "compute_norm."]
    parts |= {name: position_norm(norm, channels) for name in norms}
    shapes = {prefix + name: shape for prefix, (own, _) in parts.items() for name, shape in own.items()}
    drop = MAKERS["dropout"](rate)[1]

    def layer(own, x, key):
        part = lambda prefix, x: parts[prefix][1](lambda name: own(prefix + name), x, None)

        def compute(x):
            x = part("compute.up.", x)
            if swiglu:
                a, gate = jnp.split(x, 2, axis=-1)
                return part("compute.down.", a * jax.nn.silu(gate))
            return part("compute.down.", activation_of(function)(x))

        ways = [functools.partial(part, "attend.attention."), compute]
        for number, (name, way) in enumerate(zip(norms, ways)):
            y = way(part(name, x) if before else x)
            x = x + drop(None, y, jax.random.fold_in(key, number))
            x = x if before else part(name, x)
        return x

    return shapes, layer


def of_input(function):
    """The maker of a layer without parameters."""
    return {}, lambda own, x, key: function(x)


MAKERS = {
    "conv": conv,
    "dense": dense,
    "position-dense": dense,
    "embedding": embedding,
    "position-embedding": position_embedding,
    "sinusoidal-positions": sinusoidal_positions,
    "position-norm": position_norm,
    "recurrent": recurrent,
    "attention": attention,
    "transformer-block": transformer_block,
    "dropout": dropout,
    "rows": lambda: of_input(lambda x: x.reshape(*x.shape[:2], -1)),
    "mean-position": lambda: of_input(lambda x: x.mean(1)),
    "last-position": lambda: of_input(lambda x: x[:, -1]),
    "flatten-positions": lambda: of_input(lambda x: x.swapaxes(1, 2).reshape(len(x), -1)),
    # Behind a pool, which has made features already.
    "flatten": lambda: of_input(lambda x: x.reshape(len(x), -1)),
    "activation": lambda name, parameter: of_input(activation_of(name, parameter)),
}
