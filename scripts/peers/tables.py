"""Tables beside scikit-learn: accuracy or R2 in five folds, and the speed of training on a census.

    python scripts/peers/tables.py FOLDER [--program PATH] [--only NAME] [--speed | --linear] [-- OPTIONS OF fallline train]

FOLDER holds the tables of the UCI repository that scikit-learn's users know: iris.csv, sonar.csv, adult-train.csv and so
on; what is not there is left out. Folds are `KFold(5, shuffle=True, random_state=0)`; both are given the same rows.
scikit-learn's networks see numbers standardised and categories one-hot, as `fallline train FILE.csv` makes them. With
--speed both train the same network on the census, in turn, on one thread and on all. With --linear the objective that
`--set model.kind=logistic` and `ridge` come to by descent is compared with the one that scikit-learn comes to, fold by
fold.

Needs scikit-learn.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")

# Name, lines to skip, whether the target is a number.
TABLES = [
    ("iris", 0, False),
    ("banknote_authentication", 0, False),
    ("sonar", 0, False),
    ("pima-indians-diabetes", 0, False),
    ("wheat-seeds", 0, False),
    ("breast_cancer", 1, False),
    ("wine_data", 1, False),
    ("diabetes", 1, True),
    ("abalone", 0, True),
    ("winequality-white", 0, True),
]


def rows_of(path, skip):
    text = path.read_text()
    delimiter = ";" if text.split("\n")[skip].count(";") > 2 else ","
    rows = [[field.strip() for field in row] for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    return rows[skip:]


def is_number(field):
    try:
        float(field)
    except ValueError:
        return False
    return True


def pipeline(rows, estimator):
    columns = len(rows[0]) - 1
    numbers = [c for c in range(columns) if all(is_number(row[c]) for row in rows)]
    texts = [c for c in range(columns) if c not in numbers]
    one_hot = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(ColumnTransformer([("n", StandardScaler(), numbers), ("c", one_hot, texts)]), estimator)


def features(rows):
    array = np.empty((len(rows), len(rows[0]) - 1), dtype=object)
    for index, row in enumerate(rows):
        array[index] = [float(field) if is_number(field) else field for field in row[:-1]]
    return array


def write(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def fallline(program, folder, is_value, options):
    command = [program, "train", "train.csv", "-q", "--json", "run.json", "--set", "data.test_file=test.csv", "--set", "data.header=false"]
    last = f"data.types.column_{options['columns']}"
    command += ["--set", f"{last}={'number' if is_value else options['kind']}"]
    subprocess.run(command + options["more"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    test = json.loads((folder / "run.json").read_text())["test"]
    return test["values"]["r_squared"] if is_value else test["accuracy"]


def five_folds(path, skip, is_value, program, more):
    rows = rows_of(path, skip)
    x = features(rows)
    y = np.array([float(row[-1]) if is_value else row[-1] for row in rows])
    kind = "code" if all(is_number(row[-1]) for row in rows) else "category"
    scores = {"linear": [], "mlp": [], "fallline": []}
    for train, test in KFold(5, shuffle=True, random_state=0).split(x):
        hidden = (64, 64) if is_value else (64,)
        network = (MLPRegressor if is_value else MLPClassifier)(hidden_layer_sizes=hidden, max_iter=600, random_state=0)
        linear = Ridge(1e-6) if is_value else LogisticRegression(max_iter=2000)
        for name, estimator in [("linear", linear), ("mlp", network)]:
            scores[name].append(pipeline(rows, estimator).fit(x[train], y[train]).score(x[test], y[test]))
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write(folder / "train.csv", [rows[index] for index in train])
            write(folder / "test.csv", [rows[index] for index in test])
            options = {"columns": len(rows[0]), "kind": kind, "more": more}
            scores["fallline"].append(fallline(program, folder, is_value, options))
    return scores


def objectives(path, skip, is_value, program):
    """For each fold, by how much the objective of a linear fit is above scikit-learn's, relative to it."""
    penalty = 0.001
    rows = rows_of(path, skip)
    x = features(rows)
    kind = "code" if all(is_number(row[-1]) for row in rows) else "category"
    above = []
    for train, test in KFold(5, shuffle=True, random_state=0).split(x):
        own = [rows[index] for index in train]
        seen = np.asarray(pipeline(rows, "passthrough").fit_transform(x[train]), dtype=np.float64)
        if is_value:
            t = np.array([float(row[-1]) for row in own])
            t = (t - t.mean()) / t.std()
            ridge = Ridge(alpha=penalty * len(t), solver="cholesky", tol=1e-12).fit(seen, t)
            peer = np.mean((ridge.predict(seen) - t) ** 2) / 2 + penalty / 2 * np.sum(ridge.coef_**2)
        else:
            y = np.array([row[-1] for row in own])
            classes = len(set(y))
            # Of two classes scikit-learn has one vector, where the softmax has one and its negative, each half as long.
            strength = (2 if classes == 2 else 1) / (len(y) * penalty)
            logistic = LogisticRegression(C=strength, tol=1e-10, max_iter=100_000).fit(seen, y)
            wrong = -logistic.predict_log_proba(seen)[np.arange(len(y)), np.searchsorted(logistic.classes_, y)]
            peer = np.mean(wrong) + penalty / (4 if classes == 2 else 2) * np.sum(logistic.coef_**2)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write(folder / "train.csv", own)
            write(folder / "test.csv", [rows[index] for index in test])
            fit = ["--set", f"model.kind={'ridge' if is_value else 'logistic'}", "--set", f"model.penalty={penalty}"]
            # Every category is a feature, as it is there.
            fit += ["--set", "data.rare=1"]
            fallline(program, folder, is_value, {"columns": len(rows[0]), "kind": kind, "more": fit})
            above.append(json.loads((folder / "run.json").read_text())["exact"]["objective"] / peer - 1)
    return above


def speed(folder, program):
    """Seconds of an epoch of 108-100-2, batch 200, Adam: scikit-learn's defaults, on the census."""
    rows = rows_of(folder / "adult-train.csv", 0)
    x = pipeline(rows, "passthrough").fit_transform(features(rows)).astype(np.float32)
    y = np.array([row[-1] for row in rows])
    x = np.asarray(x.todense()) if hasattr(x, "todense") else x
    epochs = 10
    recipe = f"""
name = "census"
[data]
file = "{(folder / 'adult-train.csv').resolve()}"
rare = 1
test = 0.01
[model]
loss = "cross-entropy"
layers = [{{ type = "dense", units = 100, activation = "relu" }}, {{ type = "dense", units = 2 }}]
[optimizer]
name = "adam"
[train]
epochs = {epochs}
batch = 200
"""
    times = {"scikit-learn": [], "fallline, 1 thread": [], "fallline, all threads": []}
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        (temporary / "census.toml").write_text(recipe)
        for _ in range(3):
            network = MLPClassifier((100,), max_iter=epochs, tol=0, n_iter_no_change=epochs, random_state=0)
            start = time.perf_counter()
            network.fit(x, y)
            times["scikit-learn"].append((time.perf_counter() - start) / epochs * 1e6 / len(y))
            for name, threads in [("fallline, 1 thread", ["--threads", "1"]), ("fallline, all threads", [])]:
                command = [program, "train", "census.toml", "-q", "--json", "run.json", *threads]
                subprocess.run(command, cwd=temporary, check=True, stdout=subprocess.DEVNULL)
                record = json.loads((temporary / "run.json").read_text())
                samples = sum(epoch["samples"] for epoch in record["epochs"])
                times[name].append(record["train_seconds"] * 1e6 / samples)
    peer = statistics.median(times["scikit-learn"])
    print(f"training on the census, 108-100-2, batch 200, Adam, {x.shape[1]} features; microseconds a sample")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"  {name:22} {median:8.3f}   {peer / median:6.1f} times scikit-learn's speed")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--program", default="target/release/fallline")
    arguments.add_argument("--only")
    arguments.add_argument("--speed", action="store_true")
    arguments.add_argument("--linear", action="store_true")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    own, more = sys.argv[1:end], sys.argv[end + 1 :]
    arguments = arguments.parse_args(own)
    arguments.more = more
    program = str(pathlib.Path(arguments.program).resolve())
    if arguments.speed:
        speed(arguments.folder, program)
        return
    if arguments.linear:
        print(f"{'table':26}{'least':>10}{'most':>10}   above scikit-learn's objective, of five folds")
        for name, skip, is_value in TABLES:
            path = arguments.folder / f"{name}.csv"
            if arguments.only in (None, name) and path.exists():
                above = objectives(path, skip, is_value, program)
                print(f"{name:26}{min(above):10.1e}{max(above):10.1e}", flush=True)
        return
    print(f"{'table':26}{'linear':>8}{'MLP':>8}{'fallline':>10}{'standard error':>16}")
    for name, skip, is_value in TABLES:
        path = arguments.folder / f"{name}.csv"
        if arguments.only not in (None, name) or not path.exists():
            continue
        scores = five_folds(path, skip, is_value, program, arguments.more)
        means = {key: statistics.mean(values) for key, values in scores.items()}
        error = statistics.stdev(scores["mlp"]) / len(scores["mlp"]) ** 0.5
        verdict = "" if means["fallline"] >= means["mlp"] - error else "  below"
        print(f"{name:26}{means['linear']:8.3f}{means['mlp']:8.3f}{means['fallline']:10.3f}{error:16.3f}{verdict}", flush=True)


main()
