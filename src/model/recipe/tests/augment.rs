//! The `[augment]` table.

use super::*;
use crate::data::augment::{Augmentation, Elastic, Erase, Fill};

fn settings(settings: &[&str]) -> Augmentation {
    Recipe::parse_with(SMALL, "small.toml", &overrides(settings)).unwrap().augment
}

#[test]
fn nothing_is_done_unless_it_is_asked_for() {
    assert!(settings(&[]).is_off());
    let nothing = ["augment.shift=0", "augment.rotation=0", "augment.noise=0", "augment.mixup=0"];
    assert!(settings(&nothing).is_off());
    assert!(!Recipe::parse(SMALL, "small.toml").unwrap().to_toml().contains("augment"));
    for some in ["augment.shift=0.5", "augment.mixup=0.2", "augment.elastic={}", "augment.erase={}"] {
        assert!(!settings(&[some]).is_off(), "{some}");
    }
}

#[test]
fn tables_have_the_settings_of_their_papers() {
    let all = settings(&["augment.elastic={}", "augment.erase={}", "augment.mixup=0.2"]);
    assert_eq!(all.elastic, Some(Elastic { sigma: 4.0, alpha: 34.0 }));
    let erase = Erase { probability: 0.5, area: [0.02, 0.4], aspect: [0.3, 3.3], fill: Fill::Random };
    assert_eq!(all.erase, Some(erase));
    assert_eq!(all.mixup, Some(0.2));
    // A single value changes that value.
    let zero = settings(&["augment.erase.fill=\"zero\"", "augment.elastic.sigma=6"]);
    assert_eq!(zero.erase, Some(Erase { fill: Fill::Zero, ..erase }));
    assert_eq!(zero.elastic, Some(Elastic { sigma: 6.0, alpha: 34.0 }));
}

#[test]
fn what_is_mixed_is_written_back_equal() {
    let recipe =
        Recipe::parse_with(SMALL, "a", &overrides(&["augment.mixup=0.3", "augment.zoom=0.1"])).unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
}

#[test]
fn values_out_of_range_are_refused() {
    let cases = [
        ("augment.shift=-1", "`augment.shift`: expected a number of pixels in [0, 1000], found -1"),
        ("augment.shift=1001", "a number of pixels in [0, 1000], found 1001"),
        ("augment.rotation=nan", "`augment.rotation`: expected a number of degrees in [0, 180], found NaN"),
        ("augment.rotation=181", "in [0, 180], found 181"),
        ("augment.zoom=1", "`augment.zoom`: expected a number in [0, 1), found 1"),
        ("augment.stretch=-0.1", "`augment.stretch`: expected a number in [0, 1), found -0.1"),
        ("augment.shear=11", "`augment.shear`: expected a number in [0, 10], found 11"),
        ("augment.noise=-0.5", "`augment.noise`: expected a number in [0, 10], found -0.5"),
        ("augment.mixup=101", "`augment.mixup`: expected a number in [0, 100], found 101"),
        ("augment.mixup=true", "`augment.mixup`: expected a number in [0, 100], found true"),
        ("augment.elastic=4", "`augment.elastic`: expected a table, found the integer 4"),
        (
            "augment.elastic.sigma=0",
            "`augment.elastic.sigma`: expected a number above 0 and at most 1000, found 0",
        ),
        (
            "augment.elastic.alpha=inf",
            "`augment.elastic.alpha`: expected a number above 0 and at most 10000, found inf",
        ),
        (
            "augment.elastic.sigmoid=1",
            "unknown key `augment.elastic.sigmoid`; did you mean `augment.elastic.sigma`?",
        ),
        ("augment.erase.probability=2", "`augment.erase.probability`: expected a number in [0, 1], found 2"),
        (
            "augment.erase.area=[0.5, 0.2]",
            "`augment.erase.area`: expected two numbers above 0 and at most 1, the smaller",
        ),
        ("augment.erase.area=[0.5]", "the smaller one first, found [0.5]"),
        ("augment.erase.area=[0, 0.5]", "`augment.erase.area.0`: expected above 0 and at most 1, found 0"),
        ("augment.erase.aspect=[1, 200]", "`augment.erase.aspect.1`: expected in [0.01, 100], found 200"),
        ("augment.erase.fill=\"black\"", "`augment.erase.fill`: unknown fill `black`"),
        ("augment.flip=true", "unknown key `augment.flip`"),
        ("augment=1", "`augment`: expected a table, found the integer 1"),
    ];
    for (setting, message) in cases {
        let found = refusal(&[setting]);
        assert!(found.contains(message), "{setting}: {found}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let hinge = refusal(&["augment.mixup=0.2", "model.loss=\"hinge\""]);
    assert_eq!(
        hinge,
        "command line: `augment.mixup`: expected none with the loss `hinge`, which takes no mixtures of classes: \
         one of cross-entropy, binary-cross-entropy, kl-divergence, found one"
    );
    for loss in ["cross-entropy", "kl-divergence", "binary-cross-entropy"] {
        assert!(settings(&["augment.mixup=0.2", &format!("model.loss=\"{loss}\"")]).mixup.is_some());
    }
    for optimizer in ["lbfgs", "cg", "rprop"] {
        let refused = refusal(&["augment.shift=1", &format!("optimizer.name=\"{optimizer}\"")]);
        assert!(refused.contains("`augment`: expected none with the optimizer"), "{refused}");
    }
    // What a program made is refused as well.
    let mut recipe = Recipe::parse(SMALL, "small.toml").unwrap();
    recipe.augment.mixup = Some(0.2);
    assert!(check_augmentation(&recipe).is_ok());
    recipe.model.loss = Loss::POISSON;
    let message = check_augmentation(&recipe).unwrap_err().to_string();
    assert!(message.starts_with("recipe small: `augment.mixup`: expected none with the loss `poisson`"));
}
