"""A few steps of language models whose output layer has the weights of the embedding, by PyTorch in float64.

    python scripts/golden/tied.py

writes tests/golden/tied.json: torch.nn.Embedding, layers of each position, then torch.nn.functional.linear with the
embedding's weight, and perhaps a bias. Each step takes the same batch; `losses` are those before each step, and `weights`
the common matrix behind the last. Tensor i of `names` begins with half of the numbers in [-1, 1) that the seed of the
weights of layer i gives: exactly f32, widened. A target of -1 does not count.
"""

import numpy as np
import torch

import common

DIGITS = 13
CODES = 600
BATCH = 10
POSITIONS = 6
STEPS = 6

SGD = {"name": "sgd", "lr": 0.5}
ADAM = {"name": "adam", "lr": 0.02}

CASES = [
    {"name": "nothing between", "table": [9, 4], "middle": "none", "bias": False, "rule": SGD},
    {"name": "dense", "table": [37, 20], "middle": "dense", "bias": False, "rule": ADAM},
    {"name": "lstm", "table": [11, 6], "middle": "lstm", "bias": True, "rule": SGD},
    {"name": "lstm", "table": [11, 6], "middle": "lstm", "bias": True, "rule": ADAM},
]


class Tied(torch.nn.Module):
    def __init__(self, case):
        super().__init__()
        rows, width = case["table"]
        self.middle = {
            "none": lambda: None,
            "dense": lambda: torch.nn.Linear(width, width, dtype=torch.float64),
            "lstm": lambda: torch.nn.LSTM(width, width, batch_first=True, dtype=torch.float64),
        }[case["middle"]]()
        # An activation is a module of its own.
        last = {"none": 1, "dense": 3, "lstm": 2}[case["middle"]]
        self.weight = torch.nn.Parameter(torch.empty(rows, width, dtype=torch.float64))
        self.bias = torch.nn.Parameter(torch.empty(rows, dtype=torch.float64)) if case["bias"] else None
        between = self.middle.named_parameters() if self.middle is not None else []
        self.named = {f"1.{name}": values for name, values in between} | {f"{last}.weight": self.weight}
        if case["bias"]:
            self.named[f"{last}.bias"] = self.bias
        with torch.no_grad():
            for number, values in enumerate(self.named.values()):
                drawn = common.uniform(common.WEIGHTS + number, values.numel()) * 0.5
                values.copy_(torch.from_numpy(drawn).reshape(values.shape))

    def forward(self, codes):
        x = torch.nn.functional.embedding(codes, self.weight)
        if isinstance(self.middle, torch.nn.LSTM):
            x = self.middle(x)[0]
        elif self.middle is not None:
            x = self.middle(x).tanh()
        return torch.nn.functional.linear(x, self.weight, self.bias)


def drawn(seed, rows):
    values = common.splitmix64(seed, BATCH * POSITIONS) % np.uint64(rows)
    return torch.from_numpy(values.astype(np.int64)).reshape(BATCH, POSITIONS)


def solved(case):
    rows = case["table"][0]
    codes, targets = drawn(CODES, rows), drawn(common.LABELS, rows)
    targets.view(-1)[::7] = -1
    model = Tied(case)
    rule = torch.optim.SGD if case["rule"]["name"] == "sgd" else torch.optim.Adam
    optimizer = rule(model.parameters(), lr=case["rule"]["lr"])
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        logits = model(codes).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=-1)
        losses.append(common.rounded(loss.detach(), DIGITS))
        loss.backward()
        optimizer.step()
    return case | {
        "names": list(model.named),
        "losses": losses,
        "weights": common.rounded(model.weight.detach().flatten(), DIGITS),
    }


def main():
    header = {"batch": BATCH, "positions": POSITIONS}
    common.write(common.golden_path("tied.json"), "tied.py", header, [solved(case) for case in CASES])


if __name__ == "__main__":
    main()
