//! How many bytes a second come from each level of memory.

use std::time::{Duration, Instant};

use crate::bench::rates;
use crate::bench::record::{Bandwidth, Cache, Topology};
use crate::kernels::stream;
use crate::memory;
use crate::team::Team;
use crate::tensor::{ALIGNMENT, Buffer};

/// One measurement: so short that on a busy machine some are undisturbed.
const TIME: Duration = Duration::from_millis(2);

/// Measurements of each kind; the best counts, as in STREAM: whatever else happens only slows down.
const REPEATS: usize = 10;

/// Bytes to go through between two looks at the clock: some ten microseconds from the first level.
const ROUND: usize = 2 << 20;

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
    let share = |cache: &Cache| {
        let cores = cache.shared_by / topology.threads_per_core.max(1);
        cache.bytes / cores.clamp(1, threads)
    };
    let mut levels = Vec::new();
    let mut before = 0;
    for cache in topology.caches.iter().filter(|cache| cache.kind != "Instruction") {
        let share = share(cache);
        levels.push(Level { name: format!("L{}", cache.level), bytes: before + share / 2 });
        before = before.max(share);
    }
    let wanted = if before == 0 { UNKNOWN_CACHES / threads } else { before.saturating_mul(BEYOND_CACHES) };
    let most = free.map_or(MOST, |free| (free / MEMORY_PARTS).min(MOST)) / threads;
    levels.retain(|level| level.bytes <= most);
    levels.push(Level { name: "DRAM".into(), bytes: wanted.min(most) });
    levels
}

/// Measures all levels on a team.
pub fn measure(topology: &Topology, team: &Team, progress: &mut dyn FnMut(&str)) -> Vec<Bandwidth> {
    let mut found = Vec::new();
    for level in levels(topology, team.threads(), memory::available()) {
        progress(&format!("{} bandwidth, {} threads", level.name, team.threads()));
        let best = |rate: fn(&mut Arrays) -> f64| {
            let rates = rates::each(team, |worker| {
                let mut arrays = Arrays::new(level.bytes);
                let once = |_| {
                    worker.barrier();
                    rate(&mut arrays)
                };
                (0..REPEATS).map(once).collect::<Vec<f64>>()
            });
            let together = (0..REPEATS).map(|repeat| rates.iter().map(|rates| rates[repeat]).sum::<f64>());
            together.fold(0.0, f64::max)
        };
        let (read, write, triad) = (best(Arrays::read), best(Arrays::write), best(Arrays::triad));
        let (threads, working_set_bytes) = (team.threads(), 3 * part(level.bytes));
        found.push(Bandwidth { level: level.name, working_set_bytes, threads, read, write, triad });
    }
    found
}

/// The bytes of each of three parts of about `bytes`, in whole cache lines: see [`APART`].
fn part(bytes: usize) -> usize {
    let most = bytes / 3 / ALIGNMENT * ALIGNMENT;
    let part = match most % HALF_PAGE {
        within if within < APART => most.saturating_sub(within + APART),
        within if within > HALF_PAGE - APART => most - (within + APART - HALF_PAGE),
        _ => most,
    };
    part.max(APART)
}

/// What one thread goes through: one array, or the same memory as three.
struct Arrays {
    memory: Buffer<f32>,
}

impl Arrays {
    /// About `bytes` of memory, every page of which is there.
    fn new(bytes: usize) -> Arrays {
        let mut memory = Buffer::zeros(3 * part(bytes) / size_of::<f32>());
        memory.fill(1.0);
        Arrays { memory }
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.memory[..])
    }

    /// Bytes a second.
    fn read(&mut self) -> f64 {
        let memory = &self.memory;
        rate(self.bytes(), |passes| _ = std::hint::black_box(stream::read(memory, passes)))
    }

    /// Bytes a second.
    fn write(&mut self) -> f64 {
        let bytes = self.bytes();
        rate(bytes, |passes| stream::write(&mut self.memory, 2.0, passes))
    }

    /// Bytes a second.
    fn triad(&mut self) -> f64 {
        let bytes = self.bytes();
        let (a, rest) = self.memory.split_at_mut(bytes / 3 / size_of::<f32>());
        let (b, c) = rest.split_at(a.len());
        rate(bytes, |passes| stream::triad(a, b, c, 3.0, passes))
    }
}

/// Bytes a second of `go`, which goes that often through `bytes`, for about [`TIME`].
fn rate(bytes: usize, mut go: impl FnMut(usize)) -> f64 {
    let passes = (ROUND / bytes).max(1);
    let begun = Instant::now();
    let (mut done, mut elapsed) = (0, Duration::ZERO);
    while elapsed < TIME {
        go(passes);
        done += passes * bytes;
        elapsed = begun.elapsed();
    }
    done as f64 / elapsed.as_secs_f64()
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
            let mut arrays = Arrays::new(bytes);
            let part = arrays.bytes() / 3;
            for place in [part, 2 * part] {
                let far = (APART..=2 * HALF_PAGE - APART).contains(&(place % (2 * HALF_PAGE)));
                assert!(far && place % ALIGNMENT == 0, "{bytes}");
            }
            assert!(arrays.bytes() <= bytes.max(3 * APART) && arrays.bytes() + 4 * HALF_PAGE > bytes);
            assert!(arrays.read() > 0.0 && arrays.write() > 0.0 && arrays.triad() > 0.0);
            let once = &arrays.memory;
            assert_eq!((once[0], once[once.len() - 1]), (8.0, 2.0), "2 + 3 * 2, and what was written");
        }
    }
}
