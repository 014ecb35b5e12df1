//! The life of an event.

use crate::{Invalid, record::states};

states! {
    /// draft → published → ended, with postponement and cancellation on the way.
    EventStatus {
        Draft = "draft",
        Published = "published",
        Postponed = "postponed",
        Cancelled = "cancelled",
        Ended = "ended",
    }
}

impl EventStatus {
    /// The next status, or why it can't be. Repeating the present status is refused too: the caller has stale eyes.
    pub fn become_(self, next: EventStatus) -> Result<EventStatus, Invalid> {
        use EventStatus::{Cancelled, Draft, Ended, Postponed, Published};
        match (self, next) {
            (Draft, Published | Cancelled)
            | (Published, Postponed | Cancelled | Ended)
            | (Postponed, Published | Cancelled) => Ok(next),
            _ => Err(Invalid(format!("an event that is {self} can't become {next}"))),
        }
    }

    pub fn on_sale(self) -> bool {
        self == EventStatus::Published
    }

    /// Nothing follows it.
    pub fn is_final(self) -> bool {
        matches!(self, EventStatus::Cancelled | EventStatus::Ended)
    }

    /// People may enter: a postponed event's tickets stay valid, but its doors are closed.
    pub fn doors_may_open(self) -> bool {
        matches!(self, EventStatus::Published | EventStatus::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_an_end_or_a_cancellation() {
        for &next in EventStatus::ALL {
            for &last in EventStatus::ALL.iter().filter(|status| status.is_final()) {
                assert!(last.become_(next).is_err());
            }
        }
        assert_eq!(
            EventStatus::Postponed.become_(EventStatus::Published),
            Ok(EventStatus::Published)
        );
        assert!(EventStatus::Draft.become_(EventStatus::Ended).is_err());
    }
}
