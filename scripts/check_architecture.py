#!/usr/bin/env python3
"""Checks the rules of ARCHITECTURE.md that a compiler does not.

- A module imports its own folder and lower levels, nothing else.
- No files import each other in a circle, within a folder neither.
- Unsafe code stands in `tensor`, `team` and `kernels` only.
- Only `report` and `cli` print.
- No source file is longer than 600 lines.

`check_architecture.py --self-test` breaks each rule in a made-up tree and sees it noticed.
"""

import pathlib
import re
import sys
import tempfile

# From the ground up. Modules of one level do not know each other.
LEVELS = [
    ["error", "pipe"],
    ["atomic_file", "memory", "panics", "probe", "rng"],
    ["foreign", "stats"],
    ["checkpoint"],
    ["tensor"],
    ["team"],
    ["kernels"],
    ["init"],
    ["hyper"],
    ["registry"],
    ["losses", "optim", "data", "linear", "clustering"],
    ["layers"],
    ["model"],
    ["train"],
    ["search"],
    ["exchange"],
    ["bench", "extend", "testing", "tour"],
    ["report"],
    ["cli"],
]
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
MAY_BE_UNSAFE = {"tensor", "team", "kernels"}
MAY_PRINT = {"report", "cli"}
MOST_LINES = 600
# Within these modules, too, each line imports those above it only; all know the naive twins of `kernels::reference`.
WITHIN = {
    "train": [
        ["record", "source", "targets"],
        ["observer", "plan"],
        ["inference"],
        ["step"],
        ["session"],
        ["run"],
    ],
    "kernels": [
        ["simd"],
        ["activation", "loss", "products"],
        ["elementwise", "image", "augmentation"],
        ["update", "convolution", "sequence"],
        ["normalisation"],
    ],
}

IMPORT = re.compile(r"\bcrate::(\{[^}]*\}|\w+)")
# `unsafe-inline` is a word of web pages.
UNSAFE = re.compile(r"\bunsafe\b(?!-inline)")
PRINT = re.compile(r"\be?print(ln)?!")
TESTS = re.compile(r"#\[cfg\((?:test|all\(test\b[^\n]*)\)\]\n(?:#\[[^\n]*\n)*mod ")
INLINE = re.compile(r"^(?:pub )?mod \w+ \{\n.*?^\}", re.MULTILINE | re.DOTALL)
VISIBILITY = re.compile(r"\bpub\([^)]*\)")
USE = re.compile(r"\buse ([^;]+);")
PATH = re.compile(r"(?<![:\w])(\w+(?:::\w+)+)")


def code_of(text):
    """The text without comments and without what follows `#[cfg(test)]`."""
    text = TESTS.split(text, maxsplit=1)[0]
    return "\n".join(line.split("//")[0] for line in text.splitlines())


def imports_of(code):
    """The top-level names behind `crate::`, also inside braces."""
    for match in IMPORT.finditer(code):
        for name in re.findall(r"(?:^|[{,])\s*(\w+)", match.group(1)) or [match.group(1)]:
            yield name


def paths_of(code):
    """The paths that a file names, each as its list of names, those of `use` written out."""
    code = VISIBILITY.sub("pub", code)
    # Within a module that is written in the file, `super` is the file.
    code = INLINE.sub(lambda block: re.sub(r"(?<!super::)\bsuper::", "self::", block[0]), code)
    code = code.replace("self::super::", "super::")
    for tree in USE.findall(code):
        yield from (path.split("::") for path in written_out(re.sub(r"\s+as\s+\w+|\s+", "", tree)))
    for path in PATH.findall(USE.sub("", code)):
        yield path.split("::")


def written_out(tree):
    """The paths of `a::{b, c::{d, e}}`: `a::b`, `a::c::d`, `a::c::e`."""
    start, brace, inner = tree.partition("{")
    if not brace:
        return [tree]
    parts, depth = [""], 0
    for letter in inner.rpartition("}")[0]:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [start + path for part in parts for path in written_out(part)]


def module_of(relative):
    """`train::plan` of both train/plan.rs and train/plan/mod.rs."""
    names = relative.with_suffix("").parts
    return "::".join(names[:-1] if names[-1] == "mod" else names)


def file_imports(files):
    """The modules that each module imports; `files` has the code of each, by its name. The declaration of a
    child is no import."""
    imports = {}
    for module, code in files.items():
        found = set()
        for path in paths_of(code):
            home = module.split("::")
            if path[0] == "crate":
                home, path = [], path[1:]
            elif path[0] == "self":
                path = path[1:]
            elif path[0] != "super" and f"{module}::{path[0]}" not in files:
                continue
            while path and path[0] == "super":
                home, path = home[:-1], path[1:]
            names = home + path
            prefixes = ("::".join(names[:length]) for length in range(len(names), 0, -1))
            target = next((prefix for prefix in prefixes if prefix in files), module)
            if target != module:
                found.add(target)
        imports[module] = found
    return imports


def upward(imports):
    """Where a module within one of `WITHIN` imports one of a later line, or another of its own."""
    for module, targets in sorted(imports.items()):
        home, *rest = module.split("::")
        lines = WITHIN.get(home)
        if not lines or not rest:
            continue
        line_of = {name: number for number, names in enumerate(lines) for name in names}
        if rest[0] == "reference":
            continue
        if rest[0] not in line_of:
            yield f"{module.replace('::', '/')}.rs: `{rest[0]}` is on no level of `{home}`"
            continue
        for target in sorted(targets):
            other = target.split("::")
            if other[0] != home or len(other) == 1 or other[1] in (rest[0], "reference"):
                continue
            if line_of.get(other[1], len(lines)) >= line_of[rest[0]]:
                yield f"{module.replace('::', '/')}.rs: imports `{target}`, which is not below it"


def circles(imports):
    """The groups of modules that import each other, in a circle of any length."""
    reached = {}
    for module in imports:
        seen, ahead = set(), [module]
        while ahead:
            for target in imports[ahead.pop()] - seen:
                seen.add(target)
                ahead.append(target)
        reached[module] = seen
    groups = {tuple(sorted(b for b in seen if a in reached[b])) for a, seen in reached.items()}
    return sorted(group for group in groups if group)


def check(source):
    """All breaches in the folder `source`, as lines of text."""
    breaches = []
    files = {}
    for path in sorted(source.rglob("*.rs")):
        relative = path.relative_to(source)
        module = relative.parts[0].removesuffix(".rs")
        text = path.read_text()
        lines = text.count("\n")
        if lines > MOST_LINES:
            breaches.append(f"{relative}: {lines} lines, more than {MOST_LINES}")
        if module in ("lib", "main"):
            continue
        if module not in LEVEL:
            breaches.append(f"{relative}: module `{module}` is on no level")
            continue
        code = code_of(text)
        if path.name != "tests.rs" and "tests" not in relative.parts:
            files[module_of(relative)] = code
        for name in imports_of(code):
            if name in LEVEL and name != module and LEVEL[name] >= LEVEL[module]:
                breaches.append(f"{relative}: `{module}` imports `{name}`, which is not below it")
        if UNSAFE.search(code) and module not in MAY_BE_UNSAFE:
            breaches.append(f"{relative}: unsafe code outside {', '.join(sorted(MAY_BE_UNSAFE))}")
        if PRINT.search(code) and module not in MAY_PRINT:
            breaches.append(f"{relative}: prints, and is not {' or '.join(sorted(MAY_PRINT))}")
    imports = file_imports(files)
    breaches.extend(upward(imports))
    for group in circles(imports):
        breaches.append(f"{group[0].replace('::', '/')}.rs: in a circle of imports: {', '.join(group)}")
    return breaches


def self_test():
    """Each rule trips on a file that breaks it, and on no other."""
    cases = {
        "tensor/a.rs": ("use crate::team::Team;\n", "imports `team`"),
        "kernels/products/b.rs": ("use crate::{Error, model::Model};\n", "imports `model`"),
        "optim/c.rs": ("fn f() { unsafe { g() } }\n", "unsafe code"),
        "train/run/d.rs": ('fn f() { println!("x"); }\n', "prints"),
        "data/e.rs": ("\n" * 700, "700 lines"),
        "attic/f.rs": ("", "no level"),
        "data/g.rs": ("mod child;\npub use child::{One, two::Two};\n", "circle of imports: data::g, data::g::child"),
        "data/g/child.rs": ("use super::{Three, super::rng};\n", None),
        "data/h.rs": ("mod leaf;\nfn f() { leaf::g() }\n", None),
        "data/h/leaf.rs": ("mod inner {\n    use super::*;\n}\npub(in crate::data::h) fn g() {}\n#[cfg(all(test, unix))]\nmod tests {\nuse super::super::h;\n}\n", None),
        "train/step/a.rs": ("use crate::train::session::Session;\n", "train::session`, which is not below"),
        "train/session.rs": ("use crate::train::{plan, step::b::B};\n", None),
        "train/step/b.rs": ("", None),
        "train/plan.rs": ("", None),
        "train/attic.rs": ("", "is on no level of `train`"),
        "cli/good.rs": ('use crate::{Error, train};\nfn f() { println!("// unsafe"); }\n', None),
        "layers/good.rs": ("// unsafe, crate::cli\nuse crate::kernels::gemm;\n", None),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, (text, _) in cases.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
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
    print("\n".join(breaches) or f"{sum(1 for _ in source.rglob('*.rs'))} files keep the rules")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
