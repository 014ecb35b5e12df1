//! What is mailed of an organizer's figures: reports of dashboards, and alerts on metrics. Both are computed by who answers
//! queries, as the organizer sees its rows and without anybody's personal data, and queued as words.

mod report;
mod tables;
mod watch;
mod words;

pub use report::{check_events, check_page, figures};
pub use watch::{check, look};

use crate::problem::{Problem, Result};
use domain::{EventId, OrganizerId};
use futures::FutureExt;
use lakehouse::Principal;
use std::{fmt::Display, panic::AssertUnwindSafe};
use transactional::{Kind, Source, events};

/// Whose figures are mailed.
fn principal(what: &str, id: impl Display, organizer: OrganizerId) -> Principal {
    Principal {
        id: format!("{what}:{id}"),
        organizer: Some(organizer),
        personal_data: false,
    }
}

/// Computes one organizer's figures so that a panic there is an error of theirs, and all others get theirs.
pub async fn guarded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(Problem::internal("figures for a mail panicked")))
}

/// The values of filters as people know them: one of the organizer's events by its title.
async fn called(
    db: &mut impl Source,
    organizer: OrganizerId,
    values: Vec<(&str, Option<&str>)>,
) -> Result<Vec<Option<String>>> {
    let mut called = Vec::new();
    for (dimension, value) in values {
        let id = value.filter(|_| dimension == "event_id");
        let title = match id.and_then(|id| id.parse::<EventId>().ok()) {
            Some(id) => title(db, organizer, id).await?,
            None => None,
        };
        called.push(title.or_else(|| value.map(str::to_owned)));
    }
    Ok(called)
}

async fn title(db: &mut impl Source, organizer: OrganizerId, id: EventId) -> Result<Option<String>> {
    match events::get(db, id).await {
        Ok(event) => Ok((event.organizer_id == organizer).then(|| event.value.title.to_string())),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_for_one_is_an_error_and_no_end() {
        let panicked = guarded::<i32>(async { panic!("as arithmetic may") }).await;
        assert_eq!(panicked.unwrap_err().code, "internal");
        assert_eq!(guarded(async { Ok(1) }).await.unwrap(), 1);
    }
}
