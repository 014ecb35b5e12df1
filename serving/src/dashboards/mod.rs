//! Dashboards: pages of figures that say in a file what they show, drawn from metrics and live while they are open.
//!
//! An address is a page and its [`State`]; both together with who looks are [`Asking`], which answers each panel as
//! [`PanelData`]. The same data stands in the page's HTML, at the panel's own address, in what is pushed
//! while the page is open, and in the files to take away. A page can be looked at by members, by who has a link
//! ([`Shared`]), and by nobody at all, when a mail is made of it ([`asking`] and [`Asking::all`]).
//!
//! To add a page: a file in `dashboards/pages/`, or in `pages/` of the folder that `--dashboards` names.

mod columns;
mod drawn;
mod export;
mod files;
mod gaps;
mod live;
mod names;
mod notes;
mod options;
mod page;
mod panel;
mod range;
mod render;
mod schema;
mod state;
mod text;
pub mod view;

pub use columns::{Column, Format, PanelData, Role};
pub use export::{FileFormat, file};
pub use files::{Files, Loaded};
pub use live::{Live, StillValid};
pub use options::Choices;
pub use page::{Audience, Drill, Kind, Of, Page, PageError, Panel};
pub use panel::Asking;
pub use range::{Comparison, Range};
pub use render::{manage as manage_html, page as page_html, problem as problem_html, sql as sql_html};
pub use schema::Schema;
pub use state::State;
pub use text::shown;
pub use view::Frame;

use crate::{
    auth::Identity,
    problem::{Problem, Result},
    wiring::App,
};
use chrono_tz::Tz;
use domain::{EventId, OrganizerId, Timestamp, role::Permission};
use lakehouse::Principal;
use std::{path::PathBuf, sync::Arc};
use transactional::{
    PageRequest,
    events::{self, EventFilter},
    organizers,
};

/// What the program holds of dashboards.
pub struct Dashboards {
    pub files: Files,
    pub live: Arc<Live>,
}

impl Dashboards {
    pub fn open(folder: Option<PathBuf>) -> Self {
        Self {
            files: Files::open(folder),
            live: Arc::default(),
        }
    }
}

/// A page that whoever has its link may look at: fixed in what it shows, one organizer's rows, nobody's personal data.
#[derive(Clone)]
pub struct Shared {
    /// What the link ends with.
    pub token: String,
    pub page: String,
    /// As the address of the page has it after the `?`.
    pub state: String,
    pub principal: Principal,
    /// Other sites may put it into a frame.
    pub may_embed: bool,
    pub until: Timestamp,
    /// Asked now and then while somebody looks.
    pub still_valid: StillValid,
}

/// A page and a state by what they are called: what a link, a mail or an alert names is known before it is kept.
pub fn checked(app: &App, page: &str, state: &str) -> Result<(Arc<Page>, State)> {
    let page = app.dashboards.files.current().page(page)?;
    let state = State::parse(&page, state)?;
    Ok((page, state))
}

/// For whoever may see these rows, to ask for panels with.
pub async fn asking(app: &App, principal: Principal, page: Arc<Page>, state: State) -> Result<Asking> {
    let lake = app.queries()?.clone();
    let mut db = app.store.read().await?;
    let mut zone = "UTC".to_owned();
    let mut has_events = true;
    if let Some(id) = principal.organizer {
        zone = organizers::get(&mut db, id).await?.value.timezone;
        let filter = EventFilter {
            organizer_id: Some(id),
            ..EventFilter::default()
        };
        let first = PageRequest { limit: 1, after: None };
        has_events = !events::list(&mut db, filter, first).await?.items.is_empty();
    }
    if let Some(id) = state.event(&page) {
        let unknown = || Problem::not_found("event, or it is not yours");
        let event = events::get(&mut db, id.parse::<EventId>().map_err(|_| unknown())?).await?;
        if principal.organizer.is_some_and(|own| own != event.organizer_id) {
            return Err(unknown());
        }
        zone = event.value.timezone;
    }
    Ok(Asking {
        lake,
        principal,
        page,
        state,
        zone: zone.parse().unwrap_or(Tz::UTC),
        has_events,
        drills: true,
    })
}

/// What a page's address means for who is logged in. Pages for the platform do not exist for others.
pub async fn looked_at(app: &App, identity: &Identity, page: &str, state: &str) -> Result<Asking> {
    let (page, mut state) = checked(app, page, state)?;
    if page.audience == Audience::Platform && !identity.is_platform() {
        return Err(Problem::not_found("dashboard"));
    }
    state.organizer = organizer(identity, state.organizer);
    let principal = identity.principal(state.organizer)?;
    asking(app, principal, page, state).await
}

/// What is shared, for who has the link.
pub async fn shared(app: &App, shared: &Shared) -> Result<Asking> {
    let (page, state) = checked(app, &shared.page, &shared.state)?;
    if page.audience == Audience::Platform || shared.principal.organizer.is_none() {
        return Err(Problem::not_found("dashboard"));
    }
    let principal = Principal {
        personal_data: false,
        ..shared.principal.clone()
    };
    let asking = asking(app, principal, page.public(), state).await?;
    Ok(Asking {
        drills: false,
        ..asking
    })
}

/// The one that is asked for, or the first that the identity may read; None for the platform, which sees all of them.
pub fn organizer(identity: &Identity, asked: Option<OrganizerId>) -> Option<OrganizerId> {
    if asked.is_some() || identity.is_platform() {
        return asked;
    }
    let own = identity.organizers();
    let readable = own.iter().find(|id| identity.may(**id, Permission::ReadLake));
    readable.or(own.first()).copied()
}
