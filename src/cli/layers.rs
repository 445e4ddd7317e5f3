//! `fallline layers`

use std::io::Write;

use clap::Args;

use super::optimizers::rows_as_text;
use crate::Error;
use crate::hyper::HyperParameter;
use crate::layers::{LayerKind, RESIDUAL};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LayersArguments {
    /// Which of them to show [default: all].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write Markdown, the rows of the table in docs/layers.md.
    #[arg(long)]
    markdown: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline layers
  fallline layers conv max-pool
  fallline train digits-mlp --set model.layers.0.units=64";

/// A layer as it is shown.
struct Shown {
    name: &'static str,
    formula: &'static str,
    source: &'static str,
    takes: &'static str,
    /// The key, default, range and meaning of each setting.
    rows: Vec<[String; 4]>,
    /// Its row in the table of docs/layers.md.
    documented: String,
}

impl Shown {
    fn of(kind: &'static LayerKind) -> Shown {
        let (formula, source, parameters) = kind.about();
        let rows = parameters.iter().flat_map(HyperParameter::rows).collect();
        Shown { name: kind.name(), formula, source, takes: kind.takes(), rows, documented: kind.documented() }
    }

    /// The block that holds lists of layers, which the table has not.
    fn residual() -> Shown {
        let row = |key: &str, default: &str, range: &str, about: &str| {
            [key, default, range, about].map(String::from)
        };
        let (formula, takes, source) =
            ("activation(layers(x) + shortcut(x))", "what its layers take", "He, Zhang, Ren, Sun 2016");
        let keys = "`activation` (an activation; identity), `layers` (at least one), `shortcut` (none)";
        Shown {
            name: RESIDUAL,
            formula,
            source,
            takes,
            documented: format!("| `{RESIDUAL}` | {formula} | {takes} | {keys} | {source} |"),
            rows: vec![
                row("layers", "", "layers, at least one", "what is added to the shortcut"),
                row(
                    "shortcut",
                    "none",
                    "layers",
                    "what x goes through beside them; without any it is x itself",
                ),
                row("activation", "identity", "an activation", "what the sum goes through"),
            ],
        }
    }

    fn plain(&self) -> String {
        let Shown { name, formula, source, takes, rows, .. } = self;
        let source = if source.is_empty() { String::new() } else { format!("  {source}\n") };
        format!("{name}\n  {formula}\n{source}  takes: {takes}\n") + &rows_as_text(rows)
    }
}

pub fn run(arguments: LayersArguments) -> anyhow::Result<()> {
    let all = || LayerKind::all().into_iter().map(Shown::of).chain([Shown::residual()]);
    let chosen: Vec<Shown> = match arguments.names.as_slice() {
        [] => all().collect(),
        names => names
            .iter()
            .map(|name| {
                let unknown = || Error::unknown("command line", "layer", name, all().map(|shown| shown.name));
                all().find(|shown| shown.name == name).ok_or_else(unknown)
            })
            .collect::<crate::Result<_>>()?,
    };
    let text = match arguments.markdown {
        true => chosen.iter().map(|shown| shown.documented.clone() + "\n").collect(),
        false => chosen.iter().map(Shown::plain).collect::<Vec<_>>().join("\n"),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_shown_in_full() {
        let pool = Shown::of(LayerKind::named("max-pool-1d").unwrap());
        assert_eq!(
            pool.plain(),
            "\
max-pool-1d
  the largest number of each channel in each window
  as torch.nn.MaxPool1d
  takes: a sequence
  kernel                 an integer from 1 to 1024                          what each number is of
  stride    as `kernel`  an integer from 1 to 1024                          from window to window
  padding             0  an integer from 0 to 1024, or each end, or \"same\"  pixels on each side
  dilation            1  an integer from 1 to 1024                          from pixel to pixel of a window
"
        );
        assert!(Shown::residual().plain().contains("  layers                layers, at least one"));
    }

    /// The page has the rows that the program writes, that of the block of lists too.
    #[test]
    fn the_documentation_has_every_row() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/layers.md")).unwrap();
        assert!(page.contains(&Shown::residual().documented), "{}", Shown::residual().documented);
        let dense = Shown::of(LayerKind::named("dense").unwrap());
        assert!(
            page.contains(&dense.documented) && !page.contains(&dense.documented.replace("dense", "dence"))
        );
    }
}
