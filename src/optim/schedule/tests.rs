use super::*;
use crate::StepSettings;

/// A run of ten epochs of four steps.
const RUN: Span = Span { steps: 40, steps_per_epoch: 4 };

fn factors(schedule: &Schedule, run: Span) -> Vec<f64> {
    (1..=run.steps).map(|step| schedule.factor(step, run)).collect()
}

fn phase(curve: Curve, length: Option<Length>) -> Phase {
    Phase { curve, scale: 1.0, length }
}

fn linear(start_factor: f64, end_factor: f64) -> Curve {
    Curve::Linear { start_factor, end_factor }
}

fn every_curve() -> Vec<Curve> {
    let every = Length::Epochs(1.5);
    vec![
        Curve::Constant,
        Curve::Step { every: None, gamma: 0.1 },
        Curve::Step { every: Some(every), gamma: 0.5 },
        Curve::MultiStep { milestones: vec![], gamma: 0.1 },
        Curve::MultiStep { milestones: vec![Length::Steps(3), Length::Steps(9)], gamma: 1.0 },
        Curve::Exponential { every, gamma: None },
        Curve::Exponential { every, gamma: Some(0.7) },
        Curve::InverseTime { every, rate: 3.0 },
        Curve::Polynomial { power: 0.3, end_factor: 0.2 },
        linear(0.2, 1.0),
        Curve::Cosine { end_factor: 0.0 },
        Curve::CosineRestarts { first: None, multiplier: 1, end_factor: 0.0 },
        Curve::CosineRestarts { first: None, multiplier: 3, end_factor: 0.5 },
        Curve::CosineRestarts { first: Some(every), multiplier: 1000, end_factor: 0.1 },
        Curve::OneCycle(OneCycle::default()),
        Curve::OneCycle(OneCycle { pct_start: 0.0, ..OneCycle::default() }),
        Curve::OneCycle(OneCycle { pct_start: 1.0, anneal: Anneal::Linear, ..OneCycle::default() }),
        Curve::OneCycle(OneCycle { pct_start: 0.5, three_phase: true, ..OneCycle::default() }),
        Curve::Plateau(Plateau::default()),
    ]
}

/// This holds in runs of a step or two, too, in which most parts of a curve have no room, and after their end.
#[test]
fn every_factor_is_between_0_and_1() {
    for curve in every_curve() {
        let schedule = Schedule::of(curve);
        for steps in (1..50).chain([1000, u64::MAX]) {
            let run = Span { steps, steps_per_epoch: steps.div_ceil(3) };
            for step in (0..60).chain([999, 1000, 1001, u64::MAX]) {
                let factor = schedule.factor(step, run);
                // The cosine may be wrong in its last bit.
                assert!((0.0..=1.0 + 1e-15).contains(&factor), "{schedule:?} {run:?} {step}: {factor}");
                if let Some(momentum) = schedule.momentum(step, run) {
                    assert!((0.85 - 1e-15..=0.95 + 1e-15).contains(&momentum), "{schedule:?} {momentum}");
                }
            }
        }
    }
}

#[test]
fn what_is_left_out_is_taken_from_the_whole_run() {
    let distinct = |curve| {
        let mut factors = factors(&Schedule::of(curve), RUN);
        factors.dedup();
        factors
    };
    let steps = distinct(Curve::Step { every: None, gamma: 0.5 });
    assert_eq!(steps, [1.0, 0.5, 0.25]);
    let milestones = factors(&Schedule::of(Curve::MultiStep { milestones: vec![], gamma: 0.5 }), RUN);
    assert_eq!((milestones[19], milestones[20], milestones[29], milestones[30]), (1.0, 0.5, 0.5, 0.25));
    let exponential = Schedule::of(Curve::Exponential { every: Length::Epochs(1.0), gamma: None });
    assert!((exponential.factor(41, RUN) - 0.01).abs() < 1e-15);
    for (multiplier, starts) in [(1, [0, 14, 28]), (2, [0, 6, 18])] {
        let restarts = Curve::CosineRestarts { first: None, multiplier, end_factor: 0.0 };
        let factors = factors(&Schedule::of(restarts), RUN);
        let found: Vec<usize> = (0..40).filter(|step| factors[*step] == 1.0).collect();
        assert_eq!(found, starts, "{multiplier}");
    }
}

#[test]
fn a_warm_up_leads_to_where_the_first_phase_begins() {
    let warmup = Some(Warmup { length: Length::Epochs(1.0), factor: 0.2 });
    let curve = linear(0.5, 0.0);
    let warm = factors(&Schedule { warmup, phases: vec![phase(curve.clone(), None)] }, RUN);
    let expected = [0.1, 0.2, 0.3, 0.4, 0.5];
    assert!(warm.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15), "{warm:?}");
    let rest = factors(&Schedule::of(curve), Span { steps: 36, ..RUN });
    assert_eq!(warm[4..], rest);
}

#[test]
fn phases_count_their_own_steps() {
    let phases = vec![
        phase(linear(1.0, 0.5), Some(Length::Steps(10))),
        Phase { curve: Curve::Constant, scale: 0.3, length: Some(Length::Epochs(2.5)) },
        phase(linear(0.2, 0.0), None),
    ];
    let found = factors(&Schedule { warmup: None, phases }, RUN);
    assert_eq!(found[..10], factors(&Schedule::of(linear(1.0, 0.5)), Span { steps: 10, ..RUN }));
    assert_eq!(found[10..20], [0.3; 10]);
    assert_eq!(found[20..], factors(&Schedule::of(linear(0.2, 0.0)), Span { steps: 20, ..RUN }));
}

#[test]
fn curves_with_an_end_keep_their_last_value() {
    let curve = linear(1.0, 0.25);
    let short = Schedule { warmup: None, phases: vec![phase(curve, Some(Length::Epochs(5.0)))] };
    let found = factors(&short, RUN);
    assert!(found[19] > 0.25);
    assert_eq!(found[20..], [0.25; 20]);
}

#[test]
fn a_moment_has_all_that_is_scheduled() {
    let schedules = Schedules {
        learning_rate: Schedule::of(linear(1.0, 0.0)),
        momentum: Some(Schedule::of(linear(0.5, 1.0))),
        weight_decay: Some(Schedule::of(Curve::Step { every: Some(Length::Steps(10)), gamma: 0.5 })),
    };
    let settings = schedules.settings(21, RUN, 0.4, Some(0.8));
    let expected = StepSettings { step: 21, learning_rate: 0.2, momentum: Some(0.75 * 0.8), decay: 0.25 };
    assert_eq!(settings, expected);
    assert_eq!(Schedules::constant().settings(21, RUN, 0.4, Some(0.8)), StepSettings::new(21, 0.4));

    let cycle = Schedules { learning_rate: Schedule::of(every_curve()[14].clone()), ..Schedules::constant() };
    assert_eq!(cycle.settings(1, RUN, 0.4, Some(0.8)).momentum, Some(0.95));
    assert!(cycle.needs_momentum() && schedules.needs_momentum() && !Schedules::constant().needs_momentum());
}

#[test]
fn a_plateau_is_patient_and_cools_down() {
    let plateau = Plateau { factor: 0.5, patience: 1, cooldown: 1, min_factor: 0.2, ..Plateau::default() };
    let mut state = PlateauState::new(plateau);
    let mut factor = |loss| {
        state.observe(loss);
        state.factor()
    };
    // Better, bad, bad: reduced; not counted; bad, better, bad, bad: reduced.
    let losses = [1.0, 1.0, f64::NAN, 1.0, 1.0, 0.9, 0.9, f64::INFINITY];
    assert_eq!(losses.map(&mut factor), [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]);
    // The rate is never below the least.
    assert_eq!([2.0; 3].map(&mut factor), [0.25, 0.25, 0.2]);
}

/// The key of a misfit, what was expected and what was found.
fn misfit(schedule: Schedule, steps_per_epoch: Option<u64>) -> Option<[String; 3]> {
    let schedules = Schedules { learning_rate: schedule, ..Schedules::constant() };
    let misfit = schedules.check(10, steps_per_epoch).err()?;
    Some([misfit.key, misfit.expected, misfit.found])
}

#[test]
fn what_reaches_beyond_the_run_is_seen() {
    let steps = |steps| Some(Length::Steps(steps));
    let of = |curve, length| Schedule { warmup: None, phases: vec![phase(curve, length)] };
    let cosine = |length| of(Curve::Cosine { end_factor: 0.0 }, length);
    assert_eq!(misfit(cosine(Some(Length::Epochs(10.0))), None), None);
    assert_eq!(misfit(cosine(Some(Length::Epochs(10.0))), Some(4)), None);
    let [key, expected, found] = misfit(cosine(Some(Length::Epochs(10.5))), None).unwrap();
    assert_eq!((&key[..], &found[..]), ("length_epochs", "10.5 epochs"));
    assert_eq!(expected, "at most 10 epochs, what is left of the run");
    // In steps the misfit shows once their number is known.
    assert_eq!(misfit(cosine(steps(41)), None), None);
    assert_eq!(misfit(cosine(steps(40)), Some(4)), None);
    let [key, expected, _] = misfit(cosine(steps(41)), Some(4)).unwrap();
    assert_eq!((&key[..], &expected[..]), ("length_steps", "at most 40 steps, what is left of the run"));

    for (curve, key) in [
        (Curve::Step { every: steps(41), gamma: 0.1 }, "every_steps"),
        (Curve::CosineRestarts { first: steps(41), multiplier: 1, end_factor: 0.0 }, "first_steps"),
        (Curve::MultiStep { milestones: vec![Length::Steps(40)], gamma: 0.1 }, "milestones_steps"),
    ] {
        assert_eq!(misfit(of(curve.clone(), None), None), None);
        assert_eq!(misfit(of(curve, None), Some(4)).unwrap()[0], key);
    }
    let unordered = [7.0, 3.0].map(Length::Epochs).to_vec();
    let unordered = misfit(of(Curve::MultiStep { milestones: unordered, gamma: 0.1 }, None), None).unwrap();
    assert_eq!(
        unordered,
        ["milestones_epochs", "more than the milestone before, 7 epochs", "3 epochs"].map(String::from)
    );
    let warm = |epochs| Schedule {
        warmup: Some(Warmup { length: Length::Epochs(epochs), factor: 0.0 }),
        ..Schedule::constant()
    };
    assert_eq!(misfit(warm(9.9), None), None);
    assert_eq!(misfit(warm(10.0), None).unwrap()[0], "warmup_epochs");
}

#[test]
fn a_sequence_must_leave_room_for_its_last_phase() {
    let warmup = Some(Warmup { length: Length::Steps(4), factor: 0.0 });
    let sequence = |first: Length, last| Schedule {
        warmup,
        phases: vec![phase(Curve::Constant, Some(first)), phase(linear(1.0, 0.0), last)],
    };
    let epochs = Length::Epochs;
    assert_eq!(misfit(sequence(epochs(4.0), Some(epochs(5.0))), Some(4)), None);
    assert_eq!(misfit(sequence(epochs(9.0), None), Some(4)).unwrap()[0], "sequence.0.length_epochs");
    assert_eq!(misfit(sequence(Length::Steps(36), None), Some(4)).unwrap()[0], "sequence.0.length_steps");
    let beyond = sequence(epochs(4.0), Some(epochs(5.1)));
    assert_eq!(misfit(beyond, Some(4)).unwrap()[0], "sequence.1.length_epochs");

    let schedules = Schedules { momentum: Some(sequence(epochs(10.0), None)), ..Schedules::constant() };
    assert_eq!(schedules.check(10, None).unwrap_err().key, "momentum.sequence.0.length_epochs");
}
