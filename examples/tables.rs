//! A table of houses: its columns become features, a network learns the price, and new rows are priced.
//!
//!     cargo run --release --example tables

use std::sync::Arc;

use fallline::data::table::{Encoder, RowReader, Rows, Setup, Table, TableOptions};
use fallline::{Activation, Loss, Model, Optimizer, Predictor, Trainer};

/// 600 houses: a room costs 20, a square metre 2, and in town all is half as much again. Some sizes are unknown.
fn houses() -> String {
    let mut text = "size;rooms;place;price\n".to_string();
    for house in 0..600 {
        let (size, rooms, in_town) = (40 + house * 7 % 90, 1 + house * 11 % 5, house % 3 == 0);
        let price = f64::from(2 * size + 20 * rooms) * if in_town { 1.5 } else { 1.0 };
        let size = if house % 50 == 7 { "?".to_string() } else { size.to_string() };
        text += &format!("{size};{rooms};{};{price}\n", if in_town { "town" } else { "country" });
    }
    text
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("fallline-tables-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (all, new) = (folder.join("houses.csv"), folder.join("new.csv"));
    std::fs::write(&all, houses())?;
    std::fs::write(&new, "place;rooms;size\ntown;3;80\ncountry;3;80\n")?;

    // Delimiter, header and types are detected. What becomes of the columns is learnt from the rows to train on alone.
    let options = TableOptions::default();
    let table = Table::read(&all, &options)?;
    let (train, test): (Vec<u32>, Vec<u32>) = (0..table.rows as u32).partition(|row| row % 5 > 0);
    let setup = Setup { target: vec!["price".into()], ..Setup::default() };
    let encoder = Arc::new(Encoder::fit(&table, &train, &setup, &options)?.encoder);
    println!("{}", encoder.feature_names().join(", "));

    let mut model = Model::sequential(encoder.width())
        .dense(64, Activation::RELU)
        .dense(1, Activation::IDENTITY)
        .loss(Loss::MEAN_SQUARED_ERROR)
        .build()?;
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).batch(32).epochs(60);
    trainer.fit(&mut model, &encoder.samples(&table, &train)?)?;
    let seen = trainer.evaluate(&model, &encoder.samples(&table, &test)?)?.values.ok_or("no values")?;
    println!("on {} other houses: off by {:.1} in the mean, R² {:.3}", test.len(), seen.mae, seen.r_squared);

    // A saved model keeps the encoder; rows may have their columns in another order, and lack the price.
    let (predictor, mut rows) = (Predictor::new(model)?, Rows::default());
    RowReader::open(&new, &encoder, false)?.next(10, &mut rows)?;
    let mut outputs = vec![0.0; rows.count];
    predictor.predict(&rows.features, &mut outputs)?;
    let unit = encoder.target.units()[0];
    for (output, expected) in outputs.iter().zip([330.0, 220.0]) {
        println!("predicted {:.1}, true {expected}", unit.number((*output).into()));
        assert!((unit.number((*output).into()) - expected).abs() < 15.0);
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}
