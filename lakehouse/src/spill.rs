//! The memory of a run whose operators spill. As in DataFusion's `FairSpillPool` each that can spill has an equal share of
//! what those that can't have left; but a part is kept for who needs little. A merge of what was spilled takes all it can
//! get, and the merge of the merged, which comes last, would find nothing.

use crate::lake::lock;
use datafusion::{
    common::{Result, resources_datafusion_err},
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size},
};
use std::{
    fmt::{self, Display, Formatter},
    sync::Mutex,
};

/// The part that is kept for who needs little: one in so many.
const KEPT: usize = 8;

/// Who has less than one part in so many needs little.
const LITTLE: usize = 32;

#[derive(Debug)]
pub(crate) struct SpillPool {
    bytes: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// How many can spill.
    spillers: usize,
    spillable: usize,
    unspillable: usize,
}

impl SpillPool {
    pub(crate) fn new(bytes: usize) -> Self {
        let used = Mutex::default();
        Self { bytes, used }
    }

    /// What one that would then have so much may have, all in all.
    fn most(&self, reservation: &MemoryReservation, wanted: usize, used: &Used) -> usize {
        let for_all = self.bytes - self.bytes / KEPT;
        if reservation.consumer().can_spill() {
            return for_all.saturating_sub(used.unspillable) / used.spillers.max(1);
        }
        let bytes = match wanted <= self.bytes / LITTLE {
            true => self.bytes,
            false => for_all,
        };
        (bytes + reservation.size()).saturating_sub(used.spillable + used.unspillable)
    }
}

impl MemoryPool for SpillPool {
    fn name(&self) -> &str {
        "spill"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        lock(&self.used).spillers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        lock(&self.used).spillers -= usize::from(consumer.can_spill());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *lock(&self.used).of(reservation) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        *lock(&self.used).of(reservation) -= shrink;
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut used = lock(&self.used);
        let wanted = reservation.size() + additional;
        let most = self.most(reservation, wanted, &used);
        if wanted > most {
            return Err(resources_datafusion_err!(
                "{} needs {} more than its {}, and may have {} of {}",
                reservation.consumer().name(),
                human_readable_size(additional),
                human_readable_size(reservation.size()),
                human_readable_size(most),
                human_readable_size(self.bytes)
            ));
        }
        *used.of(reservation) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        let used = lock(&self.used);
        used.spillable + used.unspillable
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl Used {
    fn of(&mut self, reservation: &MemoryReservation) -> &mut usize {
        match reservation.consumer().can_spill() {
            true => &mut self.spillable,
            false => &mut self.unspillable,
        }
    }
}

impl Display for SpillPool {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), human_readable_size(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn who_can_spill_has_a_share_and_something_is_kept_for_who_needs_little() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SpillPool::new(3_200));
        let spiller = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (first, second) = (spiller("first"), spiller("second"));
        first.try_grow(1_400).unwrap();
        second.try_grow(1_400).unwrap();
        assert!(first.try_grow(1).is_err(), "half of seven eighths");
        let (merge, last) = (
            MemoryConsumer::new("merge").register(&pool),
            MemoryConsumer::new("last"),
        );
        assert!(merge.try_grow(101).is_err());
        first.free();
        merge.try_grow(1_400).unwrap();
        assert!(merge.try_grow(1).is_err());
        assert!(first.try_grow(701).is_err(), "half of what the merge has left");
        let last = last.register(&pool);
        last.try_grow(100).unwrap();
        assert!(last.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 2_900);
        drop((merge, second));
        first.try_grow(2_700).unwrap();
        assert_eq!(pool.reserved(), 2_800);
    }
}
