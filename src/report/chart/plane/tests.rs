use super::contour::{areas, borders, levels, lines};
use super::legend::HEIGHT_NAME;
use super::*;
use crate::report::chart::Chart;

const WINDOW: [[f64; 2]; 2] = [[-2.0, 2.0], [-1.0, 3.0]];

fn bowl() -> Grid {
    Grid::of(WINDOW, 81, |x, y| x * x + y * y)
}

/// The place in the window of one on the grid.
fn point((column, row): (f64, f64), grid: &Grid) -> [f64; 2] {
    let [[left, right], [low, high]] = WINDOW;
    let part = |index: f64, count: usize| index / (count - 1) as f64;
    [left + (right - left) * part(column, grid.columns), low + (high - low) * part(row, grid.rows())]
}

fn named(name: &str, points: &[[f64; 2]]) -> Named {
    Named::new(name, points.iter().copied())
}

fn chart(layers: Vec<Layer>, is_square: bool, animated: bool) -> Chart {
    let (x_label, y_label) = ("w".into(), "<b>".into());
    let plane = Plane { x_label, y_label, window: WINDOW, is_square, animated, layers };
    Chart::Plane(PlaneChart { title: "A plane".into(), plane })
}

#[test]
fn lines_of_equal_height_of_a_bowl_are_circles() {
    let grid = bowl();
    for (level, is_whole) in [(0.25, true), (0.81, true), (3.0, false)] {
        let found = lines(&grid, level);
        let whole = found.iter().filter(|line| line.first() == line.last()).count();
        assert_eq!((found.len(), whole), (1, usize::from(is_whole)), "{level}");
        for place in found.concat() {
            let [x, y] = point(place, &grid);
            // Between grid points 0.05 apart a parabola is at most 0.05² / 4 from a straight line.
            assert!((x * x + y * y - level).abs() < 1.3e-3, "({x}, {y}) at {level}");
        }
    }
    assert!(lines(&grid, -1.0).is_empty() && lines(&grid, 99.0).is_empty());
    // One length is 2πr.
    let length: f64 = lines(&grid, 0.81)[0]
        .windows(2)
        .map(|pair| {
            let [[a, b], [c, d]] = [pair[0], pair[1]].map(|place| point(place, &grid));
            (a - c).hypot(b - d)
        })
        .sum();
    assert!((length - std::f64::consts::TAU * 0.9).abs() < 0.01, "{length}");
}

#[test]
fn saddles_holes_and_flat_parts_have_lines_too() {
    let saddle = Grid::of(WINDOW, 4, |x, y| x * (y - 1.0));
    assert_eq!(lines(&saddle, 1e-9).len(), 2, "both branches of a hyperbola");
    let hole = Grid::of(WINDOW, 9, |x, y| if x == 0.0 && y == 1.0 { f64::NAN } else { x });
    let cut = lines(&hole, 0.25);
    assert_eq!(cut.len(), 2, "the line stops at what has no height: {cut:?}");
    assert!(lines(&Grid::of(WINDOW, 5, |_, _| 1.0), 1.0).is_empty());
    assert!(lines(&Grid { columns: 0, values: Vec::new() }, 1.0).is_empty());
}

#[test]
fn heights_of_lines_suit_the_function() {
    let even = levels(&Grid::of(WINDOW, 41, |x, y| x + y));
    let steps: Vec<f64> = even.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-9), "{even:?}");
    let rings: Vec<f64> = levels(&bowl()).into_iter().map(f64::sqrt).collect();
    let steps: Vec<f64> = rings.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-9), "{rings:?}");
    let steep = levels(&Grid::of(WINDOW, 41, |x, y| (3.0 * (x + y)).exp()));
    assert!(steep[11] / steep[0] > 1e3 && steep.windows(2).all(|pair| pair[0] < pair[1]), "{steep:?}");
    for values in [vec![], vec![2.0; 4], vec![f64::NAN; 4], vec![0.0, f64::INFINITY, 0.0, 1e308]] {
        assert!(levels(&Grid { columns: 2, values }).iter().all(|level| level.is_finite()));
    }
}

/// Whether a place lies in a shape: a line from it to the right crosses an odd number of sides.
fn lies_in((x, y): (f64, f64), shape: &[(f64, f64)]) -> bool {
    let sides = shape.iter().zip(shape.iter().cycle().skip(1));
    let crossed =
        sides.filter(|(a, b)| (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0));
    crossed.count() % 2 == 1
}

#[test]
fn areas_cover_the_window_and_meet_where_classes_do() {
    let class = |x: f64, y: f64| if x * x + y * y < 0.9 { 2 } else { usize::from(x > 1.05) };
    let grid = Grid::of(WINDOW, 21, |x, y| class(x, y) as f64);
    let areas = areas(&grid);
    let (mut wrong, mut all) = (0, 0);
    for row in 0..200 {
        for column in 0..200 {
            let at = (0.1 * f64::from(column) + 0.0513, 0.1 * f64::from(row) + 0.0487);
            // What is drawn last is seen.
            let seen = areas.iter().rev().find(|(_, shape)| lies_in(at, shape)).map(|(class, _)| *class);
            let [x, y] = point(at, &grid);
            all += 1;
            wrong += usize::from(seen.expect("no gap") != class(x, y));
        }
    }
    // Half a square, 0.1, along a line of length 4 and a circle of length 6 in an area of 16, and less than that.
    assert!(wrong * 16 < all, "{wrong} of {all}");
    let lines = borders(&grid);
    assert_eq!(lines.len(), 2, "a straight line and a circle");
    for place in &lines[1] {
        let [x, y] = point(*place, &grid);
        assert!((x.hypot(y) - 0.9f64.sqrt()).abs() < 0.15, "({x}, {y})");
    }
}

#[test]
fn what_lies_outside_is_cut_off() {
    let times = |points: &[[f64; 2]]| {
        let pieces = clip::pieces(points, WINDOW);
        pieces
            .iter()
            .map(|piece| piece.iter().map(|stop| (stop.at, stop.time)).collect())
            .collect::<Vec<Vec<_>>>()
    };
    let through = times(&[[-4.0, 0.0], [4.0, 0.0], [4.0, 1.0], [0.0, 1.0]]);
    assert_eq!(
        through,
        [vec![((-2.0, 0.0), 0.25), ((2.0, 0.0), 0.75)], vec![((2.0, 1.0), 2.5), ((0.0, 1.0), 3.0)]]
    );
    assert_eq!(
        times(&[[0.0, 0.0], [f64::NAN, 0.0], [1.0, 0.0], [1.0, 1.0]]),
        [vec![((1.0, 0.0), 2.0), ((1.0, 1.0), 3.0)]]
    );
    assert!(times(&[[-3.0, 9.0], [3.0, 9.0]]).is_empty() && times(&[[0.0, 0.0]]).is_empty());
    // Nothing is drawn beyond the frame, however far a path goes.
    let wild: Vec<[f64; 2]> = (0..50).map(|step| [f64::powi(-2.0, step), 1e300]).collect();
    let paths = [named("wild", &wild), named("far", &[[-1e12, 0.0], [1e12, 0.5]])];
    let svg = chart(paths.map(Layer::Path).to_vec(), true, false).to_svg();
    for number in
        svg.split("points=\"").skip(1).flat_map(|rest| rest.split('"').next().unwrap().split([' ', ',']))
    {
        assert!(number.is_empty() || (0..=2400).contains(&number.parse::<i32>().unwrap()), "{number}");
    }
}

#[test]
fn the_legend_names_what_is_there() {
    let points = [[0.0, 0.0], [1.0, 1.0], [1.5, 2.0]];
    let layers = vec![
        Layer::Contours(bowl()),
        Layer::Regions(Grid::of(WINDOW, 5, |x, _| f64::from(u8::from(x > 0.0)))),
        Layer::Curve(named("curve", &points)),
        Layer::Path(named("path", &points)),
        Layer::Dots(named("dots", &points)),
        Layer::Marks(named("marks", &points)),
        Layer::Dots(named("", &points)),
    ];
    let plane = chart(layers, false, false);
    let svg = plane.to_svg();
    for text in ["curve", "path", "dots", "marks", HEIGHT_NAME, "A plane", "w", "&lt;b&gt;"] {
        assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text}");
    }
    assert!(plane.description().contains("dots, marks"), "{}", plane.description());
    // Without a name, no entry: a mark and its rim for each of three dots alone.
    let circles = |layer: Layer| chart(vec![layer], true, false).to_svg().matches("<circle").count();
    assert_eq!(circles(Layer::Dots(named("", &points))), 6);
    assert_eq!(circles(Layer::Dots(named("name", &points))), 8);
    assert_eq!(circles(Layer::Dots(named("", &[[9.0, 9.0], [f64::NAN, 0.0]]))), 0);
}

#[test]
fn a_square_is_square() {
    let Chart::Plane(square) = chart(Vec::new(), true, false) else { unreachable!() };
    let (width, height) = size(&square, 500.0);
    assert!((width - height).abs() < 1e-9 && (200.0..=HEIGHTS[1]).contains(&height));
    let flat = PlaneChart { plane: Plane { window: [[0.0, 100.0], [0.0, 1.0]], ..square.plane }, ..square };
    let (width, height) = size(&flat, 500.0);
    assert!(height > 5.0 && width <= 500.0);
}

#[test]
fn more_paths_than_colours_are_told_apart() {
    let points = [[-1.0, 0.0], [1.5, 0.0]];
    let paths: Vec<Layer> =
        (0..16).map(|index| Layer::Path(named(&format!("path {index}"), &points))).collect();
    let looks: Vec<Look> = shown(&Plane {
        x_label: String::new(),
        y_label: String::new(),
        window: WINDOW,
        is_square: true,
        animated: false,
        layers: paths,
    })
    .into_iter()
    .map(|shown| if let Some(Shown::Path(look)) = shown { look } else { panic!("a path") })
    .collect();
    for (index, look) in looks.iter().enumerate() {
        assert!(!looks[..index].contains(look), "{index}");
    }
}

#[test]
fn animated_paths_grow_in_an_svg_and_stand_still_in_a_png() {
    let path = |turn: f64| (0..30).map(move |step| [1.9 - 0.1 * f64::from(step), turn * f64::from(step % 3)]);
    let layers = || {
        let paths = [
            named("one", &path(0.5).collect::<Vec<_>>()),
            named("other", &path(0.9).take(10).collect::<Vec<_>>()),
        ];
        [vec![Layer::Contours(bowl())], paths.map(Layer::Path).to_vec()].concat()
    };
    let moving = chart(layers(), true, true);
    for svg in [moving.to_svg(), moving.to_inline_svg()] {
        assert_eq!((svg.matches("@keyframes").count(), svg.matches("pathLength=\"1\"").count()), (4, 2));
        assert!(svg.contains("prefers-reduced-motion: no-preference") && svg.trim_end().ends_with("</svg>"));
        let (_, rules) = svg.split_once("<style>").unwrap();
        let first = rules.split(' ').nth(1).unwrap();
        assert!(
            svg.contains(&format!("class=\"{first}\""))
                && rules.contains(&format!(".{first} {{ stroke-dasharray"))
        );
        // The shorter path is there after 9 of 29 steps.
        assert!(svg.contains("26.379% {stroke-dashoffset:0.0000} 100.000%"), "{rules}");
    }
    let still = chart(layers(), true, false);
    assert!(!still.to_svg().contains("<style>"));
    assert_eq!(moving.to_png(), still.to_png());
    // Names of two charts differ.
    let other = chart(layers()[..2].to_vec(), true, true).to_svg();
    let name = |svg: &str| svg.split("@keyframes ").nth(1).unwrap().split(' ').next().unwrap().to_string();
    assert_ne!(name(&moving.to_svg()), name(&other));
    assert!(!chart(vec![Layer::Contours(bowl())], true, true).to_svg().contains("<style>"), "nothing moves");
}
