"""Outputs and gradients of small networks by PyTorch in float64.

    python scripts/golden/layers.py

writes tests/golden/layers.json: for each activation a 7-5-3 network with cross-entropy, and one with
squared error, on a batch of four rows. Inputs and initial values are exactly f32, widened.
"""

import torch

import common

DIMS = [7, 5, 3]
BATCH = 4
DIGITS = 13

CASES = [(activation, "cross_entropy") for activation in common.ACTIVATIONS] + [("tanh", "mean_squared_error")]


def solved(activation, loss_name):
    """Loss, logits [4, 3], and the gradients of the loss: of the inputs [4, 7], and of each layer's
    weights [out, in] and biases [out]."""
    x = torch.from_numpy(common.uniform(common.INPUTS, BATCH * DIMS[0])).reshape(BATCH, DIMS[0]).double()
    x.requires_grad_()
    target = torch.from_numpy(common.labels(BATCH, DIMS[-1]))
    net = common.network(DIMS, [activation], torch.float64)
    logits = net(x)
    loss = common.loss_of(loss_name, logits, target)
    loss.backward()
    dense = [module for module in net if isinstance(module, torch.nn.Linear)]
    return {
        "activation": activation,
        "loss": loss_name,
        "value": common.rounded(loss.item(), DIGITS),
        "logits": common.rounded(logits, DIGITS),
        "d_inputs": common.rounded(x.grad, DIGITS),
        "d_weights": [common.rounded(layer.weight.grad, DIGITS) for layer in dense],
        "d_biases": [common.rounded(layer.bias.grad, DIGITS) for layer in dense],
    }


def main():
    labels = common.labels(BATCH, DIMS[-1]).tolist()
    cases = [solved(activation, loss) for activation, loss in CASES]
    header = {"dims": DIMS, "batch": BATCH, "labels": labels}
    common.write(common.golden_path("layers.json"), "layers.py", header, cases)


if __name__ == "__main__":
    main()
