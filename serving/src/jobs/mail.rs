//! Sends the mails that wait in the core. A crash between sending one and recording it sends it once more, under the
//! same Message-ID.

use crate::{
    mail::{MailError, Mailer, compose},
    wiring::App,
};
use anyhow::Result;
use domain::Timestamp;
use metrics::counter;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use transactional::mail::{self, Attempt, DueMail};

const EVERY: Duration = Duration::from_secs(1);
const TOGETHER: i64 = 100;

pub async fn run(app: Arc<App>, mailer: Mailer, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = send_due(&app, &mailer, &stop).await {
            tracing::warn!(error = format!("{error:#}"), "mails wait; the next second tries again");
        }
    }
}

async fn send_due(app: &App, mailer: &Mailer, stop: &CancellationToken) -> Result<()> {
    for due in mail::due(&app.store, Timestamp::now(), TOGETHER).await? {
        if stop.is_cancelled() {
            break;
        }
        let attempt = attempt(app, mailer, &due).await;
        let outcome = match &attempt {
            Attempt::Sent => "sent",
            Attempt::Refused(_) => "refused",
            Attempt::Failed(_) => "failed",
            Attempt::NobodyThere => "cancelled",
        };
        counter!("bilten_mails_total", "outcome" => outcome).increment(1);
        if let Attempt::Refused(reason) | Attempt::Failed(reason) = &attempt {
            tracing::warn!(mail = %due.mail_id, reason, "a mail was not accepted");
        }
        let id = due.mail_id;
        app.store
            .write("system", move |tx| {
                Box::pin(async move { mail::record(tx, id, attempt, Timestamp::now()).await })
            })
            .await?;
    }
    Ok(())
}

async fn attempt(app: &App, mailer: &Mailer, due: &DueMail) -> Attempt {
    let Some(to) = &due.to else {
        return Attempt::NobodyThere;
    };
    let message = match compose(due, to.as_str(), &mailer.from, &app.public_url) {
        Ok(message) => message,
        Err(error) => return Attempt::Refused(error.to_string()),
    };
    match mailer.port.send(due.mail_id, &message).await {
        Ok(()) => Attempt::Sent,
        Err(MailError::Refused(reason)) => Attempt::Refused(reason),
        Err(MailError::Unavailable(reason)) => Attempt::Failed(reason),
    }
}
