//! What routes of reports, alert rules, links and saved questions share.

use crate::{problem::Result, wiring::App};
use domain::{OrganizerId, changes::ListedRecipient, message::Language};
use serde::Serialize;
use transactional::{Source, insights, names};
use utoipa::ToSchema;

/// Who made a thing.
#[derive(Clone, Serialize, ToSchema)]
pub struct Maker {
    /// As the audit log has it.
    #[schema(example = "user:01932c07-1d5a-7cc0-8000-000000000001")]
    actor: String,
    /// None: it has no name, or none any more.
    #[schema(example = "Ada")]
    name: Option<String>,
}

/// Somebody who gets mails of it.
#[derive(Serialize, ToSchema)]
pub struct RecipientView {
    user_id: String,
    #[schema(example = "Ada")]
    name: String,
}

impl Maker {
    /// One for each of these actors.
    pub(super) async fn all<'a>(app: &App, actors: impl Iterator<Item = &'a str>) -> Result<Vec<Self>> {
        let reference = |actor: &str| match actor.split_once(':')? {
            ("user", id) => Some(("user".to_owned(), id.to_owned())),
            ("token", id) => Some(("api_token".to_owned(), id.to_owned())),
            _ => None,
        };
        let actors: Vec<&str> = actors.collect();
        let wanted = actors.iter().filter_map(|actor| reference(actor)).collect();
        let names = names::names(&mut app.store.read().await?, &wanted).await?;
        let maker = |actor: &&str| Self {
            actor: (*actor).to_owned(),
            name: reference(actor).and_then(|reference| names.get(&reference).cloned()),
        };
        Ok(actors.iter().map(maker).collect())
    }
}

/// Those who are members now.
pub(super) async fn recipients(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    listed: &[ListedRecipient],
) -> Result<Vec<RecipientView>> {
    let found = insights::recipients(db, organizer_id, listed).await?;
    let view = |(user_id, name): (domain::UserId, String)| RecipientView {
        user_id: user_id.to_string(),
        name,
    };
    Ok(found.into_iter().map(view).collect())
}

/// The language of mails: the one that is asked for, or the one that is spoken by who asks.
pub(super) fn language(asked: Option<Language>, spoken: Language) -> Language {
    asked.unwrap_or(spoken)
}
