//! The best point of a search that also goes to worse ones: with restarts, and with descent as the local step.

use rand_distr::{Distribution, StandardNormal};

use super::annealing::Annealing;
use super::cma_es::CmaEs;
use super::genetic::Genetic;
use super::proposals::{Proposals, USE, zeros};
use super::settings::{Global, GlobalMethod};
use crate::checkpoint::{Archive, State};
use crate::optim::full_batch::settings::{Objective, Settings};
use crate::optim::full_batch::{Ended, Iteration, Solver};
use crate::optim::search::{FullBatch, Search};
use crate::rng::{self, Purpose, Stream};
use crate::{Error, Result, memory};

/// A search under way that keeps the best point. An iteration is one of its method: a descent's direction with the search
/// along it, an annealing's proposals at one temperature, a generation; then the iterations of its local step.
#[derive(Debug)]
pub struct BestSearch {
    restarts: usize,
    spread: f64,
    seed: u64,
    /// The most iterations between two beginnings.
    share: usize,
    start: Vec<f64>,
    seen: Seen,
    is_evaluated: bool,
    /// The gradient at the best point before the last iteration, \[n\].
    before: Vec<f64>,
    /// By how much the last iteration has moved the best point, \[n\].
    change: Vec<f64>,
    method: Method,
    local: Option<Local>,
    stream: Stream,
    /// How often the search has begun anew, and iterations since then; None before it has begun.
    run: usize,
    iteration: Option<usize>,
    /// The point under evaluation, or that a run begins at, and the gradient there, \[n\] each.
    place: Vec<f64>,
    gradient: Vec<f64>,
    losses: Vec<f64>,
}

#[derive(Debug)]
enum Method {
    Descent(Box<Solver>),
    Proposals(Box<dyn Proposals>),
}

/// The descent from the best point of each iteration.
#[derive(Debug)]
struct Local {
    solver: Solver,
    iterations: usize,
}

/// What evaluations have shown.
#[derive(Debug)]
struct Seen {
    best: Point,
    /// The best point of the iteration under way.
    of_iteration: Point,
    /// The evaluations of this iteration, and which of them is at the best point; 0 if that is an old one.
    evaluations: usize,
    taken: usize,
}

#[derive(Debug)]
struct Point {
    /// \[n\]
    at: Vec<f64>,
    loss: f64,
    /// \[n\]
    gradient: Vec<f64>,
}

impl Point {
    fn new(count: usize) -> Result<Point> {
        Ok(Point { at: zeros(1, count)?, loss: f64::INFINITY, gradient: zeros(1, count)? })
    }

    fn set(&mut self, at: &[f64], loss: f64, gradient: &[f64]) {
        self.at.copy_from_slice(at);
        self.loss = loss;
        self.gradient.copy_from_slice(gradient);
    }
}

impl Seen {
    /// The loss at a point, as the objective tells it.
    fn evaluate(&mut self, objective: &mut Objective, at: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let loss = objective(at, gradient)?;
        self.evaluations += 1;
        if loss.is_finite() && loss < self.of_iteration.loss {
            self.of_iteration.set(at, loss, gradient);
            if loss < self.best.loss {
                self.best.set(at, loss, gradient);
                self.taken = self.evaluations;
            }
        }
        Ok(loss)
    }
}

impl BestSearch {
    /// A search from `start` \[n\] that will take up to so many iterations. `learning_rate`, above 0, is what each method
    /// says; all random numbers follow from the seed. All memory is taken here.
    ///
    /// # Errors
    /// If the method is for fewer parameters, or the machine has less memory free.
    pub fn new(
        how: FullBatch,
        learning_rate: f64,
        start: &[f64],
        iterations: usize,
        seed: u64,
    ) -> Result<BestSearch> {
        let FullBatch { search, restarts, spread, .. } = how;
        let count = start.len();
        let share = iterations.div_ceil(restarts.saturating_add(1)).max(1);
        let (method, local) = match search {
            Search::Descent(settings) => {
                (Method::Descent(Box::new(Solver::new(settings, learning_rate, start, share)?)), None)
            }
            Search::Global(Global { method, local, local_iterations }) => {
                check_count(method, count)?;
                // Its first trials are whole steps.
                let solver = |method| Solver::new(Settings::new(method), 1.0, start, local_iterations);
                let solver = local.map(solver).transpose()?;
                let local = solver.map(|solver| Local { solver, iterations: local_iterations });
                (Method::Proposals(proposals(method, learning_rate, spread, count, share)?), local)
            }
        };
        let (mut best, of_iteration) = (Point::new(count)?, Point::new(count)?);
        best.at.copy_from_slice(start);
        Ok(BestSearch {
            restarts,
            spread,
            seed,
            share,
            start: memory::copied(USE, start)?,
            seen: Seen { best, of_iteration, evaluations: 0, taken: 0 },
            is_evaluated: false,
            before: zeros(1, count)?,
            change: zeros(1, count)?,
            method,
            local,
            stream: rng::stream(seed, Purpose::Global, 0),
            run: 0,
            iteration: None,
            place: zeros(1, count)?,
            gradient: zeros(1, count)?,
            losses: Vec::new(),
        })
    }

    /// The best point so far, \[n\].
    pub fn point(&self) -> &[f64] {
        &self.seen.best.at
    }

    /// The loss at this point; infinite before the first iteration.
    pub fn loss(&self) -> f64 {
        self.seen.best.loss
    }

    /// The gradient at this point, \[n\]; zeros before the first iteration.
    pub fn gradient(&self) -> &[f64] {
        &self.seen.best.gradient
    }

    /// The gradient at the best point before the last iteration, \[n\].
    pub fn gradient_before(&self) -> &[f64] {
        &self.before
    }

    /// By how much the last iteration has moved the best point, \[n\].
    pub fn change(&self) -> &[f64] {
        &self.change
    }

    /// Runs one iteration. Its `step` is the length of a descent's step, or the standard deviation that the method's
    /// points have.
    ///
    /// # Errors
    /// Those of the objective; the search cannot go on then.
    pub fn iterate(&mut self, objective: &mut Objective) -> Result<Iteration> {
        let mut first_ever = 0;
        let Seen { best, of_iteration, evaluations, taken } = &mut self.seen;
        if !self.is_evaluated {
            best.loss = objective(&best.at, &mut best.gradient)?;
            (self.is_evaluated, first_ever) = (true, 1);
        }
        (*evaluations, *taken, of_iteration.loss) = (0, 0, f64::INFINITY);
        self.before.copy_from_slice(&best.gradient);
        self.change.copy_from_slice(&best.at);
        if !best.loss.is_finite() || best.at.is_empty() {
            let ended = if best.at.is_empty() { Ended::Change } else { Ended::NotFinite };
            self.change.fill(0.0);
            return Ok(Iteration { evaluations: first_ever, taken: 0, step: 0.0, ended: Some(ended) });
        }
        if self.iteration.is_none() {
            self.begin(objective)?;
        }
        let (step, ended) = self.advance(objective)?;
        self.descend(objective)?;
        for (change, at) in self.change.iter_mut().zip(&self.seen.best.at) {
            *change = at - *change;
        }
        let done = self.iteration.map_or(1, |iteration| iteration + 1);
        let is_last = self.run == self.restarts;
        let is_over = ended.is_some() || (done >= self.share && !is_last);
        self.iteration = Some(done);
        if is_over && !is_last {
            self.run += 1;
            self.iteration = None;
        }
        let Seen { evaluations, taken, .. } = self.seen;
        let ended = ended.filter(|_| is_last);
        Ok(Iteration { evaluations: first_ever + evaluations, taken, step, ended })
    }

    /// Begins at the first point, or at one about it.
    fn begin(&mut self, objective: &mut Objective) -> Result<()> {
        self.stream = rng::stream(self.seed, Purpose::Global, self.run as u64);
        self.place.copy_from_slice(&self.start);
        if self.run > 0 {
            for place in &mut self.place {
                let normal: f64 = StandardNormal.sample(&mut self.stream);
                *place += self.spread * normal;
            }
        }
        match &mut self.method {
            Method::Descent(solver) => solver.begin(&self.place),
            Method::Proposals(method) => {
                let loss = match self.run {
                    0 => self.seen.best.loss,
                    _ => self.seen.evaluate(objective, &self.place, &mut self.gradient)?,
                };
                method.begin(&self.place, finite_or_infinite(loss));
            }
        }
        Ok(())
    }

    /// An iteration of the method: its step, and why it was its last one.
    fn advance(&mut self, objective: &mut Objective) -> Result<(f64, Option<Ended>)> {
        let BestSearch { seen, method, stream, gradient, losses, .. } = self;
        match method {
            Method::Descent(solver) => {
                let found = solver.iterate(&mut |at, gradient| seen.evaluate(objective, at, gradient))?;
                // Where a later descent begins, the loss may be anything; the best one is finite.
                let ended = found.ended.map(|ended| match ended {
                    Ended::NotFinite => Ended::LineSearch,
                    other => other,
                });
                Ok((found.step, ended))
            }
            Method::Proposals(method) => {
                let step = method.deviation();
                for _ in 0..method.rounds() {
                    losses.clear();
                    for at in method.ask(stream).chunks_exact(gradient.len()) {
                        let loss = seen.evaluate(objective, at, gradient)?;
                        losses.push(finite_or_infinite(loss));
                    }
                    method.tell(losses);
                }
                method.end_iteration();
                Ok((step, method.is_converged().then_some(Ended::Change)))
            }
        }
    }

    /// The local step: descent from the best point of the iteration, if one had a finite loss.
    fn descend(&mut self, objective: &mut Objective) -> Result<()> {
        let Some(Local { solver, iterations }) = &mut self.local else { return Ok(()) };
        if !self.seen.of_iteration.loss.is_finite() {
            return Ok(());
        }
        solver.begin(&self.seen.of_iteration.at);
        let seen = &mut self.seen;
        for _ in 0..*iterations {
            let found = solver.iterate(&mut |at, gradient| seen.evaluate(objective, at, gradient))?;
            if found.ended.is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// What is set anew at the beginning of an iteration is no part of it, nor is the local step, which then begins anew.
impl State for BestSearch {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.numbers("start", &mut self.start)?;
        let Point { at, loss, gradient } = &mut self.seen.best;
        archive.numbers("best", at)?;
        archive.double("best_loss", loss)?;
        archive.numbers("best_gradient", gradient)?;
        archive.value("is_evaluated", &mut self.is_evaluated)?;
        archive.value("stream", &mut self.stream)?;
        archive.value("run", &mut self.run)?;
        archive.value("iteration", &mut self.iteration)?;
        match &mut self.method {
            Method::Descent(solver) => archive.state("descent", &mut **solver),
            Method::Proposals(method) => archive.state("proposals", &mut **method),
        }
    }
}

fn finite_or_infinite(loss: f64) -> f64 {
    if loss.is_finite() { loss } else { f64::INFINITY }
}

fn proposals(
    method: GlobalMethod,
    rate: f64,
    spread: f64,
    count: usize,
    iterations: usize,
) -> Result<Box<dyn Proposals>> {
    Ok(match method {
        GlobalMethod::Annealing(settings) => Box::new(Annealing::new(settings, rate, count, iterations)?),
        GlobalMethod::Genetic(settings) => Box::new(Genetic::new(settings, rate, spread, count)?),
        GlobalMethod::CmaEs(settings) => Box::new(CmaEs::new(settings, rate, count)?),
    })
}

fn check_count(method: GlobalMethod, count: usize) -> Result<()> {
    let most = method.most_parameters();
    if count <= most {
        return Ok(());
    }
    let other = match method {
        GlobalMethod::CmaEs(mut settings) => {
            settings.covariance = super::settings::Covariance::Diagonal;
            match GlobalMethod::CmaEs(settings).most_parameters() {
                more if more > most => format!(" (with `covariance = \"diagonal\"` at most {more})"),
                _ => String::new(),
            }
        }
        _ => String::new(),
    };
    Err(Error::Mismatch {
        what: "number of parameters for a global search".into(),
        expected: format!("at most {most}{other}"),
        found: count.to_string(),
    })
}
