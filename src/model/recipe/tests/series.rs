//! Windows of a series, and the loss that a forecast or a text is judged by.

use super::{SMALL, overrides, refusal};
use crate::model::Recipe;

#[test]
fn a_recipe_is_judged_by_one_number() {
    let of_loss = Recipe::parse_with(SMALL, "small.toml", &overrides(&["target_loss=1.9"])).unwrap();
    assert_eq!((of_loss.target, of_loss.target_loss), (None, Some(1.9)));
    assert_eq!(Recipe::parse(&of_loss.to_toml(), "copy").unwrap(), of_loss);
    let refused = refusal(&["target_loss=1.9", "target=0.9"]);
    assert!(
        refused.ends_with("expected none beside `target`: one number to judge by, found one"),
        "{refused}"
    );
    assert!(refusal(&["target_loss=inf"]).contains("`target_loss`"));
}

/// What a network reads decides whether windows of a series are sequences.
#[test]
fn windows_are_sequences_where_the_first_layer_takes_them() {
    let is_sequence = |settings: &[&str]| {
        let text = "name = 's'\n[data]\nset = 'airline'\nwindow = 24\nhorizon = 12\n[model]\n\
            [[model.layers]]\ntype = 'dense'\nunits = 12\n[optimizer]\nname = 'adam'\n";
        let recipe = Recipe::parse_with(text, "s.toml", &overrides(settings)).unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
        recipe.data.table.unwrap().setup.windows.unwrap().sequence
    };
    assert!(!is_sequence(&[]) && !is_sequence(&["model.kind=ridge"]));
    assert!(is_sequence(&["model.layers.0.type=gru"]));
    assert!(["sunspots", "temperatures"].into_iter().all(|name| {
        let table = Recipe::built_in(name).unwrap().data.table.unwrap();
        table.setup.windows.unwrap().sequence
    }));
}
