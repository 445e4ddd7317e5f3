use super::*;
use crate::report::chart::names::LONGEST_NAME;

const HOSTILE: &str = "</text><script>alert(\"1\" & '2')</script>\u{1}";

fn series(name: &str, points: &[(f64, f64)]) -> Series {
    let points = points.iter().map(|&(x, y)| Point { x, y, low: 0.9 * y, high: 1.1 * y }).collect();
    Series { name: name.into(), points }
}

fn line_chart(series: Vec<Series>) -> Chart {
    Chart::Lines(LineChart {
        title: "Throughput".into(),
        x: Axis::new("batch").on(Scale::Log2),
        y: Axis::new("samples/s").from_zero(),
        series,
    })
}

fn heat_map() -> Chart {
    let shade = |depth: f64| Some(Shade { depth, text: format!("{:.0} %", 100.0 * depth) });
    Chart::Heat(HeatMap {
        title: "Fraction of peak".into(),
        x_label: "batch".into(),
        y_label: "optimizer".into(),
        columns: ["16", "64", "256"].map(String::from).to_vec(),
        rows: ["sgd", HOSTILE].map(String::from).to_vec(),
        cells: vec![vec![shade(0.1), shade(0.5), shade(0.9)], vec![shade(f64::NAN), None, shade(7.0)]],
    })
}

fn bar_chart() -> Chart {
    let values = [Some(Point { x: 0.0, y: 5.0, low: 4.0, high: 6.0 }), None];
    Chart::Bars(BarChart {
        title: "Side by side".into(),
        x_label: "batch".into(),
        y: Axis::new("samples/s"),
        groups: ["16", "64"].map(String::from).to_vec(),
        series: [HOSTILE, "b"].map(|name| Bars { name: name.into(), values: values.to_vec() }).to_vec(),
    })
}

fn scatter_chart(guide: Guide, dots: &[(f64, f64)]) -> Chart {
    let (x, y) = (Axis::new(HOSTILE), Axis::new("predicted"));
    Chart::Scatter(ScatterChart { title: "True values".into(), x, y, dots: dots.to_vec(), guide })
}

fn parallel_chart() -> Chart {
    let line = |series: usize, values: [f64; 3]| ParallelLine { values: values.to_vec(), series };
    Chart::Parallel(ParallelChart {
        title: "Trials".into(),
        axes: vec![
            Coordinate::Numbers(Axis::new("rate").on(Scale::Log10)),
            Coordinate::Names { label: HOSTILE.into(), names: vec!["adam".into(), HOSTILE.into()] },
            Coordinate::Numbers(Axis::new("score").in_unit(Unit::Percent)),
        ],
        series: ["best", "rest", HOSTILE].map(String::from).to_vec(),
        lines: (0..40)
            .map(|index| {
                line(index % 3, [10f64.powi(index as i32 % 4), (index % 2) as f64, index as f64 / 40.0])
            })
            .chain([line(2, [-1.0, 7.0, f64::NAN]), line(9, [1e300, f64::INFINITY, 0.0])])
            .collect(),
    })
}

/// The width and height of a picture, and how many of the pixels are not white.
fn decoded(file: &[u8]) -> (u32, u32, usize) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let dark = pixels.chunks_exact(3).filter(|pixel| pixel != &[255; 3]).count();
    (info.width, info.height, dark)
}

#[test]
fn every_kind_of_chart_is_drawn_as_svg_and_png() {
    let lines = line_chart(vec![series("sgd", &[(16.0, 1.0), (64.0, 2.0)]), series(HOSTILE, &[(16.0, 3.0)])]);
    let dots: Vec<(f64, f64)> = (0..200).map(|x| (f64::from(x), 200.0 - f64::from(x))).collect();
    let scatter = scatter_chart(Guide::Diagonal, &dots);
    for chart in [lines, bar_chart(), heat_map(), scatter, parallel_chart()] {
        let (width, height, dark) = decoded(&chart.to_png());
        let (wide, high) = chart.size(chart.width());
        assert_eq!((width, height), (PNG_SCALE * wide, PNG_SCALE * high));
        let ink = dark as f64 / f64::from(width * height);
        assert!((0.01..0.6).contains(&ink), "{}: {ink} of the picture is drawn", chart.title());
        for svg in [chart.to_svg(), chart.to_inline_svg()] {
            assert!(svg.contains(chart.title()) && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains("&lt;/text&gt;") && !svg.contains("<script"), "{svg}");
            assert!(!svg.contains('\u{1}'));
        }
        let role = if matches!(chart, Chart::Parallel(_)) { "img" } else { "group" };
        assert!(chart.to_inline_svg().contains(&format!("role=\"{role}\" aria-label=\"")));
        let phone = chart.to_phone_svg();
        assert_eq!(phone.is_none(), matches!(chart, Chart::Parallel(_)));
        let is_narrow = |svg: String| svg.contains(&format!("viewBox=\"0 0 {} ", PHONE * FINE));
        assert!(phone.is_none_or(is_narrow));
    }
}

#[test]
fn a_chart_shows_its_values() {
    let points = [(16.0, 10.0), (64.0, 40.0), (256.0, f64::NAN), (1024.0, 20.0)];
    let svg = line_chart(vec![series("sgd", &points), series("adam", &points[..2])]).to_svg();
    for text in ["sgd", "adam", "16", "64", "1024", "batch (log scale)", "samples/s", "50", "0"] {
        assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text} in {svg}");
    }
    assert!(!svg.contains("256") && !svg.contains("NaN"), "{svg}");
    // Three marks and one in the legend for the first line.
    assert_eq!(svg.matches("<circle").count(), 4, "{svg}");
}

#[test]
fn charts_without_values_are_frames() {
    for chart in [line_chart(Vec::new()), line_chart(vec![series("a", &[(f64::NAN, 1.0)])])] {
        assert!(chart.to_svg().contains("Throughput"));
        assert!(decoded(&chart.to_png()).2 > 0);
    }
}

#[test]
fn many_points_are_a_line_with_a_band() {
    let points: Vec<(f64, f64)> = (1..=1000).map(|x| (f64::from(x), 2.0)).collect();
    let svg = line_chart(vec![series("a", &points)]).to_svg();
    assert_eq!((svg.matches("<circle").count(), svg.matches("<polygon").count()), (0, 1));
}

#[test]
fn dark_rules_cover_the_colours_that_are_drawn() {
    let svg = line_chart(vec![series("a", &[(1.0, 1.0), (2.0, 2.0)])]).to_inline_svg();
    let rules = dark_rules("svg");
    // Line feeds in the words of places are no colours.
    let svg = svg.replace("&#10;", "");
    let mut rest = svg.as_str();
    while let Some((_, after)) = rest.split_once("#") {
        let colour = format!("\"#{}\"", &after[..6]);
        assert!(rules.contains(&colour), "{colour} has no dark twin");
        rest = after;
    }
    assert!(!rules.contains("#FFFFFE"));
}

#[test]
fn pixels_are_averaged_in_squares() {
    let row = |values: [u8; 4]| values.into_iter().flat_map(|value| [value, 0, value]).collect::<Vec<_>>();
    let pixels = [row([0, 4, 8, 8]), row([4, 8, 8, 8])].concat();
    assert_eq!(averaged(&pixels, 4, 2), [4, 0, 4, 8, 0, 8]);
}

#[test]
fn long_names_are_cut() {
    let name = "n".repeat(1000);
    assert_eq!(cut(&name).chars().count(), LONGEST_NAME);
    let svg = line_chart(vec![series(&name, &[(1.0, 1.0)]), series("b", &[(1.0, 1.0)])]).to_svg();
    assert!(svg.contains('…') && !svg.contains(&name[..LONGEST_NAME]));
}

#[test]
fn dots_stand_around_their_line() {
    let dots = [(1.0, 2.0), (3.0, 1.0), (f64::NAN, 1.0), (2.0, f64::INFINITY)];
    let lines = |svg: &str| svg.matches("<polyline").count();
    let plain = scatter_chart(Guide::Zero, &[]).to_svg();
    assert_eq!(plain.matches("<circle").count(), 0, "nothing to show");
    for guide in [Guide::Diagonal, Guide::Zero] {
        let chart = scatter_chart(guide, &dots);
        assert_eq!(chart.to_svg().matches("<circle").count(), 2);
        assert!(lines(&chart.to_svg()) > lines(&plain));
        assert!(chart.description().contains("True values. predicted against "));
    }
    // One dot, and absurd ones.
    for dots in [vec![(5.0, 5.0)], vec![(f64::MAX, f64::MIN), (0.0, f64::MIN_POSITIVE)]] {
        assert!(scatter_chart(Guide::Diagonal, &dots).to_svg().ends_with("</svg>\n"));
        assert!(scatter_chart(Guide::Zero, &dots).to_svg().ends_with("</svg>\n"));
    }
}

/// The top and the bottom of each rectangle of an SVG, in CSS pixels, that is at least `least` wide.
fn rectangles(svg: &str, least: f64) -> Vec<(f64, f64)> {
    let number = |text: &str, name: &str| -> f64 {
        let rest = text.split_once(&format!(" {name}=\"")).map_or("0", |(_, rest)| rest);
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let rectangles = svg.split("<rect").skip(1).map(|text| text.split("/>").next().unwrap());
    let rectangles = rectangles.filter(|text| !text.contains("class=\"spot\""));
    let wide = rectangles.filter(|text| number(text, "width") / f64::from(FINE) >= least);
    wide.map(|text| (number(text, "y"), number(text, "y") + number(text, "height")))
        .map(|(top, bottom)| (top / f64::from(FINE), bottom / f64::from(FINE)))
        .collect()
}

#[test]
fn bars_hang_from_nothing_and_stand_on_logarithms() {
    let bars = |axis: Axis, values: [f64; 2]| {
        let values = values.map(|y| Some(Point::new(0.0, y))).to_vec();
        let series = vec![Bars { name: "a".into(), values }];
        let groups = ["x", "y"].map(String::from).to_vec();
        let chart = BarChart { title: "Bars".into(), x_label: "group".into(), y: axis, groups, series };
        rectangles(&Chart::Bars(chart).to_inline_svg(), 30.0)
    };
    let signed = bars(Axis::new("change"), [1.0, -0.5]);
    assert_eq!(signed.len(), 2, "{signed:?}");
    assert_eq!(signed[0].1, signed[1].0, "both begin at 0");
    let [up, down] = [signed[0].1 - signed[0].0, signed[1].1 - signed[1].0];
    assert!((up / down - 2.0).abs() < 0.02, "{signed:?}");
    let decades = bars(Axis::new("norm").on(Scale::Log10), [1e-6, 1.0]);
    assert!(decades.iter().all(|(top, bottom)| bottom - top > 10.0), "the least is seen: {decades:?}");
    assert_eq!(decades[0].1, decades[1].1);
}

#[test]
fn more_lines_than_colours_are_dashed() {
    let points: Vec<(f64, f64)> = (1..=1000).map(|x| (f64::from(x), 2.0)).collect();
    let drawn = |count: usize| {
        let lines = (0..count).map(|index| Series {
            name: format!("line {index}"),
            points: points.iter().map(|&(x, y)| Point::new(x, y)).collect(),
        });
        line_chart(lines.collect()).to_svg().matches("<polyline").count()
    };
    let each = drawn(7) - drawn(6);
    assert!(drawn(8) - drawn(7) > each + 20, "{each}, then {}", drawn(8) - drawn(7));
}

/// The words of the places of a chart, as they are shown.
fn told(chart: &Chart) -> Vec<String> {
    let svg = chart.to_inline_svg();
    let tips = svg.split("data-tip=\"").skip(1);
    tips.map(|rest| rest.split('"').next().unwrap().replace("&#10;", "\n")).collect()
}

#[test]
fn places_tell_their_numbers() {
    let chart = line_chart(vec![series("sgd", &[(16.0, 1000.0), (64.0, 2000.0)])]);
    let expected = [
        "sgd\nbatch 16\nsamples/s 1,000, from 900 to 1,100",
        "sgd\nbatch 64\nsamples/s 2,000, from 1,800 to 2,200",
    ];
    assert_eq!(told(&chart), expected);
    assert!(!chart.to_svg().contains("data-tip"), "a file has nothing to point with");

    let bars = told(&bar_chart());
    assert_eq!(bars.len(), 2, "where there is no bar, there is nothing to tell");
    assert!(bars[1] == "b\nbatch 16\nsamples/s 5, from 4 to 6", "{bars:?}");

    // The first bar of a series may be missing.
    let values = vec![None, Some(Point::new(0.0, 5.0)), Some(Point::new(0.0, 6.0))];
    let series = vec![Bars { name: "a".into(), values }];
    let groups = ["x", "y", "z"].map(String::from).to_vec();
    let y = Axis::new("samples/s");
    let late = Chart::Bars(BarChart { title: "Late".into(), x_label: "batch".into(), y, groups, series });
    assert_eq!(late.to_inline_svg().matches("tabindex=\"0\"").count(), 1);

    let cells = told(&heat_map());
    assert_eq!(cells.len(), 5);
    assert_eq!(cells[1], "Fraction of peak: 50 %\noptimizer sgd\nbatch 64");

    let percent = Axis::new("accuracy").in_unit(Unit::Percent);
    assert_eq!(Point::new(1.0, 0.97651).told(&percent), "97.65 %");
}

/// A long series tells its last point and some of the others; the tabulator stops once.
#[test]
fn long_series_tell_some_of_their_points() {
    let points: Vec<(f64, f64)> = (1..=1000).map(|x| (f64::from(x), 2.0)).collect();
    let chart = line_chart(vec![series("a", &points)]);
    let told = told(&chart);
    assert!((50..=60).contains(&told.len()), "{}", told.len());
    assert!(told.last().unwrap().starts_with("a\nbatch 1,000\n"), "{told:?}");
    assert_eq!(chart.to_inline_svg().matches("tabindex=\"0\"").count(), 1);
    let many: Vec<(f64, f64)> = (0..201).map(|x| (f64::from(x), 1.0)).collect();
    assert!(super::tests::told(&scatter_chart(Guide::Zero, &many)).is_empty());
    assert_eq!(super::tests::told(&scatter_chart(Guide::Zero, &many[..200])).len(), 200);
}

/// The whiskers of two series stand side by side, those of one series where its values are.
#[test]
fn whiskers_do_not_lie_over_each_other() {
    let centres = |chart: &Chart| -> Vec<i64> {
        let svg = chart.to_svg();
        let circles = svg.split("<circle cx=\"").skip(1);
        circles.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
    };
    let points = [(16.0, 10.0), (64.0, 40.0)];
    let alone = centres(&line_chart(vec![series("a", &points)]));
    // Discs are the marks of the first series and of the fifth.
    let both = centres(&line_chart(vec![series("a", &points), series("b", &points)]));
    let shifted = (alone[0] - both[1]) as f64 / f64::from(FINE);
    assert!((shifted - 3.5).abs() < 0.3, "{alone:?}, {both:?}");
    let without = |name: &str| Series {
        name: name.into(),
        points: points.iter().map(|&(x, y)| Point::new(x, y)).collect(),
    };
    let plain = centres(&line_chart(vec![without("a"), without("b")]));
    assert_eq!(plain[1], alone[0], "{plain:?}");
}
