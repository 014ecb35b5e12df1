//! What a panel says beside its figures, or instead of them.

use super::{page::Panel, panel::Asking};
use crate::problem::Problem;
use chrono_tz::Tz;
use transforms::metrics::{self, Metric, Time};

impl Asking {
    /// What to do about a panel without rows.
    pub(super) fn why_empty(&self, panel: &Panel) -> String {
        if !self.has_events {
            return "Create your first event: what happens with it shows here within a second.".to_owned();
        }
        if let Some(empty) = &panel.empty {
            return empty.clone();
        }
        let days = self.range(panel).days(self.today());
        let follows_range = panel.range.is_none() && knows_days(panel) && days != (None, None);
        let mut filters = self.state.filters.keys();
        if panel.question.is_none() && filters.any(|dimension| !panel.without.contains(dimension)) {
            let longer = if follows_range {
                ", or choose a longer range"
            } else {
                ""
            };
            return format!("Nothing matches these filters. Clear them{longer}.");
        }
        match panel.range {
            _ if follows_range => "Nothing happened in these days. Choose a longer range.".to_owned(),
            Some(range) => format!(
                "Nothing happened. These days are always shown here: {}.",
                range.label(self.today())
            ),
            None => "Nothing has happened here yet.".to_owned(),
        }
    }

    /// What days that are chosen are here, if not those of the events.
    pub(super) fn note(&self, panel: &Panel) -> Option<&'static str> {
        if panel.question.is_some() || self.range(panel).days(self.today()) == (None, None) {
            return None;
        }
        let mut metrics = panel.metrics.iter().filter_map(|name| metrics::metric(name));
        match knows_days(panel) {
            false if panel.range.is_none() => Some("Of all time, whatever days are chosen above."),
            true if self.zone != Tz::UTC && !metrics.any(Metric::is_about_events) => Some("Days are UTC."),
            _ => None,
        }
    }
}

/// Whether days can be chosen for it.
fn knows_days(panel: &Panel) -> bool {
    let metrics = panel.metrics.iter().filter_map(|name| metrics::metric(name));
    metrics.into_iter().any(|metric| metric.time != Time::Whole)
}

/// A problem as a panel says it.
pub(super) fn what_to_do(problem: &Problem) -> String {
    match problem.code.as_ref() {
        "timeout" | "resources_exhausted" => {
            "This takes too long to compute. Choose a shorter range, or filter it.".to_owned()
        }
        "busy" => "Too many questions are being answered. This one comes by itself in a moment.".to_owned(),
        "unavailable" => "The lake can't answer now. This comes back by itself; the server's log tells why.".to_owned(),
        "internal" => "The server failed at this panel; its log tells why.".to_owned(),
        _ => problem.detail.clone(),
    }
}
