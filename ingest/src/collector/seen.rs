use std::collections::HashSet;

/// The most recent ids, in two generations: when the younger is full, the older is forgotten.
#[derive(Debug)]
pub(super) struct Seen {
    young: HashSet<u128>,
    old: HashSet<u128>,
    limit: usize,
}

impl Seen {
    /// Remembers at least so many ids, and at most twice as many.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            young: HashSet::new(),
            old: HashSet::new(),
            limit,
        }
    }

    pub(super) fn contains(&self, id: u128) -> bool {
        self.young.contains(&id) || self.old.contains(&id)
    }

    pub(super) fn insert(&mut self, id: u128) {
        if self.young.len() >= self.limit {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_the_limit_is_remembered_and_at_most_twice_that() {
        let mut seen = Seen::new(10);
        (0..100).for_each(|id| seen.insert(id));
        assert!((90..100).all(|id| seen.contains(id)));
        assert!(!(0..80).any(|id| seen.contains(id)));
    }
}
