//! Who has come in, and who has said who they are. Those who are silent keep nobody out: they have little time, and
//! whoever has waited longest goes when too many wait. Nor does an organizer that keeps many seats keep out others.

use domain::OrganizerId;
use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Tools keep connections that they do not use. Each has a task and some buffers.
const SEATS: usize = 200;
/// Of one organizer. The operator may take what is left.
const SEATS_OF_ONE: usize = SEATS * 2 / 3;
/// Each holds a file that others may need.
const WAITING: usize = 100;
/// A client that means it logs in at once.
const LOG_IN: Duration = Duration::from_secs(5);

pub(super) struct Lobby {
    guests: Mutex<Guests>,
    count: AtomicU64,
}

/// By number, and so in the order in which they came.
#[derive(Default)]
struct Guests {
    waiting: BTreeMap<u64, CancellationToken>,
    /// None: who sees everybody's rows.
    seated: BTreeMap<u64, Option<OrganizerId>>,
}

/// A connection, in the lobby or on a seat, until it is dropped.
pub(super) struct Guest {
    number: u64,
    lobby: Arc<Lobby>,
    out: CancellationToken,
}

impl Lobby {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            guests: Mutex::default(),
            count: AtomicU64::new(0),
        })
    }

    pub(super) fn enter(self: &Arc<Self>) -> Arc<Guest> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let out = CancellationToken::new();
        let mut guests = self.guests();
        guests.waiting.insert(number, out.clone());
        if guests.waiting.len() > WAITING
            && let Some((_, oldest)) = guests.waiting.pop_first()
        {
            oldest.cancel();
        }
        Arc::new(Guest {
            number,
            lobby: Arc::clone(self),
            out,
        })
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Takes a seat for somebody who has logged in, if one is free for the organizer whose rows are seen.
    pub(super) fn sit(&self, organizer: Option<OrganizerId>) -> bool {
        let mut guests = self.lobby.guests();
        if guests.seated.contains_key(&self.number) {
            return true;
        }
        let own = guests.seated.values().filter(|seated| **seated == organizer).count();
        if guests.seated.len() >= SEATS || organizer.is_some() && own >= SEATS_OF_ONE {
            return false;
        }
        guests.waiting.remove(&self.number);
        guests.seated.insert(self.number, organizer);
        true
    }

    /// Waits until whoever still has no seat has to go.
    pub(super) async fn shown_out(self: Arc<Self>) {
        tokio::select! {
            () = self.out.cancelled() => {}
            () = sleep(LOG_IN) => {}
        }
        let seated = self.lobby.guests().seated.contains_key(&self.number);
        if seated {
            pending().await
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.lobby.guests();
        guests.waiting.remove(&self.number);
        guests.seated.remove(&self.number);
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
        assert!(known.sit(None) && known.sit(None));
        let silent: Vec<_> = (0..WAITING).map(|_| lobby.enter()).collect();
        assert!(silent.iter().all(|guest| !is_out(guest)));
        let next = lobby.enter();
        assert!(is_out(&silent[0]) && !is_out(&silent[1]) && !is_out(&next) && !is_out(&known));
        drop(silent);
        assert_eq!(lobby.guests().waiting.len(), 1);
        assert!(next.sit(None));
        assert!(lobby.guests().waiting.is_empty());
    }

    #[tokio::test]
    async fn seats_are_counted_and_given_back() {
        let lobby = Lobby::new();
        let sit = |organizer| {
            (0..SEATS)
                .map(|_| lobby.enter())
                .filter(move |guest| guest.sit(organizer))
        };
        let seated: Vec<_> = sit(None).collect();
        assert_eq!(seated.len(), SEATS);
        let late = lobby.enter();
        assert!(!late.sit(None));
        drop(seated);
        assert!(late.sit(None));
    }

    #[tokio::test]
    async fn one_organizer_leaves_seats_for_others() {
        let lobby = Lobby::new();
        let sit = |organizer| {
            (0..SEATS)
                .map(|_| lobby.enter())
                .filter(move |guest| guest.sit(organizer))
        };
        let (greedy, other) = (Some(OrganizerId::new()), Some(OrganizerId::new()));
        let seated: Vec<_> = sit(greedy).collect();
        assert_eq!(seated.len(), SEATS_OF_ONE);
        assert!(seated[0].sit(greedy), "who sits keeps the seat");
        let others: Vec<_> = sit(other).take(10).collect();
        let operators: Vec<_> = sit(None).collect();
        assert_eq!(
            (others.len(), operators.len()),
            (10, SEATS - SEATS_OF_ONE - 10),
            "the operator has no share"
        );
    }
}
