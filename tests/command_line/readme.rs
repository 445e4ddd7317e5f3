//! What the README shows is what there is, and so are the programs in `docs`.

use std::path::Path;

use crate::common::program;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .expect("it is in the repository")
}

/// The first block of code in `language`.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("such a block");
    rest.split_once("```").expect("an end of the block").0
}

#[test]
fn its_program_is_the_tested_one() {
    let library = text("src/lib.rs");
    let docs: String = library
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_string() + "\n")
        .collect();
    assert_eq!(block(&text("README.md"), "rust"), block(&docs, ""));
}

/// Whether a page of `docs` has no program, or its programs are tests of the library's documentation.
fn is_compiled(name: &str, page: &str, library: &str) -> bool {
    !page.contains("```rust") || library.contains(&format!("include_str!(\"../docs/{name}\")"))
}

#[test]
fn programs_in_the_documentation_are_compiled() {
    let (library, mut programs) = (text("src/lib.rs"), 0);
    for name in program::names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")) {
        if name.ends_with(".md") {
            let page = text(&format!("docs/{name}"));
            assert!(is_compiled(&name, &page, &library), "docs/{name} has a program that nothing compiles");
            programs += page.matches("```rust").count();
        }
    }
    assert!(programs > 0);
    assert!(!is_compiled("other.md", "```rust\n```\n", &library));
}

#[test]
fn its_recipe_is_one() {
    fallline::engine::model::Recipe::parse(block(&text("README.md"), "toml"), "README.md").unwrap();
}

#[test]
fn every_built_in_recipe_is_named() {
    let readme = text("README.md");
    for name in fallline::engine::model::Recipe::built_in_names() {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}
