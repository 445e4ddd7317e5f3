//! The record that a worker keeps of its calls.

use super::table::{Call, Cost, MOST_STEPS_KEPT, Operation, Site, Step, Table, place};

/// A worker's own recorder of its calls in steps.
///
/// A call adds to a few numbers that lie side by side, and nothing else where the step is like the one before: it then
/// has the costs of that one, which are multiplied when the table is made. To ask each call for its cost, and to add
/// each step to the table, took most of what a probe cost: the table has left the first-level cache from one call to
/// the next.
pub struct Probe {
    now: fn() -> u64,
    most_calls: usize,
    table: Table,
    /// The calls at each [`place`].
    current: Vec<Current>,
    /// The costs of the calls of each site.
    costs: Vec<Costs>,
    begun: u64,
    /// The step under way, if it is measured, and whether it is probed.
    step: Option<(u64, bool)>,
    /// The kind of the step, if it is known, and the kind whose costs are known.
    kinds: [Option<u64>; 2],
}

/// The calls at a place.
#[derive(Clone, Copy)]
struct Current {
    /// Ticks of the step under way, without the probes inside.
    ticks: u64,
    /// Ticks since the table was last brought up to date.
    all_ticks: u64,
    all_flops: u64,
    /// Calls of the step under way, and since then.
    calls: u32,
    all_calls: u32,
    /// Calls of a step whose costs are known; none if they are not.
    known: u32,
    /// Steps that had as many calls.
    repeats: u32,
    /// The index of the site, if there is one.
    site: u32,
}

/// The costs of a site's calls in a step.
#[derive(Clone, Copy)]
struct Costs {
    /// The cost of the step under way, as far as it was asked.
    asked: Cost,
    /// The cost of all calls of an earlier step.
    known: Cost,
}

/// The index of a place that has no site.
const NO_SITE: u32 = u32::MAX;

impl Probe {
    /// A recorder that adds to `table`.
    pub fn new(now: fn() -> u64, most_calls: usize, table: Table) -> Self {
        let (current, costs) = (Vec::new(), Vec::new());
        let (step, kinds) = (None, [None; 2]);
        let mut probe = Probe { now, most_calls, table, current, costs, begun: 0, step, kinds };
        for index in 0..probe.table.sites.len() {
            let Site { operation, layer, .. } = probe.table.sites[index];
            probe.set_site(place(operation, layer), index);
        }
        probe
    }

    fn set_site(&mut self, place: usize, index: usize) {
        if self.current.len() <= place {
            self.current.resize(place + 1, Current::NONE);
        }
        self.current[place].site = index as u32;
        self.costs.push(Costs { asked: Cost::NONE, known: Cost::NONE });
    }

    /// The clock.
    pub fn now(&self) -> u64 {
        (self.now)()
    }

    /// Adds one call; `own` are its ticks and flops without those of the probes inside it. `cost` is asked for its
    /// cost, unless that is known from a step like this one.
    #[inline]
    pub fn record(
        &mut self,
        operation: Operation,
        layer: Option<usize>,
        cost: impl FnOnce() -> Cost,
        span: [u64; 2],
        own: [u64; 2],
    ) {
        if !self.is_probing() {
            return;
        }
        let place = place(operation, layer);
        if let Some(current) = self.current.get_mut(place)
            && current.known > 0
        {
            current.add(own);
        } else {
            self.record_with_cost((operation, layer), cost(), span, own);
        }
    }

    #[cold]
    fn record_with_cost(
        &mut self,
        (operation, layer): (Operation, Option<usize>),
        cost: Cost,
        [begun, ended]: [u64; 2],
        own: [u64; 2],
    ) {
        let site = self.site(operation, layer);
        self.current[place(operation, layer)].add(own);
        self.costs[site].asked = self.costs[site].asked.plus(cost);
        if self.table.calls.len() < self.most_calls {
            let bytes = cost.streams.iter().map(|stream| stream.bytes as u64).sum();
            self.table.calls.push(Call { site, begun, ended, flops: own[1], bytes });
        }
    }

    /// Adds to the hardware counters of a site.
    pub fn count(&mut self, operation: Operation, layer: Option<usize>, counted: [u64; 3]) {
        if self.is_probing() {
            let index = self.site(operation, layer);
            let sums = &mut self.table.sites[index].counted;
            sums.iter_mut().zip(counted).for_each(|(sum, counted)| *sum += counted);
        }
    }

    /// Notes why there are no hardware counters.
    pub fn cannot_count(&mut self, reason: String) {
        self.table.uncounted = Some(reason);
    }

    /// Whether a probed step is under way.
    pub fn is_probing(&self) -> bool {
        self.step.is_some_and(|(_, is_probed)| is_probed)
    }

    fn site(&mut self, operation: Operation, layer: Option<usize>) -> usize {
        let place = place(operation, layer);
        if let Some(current) = self.current.get(place)
            && current.site != NO_SITE
        {
            return current.site as usize;
        }
        let (sites, streams) = (&mut self.table.sites, Default::default());
        sites.push(Site {
            operation,
            layer,
            calls: 0,
            ticks: 0,
            flops: 0,
            nominal_flops: 0.0,
            streams,
            counted: [0; 3],
        });
        let index = sites.len() - 1;
        self.set_site(place, index);
        index
    }

    /// Notes a barrier that was passed.
    pub fn passed(&mut self, begun: u64, ended: u64, is_last: bool) {
        self.table.barriers += u64::from(self.is_probing());
        self.table.last += u64::from(is_last && self.is_probing());
        let ticks = ended.saturating_sub(begun);
        self.record(Operation::Barrier, None, || Cost::NONE, [begun, ended], [ticks, 0]);
    }

    /// Begins the step of this number, if it is measured. Calls between steps are not recorded. Steps of the same
    /// `kind` have the same costs: of such, each call's cost is asked for once.
    /// Returns the tick at which it began.
    pub fn begin_step(&mut self, number: u64, turn: Option<bool>, kind: Option<u64>) -> u64 {
        self.step = turn.map(|is_probed| (number, is_probed));
        self.table.steps_begun += 1;
        if self.is_probing() {
            // Where calls are kept one by one, the bytes of each are wanted.
            let keeps_calls = self.table.calls.len() < self.most_calls;
            let is_known = kind.is_some() && kind == self.kinds[1] && !keeps_calls;
            if !is_known {
                self.bring_up_to_date();
                self.current.iter_mut().for_each(|current| current.known = 0);
            }
            self.kinds[0] = kind;
        }
        if self.step.is_some() {
            self.begun = self.now();
        }
        self.begun
    }

    /// Lets the step under way begin at an earlier tick, with an operation from then until now.
    pub fn begun_before(&mut self, begun: u64, now: u64, operation: Operation) {
        self.begun = begun.min(now);
        self.record(operation, None, || Cost::NONE, [begun, now], [now.saturating_sub(begun), 0]);
    }

    /// Ends the step under way.
    pub fn end_step(&mut self) {
        let Some((number, is_probed)) = self.step.take() else { return };
        let first = self.table.step_ticks.len();
        let keeps = self.table.steps.len() < MOST_STEPS_KEPT;
        if is_probed {
            self.add_current(keeps);
        }
        let (begun, ended) = (self.begun, self.now());
        self.table.steps_seen[usize::from(is_probed)] += 1;
        self.table.ticks_seen[usize::from(is_probed)] += ended.saturating_sub(begun);
        if keeps {
            self.table.steps.push(Step { number, is_probed, begun, ended, first });
        }
    }

    /// Adds the step under way to the sums of all steps, and, if they are kept, its ticks at each site.
    fn add_current(&mut self, keeps: bool) {
        let first = self.table.step_ticks.len();
        if keeps {
            self.table.step_ticks.resize(first + self.table.sites.len(), 0);
        }
        for current in self.current.iter_mut().filter(|current| current.calls > 0) {
            let site = current.site as usize;
            if keeps {
                self.table.step_ticks[first + site] = current.ticks;
            }
            current.all_ticks += current.ticks;
            current.all_calls += current.calls;
            if current.known == current.calls {
                current.repeats += 1;
            } else if current.known > 0 {
                let part = f64::from(current.calls) / f64::from(current.known);
                self.table.sites[site].add(self.costs[site].known, part);
            } else {
                let asked = std::mem::replace(&mut self.costs[site].asked, Cost::NONE);
                self.table.sites[site].add(asked, 1.0);
                self.costs[site].known = asked;
                current.known = current.calls;
            }
            (current.ticks, current.calls) = (0, 0);
        }
        self.kinds[1] = self.kinds[0];
    }

    /// Adds the sums since the last time to the table.
    fn bring_up_to_date(&mut self) {
        for current in self.current.iter_mut().filter(|current| current.all_calls > 0) {
            let site = &mut self.table.sites[current.site as usize];
            site.calls += u64::from(current.all_calls);
            site.ticks += current.all_ticks;
            site.flops += current.all_flops;
            site.add(self.costs[current.site as usize].known, f64::from(current.repeats));
            *current = Current { known: current.known, site: current.site, ..Current::NONE };
        }
        if self.most_calls > 0 {
            let calls: u64 = self.table.sites.iter().map(|site| site.calls).sum();
            self.table.calls_left_out = calls.saturating_sub(self.table.calls.len() as u64);
        }
    }

    pub fn into_table(mut self) -> Table {
        if self.is_probing() {
            self.add_current(false);
        }
        self.bring_up_to_date();
        self.table
    }
}

impl Current {
    /// No calls at a place without a site.
    const NONE: Current = Current {
        ticks: 0,
        all_ticks: 0,
        all_flops: 0,
        calls: 0,
        all_calls: 0,
        known: 0,
        repeats: 0,
        site: NO_SITE,
    };

    #[inline]
    fn add(&mut self, [ticks, flops]: [u64; 2]) {
        self.ticks += ticks;
        self.all_flops += flops;
        self.calls += 1;
    }
}

impl Site {
    /// Adds a cost so many times.
    fn add(&mut self, cost: Cost, times: f64) {
        self.nominal_flops += cost.nominal_flops * times;
        for (sum, stream) in self.streams.iter_mut().zip(cost.streams) {
            sum.bytes += (stream.bytes as f64 * times) as u64;
            sum.working_set = sum.working_set.max(stream.working_set);
        }
    }
}
