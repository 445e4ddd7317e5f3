"""The same as convolutions.py for recurrent layers, over sequences of an image's pixels.

    python scripts/golden/recurrent.py

writes tests/golden/recurrent.json. Tensor i of a network, in PyTorch's order, begins with half of the numbers in
[-1, 1) that the seed of the weights of layer i gives: exactly f32, widened.
"""

import torch

import common
import convolutions
from convolutions import DENSE, FLATTEN


def recurrent(kind, units, **more):
    return {"type": kind, "units": units} | more


CASES = [
    {"name": "lstm, last", "input": [1, 7, 3], "layers": [recurrent("lstm", 6, returns="last"), DENSE]},
    {"name": "gru, all", "input": [3, 2, 2], "layers": [recurrent("gru", 5), FLATTEN, DENSE]},
    {
        "name": "plain cells",
        "input": [4, 2, 1],
        "layers": [recurrent("rnn", 17), recurrent("rnn", 9, nonlinearity="relu", returns="last"), DENSE],
    },
    {
        "name": "both directions",
        "input": [1, 5, 4],
        "layers": [
            recurrent("lstm", 4, bidirectional=True),
            recurrent("gru", 16, bidirectional=True),
            recurrent("rnn", 16, bidirectional=True, returns="last"),
            DENSE,
        ],
    },
    {
        "name": "both directions, last",
        "input": [1, 6, 2],
        "layers": [
            recurrent("gru", 18),
            recurrent("lstm", 8, bidirectional=True, returns="last"),
            DENSE,
        ],
    },
    {
        "name": "stacks",
        "input": [1, 6, 3],
        "layers": [
            recurrent("lstm", 8, layers=2, bidirectional=True),
            recurrent("gru", 5, layers=3),
            recurrent("rnn", 7, layers=2, returns="last"),
            DENSE,
        ],
    },
    {
        "name": "both directions of a stack, last",
        "input": [1, 5, 2],
        "layers": [recurrent("lstm", 4, layers=3, bidirectional=True, returns="last"), DENSE],
    },
    {
        "name": "trained initial states",
        "input": [1, 4, 3],
        "layers": [
            recurrent("lstm", 8, layers=2, bidirectional=True, initial="trained"),
            recurrent("gru", 5, initial="trained"),
            recurrent("rnn", 6, initial="trained"),
            recurrent("lstm", 4, initial="trained", returns="last"),
            DENSE,
        ],
    },
    {"name": "one position", "input": [1, 1, 5], "layers": [recurrent("gru", 4, returns="last"), DENSE]},
]

KINDS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


def module(layer, channels):
    """PyTorch's module of a recurrent layer, for images and sequences [rows, channels, ...], that returns one tensor."""
    base = KINDS[layer["type"]]
    is_last = layer.get("returns", "all") == "last"

    sides = ("", "_reverse") if layer.get("bidirectional") else ("",)
    places = [f"l{number}{side}" for number in range(layer.get("layers", 1)) for side in sides]
    states = ("h0", "c0") if base is torch.nn.LSTM else ("h0",)
    is_trained = layer.get("initial", "zeros") == "trained"

    class Recurrent(base):
        def first(self, rows):
            """The states before the first position, [layers * directions, rows, units], if they are trained."""
            if not is_trained:
                return None
            of = lambda state: torch.stack([getattr(self, f"{state}_{place}") for place in places])
            given = [of(state)[:, None].expand(-1, rows, -1).contiguous() for state in states]
            return tuple(given) if len(given) == 2 else given[0]

        def forward(self, x):
            y, state = super().forward(x.flatten(2).transpose(1, 2), self.first(len(x)))
            if not is_last:
                return y.transpose(1, 2)
            h = state[0] if isinstance(state, tuple) else state
            # Of the last layer.
            return h[-len(sides) :].transpose(0, 1).flatten(1)

    more = {key: layer[key] for key in ("bidirectional", "nonlinearity") if key in layer}
    made = Recurrent(
        channels, layer["units"], layer.get("layers", 1), batch_first=True, dtype=torch.float64, **more
    )
    for place in places if is_trained else ():
        for state in states:
            made.register_parameter(
                f"{state}_{place}", torch.nn.Parameter(torch.zeros(layer["units"], dtype=torch.float64))
            )
    return made


def initialised(case, x):
    """The network with its initial values, and what has parameters."""
    made, owners = [], []
    for layer in case["layers"]:
        with torch.no_grad():
            channels = torch.nn.Sequential(*made)(x[:1]).shape[1]
        if layer["type"] == "flatten":
            made.append(torch.nn.Flatten())
            continue
        if layer["type"] == "dense":
            owners.append(torch.nn.Linear(channels, layer["units"], dtype=torch.float64))
        else:
            owners.append(module(layer, channels))
        made.append(owners[-1])
    net = torch.nn.Sequential(*made)
    with torch.no_grad():
        for number, values in enumerate(net.state_dict().values()):
            drawn = common.uniform(common.WEIGHTS + number, values.numel()) * 0.5
            values.copy_(torch.from_numpy(drawn).reshape(values.shape))
    return net, owners


if __name__ == "__main__":
    convolutions.write("recurrent", CASES, initialised)
