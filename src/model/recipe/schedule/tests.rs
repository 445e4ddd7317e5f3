use super::super::{Override, Recipe};
use super::*;

const SMALL: &str = "name = 'small'\n[data]\nset = 'digits'\n[model]\n\
    [[model.layers]]\ntype = 'dense'\nunits = 10\n[optimizer]\nname = 'momentum'\nweight_decay = 0.1\n\
    [train]\nepochs = 10\n";

fn with(schedule: &str, settings: &[&str]) -> Result<Recipe, String> {
    let overrides: Vec<Override> = settings.iter().map(|text| text.parse().unwrap()).collect();
    let read = Recipe::parse_with(&format!("{SMALL}{schedule}"), "small.toml", &overrides);
    read.map_err(|error| error.to_string())
}

fn curve(settings: &[&str]) -> Curve {
    with("", settings).unwrap().schedule.learning_rate.phases[0].curve.clone()
}

#[test]
fn nothing_is_scheduled_unless_asked_for() {
    assert_eq!(with("", &[]).unwrap().schedule, Schedules::constant());
    let constant = ["digits-mlp", "mnist-softmax", "mnist-mlp", "mnist-mlp-512", "mnist-mlp-2048"];
    for name in constant {
        assert_eq!(Recipe::built_in(name).unwrap().schedule, Schedules::constant());
    }
}

#[test]
fn every_schedule_has_a_name_and_is_written_back_equal() {
    for name in SCHEDULES {
        let recipe = with("", &[&format!("schedule.name={name}")]).unwrap();
        assert_eq!(recipe.schedule.learning_rate.name(), name);
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe, "{}", recipe.to_toml());
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let named = |name: &str| curve(&[&format!("schedule.name={name}")]);
    assert_eq!(named("step"), Curve::Step { every: None, gamma: 0.1 });
    assert_eq!(named("multi-step"), Curve::MultiStep { milestones: vec![], gamma: 0.1 });
    assert_eq!(named("exponential"), Curve::Exponential { every: Length::Epochs(1.0), gamma: None });
    assert_eq!(named("inverse-time"), Curve::InverseTime { every: Length::Epochs(1.0), rate: 1.0 });
    assert_eq!(named("polynomial"), Curve::Polynomial { power: 1.0, end_factor: 0.0 });
    assert_eq!(named("linear"), Curve::Linear { start_factor: 1.0, end_factor: 0.0 });
    assert_eq!(named("cosine"), Curve::Cosine { end_factor: 0.0 });
    let restarts = Curve::CosineRestarts { first: None, multiplier: 1, end_factor: 0.0 };
    assert_eq!(named("cosine-restarts"), restarts);
    assert_eq!(named("one-cycle"), Curve::OneCycle(OneCycle::default()));
    assert_eq!(named("plateau"), Curve::Plateau(Plateau::default()));
    let warm = with("[schedule]\nwarmup_epochs = 2\n", &[]).unwrap().schedule.learning_rate.warmup;
    assert_eq!(warm, Some(Warmup { length: Length::Epochs(2.0), factor: 0.01 }));
}

#[test]
fn every_parameter_is_read_and_written_back() {
    for table in [
        "name = 'constant'\nscale = 0.5\nwarmup_steps = 3\nwarmup_factor = 0.2",
        "name = 'step'\nevery_epochs = 2.5\ngamma = 0.3",
        "name = 'multi-step'\nmilestones_epochs = [3, 5.5]\ngamma = 0.3",
        "name = 'multi-step'\nmilestones_steps = [3, 5]",
        "name = 'exponential'\nevery_steps = 7\ngamma = 0.9",
        "name = 'inverse-time'\nevery_steps = 7\nrate = 0",
        "name = 'polynomial'\npower = 2\nend_factor = 0.1\nlength_epochs = 7",
        "name = 'linear'\nstart_factor = 0.1\nend_factor = 1\nlength_steps = 7",
        "name = 'cosine'\nend_factor = 0.1\nlength_epochs = 0.5",
        "name = 'cosine-restarts'\nfirst_epochs = 2\nmultiplier = 3\nend_factor = 0.5",
        "name = 'one-cycle'\npct_start = 0.4\ndiv_factor = 2\nfinal_div_factor = 3\nanneal = 'linear'\n\
         three_phase = true\nbase_momentum = 0.1\nmax_momentum = 0.2\nlength_epochs = 9",
        "name = 'one-cycle'\ncycle_momentum = false\n[schedule.momentum]\nname = 'linear'",
        "name = 'plateau'\nfactor = 0.5\npatience = 4\nthreshold = 2\nthreshold_mode = 'abs'\ncooldown = 3\n\
         min_factor = 0.1\nscale = 0.9",
        "[schedule.momentum]\nname = 'cosine'\nwarmup_epochs = 1\n[schedule.weight_decay]\nname = 'step'",
        "warmup_epochs = 1\n[[schedule.sequence]]\nname = 'constant'\nlength_epochs = 4\n\
         [[schedule.sequence]]\nname = 'one-cycle'\nlength_epochs = 2\n\
         [[schedule.sequence]]\nname = 'cosine'\nscale = 0.1",
    ] {
        let recipe = with(&format!("[schedule]\n{table}\n"), &[]).unwrap_or_else(|e| panic!("{e}\n{table}"));
        let text = recipe.to_toml();
        assert_eq!(Recipe::parse(&text, "copy").unwrap(), recipe, "{text}");
        // Every key and every value: nothing has fallen back to a default.
        for line in table.lines().filter(|line| !line.starts_with('[')) {
            let (key, value) = line.split_once(" = ").unwrap();
            let value: toml::Value = value.parse().unwrap();
            assert!(holds(&text.parse::<toml::Table>().unwrap()["schedule"], key, &value), "{line}\n{text}");
        }
    }
}

/// Whether a value, or one within it, is a table with this key and value.
fn holds(value: &toml::Value, key: &str, sought: &toml::Value) -> bool {
    let number = |value: &toml::Value| value.as_float().or(value.as_integer().map(|integer| integer as f64));
    let same = |found: &toml::Value| match (found, sought) {
        (toml::Value::Array(found), toml::Value::Array(sought)) => {
            found.iter().map(number).eq(sought.iter().map(number))
        }
        _ => found == sought || number(found).is_some_and(|found| Some(found) == number(sought)),
    };
    match value {
        toml::Value::Table(table) => {
            table.get(key).is_some_and(same) || table.values().any(|value| holds(value, key, sought))
        }
        toml::Value::Array(values) => values.iter().any(|value| holds(value, key, sought)),
        _ => false,
    }
}

/// A rule that has no momentum keeps one-cycle from cycling it.
#[test]
fn one_cycle_cycles_the_momentum_where_there_is_one() {
    let cycled = |optimizer: &str| {
        let recipe = with("", &["schedule.name=one-cycle", optimizer]).unwrap();
        recipe.schedule.learning_rate.has_momentum()
    };
    assert!(cycled("optimizer.name=momentum") && cycled("optimizer.name=adam"));
    assert!(!cycled("optimizer.name=sgd"));
    assert!(!cycled("optimizer.momentum=0"));
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    for (settings, message) in [
        (&["name=cosin"][..], "`schedule.name`: unknown schedule `cosin`; did you mean `cosine`?"),
        (&["name=step", "gama=0.5"], "unknown key `schedule.gama`; did you mean `schedule.gamma`?"),
        (&["name=step", "gamma=1.5"], "`schedule.gamma`: expected a number above 0 and at most 1, found 1.5"),
        (&["name=step", "gamma=nan"], "`schedule.gamma`: expected a number above 0 and at most 1, found NaN"),
        (
            &["name=step", "every_epochs=1", "every_steps=5"],
            "`schedule.every_steps`: expected none beside `every_epochs`, found both",
        ),
        (
            &["name=step", "every_epochs=11"],
            "`schedule.every_epochs`: expected at most 10 epochs, as long as it lasts, found 11 epochs",
        ),
        (
            &["name=step", "length_epochs=3"],
            "unknown key `schedule.length_epochs`; known: schedule.warmup_epochs, schedule.warmup_steps, \
             schedule.warmup_factor, schedule.sequence, schedule.name, schedule.every_epochs, \
             schedule.every_steps, schedule.gamma, schedule.scale, schedule.momentum, schedule.weight_decay",
        ),
        (
            &["name=cosine", "length_epochs=10.5"],
            "`schedule.length_epochs`: expected at most 10 epochs, what is left of the run, found 10.5 epochs",
        ),
        (&["name=cosine", "length_epochs=0"], "`schedule.length_epochs`: expected a number above 0, found 0"),
        (
            &["name=cosine", "length_steps=0"],
            "`schedule.length_steps`: expected an integer from 1 to 1000000000000, found 0",
        ),
        (
            &["name=cosine", "end_factor=-0.1"],
            "`schedule.end_factor`: expected a number in [0, 1], found -0.1",
        ),
        (
            &["warmup_epochs=10"],
            "`schedule.warmup_epochs`: expected less than the run of 10 epochs, found 10 epochs",
        ),
        (
            &["warmup_factor=0.1"],
            "`schedule.warmup_factor`: expected `warmup_epochs` or `warmup_steps` beside it, found neither",
        ),
        (
            &["name=multi-step", "milestones_epochs=[8, 5]"],
            "`schedule.milestones_epochs`: expected more than the milestone before, 8 epochs, found 5 epochs",
        ),
        (
            &["name=multi-step", "milestones_epochs=[5, 10]"],
            "`schedule.milestones_epochs`: expected milestones below 10 epochs, as long as it lasts, found 10 epochs",
        ),
        (
            &["name=multi-step", "milestones_epochs=[5, 'x']"],
            "`schedule.milestones_epochs`: expected an array of at most 1000, each a number above 0, found the text \"x\"",
        ),
        (
            &["name=multi-step", "milestones_steps=[1.5]"],
            "`schedule.milestones_steps`: expected integers from 1 to 1000000000000, found 1.5",
        ),
        (
            &["name=exponential", "every_epochs=1"],
            "`schedule.gamma`: expected a number above 0 and at most 1, found nothing",
        ),
        (&["name=polynomial", "power=0"], "`schedule.power`: expected a number above 0, found 0"),
        (
            &["name=one-cycle", "three_phase=true", "pct_start=0.6"],
            "`schedule.pct_start`: expected a number of at most 0.5 with `three_phase = true`, found 0.6",
        ),
        (
            &["name=one-cycle", "div_factor=0.5"],
            "`schedule.div_factor`: expected a number of at least 1, found 0.5",
        ),
        (
            &["name=one-cycle", "base_momentum=0.99"],
            "`schedule.base_momentum`: expected a number of at most `max_momentum` (0.95), found 0.99",
        ),
        (
            &["name=one-cycle", "cycle_momentum=false", "max_momentum=0.9"],
            "`schedule.max_momentum`: expected none with a momentum that stays as it is, found one",
        ),
        (
            &["name=one-cycle", "momentum.name=linear"],
            "`schedule.momentum`: expected none beside a one-cycle schedule, unless that has `cycle_momentum = false`, found one",
        ),
        (&["name=plateau", "factor=1"], "`schedule.factor`: expected a number in (0, 1), found 1"),
        (
            &["name=plateau", "patience=-1"],
            "`schedule.patience`: expected an integer from 0 to 1000000, found -1",
        ),
        (
            &["momentum.name=one-cycle"],
            "`schedule.momentum.name`: unknown schedule `one-cycle`; known: constant, step, multi-step, exponential, inverse-time, polynomial, linear, cosine, cosine-restarts",
        ),
        (
            &["weight_decay.warmup_epochs=12"],
            "`schedule.weight_decay.warmup_epochs`: expected less than the run of 10 epochs, found 12 epochs",
        ),
    ] {
        let settings: Vec<String> = settings.iter().map(|setting| format!("schedule.{setting}")).collect();
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        assert_eq!(with("", &settings).unwrap_err(), format!("command line: {message}"), "{settings:?}");
    }
}

#[test]
fn rules_without_a_momentum_or_a_decay_are_not_given_one() {
    let plain = ["optimizer.name=sgd"];
    assert_eq!(
        with("[schedule]\nname = 'one-cycle'\ncycle_momentum = true\n", &plain).unwrap_err(),
        "small.toml: `schedule.cycle_momentum`: expected false with the optimizer `sgd`, which has no momentum for it, found true"
    );
    assert_eq!(
        with("[schedule.momentum]\nname = 'linear'\n", &plain).unwrap_err(),
        "small.toml: `schedule.momentum`: expected none with the optimizer `sgd`, which has no momentum for it, found one"
    );
    assert_eq!(
        with("[schedule.weight_decay]\nname = 'linear'\n", &plain).unwrap_err(),
        "small.toml: `schedule.weight_decay`: expected none without an `optimizer.weight_decay` above 0, found one"
    );
}

#[test]
fn sequences_are_refused_with_the_place_in_them() {
    let refusal = |sequence: &str| with(sequence, &[]).unwrap_err();
    let phase = |text: &str| format!("[[schedule.sequence]]\n{text}\n");
    assert_eq!(
        refusal(&(phase("name = 'step'") + &phase("name = 'cosine'"))),
        "small.toml: `schedule.sequence.0.length_epochs`: expected a length, or `length_steps`, of all but the last of the sequence, found nothing"
    );
    assert_eq!(
        refusal(&(phase("name = 'step'\nlength_epochs = 6") + &phase("name = 'cosine'\nlength_epochs = 5"))),
        "small.toml: `schedule.sequence.1.length_epochs`: expected at most 4 epochs, what is left of the run, found 5 epochs"
    );
    assert_eq!(
        refusal(&phase("name = 'plateau'")),
        "small.toml: `schedule.sequence.0.name`: expected a schedule that can stand in a sequence, found plateau"
    );
    assert_eq!(
        refusal(&format!("[schedule]\nname = 'cosine'\n{}", phase("name = 'step'"))),
        "small.toml: `schedule.name`: expected none beside [[schedule.sequence]], found one"
    );
    assert_eq!(
        refusal(&(phase("name = 'step'\nlength_epochs = 6\nx = 1") + &phase("name = 'cosine'"))),
        "small.toml: unknown key `schedule.sequence.0.x`; known: schedule.sequence.0.name, schedule.sequence.0.every_epochs, schedule.sequence.0.every_steps, schedule.sequence.0.gamma, schedule.sequence.0.scale, schedule.sequence.0.length_epochs, schedule.sequence.0.length_steps"
    );
}
