//! All columns of a table under way: row by row, or with the rows of a part that another thread has read.

use std::path::Path;

use super::column::{Builder, Reading};
use super::kind::Kind;
use crate::error::Result;
use crate::memory;

/// Rows that there is room for at first, and bytes below which no one asks whether they are there.
const FIRST_ROWS: usize = 16;
const SMALL: usize = 1 << 20;

pub(super) struct Columns {
    pub builders: Vec<Builder>,
    pub rows: usize,
    /// Rows that there is room for.
    room: usize,
}

impl Columns {
    /// Columns that are read so, and what they were said to be.
    pub fn of(readings: &[Reading], said: &[Option<Kind>]) -> Columns {
        let builders =
            readings.iter().zip(said).map(|(&reading, &said)| Builder::new(reading, said)).collect();
        Columns { builders, rows: 0, room: 0 }
    }

    /// Columns without rows, for rows that follow somewhere below: they are read as far as is known by now.
    pub fn fresh(&self) -> Columns {
        Columns { builders: self.builders.iter().map(Builder::fresh).collect(), rows: 0, room: 0 }
    }

    /// Makes room for so many rows more.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if memory does not suffice.
    pub fn reserve(&mut self, path: &Path, more: usize) -> Result<()> {
        let rows = self.rows + more;
        if rows <= self.room {
            return Ok(());
        }
        self.room = rows.max(self.room + self.room / 2).max(FIRST_ROWS);
        let each: usize = self.builders.iter().map(Builder::value_bytes).sum();
        let bytes = each.saturating_mul(self.room);
        // What there is room for already is taken; the growth alone, a third of all, is new.
        if bytes > SMALL {
            memory::check(&format!("the table {}", path.display()), bytes / 3)?;
        }
        self.builders.iter_mut().try_for_each(|builder| builder.reserve("the columns of a table", self.room))
    }

    /// Adds the rows of a part, which follow those that are there. False, and none is added, if a column would be
    /// another one had they been read behind these, one by one.
    ///
    /// # Errors
    /// Those of [`Columns::reserve`].
    pub fn join(&mut self, path: &Path, part: &Columns) -> Result<bool> {
        let pairs = self.builders.iter_mut().zip(&part.builders);
        let seams: Option<Vec<_>> = pairs.map(|(builder, below)| builder.seam(below)).collect();
        let Some(seams) = seams else { return Ok(false) };
        self.reserve(path, part.rows)?;
        for ((builder, below), numbers) in self.builders.iter_mut().zip(&part.builders).zip(seams) {
            builder.join(below, &numbers, part.rows)?;
        }
        self.rows += part.rows;
        Ok(true)
    }
}
