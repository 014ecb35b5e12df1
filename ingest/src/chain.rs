//! Puts the changes of several partitions back into the order of the core, and lets them out a whole command at a time.
//!
//! Every change carries `seq`, the `prev` before it in the core's order, and `remaining`: how many changes of its command
//! follow. A topic's partitions are each in order, but among them anything may be read first. So:
//!
//! - **Order.** The chain knows `seq`, the newest change it admitted. Of the heads of all partitions it takes the lowest,
//!   and admits it only if its `prev` is not above `seq`: then nothing lies between. Otherwise a change is missing that
//!   some partition has yet to show, and the chain waits.
//! - **Whole commands.** What is admitted stays closed in until a change with `remaining` 0 is; then all of it is
//!   released at once. Since admission takes from the front of each partition, what is released of a partition is always
//!   a prefix of it, and one offset a partition says how far a release went. Call these offsets a *cut*: below it stand
//!   exactly the changes up to some `seq`, all commands whole.
//! - **Restart.** The lake says from which offset of each partition rows are wanted, and several sinks may have committed
//!   them, so these offsets are no cut. But each record tells a *floor*: all changes up to it were in the log before this
//!   record. With the highest floor in the log, reading starts in each partition at the first change above it, or where
//!   the lake is if that comes earlier, and the chain begins with the floor as its `seq`: what comes above is put in
//!   order; what comes below was committed or is read before the ends that the log had at the start, and until these are
//!   passed nothing that is visible counts as a whole. So the sink has the log keep some records below the committed
//!   offsets ([`crate::sink::KEPT_BELOW`]). What the tables hold already, the lake drops by offset.
//! - **Twice.** A key's partition is fixed and the relay appends in order, so a change is there for the second time
//!   if and only if its `seq` isn't above the one before it in its own partition. It is passed over. (Comparing with the
//!   chain's `seq` instead would lose a change that comes late, after its gap was given up.)
//! - **Garbage.** A record without a readable link has no place in the order; it is admitted when it is at the head.
//! - **Gaps.** A change whose record was lost or damaged would be waited for for ever. The caller gives such a gap up when
//!   it has read all partitions to their end and has waited long enough. If the change does come after all, it is admitted.
//!
//! Progress: the next change is at the head of its partition or in a part of the log not yet read, and in the latter case
//! that partition's queue is empty. So it is enough that a caller keeps reading the partitions whose queues are empty,
//! and a full queue elsewhere can't block the chain.

use std::collections::VecDeque;

/// What orders a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: i64,
    pub(crate) prev: i64,
    pub(crate) remaining: i64,
}

#[derive(Debug)]
pub(crate) struct Chain<T> {
    /// The newest change that was admitted, or given up.
    seq: i64,
    /// The newest change that was released: the end of a command.
    released: i64,
    queues: Vec<Queue<T>>,
    /// Admitted, but the command isn't whole yet.
    open: Vec<Released<T>>,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<Waiting<T>>,
    /// The newest change that this partition showed.
    last: i64,
}

#[derive(Debug)]
struct Waiting<T> {
    link: Option<Link>,
    offset: u64,
    item: T,
}

/// A record whose turn has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Released<T> {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    /// None for a change that was there before.
    pub(crate) item: Option<T>,
}

/// Changes that are missing: those after `after`, up to `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) after: i64,
    pub(crate) up_to: i64,
}

impl<T> Chain<T> {
    /// Starts at a floor. `below` has for each partition the newest change before the first that will be pushed, or 0.
    pub(crate) fn new(floor: i64, below: &[i64]) -> Self {
        let seq = floor;
        let queue = |last: &i64| Queue {
            waiting: VecDeque::new(),
            last: *last,
        };
        Self {
            seq,
            released: seq,
            queues: below.iter().map(queue).collect(),
            open: Vec::new(),
        }
    }

    /// The end of the newest whole command.
    pub(crate) fn released(&self) -> i64 {
        self.released
    }

    pub(crate) fn push(&mut self, partition: u32, offset: u64, link: Option<Link>, item: T) {
        if let Some(queue) = self.queues.get_mut(partition as usize) {
            queue.waiting.push_back(Waiting { link, offset, item });
        }
    }

    /// Whether records of the partition wait. One where none do must be read, or the chain may stand still.
    pub(crate) fn waits(&self, partition: u32) -> bool {
        self.queues
            .get(partition as usize)
            .is_some_and(|queue| !queue.waiting.is_empty())
    }

    /// Admits what can be, and adds what makes whole commands.
    pub(crate) fn release(&mut self, into: &mut Vec<Released<T>>) {
        self.pass_unordered(into);
        while let Some((_, partition)) = self.lowest().filter(|(link, _)| link.prev <= self.seq) {
            self.admit(partition, into);
            self.pass_unordered(into);
        }
    }

    /// What the chain waits for, if changes are there that it can't admit.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let (link, _) = self.lowest()?;
        (link.prev > self.seq).then_some(Gap {
            after: self.seq,
            up_to: link.prev,
        })
    }

    /// Goes on without the missing changes.
    pub(crate) fn give_up(&mut self, gap: Gap) {
        self.seq = self.seq.max(gap.up_to);
    }

    /// The head with the lowest `seq`, and its partition.
    fn lowest(&self) -> Option<(Link, usize)> {
        let heads = self.queues.iter().enumerate();
        heads
            .filter_map(|(at, queue)| Some((queue.waiting.front()?.link?, at)))
            .min_by_key(|(link, _)| link.seq)
    }

    fn admit(&mut self, partition: usize, into: &mut Vec<Released<T>>) {
        let queue = &mut self.queues[partition];
        let Some(Waiting {
            link: Some(link),
            offset,
            item,
        }) = queue.waiting.pop_front()
        else {
            return;
        };
        queue.last = link.seq;
        let alone = self.open.is_empty();
        self.open.push(Released {
            partition: partition as u32,
            offset,
            item: Some(item),
        });
        // A change that comes after its gap was given up belongs to a command that was let out without it.
        let late = link.seq <= self.seq;
        if !late {
            self.seq = link.seq;
        }
        if late && alone {
            into.append(&mut self.open);
        } else if !late && link.remaining <= 0 {
            self.released = self.seq;
            into.append(&mut self.open);
        }
    }

    /// Takes from the heads what has no place in the order: garbage, and changes that were there before.
    fn pass_unordered(&mut self, into: &mut Vec<Released<T>>) {
        let target = if self.open.is_empty() { into } else { &mut self.open };
        for (partition, queue) in self.queues.iter_mut().enumerate() {
            while let Some(head) = queue.waiting.front() {
                let again = head.link.is_some_and(|link| link.seq <= queue.last);
                if head.link.is_some() && !again {
                    break;
                }
                if let Some(head) = queue.waiting.pop_front() {
                    target.push(Released {
                        partition: partition as u32,
                        offset: head.offset,
                        item: (!again).then_some(head.item),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
