//! What a mail says. A template is a text file in `serving/mail`, one a language: the subject, an empty line, the text.
//! The HTML beside it is the same text with its links made to follow.

use super::{table, when};
use anyhow::{Context, Result, bail};
use domain::{is_hidden, message::Language};
use lettre::{
    Message,
    message::{Mailbox, MultiPart, header},
};
use rust_embed::Embed;
use serde_json::Value;
use std::{fmt::Write, time::SystemTime};
use transactional::mail::{Content, DueMail, Place, Places, Table};

#[derive(Embed)]
#[folder = "mail/"]
struct Templates;

/// Subject, and what follows it.
#[derive(Debug)]
struct Filled {
    subject: String,
    blocks: Vec<Block>,
}

/// What an empty line parts from the rest.
#[derive(Debug)]
enum Block {
    Paragraph(String),
    Table(Table),
}

/// The place that tables stand in, a paragraph of its own.
const TABLES: &str = "{tables}";

/// The mail, ready to be sent: the same each time, but for the boundary between its parts.
pub fn compose(mail: &DueMail, to: &str, from: &Mailbox, public_url: &str) -> Result<Message> {
    let Filled { subject, blocks } = fill(
        &mail.content,
        &mail.places,
        mail.language,
        mail.name.as_deref(),
        public_url,
    )?;
    let micros = mail.created_at.as_micros().max(0).unsigned_abs();
    let date = SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(micros);
    let message = Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.mail_id, from.email.domain())))
        .date(date)
        .from(from.clone())
        .to(Mailbox::new(None, to.parse().context("the address is none for mail")?))
        .subject(subject)
        .header(header::MIME_VERSION_1_0)
        .multipart(MultiPart::alternative_plain_html(
            text(&blocks),
            html(&blocks, mail.language),
        ));
    message.context("the mail can't be put together")
}

fn fill(content: &Content, found: &Places, language: Language, name: Option<&str>, public_url: &str) -> Result<Filled> {
    let Value::Object(mut places) = serde_json::to_value(content)? else {
        bail!("a mail's content is no object");
    };
    let template = places.remove("template").unwrap_or_default();
    let file = format!("{}.{language}.txt", template.as_str().unwrap_or_default());
    let template = Templates::get(&file).with_context(|| format!("there is no template {file}"))?;
    for (name, place) in found {
        let text = match place {
            Place::Text(text) => text.clone(),
            Place::Time { at, timezone } => when::in_words(*at, timezone, language)?,
        };
        places.insert((*name).to_owned(), text.into());
    }
    places.insert("name".into(), name.unwrap_or_default().into());
    places.insert("public_url".into(), public_url.trim_end_matches('/').into());
    let mut paragraphs = std::str::from_utf8(&template.data)?.trim_end().split("\n\n");
    let filled = |paragraph| fill_paragraph(paragraph, &places).with_context(|| file.clone());
    let subject = filled(paragraphs.next().unwrap_or_default())?;
    let mut blocks = Vec::new();
    for paragraph in paragraphs {
        match (paragraph, content) {
            (TABLES, Content::Report { tables, .. }) => blocks.extend(tables.iter().cloned().map(Block::Table)),
            _ => blocks.push(Block::Paragraph(filled(paragraph)?)),
        }
    }
    match blocks.is_empty() {
        true => bail!("{file}: a template has a subject and a text"),
        false => Ok(Filled { subject, blocks }),
    }
}

fn fill_paragraph(template: &str, places: &serde_json::Map<String, Value>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').context("a brace is not closed")?;
        let value = places
            .get(place)
            .with_context(|| format!("nothing is known for {place}"))?;
        filled.push_str(before);
        filled.extend(one_line(value.as_str().unwrap_or_default()));
        rest = after;
    }
    filled.push_str(rest);
    // Without a name, a greeting ends before its comma.
    Ok(filled.replace(" ,", ",").replace(" ،", "،"))
}

/// What people typed can't begin a line of its own: a line could be a header, or a link.
fn one_line(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c })
}

fn text(blocks: &[Block]) -> String {
    let blocks = blocks.iter().map(|block| match block {
        Block::Paragraph(paragraph) => paragraph.clone(),
        Block::Table(table) => table::text(table),
    });
    blocks.collect::<Vec<_>>().join("\n\n") + "\n"
}

fn html(blocks: &[Block], language: Language) -> String {
    let direction = if language.is_right_to_left() { "rtl" } else { "ltr" };
    let head = "<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
    let mut html =
        format!("<!doctype html>\n<html lang=\"{language}\" dir=\"{direction}\">\n<head>\n{head}\n</head>\n<body>\n");
    for block in blocks {
        match block {
            Block::Paragraph(paragraph) => {
                let lines: Vec<String> = paragraph.lines().map(line).collect();
                let _ = writeln!(html, "<p>{}</p>", lines.join("<br>\n"));
            }
            Block::Table(table) => html.push_str(&table::html(table)),
        }
    }
    html + "</body>\n</html>\n"
}

fn line(line: &str) -> String {
    let escaped = escaped(line);
    let is_link = (line.starts_with("https://") || line.starts_with("http://")) && !line.contains(' ');
    match is_link {
        true => format!("<a href=\"{escaped}\">{}</a>", self::escaped(where_to(line))),
        false => escaped,
    }
}

/// The part of a link that tells a reader something: where it leads, without ids and secrets.
fn where_to(link: &str) -> &str {
    let place = link.split_once("://").map_or(link, |(_, place)| place);
    let end = place.find(['?', '#']).unwrap_or(place.len());
    &place[..end]
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AlertRuleId, OrderId, ReportId, WaitingEntryId};

    fn every_content() -> Vec<(Content, Places)> {
        let text = |text: &str| Place::Text(text.to_owned());
        let at = "2026-12-01T20:00:00Z".parse().unwrap();
        let timezone = "Europe/Vienna".to_owned();
        let offer = Places::from([
            ("organizer", text("Jazz im Hof")),
            ("event", text("<b>Late</b> & \"Quartet\"\r\nBcc: eve@example.org")),
            ("secret", text("s3cret")),
            ("at", Place::Time { at, timezone }),
        ]);
        let mut order = offer.clone();
        order.insert("code", text("7F3K"));
        let mut without_time = order.clone();
        without_time.remove("at");
        let refunded = || "25.00 EUR".to_owned();
        let (order_id, waiting_entry_id) = (OrderId::new(), WaitingEntryId::new());
        vec![
            (Content::PasswordReset { token: "t0ken".into() }, Places::new()),
            (Content::PasswordChanged {}, Places::new()),
            (Content::EmailVerification { token: "t0ken".into() }, Places::new()),
            (Content::WaitingListOffer { waiting_entry_id }, offer),
            (Content::OrderApproved { order_id }, order.clone()),
            (Content::OrderDeclined { order_id }, without_time.clone()),
            (
                Content::EventCancelled {
                    order_id,
                    refunded: refunded(),
                },
                without_time.clone(),
            ),
            (
                Content::EventCancelledTill {
                    order_id,
                    refunded: refunded(),
                },
                without_time.clone(),
            ),
            (Content::EventCancelledUnpaid { order_id }, without_time),
        ]
        .into_iter()
        .chain(insights())
        .chain([(Content::OrderLink { order_id }, order)])
        .collect()
    }

    fn insights() -> [(Content, Places); 3] {
        let text = |text: &str| Place::Text(text.to_owned());
        let places = Places::from([
            ("title", text("Sales & more")),
            ("organizer", text("Jazz im Hof")),
            ("organizer_id", text("0190")),
        ]);
        let alert_rule_id = AlertRuleId::new();
        let (what, value) = ("Net sales today".to_owned(), "12.00 EUR".to_owned());
        let condition = "below 100.00 EUR".to_owned();
        [
            (report(), places.clone()),
            (
                Content::AlertFired {
                    alert_rule_id,
                    what: what.clone(),
                    value: value.clone(),
                    condition: condition.clone(),
                },
                places.clone(),
            ),
            (
                Content::AlertSettled {
                    alert_rule_id,
                    what,
                    value,
                    condition,
                },
                places,
            ),
        ]
    }

    fn report() -> Content {
        let cells = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let title = "Late <b>Quartet</b>\u{202E}";
        Content::Report {
            report_id: ReportId::new(),
            page: "overview".into(),
            query: "organizer_id=0190&range=30d".into(),
            period: "26 November 2026".into(),
            tables: vec![
                Table {
                    title: String::new(),
                    head: cells(&["", "Now", "Before"]),
                    rows: vec![cells(&["Net sales", "1,250.00 EUR", "–"])],
                },
                Table {
                    title: "Tickets sold".into(),
                    head: Vec::new(),
                    rows: vec![cells(&[title, "7"]), cells(&["Jazz", "12"])],
                },
            ],
        }
    }

    #[test]
    fn figures_stand_in_columns_and_what_people_typed_stays_text() {
        let [(content, places), ..] = insights();
        let filled = fill(&content, &places, Language::English, Some("Ada"), "https://x.org").unwrap();
        let (text, html) = (text(&filled.blocks), html(&filled.blocks, Language::English));
        assert!(
            text.contains("\n                    Now  Before\nNet sales  1,250.00 EUR       –\n"),
            "{text}"
        );
        assert!(
            text.contains("Tickets sold\nLate <b>Quartet</b>   7\nJazz                 12\n"),
            "{text}"
        );
        assert!(
            text.contains("\nhttps://x.org/dashboards/overview?organizer_id=0190&range=30d\n"),
            "{text}"
        );
        assert!(
            html.contains("<caption") && html.contains("Late &lt;b&gt;Quartet&lt;/b&gt;"),
            "{html}"
        );
        assert!(
            html.contains("&amp;range=30d\">x.org/dashboards/overview</a>") && !html.contains('\u{202E}'),
            "{html}"
        );
        assert!(html.contains("<meta name=\"viewport\""), "{html}");
    }

    #[test]
    fn every_template_is_there_in_every_language_and_every_place_is_filled() {
        let mut used = 0;
        for (content, found) in every_content() {
            for language in Language::ALL {
                let filled = fill(&content, &found, *language, Some("Ada"), "https://shop.example.org/").unwrap();
                used += 1;
                assert!(filled.subject.lines().count() == 1, "{filled:?}");
                let text = text(&filled.blocks);
                assert!(text.contains("Ada"), "{filled:?}");
                assert!(text.contains("\nhttps://shop.example.org/"), "{filled:?}");
                let values = serde_json::to_value(&content).unwrap();
                let own = values.as_object().unwrap().iter();
                let own = own.filter(|(place, _)| *place != "template");
                let unseen = ["report_id", "alert_rule_id"];
                let own = own.filter(|(place, _)| !unseen.contains(&place.as_str()));
                let own = own.filter_map(|(place, value)| Some((place.as_str(), value.as_str()?)));
                let texts = found.iter().map(|(place, value)| match value {
                    Place::Text(text) => (*place, text.as_str()),
                    Place::Time { .. } => (*place, "21:00"),
                });
                for (place, value) in own.chain(texts) {
                    let value: String = one_line(value).collect();
                    let all = format!("{}\n{text}", filled.subject);
                    assert!(all.contains(&value), "{language} {place}");
                }
            }
        }
        assert_eq!(used, Templates::iter().count(), "a template that nothing fills");
    }

    #[test]
    fn what_people_typed_is_neither_markup_nor_a_line_of_its_own() {
        let (content, found) = every_content().pop().unwrap();
        let filled = fill(&content, &found, Language::Arabic, None, "https://shop.example.org").unwrap();
        assert!(!filled.subject.contains(['\r', '\n']));
        let html = html(&filled.blocks, Language::Arabic);
        assert!(
            html.contains("dir=\"rtl\"") && html.contains("&lt;b&gt;Late&lt;/b&gt; &amp;"),
            "{html}"
        );
        assert!(!html.contains("<b>") && !html.contains("\nBcc"), "{html}");
        assert_eq!(html.matches("<a href=\"https://shop.example.org/order#").count(), 1);
        let none = Places::new();
        let nobody = fill(
            &Content::PasswordChanged {},
            &none,
            Language::English,
            None,
            "https://x",
        )
        .unwrap();
        assert!(text(&nobody.blocks).starts_with("Hello,\n"), "{nobody:?}");
    }
}
