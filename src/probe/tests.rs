use std::cell::Cell;

use super::*;

fn probe(most_calls: usize) -> Probe {
    thread_local! { static TIME: Cell<u64> = const { Cell::new(0) } }
    // A clock that advances by one at each look.
    fn now() -> u64 {
        TIME.with(|time| time.replace(time.get() + 1))
    }
    Probe::new(now, most_calls, Table::default())
}

#[test]
fn calls_add_up_by_operation_and_layer() {
    let mut probe = probe(2);
    probe.begin_step(0, Some(true), None);
    let cost = |bytes| Cost { nominal_flops: 2.0, ..Cost::NONE.and(1, bytes, bytes * 10) };
    for (layer, bytes, ticks) in [(0, 1, 5), (1, 2, 7), (0, 3, 9)] {
        probe.record(Operation::Forward, Some(layer), || cost(bytes), [100, 100 + ticks], [ticks, 10]);
    }
    let table = probe.into_table();
    assert_eq!(table.sites.len(), 2);
    let first = &table.sites[0];
    assert_eq!((first.calls, first.ticks, first.flops, first.nominal_flops), (2, 14, 20, 4.0));
    assert_eq!(first.streams[1], TrafficSum { bytes: 4, working_set: 30 });
    assert_eq!((table.calls.len(), table.calls_left_out), (2, 1));
    assert_eq!(table.calls[1], Call { site: 1, begun: 100, ended: 107, flops: 10, bytes: 2 });
}

#[test]
fn each_step_has_its_own_sums() {
    let mut probe = probe(0);
    let call = |probe: &mut Probe, layer, ticks| {
        probe.record(Operation::Forward, Some(layer), || Cost::NONE, [0, ticks], [ticks, 0]);
    };
    // A call before the first step.
    call(&mut probe, 0, 50);
    probe.begin_step(0, Some(true), None);
    call(&mut probe, 0, 3);
    call(&mut probe, 0, 4);
    probe.end_step();
    // A step without probes, and one that is not measured.
    probe.begin_step(1, Some(false), None);
    call(&mut probe, 0, 100);
    probe.end_step();
    probe.begin_step(2, None, None);
    call(&mut probe, 0, 100);
    probe.end_step();
    probe.begin_step(3, Some(true), None);
    call(&mut probe, 1, 6);
    probe.passed(10, 15, true);
    probe.end_step();
    let table = probe.into_table();
    assert_eq!(table.sites.iter().map(|site| site.ticks).collect::<Vec<_>>(), [7, 6, 5]);
    // The second site was not known when the first step ended.
    assert_eq!([[0, 0], [0, 1], [2, 0], [2, 1]].map(|[step, site]| table.ticks_of(step, site)), [7, 0, 0, 6]);
    assert_eq!(
        table.steps.iter().map(|step| (step.number, step.is_probed)).collect::<Vec<_>>(),
        [(0, true), (1, false), (3, true)]
    );
    assert_eq!((table.steps_seen, table.ticks_of(1, 0)), ([1, 2], 0));
    assert_eq!((table.waiting(), table.barriers, table.last), (5, 1, 1));
    assert!(table.steps.iter().all(|step| step.ended > step.begun) && table.steps.len() == 3);
}

/// In steps of one kind each call's cost is asked for once; in others, and for calls that are new, again.
#[test]
fn steps_that_are_alike_have_the_same_costs() {
    let asked = Cell::new(0);
    // Of calls that are kept, each is asked, those of the first step.
    let mut probe = probe(3);
    let step = |probe: &mut Probe, number, kind, layers: &[usize], bytes| {
        probe.begin_step(number, Some(true), Some(kind));
        for &layer in layers {
            let cost = || {
                asked.set(asked.get() + 1);
                Cost { nominal_flops: 2.0, ..Cost::NONE.and(0, bytes, bytes) }
            };
            probe.record(Operation::Forward, Some(layer), cost, [0, 1], [1, 3]);
        }
        probe.end_step();
        asked.get()
    };
    assert_eq!(step(&mut probe, 0, 64, &[0, 0, 1], 10), 3);
    assert_eq!(step(&mut probe, 1, 64, &[0, 0, 1], 10), 3);
    // A shorter batch, and one of the first kind after it.
    assert_eq!(step(&mut probe, 2, 17, &[0, 0, 1], 4), 6);
    assert_eq!(step(&mut probe, 3, 64, &[0, 0, 1], 10), 9);
    // A call that the step before did not have, and calls of which there are fewer.
    assert_eq!(step(&mut probe, 4, 64, &[0, 1, 2], 10), 10);
    let table = probe.into_table();
    assert_eq!((table.calls.len(), table.calls_left_out), (3, 12));
    let sums = |site: &Site| (site.calls, site.flops, site.nominal_flops, site.streams[0].bytes);
    let sums: Vec<_> = table.sites.iter().map(sums).collect();
    assert_eq!(
        sums,
        [(9, 27, 18.0, 20 + 20 + 8 + 20 + 10), (5, 15, 10.0, 10 + 10 + 4 + 10 + 10), (1, 3, 2.0, 10)]
    );
}

#[test]
fn probes_are_on_in_every_other_slice_in_the_mean() {
    let turns = Turns { first: 10, end: 20, slice: 2 };
    let expected = [true, true, false, false, false, false, true, true, false, false];
    assert_eq!((10..20).map(|step| turns.at(step).unwrap()).collect::<Vec<_>>(), expected);
    assert_eq!([0, 9, 20].map(|step| turns.at(step)), [None; 3]);
    assert_eq!(Turns::ALL.at(u64::MAX - 1), Some(true));
    let long = Turns { first: 0, end: 4096, slice: 1 };
    // Whatever part of them is taken.
    for every in [1, 2, 3, 5, 64] {
        let on: i64 = (0..4096).step_by(every).map(|step| if long.at(step).unwrap() { 1 } else { -1 }).sum();
        assert!(on.unsigned_abs() as usize * every <= 4096 * 2 / 3, "{every}: {on}");
    }
}
