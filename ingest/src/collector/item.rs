//! One interaction as a client sends it. Text is borrowed from the request; only what must be written anew is.

use super::{PROPERTIES_LIMIT, visitors::DayKey};
use domain::{EventId, InteractionId, OrganizerId, PersonId, Timestamp, interaction::InteractionKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range, str::FromStr};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    interaction_id: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    organizer_id: Text<'a>,
    #[serde(borrow)]
    event_id: Option<Text<'a>>,
    #[serde(borrow)]
    visitor_id: Text<'a>,
    #[serde(borrow)]
    person_id: Option<Text<'a>>,
    #[serde(borrow)]
    session_id: Text<'a>,
    #[serde(borrow)]
    occurred_at: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    referrer: Option<Text<'a>>,
    #[serde(borrow)]
    utm_source: Option<Text<'a>>,
    #[serde(borrow)]
    utm_medium: Option<Text<'a>>,
    #[serde(borrow)]
    utm_campaign: Option<Text<'a>>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    consent: Option<Consent>,
}

/// What the visitor agreed to. Not to say so is not to agree.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    #[serde(default)]
    analytics: bool,
}

/// Serde borrows a `Cow` inside of an `Option` only when it is wrapped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Why one item is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    pub index: usize,
    pub code: &'static str,
    pub message: String,
    pub field: Option<&'static str>,
}

#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
    pub(super) now: Timestamp,
}

/// [`domain::interaction::Interaction`] with borrowed text; a test holds the two together.
#[derive(Serialize)]
pub(super) struct Checked<'a> {
    interaction_id: InteractionId,
    kind: InteractionKind,
    organizer_id: OrganizerId,
    event_id: Option<EventId>,
    visitor_id: Cow<'a, str>,
    person_id: Option<PersonId>,
    session_id: Cow<'a, str>,
    occurred_at: Timestamp,
    received_at: Timestamp,
    url: Option<Cow<'a, str>>,
    referrer: Option<Cow<'a, str>>,
    utm_source: Option<Cow<'a, str>>,
    utm_medium: Option<Cow<'a, str>>,
    utm_campaign: Option<Cow<'a, str>>,
    properties: &'a str,
}

impl Rejection {
    fn new(code: &'static str, field: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            index: 0,
            code,
            message: message.into(),
            field,
        }
    }

    pub(super) fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }
}

impl<'a> Item<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Rejection> {
        serde_json::from_slice(text).map_err(|error| explain(text, &error))
    }

    pub(super) fn check(self, limits: Limits, key: &DayKey) -> Result<Checked<'a>, Rejection> {
        let organizer_id: OrganizerId = id("organizer_id", &self.organizer_id)?;
        let visitor_id = short("visitor_id", self.visitor_id, 128)?;
        let person_id = optional_id("person_id", self.person_id.as_ref())?;
        let known = self.consent.unwrap_or_default().analytics;
        let visitor_id = match known {
            true => visitor_id,
            false => key.name(organizer_id.as_uuid().as_bytes(), &visitor_id).into(),
        };
        Ok(Checked {
            interaction_id: id("interaction_id", &self.interaction_id)?,
            kind: parsed("unknown_kind", "kind", &self.kind)?,
            organizer_id,
            event_id: optional_id("event_id", self.event_id.as_ref())?,
            visitor_id,
            person_id: person_id.filter(|_| known),
            session_id: short("session_id", self.session_id, 128)?,
            occurred_at: occurred_at(self.occurred_at.as_ref(), limits)?,
            received_at: limits.now,
            url: optional("url", self.url, 2048)?,
            referrer: optional("referrer", self.referrer, 2048)?,
            utm_source: optional("utm_source", self.utm_source, 256)?,
            utm_medium: optional("utm_medium", self.utm_medium, 256)?,
            utm_campaign: optional("utm_campaign", self.utm_campaign, 256)?,
            properties: properties(self.properties)?,
        })
    }
}

impl Checked<'_> {
    pub(super) fn id(&self) -> u128 {
        self.interaction_id.as_uuid().as_u128()
    }

    /// Appends key and value, and tells where they stand.
    pub(super) fn encode(&self, into: &mut Vec<u8>) -> (Range<usize>, Range<usize>) {
        let start = into.len();
        let mut organizer = [0; 36];
        into.extend_from_slice(
            self.organizer_id
                .as_uuid()
                .hyphenated()
                .encode_lower(&mut organizer)
                .as_bytes(),
        );
        into.push(b':');
        into.extend_from_slice(self.visitor_id.as_bytes());
        let middle = into.len();
        #[expect(
            clippy::expect_used,
            reason = "a struct of text and numbers, and memory takes all of it"
        )]
        serde_json::to_writer(&mut *into, self).expect("an interaction has a JSON form");
        (start..middle, middle..into.len())
    }
}

fn parsed<T: FromStr<Err = domain::Invalid>>(
    code: &'static str,
    field: &'static str,
    text: &Text<'_>,
) -> Result<T, Rejection> {
    text.0
        .parse()
        .map_err(|domain::Invalid(why)| Rejection::new(code, Some(field), why))
}

fn id<T: FromStr<Err = domain::Invalid>>(field: &'static str, text: &Text<'_>) -> Result<T, Rejection> {
    parsed("invalid_id", field, text)
}

fn optional_id<T: FromStr<Err = domain::Invalid>>(
    field: &'static str,
    text: Option<&Text<'_>>,
) -> Result<Option<T>, Rejection> {
    text.map(|text| id(field, text)).transpose()
}

fn short<'a>(field: &'static str, text: Text<'a>, most: usize) -> Result<Cow<'a, str>, Rejection> {
    match text.0.len() {
        0 => Err(Rejection::new("empty", Some(field), format!("{field} can't be empty"))),
        len if len > most => {
            let why = format!("{field} has at most {most} bytes, this one has {len}");
            Err(Rejection::new("too_long", Some(field), why))
        }
        _ if text.0.chars().any(char::is_control) => {
            let why = format!("{field} has no control characters");
            Err(Rejection::new("invalid_text", Some(field), why))
        }
        _ => Ok(text.0),
    }
}

/// An empty text says as much as none.
fn optional<'a>(field: &'static str, text: Option<Text<'a>>, most: usize) -> Result<Option<Cow<'a, str>>, Rejection> {
    text.filter(|text| !text.0.is_empty())
        .map(|text| short(field, text, most))
        .transpose()
}

fn occurred_at(text: Option<&Text<'_>>, limits: Limits) -> Result<Timestamp, Rejection> {
    let Some(text) = text else { return Ok(limits.now) };
    let at = parsed("invalid_time", "occurred_at", text)?;
    if at > limits.latest || at < limits.earliest {
        let why =
            "an interaction happened at most 30 days ago and not more than 5 minutes ahead of this server's clock";
        return Err(Rejection::new("time_out_of_range", Some("occurred_at"), why));
    }
    Ok(at)
}

fn properties(raw: Option<&RawValue>) -> Result<&str, Rejection> {
    let text = raw.map_or("{}", RawValue::get);
    if !text.starts_with('{') {
        return Err(Rejection::new(
            "wrong_type",
            Some("properties"),
            "properties are a JSON object",
        ));
    }
    if text.len() > PROPERTIES_LIMIT {
        let why = format!(
            "properties have at most {PROPERTIES_LIMIT} bytes, these have {}",
            text.len()
        );
        return Err(Rejection::new("too_long", Some("properties"), why));
    }
    Ok(text)
}

/// Field, whether it must be there, and what it is.
const FIELDS: [(&str, bool, &str); 15] = [
    ("interaction_id", true, "text"),
    ("kind", true, "text"),
    ("organizer_id", true, "text"),
    ("event_id", false, "text"),
    ("visitor_id", true, "text"),
    ("person_id", false, "text"),
    ("session_id", true, "text"),
    ("occurred_at", false, "text"),
    ("url", false, "text"),
    ("referrer", false, "text"),
    ("utm_source", false, "text"),
    ("utm_medium", false, "text"),
    ("utm_campaign", false, "text"),
    ("properties", false, "an object"),
    ("consent", false, "an object such as {\"analytics\": true}"),
];

/// Looks again, slowly, for what is wrong: serde tells where in the text, but not in which field.
fn explain(text: &[u8], error: &serde_json::Error) -> Rejection {
    let object = match serde_json::from_slice(text) {
        Ok(serde_json::Value::Object(object)) => object,
        Ok(_) => return Rejection::new("wrong_type", None, "an interaction is a JSON object"),
        Err(error) => return Rejection::new("invalid_json", None, format!("this is no JSON: {error}")),
    };
    for (name, required, kind) in FIELDS {
        let fits = match object.get(name) {
            None if required => {
                return Rejection::new("missing_field", Some(name), format!("{name} is missing"));
            }
            None | Some(serde_json::Value::Null) => !required,
            Some(value) if kind == "text" => value.is_string(),
            Some(value) if name == "consent" => serde_json::from_value::<Consent>(value.clone()).is_ok(),
            Some(_) => true,
        };
        if !fits {
            return Rejection::new("wrong_type", Some(name), format!("{name} must be {kind}"));
        }
    }
    match object.keys().find(|key| FIELDS.iter().all(|(name, ..)| name != key)) {
        Some(unknown) => {
            let shown: String = unknown.chars().take(64).collect();
            Rejection::new(
                "unknown_field",
                None,
                format!("{shown:?} is no field of an interaction"),
            )
        }
        None => Rejection::new("invalid_json", None, error.to_string()),
    }
}
