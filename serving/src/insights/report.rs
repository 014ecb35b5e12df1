//! What a report says: the figures of its dashboard as tables of words.

use super::{called, principal, tables, title, words};
use crate::{
    dashboards::{self, PanelData},
    mail::days_in_words,
    problem::{Problem, Result},
    wiring::App,
};
use domain::{OrganizerId, Timestamp, changes::Report};
use transactional::{
    Stored,
    insights::reports::{self, Figures},
    organizers,
};
use url::form_urlencoded;

/// Computes a report as of now. Where it doesn't say which days, they are the last whole ones before its time.
pub async fn figures(app: &App, report: &Stored<Report>, now: Timestamp) -> Result<Figures> {
    let (page, state) = dashboards::checked(app, &report.page, &stated(report, now)?)?;
    let principal = principal("report", report.report_id, report.organizer_id);
    let mut db = app.store.read().await?;
    let home = organizers::get(&mut db, report.organizer_id).await?;
    let filters = state.filters.iter();
    let values = filters.flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value.as_deref())));
    let only = called(&mut db, report.organizer_id, values.collect()).await?;
    drop(db);
    let asking = dashboards::asking(app, principal, page.public(), state).await?;
    let panels = asking.all().await;
    // What comes back by itself is waited for: a report without its headline is none.
    if let Some(why) = panels
        .iter()
        .filter(|panel| panel.passing)
        .find_map(|panel| panel.error.clone())
    {
        return Err(Problem::new("unavailable", why));
    }
    let table = |panel: &PanelData| tables::of_panel(panel, home.currency, report.language);
    let period = match asking.state.range.days(asking.today()) {
        (Some(from), Some(to)) => days_in_words(from, to, report.language),
        _ => words::all_time(report.language).to_owned(),
    };
    Ok(Figures {
        period: period + &words::only(&only, report.language),
        state: asking.state.query(),
        tables: panels.iter().filter_map(table).collect(),
    })
}

/// The report's state with its days, and with what it is compared to.
fn stated(report: &Report, now: Timestamp) -> Result<String> {
    let mut state: Vec<(String, String)> = form_urlencoded::parse(report.state.as_bytes()).into_owned().collect();
    let says =
        |state: &[(String, String)], names: &[&str]| state.iter().any(|(name, _)| names.contains(&name.as_str()));
    if !says(&state, &["range", "from", "to"]) {
        let (from, to) = reports::schedule_of(report)?.period_before(now);
        state.extend([("from".to_owned(), from.to_string()), ("to".to_owned(), to.to_string())]);
    }
    if !says(&state, &["compare"]) {
        state.push(("compare".to_owned(), "previous".to_owned()));
    }
    Ok(form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&state)
        .finish())
}

/// Whether there is such a page for organizers, which can be shown in this state to who chooses nothing more, and names no
/// events but the organizer's.
pub async fn check_page(app: &App, organizer_id: OrganizerId, page: &str, state: &str) -> Result<()> {
    let (page, state) = dashboards::checked(app, page, state).map_err(|problem| {
        let field = if problem.pointer.is_some() { "/state" } else { "/page" };
        Problem::invalid(field, problem.detail)
    })?;
    if page.audience == dashboards::Audience::Platform {
        return Err(Problem::invalid("/page", "there is no such dashboard"));
    }
    if page.of.is_some() && state.event(&page).is_none() {
        return Err(Problem::invalid(
            "/state",
            "this dashboard is of one event: say which by filter.event_id",
        ));
    }
    let named = state.filters.get("event_id").into_iter().flatten().flatten();
    check_events(app, organizer_id, named.map(String::as_str), "/state").await
}

/// Whether these are ids of the organizer's own events.
pub async fn check_events<'a>(
    app: &App,
    organizer_id: OrganizerId,
    named: impl Iterator<Item = &'a str> + Send,
    pointer: &str,
) -> Result<()> {
    let mut db = app.store.read().await?;
    for named in named {
        let known = match named.parse() {
            Ok(id) => title(&mut db, organizer_id, id).await?,
            Err(_) => None,
        };
        if known.is_none() {
            let message = format!("event_id names no event of this organizer: {named:?}");
            return Err(Problem::invalid(pointer, message));
        }
    }
    Ok(())
}
