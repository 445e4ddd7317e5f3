"""Parameters of small recurrent networks after some steps of gradient descent in which each row of a batch goes on with the
state that the row of the batch before has left, by PyTorch in float64.

    python scripts/golden/carried.py

writes tests/golden/carried.json. A sample is a part of one stream, and row i of step k is sample i * (samples / batch) + k, as
far as that is one; the states are carried as numbers, without a gradient, and forgotten where an epoch begins. Networks and
initial values are those of recurrent.py.
"""

import torch

import common
import recurrent as layers
from recurrent import recurrent

CLASSES = 3
SAMPLES, BATCH, POSITIONS, CHANNELS = 11, 3, 5, 2
EPOCHS = 2
LEARNING_RATE = 0.5
DIGITS = 13

CASES = [
    {"name": "lstm", "layers": [recurrent("lstm", 6)]},
    {"name": "gru, stacked", "layers": [recurrent("gru", 5, layers=2), recurrent("rnn", 9)]},
    {"name": "trained initial states", "layers": [recurrent("lstm", 7, initial="trained"), recurrent("gru", 4, initial="trained")]},
]


class Net(torch.nn.Module):
    """Recurrent layers and a dense layer at each position, named as this crate names them."""

    def __init__(self, case):
        super().__init__()
        self.kinds = case["layers"]
        channels = CHANNELS
        for number, layer in enumerate(self.kinds):
            self.add_module(str(number), layers.module(layer, channels))
            channels = layer["units"]
        self.add_module(str(len(self.kinds)), torch.nn.Linear(channels, CLASSES, dtype=torch.float64))

    def forward(self, x, states):
        """Scores [rows, positions, classes] and the states behind the last position, of which none are None."""
        after = []
        for number, layer in enumerate(self.kinds):
            made = self.get_submodule(str(number))
            state = made.first(len(x)) if states is None else states[number]
            # PyTorch's own forward pass.
            x, state = layers.KINDS[layer["type"]].forward(made, x, state)
            after.append(tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach())
        return self.get_submodule(str(len(self.kinds)))(x), after


def solved(case):
    x = torch.from_numpy(common.uniform(common.INPUTS, SAMPLES * POSITIONS * CHANNELS)).double()
    x = x.reshape(SAMPLES, POSITIONS, CHANNELS)
    target = torch.from_numpy(common.labels(SAMPLES * POSITIONS, CLASSES)).reshape(SAMPLES, POSITIONS)
    net = Net(case)
    with torch.no_grad():
        for number, values in enumerate(net.state_dict().values()):
            drawn = common.uniform(common.WEIGHTS + number, values.numel()) * 0.5
            values.copy_(torch.from_numpy(drawn).reshape(values.shape))
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    losses, of_row = [], SAMPLES // BATCH
    for _ in range(EPOCHS):
        states = None
        for step in range(of_row):
            rows = [row * of_row + step for row in range(BATCH)]
            optimizer.zero_grad()
            scores, states = net(x[rows], states)
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), target[rows].flatten())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return case | {
        "losses": common.rounded(losses, DIGITS),
        "names": list(net.state_dict()),
        "shapes": [list(values.shape) for values in net.state_dict().values()],
        "after": [common.rounded(values.reshape(-1), DIGITS) for values in net.state_dict().values()],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    header = {
        "classes": CLASSES,
        "samples": SAMPLES,
        "batch": BATCH,
        "positions": POSITIONS,
        "channels": CHANNELS,
        "epochs": EPOCHS,
        "learning_rate": LEARNING_RATE,
        "targets": common.labels(SAMPLES * POSITIONS, CLASSES).tolist(),
    }
    common.write(common.golden_path("carried.json"), "carried.py", header, [solved(case) for case in CASES])
