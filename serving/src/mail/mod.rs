//! Mail: a port with two adapters, a folder and an SMTP server. What is to be sent stands in the core's `mail_outbox`;
//! the job `jobs::mail` takes it from there.

#[cfg(test)]
mod contract;
mod file;
mod smtp;
mod table;
mod text;
mod when;

pub use text::compose;
pub use when::days_in_words;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use domain::MailId;
use lettre::{Message, message::Mailbox};
use std::sync::Arc;

/// Takes mails. `send` answers when the mail is accepted: then it is somebody else's to deliver, and it survives a
/// crash of this process. Sending a mail again under the same id does no harm: a folder has it once, and over SMTP it
/// has the same Message-ID.
#[async_trait]
pub trait MailPort: Send + Sync {
    async fn send(&self, id: MailId, mail: &Message) -> Result<(), MailError>;

    /// Removes what the port itself keeps of a mail, if it keeps any.
    async fn forget(&self, id: MailId) -> Result<()>;
}

/// A mail that was not accepted. What it says names nobody, for it ends in logs and tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailError {
    /// This mail will never be accepted.
    Refused(String),
    /// Another attempt may end differently.
    Unavailable(String),
}

/// An open port, and who its mails come from.
#[derive(Clone)]
pub struct Mailer {
    pub port: Arc<dyn MailPort>,
    pub from: Mailbox,
}

const FROM: &str = "Bilten <bilten@localhost.localdomain>";

/// `file://DIR`, `smtp://…` or `smtps://…`, each with `?from=ADDRESS`.
pub fn open(url: &str) -> Result<Mailer> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut from, mut rest) = (FROM.to_owned(), Vec::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "from" => from = value.into_owned(),
            "tls" => rest.push(format!("tls={value}")),
            _ => bail!("MAIL_URL knows the settings from and tls, and not {name}"),
        }
    }
    let from = from.parse().context("in MAIL_URL, from is not an e-mail address")?;
    let port: Arc<dyn MailPort> = match address.split_once("://") {
        Some(("file", folder)) => Arc::new(file::Folder::open(folder.into())?),
        Some(("smtp" | "smtps", _)) => Arc::new(smtp::Smtp::open(address, rest.first().map(String::as_str))?),
        _ => bail!("a mail URL has the form file://DIR, smtp://USER:PASSWORD@HOST:PORT or smtps://…"),
    };
    Ok(Mailer { port, from })
}
