//! What is mailed of an organizer's figures: reports of dashboards, and alerts on metrics. Both are computed by who answers
//! queries, as the organizer sees its rows and without anybody's personal data, and queued as words.

mod report;
mod tables;
mod watch;
mod words;

pub use report::{check_page, figures};
pub use watch::{check, look};

use domain::OrganizerId;
use lakehouse::Principal;
use std::fmt::Display;

/// Whose figures are mailed.
fn principal(what: &str, id: impl Display, organizer: OrganizerId) -> Principal {
    Principal {
        id: format!("{what}:{id}"),
        organizer: Some(organizer),
        personal_data: false,
    }
}
