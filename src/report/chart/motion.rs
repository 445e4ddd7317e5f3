//! Paths that grow step by step in an SVG, again and again, by CSS alone. All steps take the same time, so that paths can be
//! compared. Where motion is not wanted, and on paper, they are whole.

use std::fmt::Write;

use super::pixels::FINE;

/// Seconds from one beginning to the next, and the percent of them in which something moves.
const SECONDS: f64 = 12.0;
const MOVING: f64 = 85.0;

/// How far, in CSS pixels, what is shown may be from where a path is at a time.
const TOLERANCE: f64 = 0.75;
/// The most places of a path at which the time is exact; with more, the tolerance grows.
const MOST_KEYS: usize = 100;

/// A place of a path, in CSS pixels, and its time in steps.
pub(super) type Timed = ((f64, f64), f64);

/// The paths of a chart.
#[derive(Debug, Default)]
pub(super) struct Motion {
    paths: Vec<Path>,
}

#[derive(Debug)]
struct Path {
    /// What is seen of it, in its order.
    pieces: Vec<Vec<Timed>>,
    width: f64,
    colour: String,
}

impl Motion {
    pub fn add(&mut self, pieces: Vec<Vec<Timed>>, width: f64, colour: String) {
        self.paths.push(Path { pieces, width, colour });
    }

    /// The paths as SVG elements, each with a disc at its head that has a rim of another colour, and the rules that move
    /// them; nothing if there are none.
    pub fn into_svg(self, rim: &str) -> String {
        let ends = self.paths.iter().filter_map(|path| path.pieces.last()?.last());
        let steps = ends.map(|&(_, time)| time).fold(1.0, f64::max);
        // Rules hold for all of a page, so no other chart may have names of this one.
        let mark = self.mark();
        let (mut rules, mut frames, mut shapes) = (String::new(), String::new(), String::new());
        let mut number = 0;
        let mut animate = |drawn: &str, keys: &[(f64, String)], style: &str| {
            number += 1;
            let name = format!("{mark}-{number}");
            frames += &keyframes(&name, keys, steps);
            rules += &format!(".{name} {{ {style}animation: {name} {SECONDS}s linear infinite; }}\n");
            shapes += &format!("<{drawn} class=\"{name}\"/>\n");
        };
        for path in &self.paths {
            for piece in path.pieces.iter().filter(|piece| length(piece) > 0.0) {
                animate(&path.line(piece), &growing(piece), "stroke-dasharray: 1 2; ");
            }
        }
        for path in &self.paths {
            let all: Vec<Timed> = path.pieces.iter().flatten().copied().collect();
            if let Some(&(last, _)) = all.last() {
                animate(&path.head(last, rim), &moving(&all), "");
            }
        }
        if shapes.is_empty() {
            return shapes;
        }
        format!(
            "<style>\n{frames}@media screen and (prefers-reduced-motion: no-preference) {{\n{rules}}}\n</style>\n{shapes}"
        )
    }

    /// A name for these paths (FNV-1a).
    fn mark(&self) -> String {
        let text = format!("{:?}", self.paths);
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        format!("motion-{:x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }
}

impl Path {
    fn line(&self, piece: &[Timed]) -> String {
        let points: Vec<String> =
            piece.iter().map(|&((x, y), _)| format!("{},{}", fine(x), fine(y))).collect();
        let (colour, width) = (&self.colour, fine(self.width));
        format!(
            "polyline points=\"{}\" pathLength=\"1\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linecap=\"butt\"",
            points.join(" ")
        )
    }

    fn head(&self, (x, y): (f64, f64), rim: &str) -> String {
        let (x, y, colour) = (fine(x), fine(y), &self.colour);
        let (radius, width) = (fine(4.5), fine(1.0));
        format!(
            "circle transform=\"translate({x} {y})\" r=\"{radius}\" fill=\"{colour}\" stroke=\"{rim}\" stroke-width=\"{width}\""
        )
    }
}

fn distance((a, _): Timed, (b, _): Timed) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn length(piece: &[Timed]) -> f64 {
    piece.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
}

/// How much of a line is not there yet, at its times.
fn growing(piece: &[Timed]) -> Vec<(f64, String)> {
    let whole = length(piece);
    let mut done = 0.0;
    let mut left = vec![1.0];
    for pair in piece.windows(2) {
        done += distance(pair[0], pair[1]);
        left.push((1.0 - done / whole).max(0.0));
    }
    let frame = |index: usize| (piece[index].1, format!("stroke-dashoffset:{:.4}", left[index]));
    keys(piece).into_iter().map(frame).collect()
}

/// Where the head is, at its times.
fn moving(piece: &[Timed]) -> Vec<(f64, String)> {
    let frame = |index: usize| {
        let ((x, y), time) = piece[index];
        (time, format!("transform:translate({}px,{}px)", fine(x), fine(y)))
    };
    keys(piece).into_iter().map(frame).collect()
}

/// The places between which the others are where a steady motion is at their times, nearly.
fn keys(piece: &[Timed]) -> Vec<usize> {
    let mut tolerance = TOLERANCE;
    loop {
        let kept = kept(piece, tolerance);
        if kept.len() <= MOST_KEYS {
            return kept;
        }
        tolerance *= 1.5;
    }
}

/// Douglas and Peucker's way (1973) of thinning a line, with the distance between what is at the same time.
fn kept(piece: &[Timed], tolerance: f64) -> Vec<usize> {
    let last = piece.len() - 1;
    let mut kept = vec![0, last];
    let mut parts = vec![(0, last)];
    while let Some((begin, end)) = parts.pop() {
        let ((from, start), (to, stop)) = (piece[begin], piece[end]);
        let error = |index: usize| {
            let time = piece[index].1;
            let part = if stop > start { (time - start) / (stop - start) } else { 0.0 };
            let steady = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
            distance(piece[index], (steady, time))
        };
        let worst = (begin + 1..end).max_by(|&a, &b| error(a).total_cmp(&error(b)));
        if let Some(worst) = worst.filter(|&worst| error(worst) > tolerance) {
            kept.push(worst);
            parts.extend([(begin, worst), (worst, end)]);
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// The states at their times, the first one from the beginning, the last one to the end.
fn keyframes(name: &str, keys: &[(f64, String)], steps: f64) -> String {
    let mut text = format!("@keyframes {name} {{ ");
    let percent = |time: f64| MOVING * time / steps;
    let (first, last) = (keys.first(), keys.last());
    let before = first.filter(|(time, _)| percent(*time) >= 0.001).map(|(_, state)| (0.0, state));
    let at = keys.iter().map(|(time, state)| (percent(*time), state));
    let after = last.map(|(_, state)| (100.0, state));
    for (percent, state) in before.into_iter().chain(at).chain(after) {
        write!(text, "{percent:.3}% {{{state}}} ").expect("memory takes every letter");
    }
    text + "}\n"
}

fn fine(value: f64) -> i64 {
    (value * f64::from(FINE)).round().clamp(-1e6, 1e6) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_path_are_kept() {
        // Two fast steps, then many slow ones along the same line.
        let place = |index: usize| if index < 3 { 100.0 * index as f64 } else { 200.0 + index as f64 };
        let piece: Vec<Timed> = (0..50).map(|index| ((place(index), 5.0), index as f64)).collect();
        let kept = keys(&piece);
        assert!(kept.contains(&2) && kept.len() < 6, "{kept:?}");
        let wild: Vec<Timed> =
            (0..5000).map(|index| (((index * 37 % 100) as f64, 0.0), index as f64)).collect();
        assert!(keys(&wild).len() <= MOST_KEYS);
        let states = growing(&piece);
        assert_eq!(states[0].1, "stroke-dashoffset:1.0000");
        assert_eq!(states.last().unwrap().1, "stroke-dashoffset:0.0000");
        let text = keyframes("a", &states, 98.0);
        assert!(
            text.contains("42.500% {stroke-dashoffset:0.0000} 100.000% {stroke-dashoffset:0.0000}"),
            "{text}"
        );
    }
}
