//! The calibration of this machine, kept in the user's cache folder. One that is damaged is as good as none.

use std::sync::OnceLock;

use fallline::engine::bench::calibrate;

use super::results;
use crate::bench_record;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::text;

pub static TARGET: Target = Target { name: "calibration", share: 1, seeds, spoil, read, memory };

fn memory(input: &[u8]) -> usize {
    results::memory(input)
}

fn read(input: &Input) -> Result<Accepted, String> {
    // `calibrate` does not say what is wrong with one.
    let found = calibrate::load(input.path, FINGERPRINT).ok_or("no calibration")?;
    Ok(Box::new(move || {
        let again = serde_json::to_string(&found).ok().and_then(|text| serde_json::from_str(&text).ok());
        let is_sound = found.fingerprint == FINGERPRINT && again.as_ref() == Some(&found);
        if is_sound { Ok(()) } else { Err(format!("{found:?}")) }
    }))
}

const FINGERPRINT: &str = "made up";

fn seeds() -> Vec<Vec<u8>> {
    let calibration = bench_record::record().calibration.unwrap();
    vec![serde_json::to_vec(&calibration).unwrap(), serde_json::to_vec_pretty(&calibration).unwrap()]
}

fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    let seed = random.pick(seeds).clone();
    let words = WORDS.get_or_init(|| text::words([std::str::from_utf8(&seeds[0]).unwrap()]));
    results::spoilt(random, seed, seeds, words)
}
