//! Mails to an SMTP server.

use super::{MailError, MailPort};
use anyhow::{Context, Result};
use async_trait::async_trait;
use domain::MailId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, transport::smtp};
use std::time::Duration;

/// For each step of the exchange.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// Without a word on TLS, `smtp://` encrypts where the server can; `smtps://` always does.
    pub(super) fn open(address: &str, tls: Option<&str>) -> Result<Self> {
        let url = match tls {
            Some("tls=none") => address.to_owned(),
            Some(tls) => format!("{address}?{tls}"),
            None if address.starts_with("smtp://") => format!("{address}?tls=opportunistic"),
            None => address.to_owned(),
        };
        // Its own error quotes the URL, which has a password in it.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).ok();
        let builder = builder.context("MAIL_URL is not of the form smtp://USER:PASSWORD@HOST:PORT?tls=required")?;
        Ok(Self(builder.timeout(Some(PATIENCE)).build()))
    }
}

#[async_trait]
impl MailPort for Smtp {
    async fn send(&self, _: MailId, mail: &Message) -> Result<(), MailError> {
        match self.0.send(mail.clone()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// What the server keeps is the server's.
    async fn forget(&self, _: MailId) -> Result<()> {
        Ok(())
    }
}

/// Servers repeat the address in what they say, so only their code is kept.
fn refusal(error: &smtp::Error) -> MailError {
    match error.status() {
        Some(code) if error.is_permanent() => MailError::Refused(format!("the mail server answered {code}")),
        Some(code) => MailError::Unavailable(format!("the mail server answered {code}")),
        None if error.is_timeout() => MailError::Unavailable("the mail server does not answer".into()),
        None if error.is_tls() => MailError::Unavailable("the mail server's TLS fails".into()),
        None => MailError::Unavailable("the mail server can't be reached".into()),
    }
}
