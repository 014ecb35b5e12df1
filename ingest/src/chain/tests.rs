use super::*;
use proptest::prelude::*;

const PARTITIONS: usize = 3;
const TABLES: usize = 2;

fn link(seq: i64, prev: i64, remaining: i64) -> Option<Link> {
    Some(Link { seq, prev, remaining })
}

fn released(chain: &mut Chain<&'static str>) -> Vec<&'static str> {
    let mut out = Vec::new();
    chain.release(&mut out);
    out.into_iter().filter_map(|released| released.item).collect()
}

#[test]
fn a_command_comes_out_whole_and_in_order_whatever_is_read_first() {
    let mut chain = Chain::new(0, &[0, 0]);
    chain.push(1, 0, link(2, 1, 0), "tickets");
    assert_eq!(released(&mut chain), [""; 0]);
    assert_eq!(chain.gap(), Some(Gap { after: 0, up_to: 1 }));
    chain.push(0, 0, link(1, 0, 1), "order");
    assert_eq!(released(&mut chain), ["order", "tickets"]);
    chain.push(0, 1, link(7, 2, 1), "the first half");
    assert_eq!((released(&mut chain), chain.released()), (vec![], 2));
    assert_eq!(chain.gap(), None, "nothing is missing that anyone has seen");
}

#[test]
fn garbage_keeps_its_place_and_a_second_delivery_is_passed_over() {
    let mut chain = Chain::new(0, &[0]);
    chain.push(0, 0, None, "garbage");
    chain.push(0, 1, link(1, 0, 1), "half");
    chain.push(0, 2, None, "garbage in a command");
    chain.push(0, 3, link(1, 0, 1), "half again");
    assert_eq!(released(&mut chain), ["garbage"]);
    chain.push(0, 4, link(2, 1, 0), "whole");
    assert_eq!(released(&mut chain), ["half", "garbage in a command", "whole"]);
}

#[test]
fn a_change_that_comes_after_its_gap_was_given_up_is_not_lost() {
    let mut chain = Chain::new(0, &[0, 0]);
    chain.push(1, 0, link(2, 1, 0), "second");
    chain.push(1, 1, link(3, 2, 1), "half");
    chain.give_up(Gap { after: 0, up_to: 1 });
    assert_eq!((released(&mut chain), chain.released()), (vec!["second"], 2));
    chain.push(0, 0, link(1, 0, 0), "late");
    assert_eq!(
        released(&mut chain),
        [""; 0],
        "it must not let out the half command that is open"
    );
    chain.push(0, 1, link(4, 3, 0), "whole");
    assert_eq!(
        (released(&mut chain), chain.released()),
        (vec!["half", "late", "whole"], 4)
    );
}

/// A record of the model: a change, a repeated change, or garbage.
#[derive(Clone, Copy, Debug)]
struct Rec {
    id: usize,
    link: Option<Link>,
    table: usize,
    again: bool,
}

#[derive(Clone, Debug)]
enum Step {
    /// More of a partition becomes readable: appends to several partitions are not one.
    Show(usize, usize),
    Read(usize, usize),
    Publish,
    Commit(usize),
    Crash,
}

/// A core's changes over partitions, with garbage and deliveries of the same batch twice.
fn logs() -> impl Strategy<Value = Vec<Vec<Rec>>> {
    let change = (0..PARTITIONS, 0..TABLES, 1..3i64, 0..10u8, 0..PARTITIONS);
    let command = proptest::collection::vec(change, 1..5);
    proptest::collection::vec(command, 1..30).prop_map(|commands| {
        let mut logs: Vec<Vec<Rec>> = vec![Vec::new(); PARTITIONS];
        let (mut seq, mut id) = (0, 0);
        for command in commands {
            for (n, (partition, table, step, luck, elsewhere)) in command.iter().enumerate() {
                let (prev, remaining) = (seq, (command.len() - n - 1) as i64);
                seq += step;
                let link = link(seq, prev, remaining);
                logs[*partition].push(Rec {
                    id,
                    link,
                    table: *table,
                    again: false,
                });
                id += 1;
                if *luck == 0 {
                    logs[*elsewhere].push(Rec {
                        id,
                        link: None,
                        table: 0,
                        again: false,
                    });
                    id += 1;
                }
                if *luck == 1 {
                    let last = logs[*partition].len().saturating_sub(3);
                    let repeated = logs[*partition][last..].iter().filter(|rec| rec.link.is_some());
                    let repeated: Vec<Rec> = repeated.map(|rec| Rec { again: true, ..*rec }).collect();
                    logs[*partition].extend(repeated);
                }
            }
        }
        logs
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..PARTITIONS, 1..8usize).prop_map(|(partition, n)| Step::Show(partition, n)),
        4 => (0..PARTITIONS, 1..8usize).prop_map(|(partition, n)| Step::Read(partition, n)),
        3 => Just(Step::Publish),
        2 => (0..TABLES).prop_map(Step::Commit),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..150)
}

/// The sink's part, and a lake whose tables commit at different times.
struct World {
    logs: Vec<Vec<Rec>>,
    shown: Vec<usize>,
    read: Vec<usize>,
    chain: Chain<Rec>,
    cut: Vec<usize>,
    stored: Vec<Vec<usize>>,
    tails: Vec<Vec<(usize, usize, usize)>>,
    committed: Vec<Vec<usize>>,
}

impl World {
    fn new(logs: Vec<Vec<Rec>>) -> Self {
        Self {
            logs,
            shown: vec![0; PARTITIONS],
            read: vec![0; PARTITIONS],
            chain: Chain::new(0, &[0; PARTITIONS]),
            cut: vec![0; PARTITIONS],
            stored: vec![vec![]; TABLES],
            tails: vec![vec![]; TABLES],
            committed: vec![vec![0; PARTITIONS]; TABLES],
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Show(p, n) => self.shown[*p] = (self.shown[*p] + n).min(self.logs[*p].len()),
            Step::Read(p, n) => {
                for offset in self.read[*p]..(self.read[*p] + n).min(self.shown[*p]) {
                    let rec = self.logs[*p][offset];
                    self.chain.push(*p as u32, offset as u64, rec.link, rec);
                    self.read[*p] = offset + 1;
                }
            }
            Step::Publish => self.publish(),
            Step::Commit(table) => {
                let tail = std::mem::take(&mut self.tails[*table]);
                self.stored[*table].extend(tail.into_iter().map(|(_, _, id)| id));
                // After a crash the sink begins at the oldest table's cut; another table must not go back to it.
                for (committed, cut) in self.committed[*table].iter_mut().zip(&self.cut) {
                    *committed = (*committed).max(*cut);
                }
            }
            Step::Crash => self.crash(),
        }
    }

    fn publish(&mut self) {
        let mut out = Vec::new();
        self.chain.release(&mut out);
        for Released {
            partition,
            offset,
            item,
        } in out
        {
            let (p, offset) = (partition as usize, offset as usize);
            assert_eq!(offset, self.cut[p], "a release is a prefix of each partition");
            self.cut[p] = offset + 1;
            let Some(rec) = item else {
                assert!(self.logs[p][offset].again);
                continue;
            };
            if offset >= self.committed[rec.table][p] {
                self.tails[rec.table].push((p, offset, rec.id));
            }
        }
        self.check_cut();
    }

    /// Below the cut stand exactly the changes up to `released`, and these end with a command.
    fn check_cut(&self) {
        for (log, cut) in self.logs.iter().zip(&self.cut) {
            for (offset, rec) in log.iter().enumerate().filter(|(_, rec)| !rec.again) {
                let Some(link) = rec.link else { continue };
                assert_eq!(offset < *cut, link.seq <= self.chain.released(), "{rec:?}");
                assert!(
                    link.seq != self.chain.released() || link.remaining == 0,
                    "half a command: {rec:?}"
                );
            }
        }
    }

    fn crash(&mut self) {
        self.tails = vec![vec![]; TABLES];
        for p in 0..PARTITIONS {
            let from = self.committed.iter().map(|committed| committed[p]).min().unwrap();
            (self.cut[p], self.read[p]) = (from, from);
        }
        let below = |p: usize| {
            self.logs[p][..self.cut[p]]
                .iter()
                .filter_map(|rec| Some(rec.link?.seq))
                .max()
        };
        let below: Vec<i64> = (0..PARTITIONS).map(|p| below(p).unwrap_or(0)).collect();
        self.chain = Chain::new(below.iter().copied().max().unwrap_or(0), &below);
        self.check_cut();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_change_arrives_once_and_no_cut_splits_a_command_wherever_it_restarts(logs in logs(), steps in steps()) {
        let mut world = World::new(logs.clone());
        for step in &steps {
            world.step(step);
        }
        for p in 0..PARTITIONS {
            world.step(&Step::Show(p, usize::MAX / 2));
            world.step(&Step::Read(p, usize::MAX / 2));
        }
        world.publish();
        prop_assert_eq!(world.chain.gap(), None);
        for table in 0..TABLES {
            world.step(&Step::Commit(table));
            let of_table = |rec: &&Rec| rec.table == table && !rec.again;
            let mut expected: Vec<usize> = logs.iter().flatten().filter(of_table).map(|rec| rec.id).collect();
            expected.sort_unstable();
            world.stored[table].sort_unstable();
            prop_assert_eq!(&world.stored[table], &expected);
        }
    }
}
