//! What the README shows is what there is.

use std::path::Path;

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
