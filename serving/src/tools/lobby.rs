//! Who has come in and has not said who they are. Those who are silent keep nobody out: they have little time, and whoever
//! has waited longest goes when too many wait.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Tools keep connections that they do not use. Each has a task and some buffers.
const SEATS: usize = 200;
/// Each holds a file that others may need.
const WAITING: usize = 100;
/// A client that means it logs in at once.
const LOG_IN: Duration = Duration::from_secs(5);

pub(super) struct Lobby {
    waiting: Mutex<BTreeMap<u64, CancellationToken>>,
    seats: Arc<Semaphore>,
    count: AtomicU64,
}

/// A connection, in the lobby or on a seat, until it is dropped.
pub(super) struct Guest {
    number: u64,
    lobby: Arc<Lobby>,
    out: CancellationToken,
    seat: OnceLock<OwnedSemaphorePermit>,
}

impl Lobby {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            seats: Arc::new(Semaphore::new(SEATS)),
            count: AtomicU64::new(0),
        })
    }

    pub(super) fn enter(self: &Arc<Self>) -> Arc<Guest> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let out = CancellationToken::new();
        let mut waiting = self.waiting();
        waiting.insert(number, out.clone());
        if waiting.len() > WAITING
            && let Some((_, oldest)) = waiting.pop_first()
        {
            oldest.cancel();
        }
        Arc::new(Guest {
            number,
            lobby: Arc::clone(self),
            out,
            seat: OnceLock::new(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, CancellationToken>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Takes a seat for somebody who has logged in, if one is free.
    pub(super) fn sit(&self) -> bool {
        if self.seat.get().is_some() {
            return true;
        }
        let Ok(seat) = Arc::clone(&self.lobby.seats).try_acquire_owned() else {
            return false;
        };
        // Of two calls at once one gives its seat back.
        let _ = self.seat.set(seat);
        self.lobby.waiting().remove(&self.number);
        true
    }

    /// Waits until whoever still has no seat has to go.
    pub(super) async fn shown_out(self: Arc<Self>) {
        tokio::select! {
            () = self.out.cancelled() => {}
            () = sleep(LOG_IN) => {}
        }
        if self.seat.get().is_some() {
            pending().await
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.lobby.waiting().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn is_out(guest: &Arc<Guest>) -> bool {
        guest.clone().shown_out().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_silent_make_room_and_those_who_logged_in_stay() {
        let lobby = Lobby::new();
        let known = lobby.enter();
        assert!(known.sit() && known.sit());
        let silent: Vec<_> = (0..WAITING).map(|_| lobby.enter()).collect();
        assert!(silent.iter().all(|guest| !is_out(guest)));
        let next = lobby.enter();
        assert!(is_out(&silent[0]) && !is_out(&silent[1]) && !is_out(&next) && !is_out(&known));
        drop(silent);
        assert_eq!(lobby.waiting().len(), 1);
        assert!(next.sit());
        assert!(lobby.waiting().is_empty());
    }

    #[tokio::test]
    async fn seats_are_counted_and_given_back() {
        let lobby = Lobby::new();
        let seated: Vec<_> = (0..SEATS).map(|_| lobby.enter()).filter(|guest| guest.sit()).collect();
        assert_eq!(seated.len(), SEATS);
        let late = lobby.enter();
        assert!(!late.sit());
        drop(seated);
        assert!(late.sit());
    }
}
