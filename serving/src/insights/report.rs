//! What a report says: the figures of its dashboard as tables of words.

use super::{page, principal, words};
use crate::{mail::days_in_words, problem::Result, wiring::App};
use domain::{Timestamp, changes::Report};
use transactional::{
    Stored,
    insights::reports::{self, Figures},
};
use url::form_urlencoded;

/// Computes a report as of now. Where it doesn't say which days, they are the last whole ones before its time.
pub async fn figures(app: &App, report: &Stored<Report>, now: Timestamp) -> Result<Figures> {
    let schedule = reports::schedule_of(report)?;
    let mut state: Vec<(String, String)> = form_urlencoded::parse(report.state.as_bytes()).into_owned().collect();
    let says =
        |state: &[(String, String)], names: &[&str]| state.iter().any(|(name, _)| names.contains(&name.as_str()));
    if !says(&state, &["range", "from", "to"]) {
        let (from, to) = schedule.period_before(now);
        state.extend([("from".to_owned(), from.to_string()), ("to".to_owned(), to.to_string())]);
    }
    if !says(&state, &["compare"]) {
        state.push(("compare".to_owned(), "previous".to_owned()));
    }
    let principal = principal("report", report.report_id, report.organizer_id);
    let today = schedule.today(now);
    let shown = page::show(app, &principal, &report.page, &state, today, report.language).await?;
    let period = match shown.days {
        Some((from, to)) => days_in_words(from, to, report.language),
        None => words::all_time(report.language).to_owned(),
    };
    Ok(Figures {
        period,
        state: form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&state)
            .finish(),
        tables: shown.tables,
    })
}
