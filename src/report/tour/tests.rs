use super::*;
use crate::tour::figure::{Bars, Figure, Grid, Layer, Lines, Listing, Named, Picture, Plane, Side};
use crate::tour::{Setting, TourRecord};

const HOSTILE: &str = "</td><script>alert(1)</script>\u{1b}[2J";

fn figures() -> Vec<Figure> {
    let window = [[-1.0, 1.0], [-1.0, 1.0]];
    let path =
        |name: &str| Layer::Path(Named::new(name, (0..20).map(|step| [0.9 - 0.05 * f64::from(step), 0.5])));
    let layers =
        vec![Layer::Contours(Grid::of(window, 21, |x, y| x * x + y * y)), path("sgd"), path(HOSTILE)];
    let (x_label, y_label) = ("w".into(), "b".into());
    let plane = Plane { x_label, y_label, window, is_square: true, animated: true, layers };
    let series = vec![Named::course("loss", (0..5000).map(|step| 1.0 / f64::from(step + 1)))];
    let lines = Lines { x: Side::linear("step"), y: Side::log("loss"), series };
    let bars = Bars {
        x_label: "layer".into(),
        y: Side::percent("part"),
        groups: ["1", "2"].map(String::from).to_vec(),
        series: vec![
            ("plain".into(), vec![Some(0.5), None]),
            (HOSTILE.into(), vec![Some(f64::NAN), Some(-0.25)]),
        ],
    };
    let pictures =
        [("plane", Picture::Plane(plane)), ("loss", Picture::Lines(lines)), ("parts", Picture::Bars(bars))];
    pictures
        .into_iter()
        .map(|(name, picture)| Figure { name: name.into(), title: format!("Title of {name}"), picture })
        .collect()
}

fn case(name: &str) -> CaseRecord {
    let rows = [["sgd", "1,000", "12 %"], ["adam", "–", "3.5 %"], [HOSTILE, "-0.1084", "many"]];
    CaseRecord {
        case: name.into(),
        title: format!("The case of {name}"),
        example: format!("tour_{name}"),
        text: vec!["A rate of 0.01 is slow. It goes on.".into(), HOSTILE.into()],
        numbers: serde_json::json!({ "w": 2.0, "lost": null }).as_object().unwrap().clone(),
        tables: vec![Listing {
            caption: "Rules".into(),
            columns: ["rule", "steps", "part"].map(String::from).to_vec(),
            rows: rows.map(|row| row.map(String::from).to_vec()).to_vec(),
        }],
        seconds: 1.5,
        figures: figures(),
    }
}

fn record(names: &[&str]) -> TourRecord {
    let cases = names.iter().map(|name| case(name)).collect();
    TourRecord {
        command: "fallline tour --out tour".into(),
        ..TourRecord::of(cases, &Setting { threads: 2 })
    }
}

#[test]
fn a_case_is_a_section_with_its_pictures_and_its_program() {
    let html = page(&record(&["line", "paths"]));
    let headings = ["What this is", "1. The case of line", "2. The case of paths", "How it was made"];
    for (index, heading) in headings.iter().enumerate() {
        assert!(html.contains(&format!("<a href=\"#section-{index}\">{heading}</a>")), "{heading}");
        assert!(html.contains(&format!("<h2 id=\"heading-{index}\">{heading}</h2>")), "{heading}");
    }
    assert!(html.contains("data-charts=\"6\"") && html.contains("@keyframes"));
    assert!(html.contains("The program: examples/tour_line.rs"));
    assert!(
        html.contains("cargo run --release --example tour_paths")
            && html.contains("fallline tour --out tour")
    );
    assert!(!html.contains("<script>alert") && !html.contains('\u{1b}') && !html.contains("interrupted"));
    let cut = TourRecord { incomplete: true, ..record(&["line"]) };
    assert!(page(&cut).contains("The tour was interrupted: cases are missing."));
}

#[test]
fn columns_of_numbers_are_sorted_as_numbers() {
    let html = page(&record(&["line"]));
    assert!(html.contains("data-value=\"1000\">1,000<") && html.contains("data-value=\"-0.1084\">-0.1084<"));
    assert!(html.contains("<td class=\"number\">–</td>"), "no number among numbers");
    assert!(html.contains("<td>12 %</td>"), "among words a number is one of them");
}

#[test]
fn files_are_named_after_case_and_picture() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new");
    let record = record(&["line"]);
    pictures(&inner, &record.cases[0]).unwrap();
    let written = write(&inner, &record).unwrap();
    assert_eq!(written, [PAGE, JSON].map(|name| inner.join(name).display().to_string()));
    for stem in ["line-plane", "line-loss", "line-parts"] {
        let svg = std::fs::read_to_string(inner.join(format!("{stem}.svg"))).unwrap();
        assert!(svg.starts_with("<svg xmlns=") && svg.contains("Title of "), "{stem}");
        assert_eq!(svg.contains("@keyframes"), stem == "line-plane");
        assert!(std::fs::read(inner.join(format!("{stem}.png"))).unwrap().starts_with(b"\x89PNG"));
    }
    let text = std::fs::read_to_string(inner.join(JSON)).unwrap();
    let read: TourRecord = serde_json::from_str(&text).unwrap();
    assert!(read.cases[0].figures.is_empty() && !text.contains("incomplete"));
    assert_eq!(read.cases[0].numbers, record.cases[0].numbers);
}

#[test]
fn a_long_line_has_as_many_points_as_are_seen() {
    let crate::report::chart::Chart::Lines(lines) = charts::chart(&figures()[1]) else { panic!("lines") };
    let points = &lines.series[0].points;
    assert!((1000..=1501).contains(&points.len()), "{}", points.len());
    assert_eq!((points[0].x, points.last().unwrap().x), (0.0, 4999.0));
}

#[test]
fn the_terminal_has_the_first_sentence() {
    let text = case_block(3, 10, &case("line"), 80);
    let plain = console::strip_ansi_codes(&text);
    assert_eq!(plain, " 3/10  The case of line  1.5 s\n       A rate of 0.01 is slow.\n");
    assert_eq!(result(&record(&["a", "b"])), "\n2 cases in 3.0 s, 2 threads\n");
}
