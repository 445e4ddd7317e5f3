//! `fallline optimizers`

use std::io::Write;

use clap::Args;

use crate::model::recipe::{
    HyperParameter, HyperValue, OptimizerKind, optimizer_kind, optimizer_kinds, optimizer_names,
};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct OptimizersArguments {
    /// Which of them to show [default: all].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write Markdown, as in docs/optimizers.md.
    #[arg(long)]
    markdown: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline optimizers
  fallline optimizers adamw lion
  fallline train mnist-mlp --optimizer adamw --set optimizer.weight_decay=0.05";

pub fn run(arguments: OptimizersArguments) -> anyhow::Result<()> {
    let chosen = match arguments.names.as_slice() {
        [] => optimizer_kinds(),
        names => names
            .iter()
            .map(|name| optimizer_kind(name, "command line"))
            .collect::<crate::Result<Vec<&'static OptimizerKind>>>()?,
    };
    let write = if arguments.markdown { markdown } else { plain };
    let texts: Vec<String> = chosen.into_iter().map(write).collect();
    Ok(std::io::stdout().write_all(texts.join("\n").as_bytes())?)
}

/// What `--optimizer` says of itself.
pub fn help() -> String {
    format!(
        "The update rule: {} [default: the recipe's]. Another one than the recipe's starts from its own \
         defaults, which `fallline optimizers` lists.",
        optimizer_names().collect::<Vec<_>>().join(", ")
    )
}

/// Key, default, range and meaning of the learning rate and of every hyper-parameter.
fn settings(kind: &'static OptimizerKind) -> Vec<[String; 4]> {
    let rate = [
        "learning_rate".to_string(),
        HyperValue::Number(kind.learning_rate).to_string(),
        kind.learning_rate_range().to_string(),
        kind.learning_rate_is().to_string(),
    ];
    std::iter::once(rate).chain(kind.hyper_parameters.iter().flat_map(HyperParameter::rows)).collect()
}

pub(super) fn rows_as_text(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (keys, defaults, ranges) = (width(0), width(1), width(2));
    let line = |[key, default, range, about]: &[String; 4]| {
        format!("  {key:<keys$}  {default:>defaults$}  {range:<ranges$}  {about}\n")
    };
    rows.iter().map(line).collect()
}

pub(super) fn rows_as_markdown(rows: &[[String; 4]]) -> String {
    let line =
        |[key, default, range, about]: &[String; 4]| format!("| `{key}` | {default} | {range} | {about} |\n");
    let head = "| key | default | allowed | meaning |\n|---|---|---|---|\n";
    head.to_string() + &rows.iter().map(line).collect::<String>()
}

/// A note, indented by so many spaces, on rules that need one.
fn note(kind: &OptimizerKind, indent: usize, end: &str) -> String {
    let note = "For the full batch: set train.batch to \"all\", or say none.";
    if kind.full_batch { format!("{:indent$}{note}{end}", "") } else { String::new() }
}

fn plain(kind: &'static OptimizerKind) -> String {
    let OptimizerKind { name, formula, source, .. } = kind;
    let head = format!("{name}\n  {formula}\n  {source}\n{}", note(kind, 2, "\n"));
    head + &rows_as_text(&settings(kind))
}

fn markdown(kind: &'static OptimizerKind) -> String {
    let OptimizerKind { name, formula, source, .. } = kind;
    let head = format!("### {name}\n\n`{formula}`\n\n{source}.\n\n{}", note(kind, 0, "\n\n"));
    head + &rows_as_markdown(&settings(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recipe::OPTIMIZERS;

    #[test]
    fn a_rule_is_shown_in_full() {
        let kind = optimizer_kind("lion", "test").unwrap();
        assert_eq!(
            plain(kind),
            "\
lion
  p ← p - rate · (sign(β₁ m + (1 - β₁) g) + weight_decay · p); m ← β₂ m + (1 - β₂) g
  Chen et al.: Symbolic discovery of optimization algorithms (2023); as optax.lion
  learning_rate  3e-4  a number of at least 0  the rate of the formula
  beta1           0.9  a number in [0, 1)      the part of m in the direction of the step
  beta2          0.99  a number in [0, 1)      the part of m that is kept in a step
  weight_decay      0  a number of at least 0  the parameter shrinks by rate · weight_decay of itself
"
        );
        let table = "|---|---|---|---|\n| `learning_rate` | 3e-4 | a number of at least 0 | the rate";
        assert!(markdown(kind).contains(table));
    }

    /// What the documentation says of the rules is what the program says.
    #[test]
    fn the_documentation_has_every_rule() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/optimizers.md")).unwrap();
        for kind in &OPTIMIZERS {
            let text = markdown(kind);
            assert!(page.contains(&text), "docs/optimizers.md lacks\n{text}");
        }
        assert!(!page.contains(&markdown(&OPTIMIZERS[0]).replace("0.1", "0.2")));
    }
}
