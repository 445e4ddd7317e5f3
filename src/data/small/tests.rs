//! Small sets: what they hold, and that they follow from their seeds.

use std::path::Path;

use super::super::samples::Origin;
use super::super::table::{Kind as ColumnKind, Table, TableOptions, Values};
use super::write::{WriteOptions, write};
use super::*;

fn drawn(name: &str, part: Part, samples: usize, seed: u64) -> Drawn {
    Generated::of(name).unwrap().draw(part, samples, seed).unwrap()
}

fn values(drawn: &Drawn) -> &[f32] {
    match &drawn.target {
        DrawnTarget::Values(values) => values,
        other => panic!("{other:?}"),
    }
}

fn labels(drawn: &Drawn) -> &[u8] {
    match &drawn.target {
        DrawnTarget::Classes { labels, .. } => labels,
        other => panic!("{other:?}"),
    }
}

#[test]
fn samples_follow_from_seed_part_and_index_alone() {
    for generator in GENERATORS {
        let name = generator.name;
        let set = drawn(name, Part::Train, 40, 3);
        let width = set.names.len();
        assert_eq!((set.features.len(), width), (40 * width, generator.features.default), "{name}");
        let fewer = drawn(name, Part::Train, 17, 3);
        assert_eq!(fewer.features, set.features[..17 * width], "{name}");
        for other in [drawn(name, Part::Train, 40, 4), drawn(name, Part::Test, 40, 3)] {
            assert_ne!(other.features, set.features, "{name}");
            // Of different parts no sample is the same.
            let rows = |set: &Drawn| set.features.chunks(width).map(<[f32]>::to_vec).collect::<Vec<_>>();
            assert!(rows(&other).iter().all(|row| !rows(&set).contains(row)), "{name}");
        }
        assert!(set.features.iter().all(|number| number.is_finite()), "{name}");
    }
}

type Formula<'a> = &'a dyn Fn(&[f64]) -> f64;
type Lies<'a> = &'a dyn Fn(&[f32], u8) -> bool;

/// Without noise the targets are the formulas, in f64, of the features that were drawn.
#[test]
fn values_are_those_of_the_formulas() {
    use std::f64::consts::PI;
    let reactance = |x: &[f64]| x[1] * x[2] - 1.0 / (x[1] * x[3]);
    let formulas: [(&str, Formula); 6] = [
        ("line", &|x| 2.0 * x[0] + 1.0),
        ("linear", &|x| 1.0 + x[0] - 2.0 * x[1] + 3.0 * x[2] - 4.0 * x[3] + 5.0 * x[4] + x[5] - 2.0 * x[6]),
        ("sine", &|x| (2.0 * PI * x[0]).sin()),
        ("friedman-1", &|x| {
            10.0 * (PI * x[0] * x[1]).sin() + 20.0 * (x[2] - 0.5).powi(2) + 10.0 * x[3] + 5.0 * x[4]
        }),
        ("friedman-2", &|x| (x[0] * x[0] + reactance(x).powi(2)).sqrt()),
        ("friedman-3", &|x| (reactance(x) / x[0]).atan()),
    ];
    for (name, formula) in formulas {
        let default = Generated::of(name).unwrap();
        let features = if name == "linear" { 7 } else { default.features };
        let quiet = Generated { noise: 0.0, features, ..default };
        let set = quiet.draw(Part::Train, 200, 1).unwrap();
        let noisy = Generated { noise: 0.5, ..quiet.clone() }.draw(Part::Train, 200, 1).unwrap();
        let mut differences = Vec::new();
        for (index, row) in set.features.chunks(features).enumerate() {
            let row: Vec<f64> = row.iter().map(|&number| f64::from(number)).collect();
            let (value, expected) = (f64::from(values(&set)[index]), formula(&row));
            assert!(
                (value - expected).abs() <= 2e-4 * expected.abs().max(1.0),
                "{name}: {value}, {expected}"
            );
            differences.push(f64::from(values(&noisy)[index]) - value);
        }
        assert_eq!(set.features, noisy.features, "{name}");
        let mean = differences.iter().sum::<f64>() / 200.0;
        let deviation = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 200.0).sqrt();
        assert!(mean.abs() < 0.12 && (deviation - 0.5).abs() < 0.08, "{name}: {mean}, {deviation}");
    }
}

#[test]
fn classes_lie_where_they_should() {
    let radius = |x: &[f32]| x[0].hypot(x[1]);
    let lies: [(&str, Lies); 5] = [
        ("moons", &|x, class| {
            let (centre, up) =
                if class == 1 { ([0.0, 0.0], x[1] >= -1e-6) } else { ([1.0, 0.5], x[1] <= 0.5 + 1e-6) };
            (radius(&[x[0] - centre[0], x[1] - centre[1]]) - 1.0).abs() < 1e-5 && up
        }),
        ("circles", &|x, class| (radius(x) - [0.5, 1.0][usize::from(class)]).abs() < 1e-5),
        ("spirals", &|x, class| {
            let turns = 1.5 * (radius(x) - 0.1) / 0.9 + f32::from(class) / 2.0;
            let angle = x[1].atan2(x[0]) / std::f32::consts::TAU;
            let apart = (turns - angle).rem_euclid(1.0);
            (-1e-5..1.0 + 1e-5).contains(&(radius(x) - 0.1)) && apart.min(1.0 - apart) < 1e-4
        }),
        ("xor", &|x, class| (x[0] * x[1] >= 0.0) == (class == 1)),
        ("blobs", &|x, _| x.iter().all(|x| (-10.0..=10.0).contains(x))),
    ];
    for (name, lies) in lies {
        let quiet = Generated { noise: 0.0, ..Generated::of(name).unwrap() };
        let set = quiet.draw(Part::Test, 300, 2).unwrap();
        for (row, &label) in set.features.chunks(2).zip(labels(&set)) {
            assert!(lies(row, label), "{name}: {row:?} of {label}");
        }
        // Classes take turns.
        let expected: Vec<u8> = (0..300).map(|index| (index % quiet.classes) as u8).collect();
        assert_eq!(labels(&set), expected, "{name}");
        let noisy = Generated { noise: 0.1, ..quiet }.draw(Part::Test, 300, 2).unwrap();
        assert!(
            set.features.iter().zip(&noisy.features).all(|(a, b)| a != b && (a - b).abs() < 0.5),
            "{name}"
        );
    }
    let blobs = Generated { classes: 7, features: 3, noise: 0.0, ..Generated::of("blobs").unwrap() };
    let set = blobs.draw(Part::Train, 14, 1).unwrap();
    let rows: Vec<&[f32]> = set.features.chunks(3).collect();
    // Without noise each class is a point, the same in both parts.
    assert!((0..7).all(|class| rows[class] == rows[class + 7] && rows[class] != rows[(class + 1) % 7]));
    assert_eq!(blobs.draw(Part::Test, 7, 1).unwrap().features, set.features[..21]);
}

#[test]
fn settings_outside_their_ranges_are_refused() {
    let refused = |set: Generated, samples| set.draw(Part::Train, samples, 1).unwrap_err().to_string();
    let of = |name| Generated::of(name).unwrap();
    let cases = [
        (of("line"), 0, "samples of the set `line`: expected 1 to 4294967295, found 0"),
        (
            Generated { noise: f64::NAN, ..of("line") },
            1,
            "noise of the set `line`: expected 0 to 1e9, found NaN",
        ),
        (Generated { features: 2, ..of("line") }, 1, "features of the set `line`: expected 1, found 2"),
        (Generated { features: 4, ..of("friedman-1") }, 1, "expected 5 to 1000, found 4"),
        (
            Generated { classes: 257, ..of("blobs") },
            1,
            "classes of the set `blobs`: expected 2 to 256, found 257",
        ),
    ];
    for (set, samples, expected) in cases {
        let found = refused(set, samples);
        assert!(found.contains(expected), "{found}");
    }
    // More than any memory holds, and refused before it is touched.
    let large = Generated { features: 1000, ..of("linear") };
    assert!(large.draw(Part::Train, u32::MAX as usize, 1).is_err());
    assert!(Generated::of("moon").unwrap_err().to_string().contains("did you mean `moons`?"));
    assert_eq!(SmallSet::named("digits"), None);
}

#[test]
fn a_table_of_drawn_samples_has_them_all() {
    let set = drawn("moons", Part::Train, 30, 1);
    let table = set.clone().table().unwrap();
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((table.rows, names), (30, vec!["x1", "x2", "class"]));
    assert_eq!(table.columns[1].number(7), f64::from(set.features[15]));
    assert_eq!(table.columns[2].kind, ColumnKind::Category);
    let samples = set.samples().unwrap();
    assert_eq!((samples.len(), samples.shape()), (30, [1, 1, 2]));
    let numbered = drawn("spirals", Part::Train, 30, 1).table().unwrap();
    assert_eq!(numbered.columns[2].kind, ColumnKind::Code);
    assert_eq!(drawn("line", Part::Train, 3, 1).table().unwrap().columns[1].name, "y");
}

#[test]
fn all_sets_are_data_sets_by_name() {
    for name in names() {
        let set = crate::data::load(name, None).unwrap();
        assert_eq!(set.name, name);
        assert!(set.train.encoder().is_some() && set.test.encoder().is_some(), "{name}");
        let refused = crate::data::load(name, Some(Path::new("folder"))).unwrap_err().to_string();
        assert_eq!(
            refused,
            format!(
                "folder of data (--data): expected none with the set `{name}`, which needs no file, found folder"
            )
        );
    }
    let iris = crate::data::load("iris", None).unwrap();
    assert_eq!(iris.class_names, ["setosa", "versicolor", "virginica"]);
    assert_eq!((iris.train.len(), iris.test.len(), iris.origin), (120, 30, Origin::Embedded));
    for species in 0..3 {
        assert_eq!(iris.test.labels().unwrap().iter().filter(|&&label| label == species).count(), 10);
    }
    let moons = crate::data::load("moons", None).unwrap();
    assert_eq!((moons.class_names.len(), moons.origin), (2, Origin::Generated { seed: SEED }));
}

#[test]
fn iris_has_the_means_that_fisher_published() {
    let table = SmallSet::named("iris").unwrap().table(None, SEED).unwrap();
    let mean = |column: usize, species: usize| -> f64 {
        (50 * species..50 * species + 50).map(|row| table.columns[column].number(row)).sum::<f64>() / 50.0
    };
    // Table II of the paper.
    let published =
        [[5.006, 3.428, 1.462, 0.246], [5.936, 2.770, 4.260, 1.326], [6.588, 2.974, 5.552, 2.026]];
    for (species, means) in published.iter().enumerate() {
        for (column, expected) in means.iter().enumerate() {
            assert!(
                (mean(column, species) - expected).abs() < 1e-9,
                "{species}, {column}: {}",
                mean(column, species)
            );
        }
    }
    let flower = |row: usize| [0, 1, 2, 3].map(|column| table.columns[column].number(row));
    assert_eq!((flower(34), flower(37)), ([4.9, 3.1, 1.5, 0.2], [4.9, 3.6, 1.4, 0.1]));
}

#[test]
fn airline_is_a_series_of_twelve_years() {
    let table = SmallSet::named("airline").unwrap().table(None, SEED).unwrap();
    assert_eq!((table.rows, table.columns.len()), (144, 2));
    let Values::Dates(form, months) = &table.columns[0].values else { panic!("no dates") };
    let text = |row: usize| crate::data::table::date_text(*form, months[row]);
    assert_eq!([text(0), text(11), text(143)], ["1949-01", "1949-12", "1960-12"]);
    let passengers = |row: usize| table.columns[1].number(row);
    assert_eq!([passengers(0), passengers(143)], [112.0, 432.0]);
    let sum: f64 = (0..144).map(passengers).sum();
    assert_eq!(sum, 40_363.0);
}

/// What is written and read again is the same table, but for the place and for numbers that are kept in other ways.
#[test]
fn written_sets_are_read_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    for (name, gzip) in
        [("moons", false), ("line", true), ("blobs", false), ("iris", true), ("airline", false)]
    {
        let set = SmallSet::named(name).unwrap();
        let how = WriteOptions { gzip, force: false };
        let paths = write(&set, [Some(60), Some(30)], 5, folder.path(), how).unwrap();
        let tables = match &set {
            SmallSet::Embedded(_) => vec![set.table(None, 5).unwrap()],
            SmallSet::Generated(drawn) => {
                vec![
                    drawn.rows(Part::Train, Some(60), 5).unwrap(),
                    drawn.rows(Part::Test, Some(30), 5).unwrap(),
                ]
            }
        };
        assert_eq!(paths.len(), tables.len());
        for (path, table) in paths.iter().zip(tables) {
            let read = Table::read(path, &TableOptions::default()).unwrap();
            assert_eq!((read.rows, read.gzip), (table.rows, gzip), "{name}");
            for (found, expected) in read.columns.iter().zip(&table.columns) {
                assert_eq!((&found.name, found.kind), (&expected.name, expected.kind), "{name}");
                assert!(found.numbers().unwrap().eq(expected.numbers().unwrap()), "{name}: {}", found.name);
            }
        }
        let again = write(&set, [Some(5), Some(5)], 5, folder.path(), how).unwrap_err().to_string();
        assert!(again.contains("it exists; --force replaces it"), "{again}");
        write(&set, [Some(5), Some(5)], 5, folder.path(), WriteOptions { force: true, ..how }).unwrap();
    }
}
