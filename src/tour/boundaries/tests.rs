use super::*;

/// The part of a standard normal distribution below a number, by Simpson's rule.
fn normal_below(end: f64) -> f64 {
    let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let (parts, start) = (2000, -8.0);
    let width = (end - start) / f64::from(parts);
    let weight = |part: i32| if part == 0 || part == parts { 1.0 } else { f64::from(2 + 2 * (part % 2)) };
    (0..=parts).map(|part| weight(part) * density(start + width * f64::from(part))).sum::<f64>() * width / 3.0
}

#[test]
fn the_text_is_true() {
    let found = run(&Setting { threads: 1 }).unwrap();
    let of = |name: &str| found.number(name);
    assert!(
        of("moons_network_accuracy") > of("moons_logistic_accuracy").max(of("moons_svm_accuracy")) + 0.05
    );
    assert_eq!(of("moons_network_parameters"), 3.0 * 16.0 + 17.0 * 16.0 + 17.0 * 2.0);

    // The middle between two normal heaps of deviation 1 errs where one is farther off than half their distance. The
    // deviation of the part of 2,000 points is 0.006.
    let best = normal_below(DISTANCE / 2.0);
    assert!((of("blobs_best_accuracy") - best).abs() < 0.018, "{best}");
    for name in ["blobs_logistic_accuracy", "blobs_svm_accuracy", "blobs_squared_svm_accuracy"] {
        assert!((of(name) - of("blobs_best_accuracy")).abs() < 0.01, "{name}: {}", of(name));
    }
    assert!(of("logistic_distance") < 1e-3 && of("squared_svm_distance") < 1e-3);
    assert!(of("angle") > 0.1);

    assert!(of("svm_change") < 0.01 && of("logistic_change") > 0.1);
    assert!(of("within_margin") < 200.0);
    for kind in ["sure", "unsure"] {
        let [given, right] = ["probability", "accuracy"].map(|name| of(&format!("{kind}_{name}")));
        // Of a few hundred points the part that is right has a deviation of 0.02, and the weights have been learnt.
        assert!((given - right).abs() < 0.08, "{kind}: {given} {right}");
    }
}

#[test]
fn descent_and_lloyd_come_to_one_place_and_none_leaves_a_bad_one() {
    let found = Clusters::new().unwrap();
    let [good, bad] = [&found.good, &found.bad].map(|pair| [pair.lloyd.inertia, pair.descent.inertia]);
    assert!(good[1] < 1.001 * good[0] && found.good.distance() < 0.05);
    assert!(bad.iter().all(|inertia| *inertia > 1.5 * good[0]), "{bad:?}");
    // The two that share a heap may part it along different lines.
    assert!((bad[0] / bad[1] - 1.0).abs() < 0.03);
    // No start of all these is better than the good one, and drawn far apart they are better starts.
    assert!(found.found[0] > found.found[1] && found.found[1] > 0);
    // Lloyd's algorithm never raises the inertia.
    for run in [&found.good.lloyd, &found.bad.lloyd] {
        assert!(run.course.windows(2).all(|pair| pair[1] <= pair[0]));
    }
}
