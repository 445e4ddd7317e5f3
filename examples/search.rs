//! Three ways to choose learning rate, width and batch of a network: at random, by Hyperband, and by Parzen estimators. Each
//! spends as much as 16 whole trainings; the winners are then trained anew from a seed that no search has seen.
//!
//!     cargo run --release --example search

use fallline::{Model, Recipe, Search, SearchMethod, Trainer, data};

fn main() -> fallline::Result<()> {
    let digits = data::generate_digits([2000, 1000], 1)?;
    let recipe = Recipe::built_in("digits-mlp")?;
    for method in [SearchMethod::Random, SearchMethod::Hyperband, SearchMethod::Tpe] {
        let search = Search::new(&recipe)
            .method(method)
            .over("optimizer.learning_rate=1e-5..1:log")?
            .over("model.layers.0.units=8..128:log")?
            .over("train.batch=16,32,64,128")?
            .trials(16);
        // Trials are tried on a tenth of the training samples, and never on the test samples.
        let record = search.run(&digits)?;
        let winner = record.winner().expect("some rates are small enough for every network");
        println!("{}: trial {} of {}", method.name(), winner.trial, record.trials.len());
        for (key, value) in &winner.settings {
            println!("  {key} = {value}");
        }

        let text = record.winner.as_deref().expect("a search with a winner has its recipe");
        let mut best = Recipe::parse(text, "the winner's recipe")?;
        best.train.seed = 99;
        let mut model = Model::build(&best.model, digits.train.shape(), digits.classes, best.train.seed)?;
        let trainer = Trainer::from_recipe(&best);
        trainer.fit(&mut model, &digits.train)?;
        let accuracy = trainer.evaluate(&model, &digits.test)?.accuracy.unwrap_or_default();
        let on_held = 100.0 * winner.accuracy.unwrap_or_default();
        println!(
            "  accuracy {on_held:.1} % on samples set aside; {:.1} % on test samples\n",
            100.0 * accuracy
        );
        assert!(accuracy > 0.8);
    }
    Ok(())
}
