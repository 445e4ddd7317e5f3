#!/usr/bin/env python3
"""Checks the ONNX files of `fallline export` against onnxruntime.

    check_onnx.py PROGRAM OUTPUTS [--data DIR] [--only NAME] [--no-recipes] [--trainer PROGRAM]
    check_onnx.py PROGRAM OUTPUTS --self-test

PROGRAM is `fallline`, OUTPUTS the example `outputs`. Three sorts of models are exported and run:

- small networks that together have every layer that `fallline layers` lists, with parameters away from their initial
  values, at operators of version 17, and each at the oldest, the newest and one in between, too;
- the built-in recipes, trained for two steps (with --data, a folder of data sets; recipes whose data are not there are
  named and left out; --trainer is another `fallline` that does it faster);
- a table of numbers, missing values and categories, with preprocessing, against `fallline predict`.

Each file passes the checker of the package onnx. Of random samples onnxruntime's outputs and fallline's differ by at most
1e-4 of the largest output; with --with-preprocessing, the data go in as they come. The exit code is 1 if something differs.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import numpy
import onnx
import onnxruntime

# Of the largest output.
TOLERANCE = 1e-4
OPSETS = [13, 17, 18, 20, 21]
ROWS = 5

# Input, outputs, layers: TOML tables. Together they have every layer.
NETWORKS = {
    "dense": ("1x1x7", 3, ["dense units=9 activation='relu'", "dense units=8 weight_norm=true activation='gelu'",
                           "dense units=6 bias=false activation={type='elu',alpha=0.7}", "layer-norm activation='tanh'",
                           "batch-norm activation='silu'", "group-norm groups=2", "dropout", "prelu by_channel=true",
                           "glu gate='gelu'", "dense units=3"]),
    "features": ("1x1x4", 2, ["polynomial-features degree=3", "batch-norm", "random-fourier-features components=20",
                              "squared-distances centres=6", "softplus", "dense units=2"]),
    "interactions": ("1x1x4", 2, ["polynomial-features degree=3 interactions_only=true", "swiglu",
                                  "dense units=2"]),
    "activations": ("1x1x6", 4, ["dense units=12"] + ["relu", "leaky-relu slope=0.3", "tanh", "gelu", "silu",
                                 "elu alpha=0.5", "mish", "hard-swish", "softplus", "sigmoid", "dense units=4"]),
    "front": ("4x5x3", 3, ["batch-norm", "dense units=5", "dense units=3"]),
    "front-activation": ("4x5x3", 3, ["tanh", "prelu by_channel=true", "dense units=3"]),
    "images": ("12x11x3", 4, ["conv channels=8 kernel=3 padding=1 activation='relu'",
                              "conv channels=8 kernel=[3,2] stride=[1,2] padding=[1,0,2,1] dilation=[2,1] groups=2",
                              "batch-norm activation='relu'", "max-pool kernel=2 stride=1 padding=1",
                              "conv channels=16 kernel=3 padding=1 groups=8", "group-norm groups=4 activation='gelu'",
                              "squeeze-excite reduction=4", "prelu by_channel=true", "glu",
                              "average-pool kernel=3 stride=2 padding=1", "layer-norm", "flatten", "dense units=4"]),
    "fused": ("12x12x1", 4, ["conv channels=6 kernel=3 activation='relu'", "max-pool kernel=2", "flatten",
                             "dense units=4"]),
    "far-windows": ("9x9x2", 3, ["max-pool kernel=2 stride=1 padding=2 dilation=3",
                                 "average-pool kernel=2 stride=1 padding=1 dilation=2",
                                 "conv channels=4 kernel=3 padding=4", "average-pool kernel=2 padding=1",
                                 "global-max-pool", "dense units=3"]),
    "transposed": ("7x6x2", 3, ["conv-transpose channels=5 kernel=3 stride=2 padding=[1,0,2,1] output_padding=1 "
                                "activation='relu'", "conv-transpose channels=4 kernel=[2,3] dilation=2 bias=false",
                                "global-average-pool", "dense units=3"]),
    "residual": ("8x8x3", 3, ["residual activation='relu' layers=[{type='conv',channels=4,kernel=3,padding=1,"
                              "activation='silu'},{type='batch-norm'}] shortcut=[{type='conv',channels=4,kernel=1}]",
                              "residual activation='gelu' layers=[{type='conv',channels=4,kernel=3,padding=1}]",
                              "global-average-pool", "residual layers=[{type='dense',units=4}]", "dense units=3"]),
    "residual-front": ("3x4x2", 3, ["residual layers=[{type='dense',units=24}]", "dense units=3"]),
    "pixels": ("5x4x3", 6, ["position-dense units=6 activation='gelu'", "layer-norm by_position=true", "rms-norm",
                            "position-dense units=6"]),
    "lines": ("1x20x3", 4, ["conv-1d channels=6 kernel=3 padding='same' activation='tanh'",
                            "conv-1d channels=8 kernel=3 padding='causal' dilation=2 groups=2",
                            "max-pool-1d kernel=2", "average-pool-1d kernel=2 stride=1", "prelu", "glu",
                            "group-norm groups=2", "layer-norm", "batch-norm", "global-average-pool",
                            "dense units=4"]),
    "line-of-pixels": ("6x5x2", 3, ["conv-1d channels=4 kernel=3 stride=2", "flatten", "dense units=3"]),
    "line-of-features": ("1x1x15", 3, ["conv-1d channels=4 kernel=3 activation='relu'", "global-max-pool",
                                       "dense units=3"]),
    "lstm": ("1x9x5", 4, ["lstm units=8 layers=2 initial='trained'",
                          "lstm units=4 bidirectional=true initial='trained'", "last-position", "dense units=4"]),
    "gru": ("6x5x2", 4, ["rows", "gru units=16 bidirectional=true layers=2 returns='last'", "dense units=4"]),
    "rnn": ("4x4x1", 4, ["permute seed=3", "rnn units=8 nonlinearity='relu' initial='trained'",
                         "rnn units=16 bidirectional=true returns='last'", "dense units=4"]),
    "gru-tokens": ("1x7x3", 5, ["gru units=6 initial='trained'", "position-dense units=5"]),
    "attention": ("1x10x8", 8, ["attention heads=4 kv_heads=2 rotary=true causal=true",
                                "attention heads=2 head_width=6 bias=false",
                                "attention heads=2 source=4 part='source' rotary=true",
                                "sinusoidal-positions", "residual layers=[{type='cross-attention',source=4,heads=4,kv_heads=2}]",
                                "position-dense units=8 source=4 part='target' activation='sigmoid'",
                                "position-dense units=8 source=4 part='source' activation='gelu'",
                                "rms-norm source=4 part='target'", "layer-norm by_position=true source=4 part='source'"]),
    "transformer": ("1x6x1", 9, ["embedding categories=9 widths=8 shared=true", "position-embedding",
                                 "transformer-block heads=2 rotary=true",
                                 "transformer-block heads=4 kv_heads=2 function='swiglu' norm='rms' causal=false",
                                 "transformer-block heads=2 normalise='after' function='silu' bias=false dropout=0.1",
                                 "tied-output bias=true"]),
    "decoder": ("1x8x1", 9, ["embedding categories=9 widths=8 shared=true", "sinusoidal-positions",
                             "transformer-block heads=2 causal=false source=3 part='source'",
                             "decoder-block heads=2 source=3 rotary=true",
                             "decoder-block heads=2 source=3 normalise='after' norm='rms' function='relu'",
                             "position-dense units=9"]),
    "codes": ("1x1x5", 3, ["embedding categories=[6,4] widths=[3,2]", "dense units=3"]),
    "factors": ("1x1x2", 1, ["embedding categories=[6,4] widths=[3,3]", "factor-product"]),
}


def layer_table(text):
    """`conv channels=8 kernel=3` as an inline table."""
    name, _, settings = text.partition(" ")
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(settings + " "):
        depth += (letter in "[{") - (letter in "]}")
        if letter == " " and depth == 0:
            parts.append(settings[start:place])
            start = place + 1
    return "{ " + ", ".join([f"type='{name}'"] + [part for part in parts if part]) + " }"


def recipe_of(name, layers, loss):
    text = f"name = '{name}'\nsummary = 'a network'\n[data]\nset = 'digits'\n[model]\nloss = '{loss}'\nlayers = [\n"
    text += "".join(f"  {layer_table(layer)},\n" for layer in layers) + "]\n"
    return text + "[optimizer]\nname = 'adam'\nlearning_rate = 0.001\n[train]\nepochs = 1\nbatch = 8\nseed = 1\n"


def metadata_of(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length))["__metadata__"]


class Model:
    """A saved model: what its file says, and samples for it."""

    def __init__(self, path):
        self.path = path
        self.metadata = metadata_of(path)
        self.recipe = tomllib.loads(self.metadata["recipe"])
        self.input = [int(side) for side in self.metadata["input"].split("x")]
        self.bytes = self.metadata.get("element") == "u8"
        self.layers = self.recipe["model"].get("layers", [])

    def samples(self, seed=1):
        """[ROWS, features] as the data have them."""
        draw = numpy.random.default_rng(seed)
        width = numpy.prod(self.input)
        first = self.layers[0] if self.layers else {}
        if first.get("type") == "embedding" and first.get("categories"):
            categories = first["categories"]
            categories = categories if isinstance(categories, list) else [categories]
            if first.get("shared"):
                return draw.integers(0, categories[0], [ROWS, width]).astype(numpy.float32)
            numbers = draw.normal(size=[ROWS, width - len(categories)])
            codes = [draw.integers(0, rows, [ROWS, 1]) for rows in categories]
            return numpy.concatenate([numbers, *codes], axis=1).astype(numpy.float32)
        if self.bytes:
            return draw.integers(0, 256, [ROWS, width]).astype(numpy.uint8)
        return draw.normal(size=[ROWS, width]).astype(numpy.float32)

    def normalised(self, x):
        data = self.recipe["data"]
        scale = data.get("scale", 255.0 if self.bytes else 1.0)
        deviation = data.get("deviation", 1.0)
        factor, shift = 1.0 / (scale * deviation), -data.get("mean", 0.0) / deviation
        return x.astype(numpy.float32) * numpy.float32(factor) + numpy.float32(shift)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def session_of(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def runtime_outputs(session, model, x):
    """onnxruntime's outputs [ROWS, outputs] of samples [ROWS, features] whose pixels have their channels side by side."""
    wanted = session.get_inputs()[0]
    assert wanted.name == "input" and wanted.shape[0] == "batch", wanted
    height, width, channels = model.input
    if len(wanted.shape) == 4:
        x = x.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    x = x.reshape([-1] + wanted.shape[1:])
    kinds = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64, "tensor(uint8)": numpy.uint8}
    y = session.run(None, {"input": numpy.ascontiguousarray(x.astype(kinds[wanted.type]))})[0]
    return y.reshape(len(x), -1)


def own_outputs(outputs, model, x, folder, *flags):
    given, made = folder / "x.raw", folder / "y.raw"
    given.write_bytes(x.tobytes())
    run(outputs, "run", model.path, given, made, *(["--bytes"] if x.dtype == numpy.uint8 else []), *flags)
    return numpy.fromfile(made, numpy.float32).reshape(len(x), -1)


def difference(own, other):
    """The largest difference, as a part of the largest output."""
    if own.shape != other.shape:
        return float("inf")
    if not numpy.isfinite(own).all() or not numpy.isfinite(other).all():
        return float("inf")
    return float(numpy.abs(own - other).max() / max(numpy.abs(own).max(), 1e-30))


class Checks:
    def __init__(self, program, outputs, folder):
        self.program, self.outputs, self.folder = program, outputs, folder
        self.failed, self.count, self.worst = [], 0, 0.0

    def note(self, what, found):
        self.count += 1
        if found <= TOLERANCE:
            self.worst = max(self.worst, found)
        else:
            self.failed.append(what)
        print(f"{'ok  ' if found <= TOLERANCE else 'FAIL'} {what}: {found:.1e}", flush=True)

    def attempt(self, what, check):
        try:
            self.note(what, check())
        except Exception as error:  # any failure is one of this check, and the others go on
            self.count += 1
            self.failed.append(what)
            print(f"FAIL {what}: {type(error).__name__}: {str(error)[:1500]}", flush=True)

    def export(self, model, opset=17, *flags):
        path = self.folder / "model.onnx"
        run(self.program, "export", model.path, "--onnx", path, "--opset", opset, *flags)
        return session_of(path)

    def plain(self, model, opset=17):
        x = model.samples()
        session = self.export(model, opset)
        return difference(own_outputs(self.outputs, model, x, self.folder),
                          runtime_outputs(session, model, model.normalised(x)))

    def preprocessed(self, model):
        x = model.samples()
        session = self.export(model, 17, "--with-preprocessing")
        softmax = session.get_outputs()[0].name == "probabilities"
        loss = self.loss(model)
        own = own_outputs(self.outputs, model, x, self.folder,
                          *(["--softmax"] if softmax and "binary" not in loss else []))
        if softmax and "binary" in loss:
            own = 1.0 / (1.0 + numpy.exp(-own))
        return difference(own, runtime_outputs(session, model, x))

    @staticmethod
    def loss(model):
        loss = model.recipe["model"].get("loss", "cross-entropy")
        return loss["type"] if isinstance(loss, dict) else loss

    def networks(self, only):
        for name, (shape, classes, layers) in NETWORKS.items():
            if only and only != name:
                continue
            recipe, path = self.folder / f"{name}.toml", self.folder / f"{name}.safetensors"
            loss = "mean-squared-error" if classes == 1 else "cross-entropy"
            recipe.write_text(recipe_of(name, layers, loss))
            try:
                run(self.outputs, "make", recipe, shape, classes, path)
                model = Model(path)
            except Exception as error:
                self.attempt(name, lambda error=error: (_ for _ in ()).throw(error))
                continue
            for opset in OPSETS:
                self.attempt(f"{name}, opset {opset}", lambda: self.plain(model, opset))
            self.attempt(f"{name}, with preprocessing", lambda: self.preprocessed(model))

    def coverage(self):
        """Every layer that the program lists is in a network."""
        text = " ".join(" ".join(layers) for _, _, layers in NETWORKS.values())
        missing = [name for name in self.layer_names() if name not in text]
        if missing:
            self.failed.append(f"no network has {', '.join(missing)}")
            print(f"FAIL no network has {', '.join(missing)}")

    def layer_names(self):
        lines = run(self.program, "layers").splitlines()
        return [line for line in lines if line and " " not in line]

    def recipes(self, data, trainer, only):
        names = [line.split()[0] for line in run(self.program, "recipes").splitlines() if line]
        left_out = []
        for name in names:
            if only and only != name:
                continue
            path = self.folder / f"{name}.safetensors"
            reason = self.trained(trainer, name, path, data)
            if reason:
                left_out.append(name)
                print(f"left out {name}: {reason}", flush=True)
                continue
            model = Model(path)
            self.attempt(f"recipe {name}", lambda: self.plain(model))
            if "table" not in model.metadata:
                self.attempt(f"recipe {name}, with preprocessing", lambda: self.preprocessed(model))
            elif '"windows"' not in model.metadata["table"]:
                # Its columns are not at hand here; the numbers of `table` are compared.
                self.attempt(f"recipe {name}, with preprocessing is a sound file",
                             lambda: 0.0 if self.export(model, 17, "--with-preprocessing") else float("inf"))
        print(f"{len(left_out)} recipes left out: {', '.join(left_out)}" if left_out else "no recipe left out")

    @staticmethod
    def trained(trainer, name, path, data):
        """Trains a recipe for two steps, or an epoch where that is all that it takes. What kept it from that, if something did."""
        folders = [None] + ([data] + sorted(folder for folder in pathlib.Path(data).iterdir() if folder.is_dir())
                            if data else [])
        reason = ""
        for folder in folders:
            for short in (["--set", "train.steps_per_epoch=2"], []):
                try:
                    run(trainer, "train", name, "--quiet", "--epochs", 1, "--threads", 1, "--allow-divergence", "--save",
                        path, *short, *(["--data", folder] if folder else []))
                    return None
                except RuntimeError as error:
                    if "not found" in str(error):
                        reason = str(error).splitlines()[-1][-200:]
                        break
                    reason = reason or str(error).splitlines()[-1][-200:]
        return reason

    def table(self):
        """Numbers with missing ones, and categories, against `fallline predict`."""
        draw = numpy.random.default_rng(3)
        path, rows = self.folder / "table.csv", 200
        towns = ["Bern", "Chur", "Genf", "Lugano"]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["size", "year", "town", "cost", "price"])
            for row in range(rows):
                size, year = draw.uniform(20, 200), int(draw.integers(1900, 2020))
                town, cost = towns[draw.integers(0, len(towns))], draw.uniform(1, 1e6)
                price = 3 * size + towns.index(town) * 40 + (year - 1900) / 10
                writer.writerow([f"{size:.3f}" if row % 9 else "", year, town if row % 11 else "", f"{cost:.2f}", f"{price:.2f}"])
        saved, predicted = self.folder / "table.safetensors", self.folder / "predicted.csv"
        run(self.program, "train", path, "--target", "price", "--quiet", "--epochs", 3, "--threads", 1, "--save", saved)
        run(self.program, "predict", "--model", saved, path, "--out", predicted)
        with open(predicted, newline="", encoding="utf-8") as file:
            own = numpy.array([[float(row["prediction"])] for row in csv.DictReader(file)])
        encoder = json.loads(metadata_of(saved)["table"])
        session = self.export(Model(saved), 17, "--with-preprocessing")
        with open(path, newline="", encoding="utf-8") as file:
            table = [[number_of(row[feature["column"]], feature) for feature in encoder["features"]]
                     for row in csv.DictReader(file)]
        y = session.run(None, {"input": numpy.array(table, numpy.float64)})[0]
        return difference(own, y)


def number_of(text, feature):
    """A field of a table as an ONNX file wants it: a number, or the place of a category."""
    if text == "":
        return float("nan")
    if feature["kind"] == "number":
        return float(text)
    return feature["names"].index(text) if text in feature["names"] else -1


def self_test(checks):
    """A changed weight, a changed order of classes and a file that is cut are noticed."""
    shape, classes, layers = NETWORKS["fused"]
    recipe, path = checks.folder / "self.toml", checks.folder / "self.safetensors"
    recipe.write_text(recipe_of("self", layers, "cross-entropy"))
    run(checks.outputs, "make", recipe, shape, classes, path)
    model = Model(path)
    assert checks.plain(model) <= TOLERANCE, "an unchanged file differs"
    x = model.samples()
    own = own_outputs(checks.outputs, model, x, checks.folder)
    file = checks.folder / "model.onnx"
    graph = onnx.load(file)
    last = [tensor for tensor in graph.graph.initializer if tensor.name.endswith(".weight")][-1]
    values = numpy.frombuffer(last.raw_data, numpy.float32).copy()
    values[len(values) // 2] += 0.05
    last.raw_data = values.tobytes()
    onnx.save(graph, file)
    changed = difference(own, runtime_outputs(session_of(file), model, model.normalised(x)))
    assert changed > TOLERANCE, f"a changed weight makes {changed} and is not noticed"
    assert difference(own, own[:, ::-1]) > TOLERANCE, "another order of classes is not noticed"
    assert difference(own, own[:, 1:]) > TOLERANCE, "a missing output is not noticed"
    checks.export(model)
    file.write_bytes(file.read_bytes()[:-40])
    try:
        session_of(file)
    except Exception:
        print("self-test passed")
        return
    raise AssertionError("a file that is cut is not noticed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("outputs", type=pathlib.Path)
    parser.add_argument("--data")
    parser.add_argument("--only")
    parser.add_argument("--no-recipes", action="store_true")
    parser.add_argument("--trainer", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    program, outputs = arguments.program.resolve(), arguments.outputs.resolve()
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(program, outputs, pathlib.Path(folder))
        if arguments.self_test:
            return self_test(checks)
        checks.coverage()
        checks.networks(arguments.only)
        if not arguments.only or arguments.only == "table":
            checks.attempt("a table, with preprocessing", checks.table)
        if not arguments.no_recipes:
            checks.recipes(arguments.data, (arguments.trainer or program).resolve(), arguments.only)
    print(f"{checks.count} checks, {len(checks.failed)} failed; the largest difference of others is {checks.worst:.1e}")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
