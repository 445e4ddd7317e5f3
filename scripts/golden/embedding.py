"""A few steps of networks that begin with embeddings, by PyTorch in float64.

    python scripts/golden/embedding.py

writes tests/golden/embedding.json: torch.nn.Embedding for each code, its vectors behind the numbers of a sample, then
dense layers; or one torch.nn.Embedding for all positions of a sequence, then the mean over them. Each step takes the
same batch; `losses` are those before each step. Tables and dense layers begin with what common.py gives; all are exactly
f32, widened.
"""

import numpy as np
import torch

import common

DIGITS = 13
CODES = 600
TABLES = 700
BATCH = 24
STEPS = 6

SGD = {"name": "sgd", "lr": 0.5}
ADAM = {"name": "adam", "lr": 0.02}

CASES = [
    {"name": "columns", "numbers": 3, "tables": [[7, 3], [40, 5], [2, 1]], "hidden": 9, "rule": rule}
    for rule in (SGD, ADAM)
] + [
    {"name": "one column and no number", "numbers": 0, "tables": [[13, 4]], "hidden": 5, "rule": ADAM},
    {"name": "sequence", "positions": 6, "tables": [[11, 5]], "rule": SGD},
    {"name": "sequence", "positions": 6, "tables": [[11, 5]], "rule": ADAM},
]
OUTPUTS = 4


def uniform(seed, *shape):
    return torch.from_numpy(common.uniform(seed, int(np.prod(shape)))).reshape(*shape).double()


def codes(number, count, rows):
    values = common.splitmix64(CODES + number, count) % np.uint64(rows)
    return torch.from_numpy(values.astype(np.int64))


def embedding(number, rows, width):
    table = torch.nn.Embedding(rows, width, dtype=torch.float64)
    with torch.no_grad():
        table.weight.copy_(uniform(TABLES + number, rows, width))
    return table


class Columns(torch.nn.Module):
    """The numbers, and behind them a vector for each code."""

    def __init__(self, case):
        super().__init__()
        self.tables = torch.nn.ModuleList(embedding(i, *table) for i, table in enumerate(case["tables"]))
        width = case["numbers"] + sum(width for _, width in case["tables"])
        self.dense = common.network([width, case["hidden"], OUTPUTS], ["tanh"], torch.float64)

    def forward(self, numbers, codes):
        vectors = [table(code) for table, code in zip(self.tables, codes)]
        return self.dense(torch.cat([numbers, *vectors], dim=1))


class Sequence(torch.nn.Module):
    """The mean over the positions of the vectors of one table."""

    def __init__(self, case):
        super().__init__()
        self.tables = torch.nn.ModuleList([embedding(0, *case["tables"][0])])
        self.dense = common.network([case["tables"][0][1], OUTPUTS], [], torch.float64)

    def forward(self, _, codes):
        return self.dense(self.tables[0](codes[0]).mean(dim=1))


def solved(case):
    if "positions" in case:
        rows = case["tables"][0][0]
        read = [codes(0, BATCH * case["positions"], rows).reshape(BATCH, case["positions"])]
        numbers, model = None, Sequence(case)
    else:
        read = [codes(i, BATCH, rows) for i, (rows, _) in enumerate(case["tables"])]
        # An empty tensor where there is no number.
        numbers, model = uniform(common.INPUTS, BATCH, case["numbers"]), Columns(case)
    target = torch.from_numpy(common.labels(BATCH, OUTPUTS))
    rule = torch.optim.SGD if case["rule"]["name"] == "sgd" else torch.optim.Adam
    optimizer = rule(model.parameters(), lr=case["rule"]["lr"])
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(numbers, read), target)
        losses.append(common.rounded(loss.detach(), DIGITS))
        loss.backward()
        optimizer.step()
    return case | {
        "losses": losses,
        "weights": [common.rounded(table.weight.detach(), DIGITS) for table in model.tables],
        "dense": common.rounded(model.dense[0].weight.detach(), DIGITS),
    }


def main():
    header = {"batch": BATCH, "outputs": OUTPUTS}
    common.write(common.golden_path("embedding.json"), "embedding.py", header, [solved(case) for case in CASES])


if __name__ == "__main__":
    main()
