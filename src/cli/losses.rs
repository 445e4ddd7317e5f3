//! `fallline losses`

use std::io::Write;

use clap::Args;

use super::optimizers::{rows_as_markdown, rows_as_text};
use crate::hyper::HyperParameter;
use crate::losses::{About, Loss, LossKind};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LossesArguments {
    /// Which of them to show [default: all].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write Markdown, as in docs/losses.md.
    #[arg(long)]
    markdown: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline losses
  fallline losses cross-entropy focal
  fallline train digits-mlp --set \"model.loss={type='focal', gamma=1.5}\"";

pub fn run(arguments: LossesArguments) -> anyhow::Result<()> {
    let chosen = match arguments.names.as_slice() {
        [] => LossKind::all(),
        names => names
            .iter()
            .map(|name| Ok(Loss::named(name).map_err(on_the_command_line)?.kind()))
            .collect::<crate::Result<Vec<_>>>()?,
    };
    let write = if arguments.markdown { markdown } else { plain };
    let texts: Vec<String> = chosen.into_iter().map(write).collect();
    Ok(std::io::stdout().write_all(texts.join("\n").as_bytes())?)
}

fn on_the_command_line(mut error: crate::Error) -> crate::Error {
    if let crate::Error::Unknown { place, .. } = &mut error {
        *place = "command line".into();
    }
    error
}

/// Key, default, range and meaning of every hyper-parameter.
fn settings(kind: &LossKind) -> Vec<[String; 4]> {
    kind.about().hyper_parameters.iter().flat_map(HyperParameter::rows).collect()
}

fn plain(kind: &'static LossKind) -> String {
    let About { formula, source, takes, .. } = kind.about();
    let head = format!("{}\n  {formula}\n  {source}\n  target: {}\n", kind.name(), takes.text());
    head + &rows_as_text(&settings(kind))
}

fn markdown(kind: &'static LossKind) -> String {
    let About { formula, source, takes, .. } = kind.about();
    let head = format!("### {}\n\n`{formula}`\n\nTarget: {}. {source}.\n", kind.name(), takes.text());
    match settings(kind) {
        rows if rows.is_empty() => head,
        rows => head + "\n" + &rows_as_markdown(&rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::ALL;

    #[test]
    fn a_loss_is_shown_in_full() {
        let huber = Loss::named("huber").unwrap().kind();
        assert_eq!(
            plain(huber),
            "\
huber
  (1 / C) Σᵢ h(abs(yᵢ - tᵢ)), h(d) = d² / 2 up to δ, δ (d - δ / 2) above
  Huber: Robust estimation of a location parameter (1964); as torch.nn.HuberLoss
  target: a class, or a finite number for each output
  delta  1  a number above 0  δ, the difference from which on the loss is linear
"
        );
        assert!(markdown(huber).ends_with(
            "| `delta` | 1 | a number above 0 | δ, the difference from which on the loss is linear |\n"
        ));
    }

    /// What the documentation says of the losses is what the program says.
    #[test]
    fn the_documentation_has_every_loss() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/losses.md")).unwrap();
        for kind in ALL {
            let text = markdown(kind);
            assert!(page.contains(&text), "docs/losses.md lacks\n{text}");
            assert!(!kind.about().formula.is_empty() && !kind.about().source.is_empty(), "{}", kind.name());
        }
        assert!(!page.contains(&markdown(ALL[1]).replace("| 2 |", "| 3 |")));
    }
}
