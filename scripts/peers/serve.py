"""The lines that fallline and a peer exchange: JSON, one object a line, on the standard streams.

    to the peer      its specification: {"images": FILE, "labels": FILE, "scale": 255, "mean": 0.1307,
                     "deviation": 0.3081, "widths": [784, 128, 10], "activation": "relu",
                     "loss": "cross-entropy", "label_smoothing": 0, "optimizer": "adam",
                     "hyper": {"learning_rate": 0.001, "momentum": 0, "nesterov": false, "beta1": 0.9,
                     "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0}, "batch": 64, "threads": 2,
                     "clip_norm": null, "network": null, "windows": null, "initial": FILE or null, "mode":
                     "eager"}; for a network of images or sequences, instead of widths and activation,
                     "network": {"input": [28, 28, 1], "one_dimensional": false, "positions_from": null,
                     "modules": [{"type": "conv", "inputs": 1, "outputs": 6, "kernel": [5, 5], ...}, ...]};
                     for tokens "windows": {"samples": 1000, "features": [64, 1], "targets": [64, 1]}:
                     how many numbers a sample has in its file, and how far apart samples begin
    from the peer    {"ready": true, "framework": "pytorch-eager", "version": "2.15.0"}
                     once everything is compiled and the weights are the initial ones
    to the peer      {"seconds": 0.5}: train for about that long, whole steps; or
                     {"steps": 100}: train for exactly so many
    from the peer    {"samples": 51200, "seconds": 0.501, "loss": 0.31}: what was done, how long it
                     took, and the mean loss of these steps, null if it is not finite

The training goes on where it stopped. Instead of any answer may come {"error": "..."}, and then the
peer ends; it also ends with {"quit": true} or when its input ends. Between requests it waits for
input and needs no processor. Everything else that a library prints goes to the standard error.
"""

import json
import math
import os
import signal
import sys
import time
import traceback


def serve(start):
    """Answers requests until there are no more.

    `start` makes of a specification the framework's name, its version, and a function
    `train(most_steps, deadline)` that trains for so many steps or until the clock has passed the
    deadline, at least a step, and gives the number of steps and the sum of their losses.
    """
    # What libraries print, also those in C, must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # A terminal sends Ctrl-C to this process too; when to end is the other's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = lambda **entries: answers.write(json.dumps(entries, allow_nan=False) + "\n")
    try:
        specification = json.loads(sys.stdin.readline())
        framework, version, train = start(specification)
        answer(ready=True, framework=framework, version=version)
        for line in iter(sys.stdin.readline, ""):
            request = json.loads(line)
            if request.get("quit"):
                break
            answer(**run(train, specification["batch"], request))
    except Exception as error:
        traceback.print_exc()
        lines = str(error).strip().splitlines() or ["no reason given"]
        kind = "" if type(error) in (Refused, ModuleNotFoundError) else f"{type(error).__name__}: "
        answer(error=kind + lines[0])
        sys.exit(1)


class Refused(Exception):
    """A specification that a peer cannot follow; the text is for people."""


def run(train, batch, request):
    """Does what a request asks for."""
    begun = time.perf_counter()
    if "seconds" in request:
        steps, loss = train(math.inf, begun + request["seconds"])
    else:
        steps, loss = train(request["steps"], math.inf)
    seconds = time.perf_counter() - begun
    loss /= steps
    return {"samples": steps * batch, "seconds": seconds, "loss": loss if math.isfinite(loss) else None}
