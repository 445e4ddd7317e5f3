//! `fallline recipes`

use std::io::Write;

use clap::{Args, Subcommand};

use crate::model::Recipe;
use crate::report::numbers::{loss, percent};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct RecipesArguments {
    #[command(subcommand)]
    command: Option<RecipesCommand>,
}

#[derive(Debug, Subcommand)]
enum RecipesCommand {
    /// Print the commented TOML of a recipe: a start for one of your own.
    Show {
        /// A name that `fallline recipes` lists.
        name: String,
    },
}

const EXAMPLES: &str = "\
Examples:
  fallline recipes
  fallline recipes show mnist-mlp > my-recipe.toml
  fallline train my-recipe.toml";

pub fn run(arguments: RecipesArguments) -> anyhow::Result<()> {
    let text = match arguments.command {
        Some(RecipesCommand::Show { name }) => Recipe::built_in_text(&name)?.to_string(),
        None => list()?,
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// One line for each built-in recipe: name, summary, target.
fn list() -> crate::Result<String> {
    let names = Recipe::built_in_names();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in names {
        let recipe = Recipe::built_in(name)?;
        let target = match (recipe.target, recipe.target_loss) {
            (Some(target), _) => format!(" (target {})", percent(target)),
            (None, Some(target)) => format!(" (target loss {})", loss(target)),
            (None, None) => String::new(),
        };
        text += &format!("{name:<width$}  {}{target}\n", recipe.summary);
    }
    Ok(text)
}
