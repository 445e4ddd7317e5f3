//! All rows of a table, read by several threads: blocks go round among them, and what they make of these is put
//! together in the order of the file. The first error in the file is the one that is told.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use super::blocks::{BLOCK, Block, Blocks};
use super::columns::Columns;
use super::plan::Plan;
use super::source::Source;
use crate::error::Result;

/// More threads would wait for the one that cuts the file into blocks and puts the columns together.
const MOST_THREADS: usize = 8;

/// Blocks that a worker has before it: the one that it reads, and the next.
const AHEAD: usize = 2;

/// How the work is shared out.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub threads: usize,
    /// Bytes of a block.
    pub block: usize,
}

impl Default for Work {
    /// All cores, and blocks of the size that is best for them.
    fn default() -> Work {
        Work { threads: thread::available_parallelism().map_or(1, usize::from), block: BLOCK }
    }
}

/// Reads all rows of a source.
///
/// # Errors
/// Those of [`Blocks::next`] and [`Plan::read`], the first in the order of the file.
pub(super) fn read_all(plan: &Plan, source: Source, work: Work) -> Result<Columns> {
    // One block is read by one thread.
    let is_block = source.is_whole && source.head.len() <= work.block;
    let threads = if is_block { 1 } else { work.threads.min(MOST_THREADS) };
    let mut columns = Columns::of(&plan.readings, &plan.said);
    let mut blocks = Blocks::of(plan.path, plan.delimiter, source, work.block, plan.skipped);
    if threads > 1 {
        thread::scope(|scope| {
            // Where the system has no thread to give, this one reads all.
            let workers = (0..threads).map_while(|_| Worker::start(scope, plan).ok()).collect::<Vec<_>>();
            share(plan, &mut blocks, &mut columns, &workers)
        })?;
    }
    while let Some(block) = blocks.next()? {
        plan.read(&block, &mut columns)?;
    }
    Ok(columns)
}

/// Hands blocks to the workers in turn, and joins what they make of them in the same order.
fn share(plan: &Plan, blocks: &mut Blocks, columns: &mut Columns, workers: &[Worker]) -> Result<()> {
    let (mut sent, mut joined) = (0, 0);
    let mut end = None;
    loop {
        while end.is_none() && sent < joined + AHEAD * workers.len() {
            match blocks.next() {
                Ok(Some(block)) => {
                    workers[sent % workers.len()].blocks.send((block, columns.fresh())).ok();
                    sent += 1;
                }
                Ok(None) => end = Some(Ok(())),
                // The rows above the damage come first, and so do their errors.
                Err(error) => end = Some(Err(error)),
            }
        }
        if joined == sent {
            return end.unwrap_or(Ok(()));
        }
        // Only of a worker that has panicked nothing comes; the end of the scope tells it.
        let Ok(part) = workers[joined % workers.len()].parts.recv() else { return Ok(()) };
        joined += 1;
        let is_joined = match &part.columns {
            Some(rows) => columns.join(plan.path, rows)?,
            None => false,
        };
        if !is_joined {
            plan.read(&part.block, columns)?;
        }
    }
}

/// What a worker made of a block; no columns if there is an error in it.
struct Part {
    block: Block,
    columns: Option<Columns>,
}

/// A thread that reads blocks into columns of their own.
struct Worker {
    blocks: SyncSender<(Block, Columns)>,
    parts: Receiver<Part>,
}

impl Worker {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, plan: &'scope Plan) -> io::Result<Worker> {
        let (blocks, to_read) = sync_channel::<(Block, Columns)>(AHEAD);
        let (read, parts) = sync_channel(AHEAD);
        thread::Builder::new().name("table".into()).spawn_scoped(scope, move || {
            for (block, mut columns) in to_read {
                let columns = plan.read(&block, &mut columns).is_ok().then_some(columns);
                if read.send(Part { block, columns }).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { blocks, parts })
    }
}
