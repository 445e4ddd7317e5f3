//! Hostile IDX files must cost no memory. Alone in its program, since it watches every allocation.

#[path = "../common/idx.rs"]
pub mod idx;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fallline::data::idx::{Idx, IdxReader};
use idx::{gzip_with_zeros, idx as file};

/// The system's allocator, keeping the books.
struct Watched;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// Safety: everything is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Requests count even if the system refuses them.
        let live = LIVE.fetch_add(layout.size(), SeqCst) + layout.size();
        PEAK.fetch_max(live, SeqCst);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The most memory in bytes that `work` had at one time.
fn peak<T>(work: impl FnOnce() -> T) -> usize {
    let before = LIVE.load(SeqCst);
    PEAK.store(before, SeqCst);
    drop(work());
    PEAK.load(SeqCst) - before
}

/// Inflating takes buffers of its own; nothing comes near the sizes promised or inflated.
const LITTLE: usize = 1 << 20;

#[test]
fn hostile_files_cost_no_memory() {
    let parse = |bytes: &[u8]| Idx::from_bytes(Path::new("x"), bytes);
    // The watch works: a sound file of 2 MB takes 2 MB.
    let sound = [file(0x08, &[2, 1 << 20], b""), vec![1; 2 << 20]].concat();
    assert!(peak(|| parse(&sound).unwrap()) >= 2 << 20);

    for dimensions in [&[60_000, 7_000, 8_000][..], &[u32::MAX, 700], &[u32::MAX], &[1 << 24]] {
        for code in [0x08, 0x0B, 0x0E] {
            let start = file(code, dimensions, b"");
            for bytes in [start.clone(), gzip_with_zeros(&start, 0), gzip_with_zeros(&start, 1000)] {
                assert!(peak(|| parse(&bytes).unwrap_err()) < LITTLE);
            }
        }
    }

    // A gigabyte promised by a file large enough to hold it: what is really there counts.
    let length = 16 << 20;
    let mut noise = gzip_with_zeros(&file(0x08, &[1 << 30], b""), 64);
    noise.resize(length, 0xA5);
    assert!(peak(|| parse(&noise).unwrap_err()) < LITTLE);

    // A bomb: 256 MB of zeros after an array of 6 bytes.
    let bomb = gzip_with_zeros(&[file(0x08, &[2, 3], b""), b"abcdef".to_vec()].concat(), 256 << 20);
    assert!(bomb.len() < LITTLE);
    let mut message = String::new();
    assert!(peak(|| message = parse(&bomb).unwrap_err().to_string()) < LITTLE);
    assert!(message.contains("expected the end of the data after 2 x 3 of u8, found more data"), "{message}");

    // Numbers of eight bytes become some of four as they come: the file is never in memory beside them.
    let count = 1 << 20;
    let doubles = [file(0x0E, &[count], b""), 0.5f64.to_be_bytes().repeat(count as usize)].concat();
    let packed = gzip_with_zeros(&doubles, 0);
    let floats = |bytes: &[u8]| {
        let reader = IdxReader::new(Path::new("x"), bytes, Some(bytes.len() as u64)).unwrap();
        assert_eq!(reader.floats().unwrap().len(), count as usize);
    };
    assert!(peak(|| floats(&doubles)) < (4 << 20) + LITTLE);
    // How much is in a compressed file is not known before, so a part of it is moved once.
    assert!(peak(|| floats(&packed)) < (4 << 20) + (4 << 20) / 8 + LITTLE);
    // As it is in its file, and no second time.
    assert!(peak(|| parse(&doubles).unwrap()) < (8 << 20) + LITTLE);
}
