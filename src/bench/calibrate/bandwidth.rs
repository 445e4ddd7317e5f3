//! How many bytes a second come from each level of memory.

use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use crate::bench::rates::{Rounds, best, rates};
use crate::bench::record::{Bandwidth, Cache, Topology};
use crate::kernels::simd::stream;
use crate::memory;
use crate::team::Team;
use crate::tensor::{ALIGNMENT, Buffer};

/// Of each kind; the best counts, as in STREAM: whatever else happens only slows down. Measurements
/// are so short that on a busy machine some are undisturbed.
const ROUNDS: Rounds =
    Rounds { most: 20, budget: Duration::from_millis(250), time: Duration::from_millis(3) };

/// Bytes to go through between two looks at the clock: some microseconds in the first level, some
/// hundred from main memory.
const STRETCH: usize = 1 << 20;

/// The main memory's arrays are so many times the last cache...
const BEYOND_CACHES: usize = 4;
/// ...or this large where no cache is known, all threads together...
const UNKNOWN_CACHES: usize = 256 << 20;
/// ...but not larger than this, nor than the part of free memory that is one in so many.
const MOST: usize = 1 << 30;
const MEMORY_PARTS: usize = 4;

/// Loads and stores at the same place of two pages wait for each other. The three parts of a buffer
/// begin apart within their pages, the second and the third at least so far from the first, if a
/// part ends so far from both ends of half a page.
const HALF_PAGE: usize = 2048;
const APART: usize = 512;

/// A level and the bytes that each thread goes through.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    pub name: String,
    pub bytes: usize,
}

/// The known levels for so many threads, with their working sets: that of a cache is all of the
/// caches before it and half of a thread's share of it. `free` is the memory that can be taken.
pub fn levels(topology: &Topology, threads: usize, free: Option<usize>) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut before = 0;
    for Level { name, bytes: share } in shares(topology, threads) {
        levels.push(Level { name, bytes: before + share / 2 });
        before = before.max(share);
    }
    let wanted = if before == 0 { UNKNOWN_CACHES / threads } else { before.saturating_mul(BEYOND_CACHES) };
    let most = free.map_or(MOST, |free| (free / MEMORY_PARTS).min(MOST)) / threads;
    levels.retain(|level| level.bytes <= most);
    levels.push(Level { name: "DRAM".into(), bytes: wanted.min(most) });
    levels
}

/// What one of so many threads has of each cache.
pub fn shares(topology: &Topology, threads: usize) -> Vec<Level> {
    let share = |cache: &Cache| {
        let cores = cache.shared_by / topology.threads_per_core.max(1);
        Level { name: format!("L{}", cache.level), bytes: cache.bytes / cores.clamp(1, threads) }
    };
    topology.caches.iter().filter(|cache| cache.kind != "Instruction").map(share).collect()
}

/// Measures all levels on a team.
pub fn measure(topology: &Topology, team: &Team, progress: &mut dyn FnMut(&str)) -> Vec<Bandwidth> {
    let mut found = Vec::new();
    for level in levels(topology, team.threads(), memory::available()) {
        progress(&format!("{} bandwidth, {} threads", level.name, team.threads()));
        let fastest = |go: fn(&mut Arrays) -> usize| {
            best(&rates(team, ROUNDS, || Arrays::new(level.bytes), |_, arrays| go(arrays)))
        };
        let (read, write, triad) = (fastest(Arrays::read), fastest(Arrays::write), fastest(Arrays::triad));
        let (threads, working_set_bytes) = (team.threads(), 3 * part(level.bytes));
        found.push(Bandwidth { level: level.name, working_set_bytes, threads, read, write, triad });
    }
    found
}

/// The bytes of each of three parts of about `bytes`, in whole cache lines: see `APART`.
fn part(bytes: usize) -> usize {
    let most = bytes / 3 / ALIGNMENT * ALIGNMENT;
    let part = match most % HALF_PAGE {
        within if within < APART => most.saturating_sub(within + APART),
        within if within > HALF_PAGE - APART => most - (within + APART - HALF_PAGE),
        _ => most,
    };
    part.max(APART)
}

/// What one thread goes through, again and again: one array, or the same memory as three.
struct Arrays {
    memory: Buffer<f32>,
    /// Bytes that it went through in this turn; goes on there.
    place: usize,
}

impl Arrays {
    /// About `bytes` of memory, every page of which is there.
    fn new(bytes: usize) -> Arrays {
        let mut memory = Buffer::zeros(3 * part(bytes) / size_of::<f32>());
        memory.fill(1.0);
        Arrays { memory, place: 0 }
    }

    /// The next stretch, as a range of the elements of `parts` parts of the memory, with the number
    /// of times to go through it: many if it is all of them.
    fn stretch(&mut self, parts: usize) -> (Range<usize>, usize) {
        let all = self.memory.len() / parts;
        let some = STRETCH / parts / size_of::<f32>();
        if all <= some {
            return (0..all, some / all);
        }
        let begin = if self.place < all { self.place } else { 0 };
        self.place = (begin + some).min(all);
        (begin..self.place, 1)
    }

    /// A stretch; the bytes that were read.
    fn read(&mut self) -> usize {
        let (stretch, passes) = self.stretch(1);
        let bytes = size_of::<f32>() * stretch.len() * passes;
        black_box(stream::read(&self.memory[stretch], passes));
        bytes
    }

    /// A stretch; the bytes that were written.
    fn write(&mut self) -> usize {
        let (stretch, passes) = self.stretch(1);
        let bytes = size_of::<f32>() * stretch.len() * passes;
        stream::write(&mut self.memory[stretch], 2.0, passes);
        bytes
    }

    /// A stretch of each part; the bytes that were read or written.
    fn triad(&mut self) -> usize {
        let (stretch, passes) = self.stretch(3);
        let part = self.memory.len() / 3;
        let (a, rest) = self.memory.split_at_mut(part);
        let (b, c) = rest.split_at(part);
        stream::triad(&mut a[stretch.clone()], &b[stretch.clone()], &c[stretch.clone()], 3.0, passes);
        3 * size_of::<f32>() * stretch.len() * passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(caches: &[(u32, &str, usize, usize)]) -> Topology {
        let cache = |&(level, kind, bytes, shared_by): &_| Cache {
            level,
            kind: String::from(kind),
            bytes,
            shared_by,
        };
        Topology { threads_per_core: 2, caches: caches.iter().map(cache).collect(), ..Topology::default() }
    }

    #[test]
    fn working_sets_fit_their_level_and_no_smaller_one() {
        let caches = [
            (1, "Data", 48 << 10, 2),
            (1, "Instruction", 32 << 10, 2),
            (2, "Unified", 1 << 20, 2),
            (3, "Unified", 32 << 20, 16),
        ];
        let bytes = |threads, free| -> Vec<(String, usize)> {
            let levels = levels(&topology(&caches), threads, free);
            levels.into_iter().map(|level| (level.name, level.bytes)).collect()
        };
        let level = |name: &str, bytes: usize| (name.to_string(), bytes);
        let (l1, l2) = (level("L1", 24 << 10), level("L2", (48 << 10) + (512 << 10)));
        let expected = [l1.clone(), l2.clone(), level("L3", 17 << 20), level("DRAM", 128 << 20)];
        assert_eq!(bytes(1, None), expected);
        // Eight cores share the third level, whatever the number of threads.
        let expected = [l1.clone(), l2.clone(), level("L3", 3 << 20), level("DRAM", 16 << 20)];
        assert_eq!(bytes(64, Some(usize::MAX)), expected);
        // A quarter of 32 MiB cannot show the third level.
        assert_eq!(bytes(1, Some(32 << 20)), [l1, l2, level("DRAM", 8 << 20)]);
    }

    #[test]
    fn without_known_caches_main_memory_remains() {
        let level = |bytes| [Level { name: "DRAM".into(), bytes }];
        assert_eq!(levels(&topology(&[]), 4, None), level(64 << 20));
        let huge = topology(&[(3, "Unified", usize::MAX, 1)]);
        assert_eq!(levels(&huge, 1, None), level(1 << 30));
    }

    #[test]
    fn the_three_parts_begin_apart() {
        for bytes in [0, 1000, 24 << 10, 3 * 7000, 1 << 20] {
            let part = part(bytes);
            for place in [part, 2 * part] {
                let far = (APART..=2 * HALF_PAGE - APART).contains(&(place % (2 * HALF_PAGE)));
                assert!(far && place % ALIGNMENT == 0, "{bytes}");
            }
            assert!(3 * part <= bytes.max(3 * APART) && 3 * part + 4 * HALF_PAGE > bytes);
        }
    }

    #[test]
    fn every_stretch_is_gone_through_and_counted() {
        for bytes in [0, 24 << 10, 5 << 20] {
            let mut arrays = Arrays::new(bytes);
            let whole = size_of_val(&arrays.memory[..]);
            let turns = whole.div_ceil(STRETCH);
            let all = if turns == 1 { STRETCH / whole * whole } else { whole };
            for _ in 0..2 {
                assert_eq!((0..turns).map(|_| arrays.read()).sum::<usize>(), all, "{bytes}");
            }
            assert_eq!((0..turns).map(|_| arrays.write()).sum::<usize>(), all, "{bytes}");
            assert!(arrays.memory.iter().all(|&x| x == 2.0), "{bytes}");
            assert_eq!((0..turns).map(|_| arrays.triad()).sum::<usize>(), all, "{bytes}");
            let (a, rest) = arrays.memory.split_at(arrays.memory.len() / 3);
            assert!(a.iter().all(|&x| x == 8.0) && rest.iter().all(|&x| x == 2.0), "2 + 3 * 2 in a");
        }
    }
}
