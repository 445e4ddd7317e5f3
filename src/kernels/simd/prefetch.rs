//! Fetching memory ahead of its use.

use std::ops::Range;

use crate::tensor::MatrixRef;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Bytes of two.
const PAIR: usize = 2 * LINE;

/// What a step comes back to is still in the second-level cache if it is no more than so many bytes.
pub const RESIDENT: usize = 512 << 10;

/// Columns of a matrix no larger than this, taken in turn, are still there each time, beside what is taken
/// but once meanwhile.
const RESIDENT_COLUMNS: usize = 256 << 10;

/// Runs that a [`PrefetchQueue`] holds. A unit of a dense layer with Adam is 9 of parameters and slots and 14 of the
/// transposed copy, the factors of the next are up to 8 and its sums one; then come rows of the next batch.
const MOST_RUNS: usize = 40;

/// Memory that is about to be used, to be brought into the second-level cache little by little while
/// something else is computed. A core can wait for some tens of lines; asked for more at once, it stops until
/// they have come. Changes no result.
#[derive(Clone, Debug)]
pub struct PrefetchQueue {
    runs: [Run; MOST_RUNS],
    len: usize,
    is_new: bool,
}

/// Pairs of cache lines at even distances. Never read, so they may lie anywhere.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Run {
    start: *const u8,
    distance: usize,
    pairs: usize,
}

impl Default for PrefetchQueue {
    fn default() -> Self {
        PrefetchQueue { runs: [Run::NONE; MOST_RUNS], len: 0, is_new: true }
    }
}

impl PrefetchQueue {
    /// Forgets what was added. Whether the matrices of which columns will be added are new to this worker.
    pub fn restart(&mut self, is_new: bool) {
        (self.len, self.is_new) = (0, is_new);
    }

    /// Adds some memory.
    pub fn add<T>(&mut self, data: &[T]) {
        self.push(Run::of(data));
    }

    /// Adds some columns of a matrix, unless it is not new and small enough to be in cache.
    pub fn add_columns(&mut self, matrix: MatrixRef, columns: Range<usize>) {
        let distance = matrix.stride() * size_of::<f32>();
        if self.is_new || matrix.rows() * distance > RESIDENT_COLUMNS {
            for column in columns.step_by(PAIR / size_of::<f32>()) {
                let start = matrix.as_ptr().wrapping_add(column).cast();
                self.push(Run { start, distance, pairs: matrix.rows() });
            }
        }
    }

    /// What finds no place is asked for at once.
    fn push(&mut self, run: Run) {
        match self.runs.get_mut(self.len) {
            Some(place) => (*place, self.len) = (run, self.len + 1),
            None => run.for_each(fetch),
        }
    }

    /// Asks for everything at once, where there is nothing to do meanwhile.
    pub fn ask(&self) {
        self.runs().iter().for_each(|run| run.for_each(fetch));
    }

    /// How many bytes were added, but for what found no place.
    pub fn bytes(&self) -> usize {
        self.runs().iter().map(|run| run.pairs * PAIR).sum()
    }

    pub(in crate::kernels) fn runs(&self) -> &[Run] {
        &self.runs[..self.len]
    }
}

impl Run {
    const NONE: Run = Run { start: std::ptr::null(), distance: 0, pairs: 0 };

    #[inline(always)]
    fn of<T>(data: &[T]) -> Run {
        Run::at(data.as_ptr().cast(), size_of_val(data))
    }

    /// So many bytes.
    #[inline(always)]
    pub(in crate::kernels) fn at(start: *const u8, bytes: usize) -> Run {
        Run { start, distance: PAIR, pairs: bytes.div_ceil(PAIR) }
    }

    /// The way along it in so many steps a pair, or one if the pairs do not follow each other.
    #[inline(always)]
    fn walk(&self, share: usize) -> Walk {
        let share = if self.distance == PAIR { share } else { 1 };
        Walk { start: self.start, distance: self.distance.div_ceil(share), steps: self.pairs * share }
    }

    #[inline(always)]
    fn for_each(self, mut each: impl FnMut(*const u8)) {
        for pair in 0..self.pairs {
            each(self.start.wrapping_add(pair * self.distance));
        }
    }
}

/// A number of steps, in each of which the pair of lines at a place is asked for that moves on evenly.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Walk {
    pub start: *const u8,
    pub distance: usize,
    pub steps: usize,
}

/// Spreads runs evenly over a number of steps.
pub(in crate::kernels) struct Pace<'a> {
    rest: std::slice::Iter<'a, Run>,
    walk: Walk,
    /// Steps of a pair.
    share: usize,
}

impl<'a> Pace<'a> {
    /// Asks at once for as many pairs as there are more than steps.
    #[inline(always)]
    pub fn new(runs: &'a [Run], steps: usize) -> Self {
        let pairs: usize = runs.iter().map(|run| run.pairs).sum();
        let mut rest = runs.iter();
        let mut excess = pairs.saturating_sub(steps);
        let mut walk = Walk { start: std::ptr::null(), distance: 0, steps: 0 };
        while excess > 0
            && let Some(run) = rest.next()
        {
            let now = Run { pairs: excess.min(run.pairs), ..*run };
            now.for_each(fetch);
            excess -= now.pairs;
            let start = run.start.wrapping_add(now.pairs * run.distance);
            walk = Walk { start, distance: run.distance, steps: run.pairs - now.pairs };
        }
        Pace { rest, walk, share: (steps / pairs.max(1)).max(1) }
    }

    /// Of one run.
    #[inline(always)]
    pub fn of(run: Run, steps: usize) -> Self {
        let share = (steps / run.pairs.max(1)).max(1);
        Pace { rest: [].iter(), walk: run.walk(share), share }
    }

    /// What to ask for in the next steps, at most so many: `idle`, if there is nothing left.
    #[inline(always)]
    pub fn next(&mut self, most: usize, idle: *const u8) -> Walk {
        while self.walk.steps == 0 {
            match self.rest.next() {
                Some(run) => self.walk = run.walk(self.share),
                None => return Walk { start: idle, distance: 0, steps: most },
            }
        }
        let steps = self.walk.steps.min(most);
        let next = Walk { steps, ..self.walk };
        self.walk.start = self.walk.start.wrapping_add(steps * self.walk.distance);
        self.walk.steps -= steps;
        next
    }
}

/// Asks for two lines that follow each other.
#[inline(always)]
pub(in crate::kernels) fn fetch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // Safety: hints; they never fault.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(place.cast());
            _mm_prefetch::<_MM_HINT_T1>(place.wrapping_add(LINE).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All places that a pace asks for in so many steps, taken a few at a time.
    fn places(mut pace: Pace, steps: usize, at_a_time: usize) -> Vec<usize> {
        let mut places = Vec::new();
        for _ in 0..steps.div_ceil(at_a_time) {
            let mut left = at_a_time;
            while left > 0 {
                let walk = pace.next(left, std::ptr::null());
                assert!((1..=left).contains(&walk.steps));
                if walk.distance > 0 {
                    let at = |step| walk.start.wrapping_add(step * walk.distance) as usize;
                    places.extend((0..walk.steps).map(at));
                }
                left -= walk.steps;
            }
        }
        places
    }

    #[test]
    fn every_pair_is_asked_for() {
        let (data, matrix) = (vec![0.0f32; 100], vec![0.0f32; 40 * 5000]);
        let mut ahead = PrefetchQueue::default();
        ahead.add(&data);
        ahead.restart(false);
        ahead.add_columns(MatrixRef::new(&matrix, 2, 5000, 5000), 16..48);
        assert!(ahead.runs().is_empty(), "small, and not new");
        ahead.add(&data);
        ahead.add(&data[..0]);
        ahead.add_columns(MatrixRef::new(&matrix, 40, 5000, 5000), 16..48);
        // 100 floats are 4 pairs, in steps / 44 steps each.
        for (steps, at_a_time, excess) in
            [(44, 7, 0), (60, 11, 0), (100, 100, 0), (300, 64, 0), (30, 8, 14), (3, 1, 41)]
        {
            let seen = places(Pace::new(ahead.runs(), steps), steps, at_a_time);
            let covers = |place: usize| seen.iter().any(|seen| (*seen..seen + PAIR).contains(&place));
            for pair in excess..44 {
                let place = match pair {
                    0..4 => data.as_ptr() as usize + pair * PAIR,
                    _ => matrix.as_ptr() as usize + ((pair - 4) * 5000 + 16) * 4,
                };
                assert!(covers(place), "pair {pair} in {steps} steps");
            }
            assert!(seen.len() <= steps, "{} steps of {steps}", seen.len());
            assert!(excess == 0 || seen.len() == steps, "the rest in all steps");
        }
        assert_eq!(places(Pace::of(Run::of(&data), 9), 9, 3).len(), 8, "two steps a pair");
        assert!(places(Pace::new(&[], 9), 9, 3).is_empty());
    }

    #[test]
    fn what_finds_no_place_is_not_kept() {
        let data = [0.0f32; 16];
        let mut ahead = PrefetchQueue::default();
        (0..MOST_RUNS + 3).for_each(|_| ahead.add(&data));
        assert_eq!(ahead.runs().len(), MOST_RUNS);
    }
}
