use super::*;
use crate::{access::*, mail::Content};
use domain::{UserId, message::Language};
use totp_rs::{Builder, Totp};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse";
/// A moment at the start of a step of 30 seconds.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// An account, and a clock that the test moves.
struct Account {
    world: World,
    id: UserId,
    now: Timestamp,
}

impl Account {
    async fn new() -> Self {
        let world = World::with_capacity(1).await;
        let new = NewUser {
            email: EMAIL.parse().unwrap(),
            name: Some("Ada".into()),
            password: hash_password(PASSWORD.into()).await.unwrap(),
            platform_admin: false,
        };
        let user = world.write(|tx| Box::pin(create_user(tx, new))).await.unwrap();
        Self {
            world,
            id: user.user_id,
            now: START,
        }
    }

    fn later(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    async fn log_in_as(&self, email: &str, password: &str, code: Option<&str>) -> Result<Session> {
        let proof = Proof {
            email: email.parse().unwrap(),
            password: password.into(),
            code: code.map(str::to_owned),
            at: self.now,
        };
        let device = Device {
            user_agent: Some("a browser".into()),
            address: Some("192.0.2.7".into()),
        };
        log_in(&self.world.store, proof, device).await
    }

    async fn log_in(&self, password: &str, code: Option<&str>) -> Result<Session> {
        self.log_in_as(EMAIL, password, code).await
    }

    /// Turns the second factor on: the app that shows its codes, and the recovery codes.
    async fn with_second_factor(&mut self) -> (Totp, Vec<String>) {
        let (id, at) = (self.id, self.now);
        let enrolment = self.world.write(move |tx| Box::pin(enrol(tx, id))).await.unwrap();
        let secret = totp_rs::Secret::try_from_base32(&enrolment.secret).unwrap();
        let app = Builder::new().with_secret(secret.as_bytes().to_vec()).build().unwrap();
        let code = self.code(&app);
        let codes = self
            .world
            .write(move |tx| Box::pin(async move { confirm(tx, id, &code, at).await }))
            .await
            .unwrap();
        (app, codes)
    }

    fn code(&self, app: &Totp) -> String {
        app.generate(self.now.as_micros() as u64 / 1_000_000).to_string()
    }

    /// The token in the newest mail.
    async fn mailed(&self) -> (usize, Option<String>) {
        let mails = crate::mail::due(&self.world.store, Timestamp::now(), 100)
            .await
            .unwrap();
        let token = mails.last().and_then(|mail| match &mail.content {
            Content::PasswordReset { token } | Content::EmailVerification { token } => Some(token.clone()),
            _ => None,
        });
        (mails.len(), token)
    }

    async fn forgot(&self, email: &str) {
        let (email, at) = (email.parse().unwrap(), self.now);
        self.world
            .write(move |tx| Box::pin(ask_for_password_reset(tx, email, Language::German, at)))
            .await
            .unwrap();
    }

    async fn reset(&self, token: &str) -> Result<()> {
        let (token, at) = (token.to_owned(), self.now);
        let password = hash_password("a new password".into()).await.unwrap();
        self.world
            .write(move |tx| Box::pin(async move { reset_password(tx, &token, password, Language::English, at).await }))
            .await
    }
}

#[tokio::test]
async fn failures_lock_the_account_for_longer_each_time_and_an_unknown_address_is_told_the_same() {
    let mut account = Account::new().await;
    for email in ["nobody@example.org", EMAIL] {
        for _ in 0..5 {
            assert_eq!(
                code(account.log_in_as(email, "wrong", None).await),
                "wrong_credentials",
                "{email}"
            );
        }
        assert_eq!(
            code(account.log_in_as(email, PASSWORD, None).await),
            "locked_out",
            "{email}"
        );
    }
    account.later(29);
    assert_eq!(code(account.log_in(PASSWORD, None).await), "locked_out");
    account.later(1);
    assert_eq!(code(account.log_in("wrong", None).await), "wrong_credentials");
    account.later(59);
    assert_eq!(
        code(account.log_in(PASSWORD, None).await),
        "locked_out",
        "twice as long"
    );
    account.later(1);
    account.log_in(PASSWORD, None).await.unwrap();
    for _ in 0..4 {
        assert_eq!(
            code(account.log_in("wrong", None).await),
            "wrong_credentials",
            "it begins anew"
        );
    }
    account.later(25 * 3600);
    assert_eq!(code(account.log_in("wrong", None).await), "wrong_credentials");
    account.log_in(PASSWORD, None).await.unwrap();
}

#[tokio::test]
async fn attempts_at_once_count_before_they_are_looked_at() {
    let account = Account::new().await;
    let attempts = futures::future::join_all((0..30).map(|_| account.log_in("wrong", None))).await;
    let looked_at = attempts.into_iter().filter(|result| {
        let error = result.as_ref().unwrap_err();
        error.code() == "wrong_credentials"
    });
    assert_eq!(looked_at.count(), 5);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_counts_once() {
    let mut account = Account::new().await;
    let (app, _) = account.with_second_factor().await;
    let used = account.code(&app);
    assert_eq!(code(account.log_in(PASSWORD, None).await), "code_needed");
    assert_eq!(code(account.log_in(PASSWORD, Some("  ")).await), "code_needed");
    assert_eq!(
        code(account.log_in(PASSWORD, Some(&used)).await),
        "wrong_code",
        "it confirmed the factor"
    );
    account.later(30);
    let now = account.code(&app);
    assert_eq!(code(account.log_in("wrong", Some(&now)).await), "wrong_credentials");
    account.log_in(PASSWORD, Some(&now)).await.unwrap();
    assert_eq!(
        code(account.log_in(PASSWORD, Some(&now)).await),
        "wrong_code",
        "a second time"
    );
    account.later(30);
    let early = account.code(&app);
    account.later(30);
    account.log_in(PASSWORD, Some(&early)).await.unwrap();
    let slow = account.code(&app);
    account.later(60);
    assert_eq!(
        code(account.log_in(PASSWORD, Some(&slow)).await),
        "wrong_code",
        "two steps ago"
    );
    let mut ahead = Account {
        now: account.now + Duration::from_secs(30),
        ..account
    };
    let fast = ahead.code(&app);
    ahead.now = ahead.now - Duration::from_secs(30);
    ahead.log_in(PASSWORD, Some(&fast)).await.unwrap();
}

#[tokio::test]
async fn guessing_codes_locks_the_account_even_between_questions_for_one() {
    let mut account = Account::new().await;
    let (app, _) = account.with_second_factor().await;
    account.later(300);
    for _ in 0..5 {
        assert_eq!(code(account.log_in(PASSWORD, None).await), "code_needed");
        assert_eq!(code(account.log_in(PASSWORD, Some("000000")).await), "wrong_code");
    }
    assert_eq!(
        code(account.log_in(PASSWORD, Some(&account.code(&app))).await),
        "locked_out"
    );
    account.later(30);
    assert_eq!(
        code(account.log_in(PASSWORD, None).await),
        "code_needed",
        "asking locks nobody"
    );
    account.log_in(PASSWORD, Some(&account.code(&app))).await.unwrap();
}

#[tokio::test]
async fn a_recovery_code_counts_once_and_new_ones_take_the_place_of_the_old() {
    let mut account = Account::new().await;
    let (_, codes) = account.with_second_factor().await;
    assert_eq!(codes.len(), 10);
    let typed = codes[0].to_lowercase().replace('-', " ");
    account.log_in(PASSWORD, Some(&typed)).await.unwrap();
    assert_eq!(code(account.log_in(PASSWORD, Some(&codes[0])).await), "wrong_code");
    let id = account.id;
    let renewed = account
        .world
        .write(move |tx| Box::pin(new_recovery_codes(tx, id)))
        .await
        .unwrap();
    assert_eq!(code(account.log_in(PASSWORD, Some(&codes[1])).await), "wrong_code");
    account.log_in(PASSWORD, Some(&renewed[1])).await.unwrap();
    account.world.write(move |tx| Box::pin(turn_off(tx, id))).await.unwrap();
    account.log_in(PASSWORD, None).await.unwrap();
}

#[tokio::test]
async fn no_secret_of_an_account_stands_in_the_database_as_it_is() {
    let mut account = Account::new().await;
    let id = account.id;
    let enrolment = account.world.write(move |tx| Box::pin(enrol(tx, id))).await.unwrap();
    assert!(
        enrolment.otpauth_uri.starts_with("otpauth://totp/Bilten:ada"),
        "{}",
        enrolment.otpauth_uri
    );
    assert!(enrolment.otpauth_uri.contains(&enrolment.secret));
    let (_, codes) = account.with_second_factor().await;
    account.forgot(EMAIL).await;
    let token = account.mailed().await.1.unwrap();
    for (table, column) in [
        ("users", "totp_secret"),
        ("recovery_codes", "code_hash"),
        ("user_tokens", "token_hash"),
        ("mail_outbox", "data"),
    ] {
        let sql = format!("select {column} as value from {table}");
        let mut db = account.world.store.read().await.unwrap();
        let rows = crate::sql::all(&mut db, sql, vec![]).await.unwrap();
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let value = crate::sql::Columns::text(&row, "value").unwrap();
            for secret in [&enrolment.secret, &codes[0], &token] {
                assert!(!value.contains(secret.as_str()), "{table}.{column}");
            }
        }
    }
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_by_mail_and_all_sessions_end() {
    let mut account = Account::new().await;
    let session_token = account.log_in(PASSWORD, None).await.unwrap().token;
    account.forgot("nobody@example.org").await;
    assert_eq!(account.mailed().await.0, 0);
    account.forgot(EMAIL).await;
    account.forgot(EMAIL).await;
    let (mails, token) = account.mailed().await;
    assert_eq!(mails, 1, "one mail a minute");
    account.later(61);
    account.forgot(EMAIL).await;
    assert_eq!(account.mailed().await.0, 2);
    assert_eq!(code(account.reset("no token").await), "token_invalid");
    account.later(3500);
    account.reset(&token.clone().unwrap()).await.unwrap();
    assert_eq!(code(account.reset(&token.unwrap()).await), "token_invalid", "used");
    let second = account.mailed().await;
    assert_eq!((second.0, second.1), (3, None), "the last mail says that it was done");
    assert_eq!(code(account.log_in(PASSWORD, None).await), "wrong_credentials");
    let opened = account.log_in("a new password", None).await.unwrap();
    assert!(opened.user.email_verified);
    let sessions = open_sessions(&mut account.world.store.read().await.unwrap(), account.id, account.now).await;
    assert_eq!(sessions.unwrap().len(), 1);
    assert!(session(&account.world.store, &session_token).await.unwrap().is_none());
}

#[tokio::test]
async fn a_reset_does_not_last_and_does_not_pass_by_the_second_factor() {
    let mut account = Account::new().await;
    let (app, _) = account.with_second_factor().await;
    account.forgot(EMAIL).await;
    let late = account.mailed().await.1.unwrap();
    account.later(3600);
    assert_eq!(code(account.reset(&late).await), "token_invalid");
    account.forgot(EMAIL).await;
    account.reset(&account.mailed().await.1.unwrap()).await.unwrap();
    assert_eq!(code(account.log_in("a new password", None).await), "code_needed");
    account
        .log_in("a new password", Some(&account.code(&app)))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_address_is_confirmed_by_the_token_for_it_and_no_other() {
    let account = Account::new().await;
    let (id, at) = (account.id, account.now);
    account.forgot(EMAIL).await;
    let reset = account.mailed().await.1.unwrap();
    let world = &account.world;
    let verify = |token: String| world.write(move |tx| Box::pin(async move { verify_email(tx, &token, at).await }));
    assert_eq!(code(verify(reset).await), "token_invalid");
    account
        .world
        .write(move |tx| Box::pin(ask_for_verification(tx, id, Language::English, at)))
        .await
        .unwrap();
    let token = account.mailed().await.1.unwrap();
    verify(token).await.unwrap();
    let user = get_user(&mut account.world.store.read().await.unwrap(), id)
        .await
        .unwrap();
    assert!(user.email_verified);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_alone() {
    let mut account = Account::new().await;
    account.now = Timestamp::now();
    let first = account.log_in(PASSWORD, None).await.unwrap();
    account.later(1);
    let second = account.log_in(PASSWORD, None).await.unwrap();
    account.later(1);
    account.log_in(PASSWORD, None).await.unwrap();
    let store = account.world.store.clone();
    let (id, at) = (account.id, account.now);
    let list = async || open_sessions(&mut store.read().await.unwrap(), id, at).await.unwrap();
    let open = list().await;
    assert_eq!(open.len(), 3);
    assert!(open.is_sorted_by(|a, b| a.created_at > b.created_at), "{open:?}");
    assert_eq!(open[0].device.address.as_deref(), Some("192.0.2.7"));
    let holder = session(&store, &second.token).await.unwrap().unwrap();
    let newest = open[0].session_id;
    let stranger = UserId::new();
    let ended = account
        .world
        .write(move |tx| Box::pin(end_session(tx, stranger, newest)))
        .await;
    assert_eq!(code(ended), "not_found");
    account
        .world
        .write(move |tx| Box::pin(end_session(tx, id, newest)))
        .await
        .unwrap();
    assert_eq!(list().await.len(), 2);
    let keep = holder.session_id;
    let ended = account
        .world
        .write(move |tx| Box::pin(end_other_sessions(tx, id, keep)))
        .await;
    assert_eq!(ended.unwrap(), 1);
    assert!(session(&store, &first.token).await.unwrap().is_none());
    assert!(session(&store, &second.token).await.unwrap().is_some());
}
