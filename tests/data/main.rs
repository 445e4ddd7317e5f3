//! What a network trains on: files, generated digits, augmentation, and what comes of files that are broken, odd or
//! hostile.

#[path = "../common/mod.rs"]
pub mod common;

mod augmented_runs;
mod commands;
mod digits;
#[cfg(feature = "download")]
mod download;
mod embeddings;
mod foreign_texts;
mod hostile;
mod idx;
mod k_means;
#[cfg(unix)]
mod odd_files;
mod places;
mod series;
mod small_sets;
mod table_samples;
mod table_training;
mod tables;
