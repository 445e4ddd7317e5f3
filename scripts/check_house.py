#!/usr/bin/env python3
"""Checks the rules of the house (ARCHITECTURE.md) that a compiler does not.

- A module imports its own folder and lower floors, nothing else.
- Unsafe code stands in `tensor`, `team` and `kernels` only.
- Only `report` and `cli` print.
- No source file is longer than 600 lines.

`check_house.py --self-test` breaks each rule in a made-up tree and sees it noticed.
"""

import pathlib
import re
import sys
import tempfile

# From the ground up. Modules of one floor do not know each other.
FLOORS = [
    ["error", "pipe"],
    ["atomic_file", "hyper", "memory", "panics", "probe", "rng"],
    ["foreign", "registry", "stats"],
    ["tensor"],
    ["team"],
    ["kernels"],
    ["init", "losses", "optim", "data"],
    ["layers"],
    ["model"],
    ["train"],
    ["bench", "extend", "profile", "testing"],
    ["report"],
    ["cli"],
]
FLOOR = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
MAY_BE_UNSAFE = {"tensor", "team", "kernels"}
MAY_PRINT = {"report", "cli"}
MOST_LINES = 600

IMPORT = re.compile(r"\bcrate::(\{[^}]*\}|\w+)")
# `unsafe-inline` is a word of web pages.
UNSAFE = re.compile(r"\bunsafe\b(?!-inline)")
PRINT = re.compile(r"\be?print(ln)?!")


def code_of(text):
    """The text without comments and without what follows `#[cfg(test)]`."""
    text = text.split("#[cfg(test)]\nmod tests", 1)[0]
    return "\n".join(line.split("//")[0] for line in text.splitlines())


def imports_of(code):
    """The top-level names behind `crate::`, also inside braces."""
    for match in IMPORT.finditer(code):
        for name in re.findall(r"(?:^|[{,])\s*(\w+)", match.group(1)) or [match.group(1)]:
            yield name


def check(source):
    """All breaches in the folder `source`, as lines of text."""
    breaches = []
    for path in sorted(source.rglob("*.rs")):
        relative = path.relative_to(source)
        module = relative.parts[0].removesuffix(".rs")
        text = path.read_text()
        lines = text.count("\n")
        if lines > MOST_LINES:
            breaches.append(f"{relative}: {lines} lines, more than {MOST_LINES}")
        if module in ("lib", "main"):
            continue
        if module not in FLOOR:
            breaches.append(f"{relative}: module `{module}` stands on no floor")
            continue
        code = code_of(text)
        for name in imports_of(code):
            if name in FLOOR and name != module and FLOOR[name] >= FLOOR[module]:
                breaches.append(f"{relative}: `{module}` imports `{name}`, which is not below it")
        if UNSAFE.search(code) and module not in MAY_BE_UNSAFE:
            breaches.append(f"{relative}: unsafe code outside {', '.join(sorted(MAY_BE_UNSAFE))}")
        if PRINT.search(code) and module not in MAY_PRINT:
            breaches.append(f"{relative}: prints, and is not {' or '.join(sorted(MAY_PRINT))}")
    return breaches


def self_test():
    """Each rule trips on a file that breaks it, and on no other."""
    cases = {
        "tensor/a.rs": ("use crate::team::Team;\n", "imports `team`"),
        "kernels/b.rs": ("use crate::{Error, model::Model};\n", "imports `model`"),
        "optim/c.rs": ("fn f() { unsafe { g() } }\n", "unsafe code"),
        "train/d.rs": ('fn f() { println!("x"); }\n', "prints"),
        "data/e.rs": ("\n" * 700, "700 lines"),
        "attic/f.rs": ("", "no floor"),
        "cli/good.rs": ('use crate::{Error, train};\nfn f() { println!("// unsafe"); }\n', None),
        "layers/good.rs": ("// unsafe, crate::cli\nuse crate::kernels::gemm;\n", None),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, (text, _) in cases.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        breaches = check(root)
    for name, (_, expected) in cases.items():
        found = [breach for breach in breaches if breach.startswith(name)]
        wanted = 0 if expected is None else 1
        assert len(found) == wanted and all(expected in breach for breach in found), (name, found)
    print(f"self-test: {len(cases)} cases as expected")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    source = pathlib.Path(__file__).resolve().parent.parent / "src"
    breaches = check(source)
    print("\n".join(breaches) or f"{sum(1 for _ in source.rglob('*.rs'))} files keep the rules of the house")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
