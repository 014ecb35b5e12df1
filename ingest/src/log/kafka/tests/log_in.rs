//! Logging in at a real broker, with what the URL says.

use super::*;

/// Kafka is there and says no, so nothing is gained by waiting for it as for one that starts. A question that is not
/// answered takes 3 s, and a busy machine may need a second one.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

/// The listener that wants a user and a password; None where tests are to do without servers.
struct LogIn {
    world: World,
    server: String,
    user: String,
    password: String,
}

impl LogIn {
    fn new() -> Option<Self> {
        Some(Self {
            world: World::new()?,
            server: of_services("BILTEN_TEST_KAFKA_SASL")?,
            user: of_services("BILTEN_TEST_KAFKA_USER")?,
            password: of_services("BILTEN_TEST_KAFKA_PASSWORD")?,
        })
    }

    fn url(&self, mechanism: &str, user: &str, password: &str) -> String {
        let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        format!(
            "kafka://{}?topic_prefix={}&security.protocol=SASL_PLAINTEXT&sasl.mechanism={mechanism}\
             &sasl.username={}&sasl.password={}",
            self.server,
            self.world.prefix,
            encode(user),
            encode(password)
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_with_the_right_password_appends_reads_and_is_in_a_group() {
    let Some(log_in) = LogIn::new() else { return };
    let url = log_in.url("PLAIN", &log_in.user, &log_in.password);
    let log = crate::log::open(&url, LogOptions::default()).await.unwrap();
    log.append(CHANGES, 0, vec![record("1"), record("2")]).await.unwrap();
    assert_eq!(read_exactly(&*log, 0, 2).await[1].record, record("2"));
    let member = log.join("sinks").await.unwrap();
    let all = (0..4)
        .map(|n| (CHANGES.to_owned(), n))
        .chain((0..2).map(|n| (INTERACTIONS.to_owned(), n)));
    contract::until_they_have(&all.collect(), &[&*member]).await;
    // The same log by the way that asks nobody.
    let open = log_in.world.open().await;
    assert_eq!(read_exactly(&*open, 0, 2).await[0].record, record("1"));
    member.leave().await;
    log.close().await;
    open.close().await;
    log_in.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_so_at_once_and_without_the_password() {
    let Some(log_in) = LogIn::new() else { return };
    for (mechanism, user, password) in [
        ("PLAIN", &*log_in.user, "hunter2"),
        ("PLAIN", "nobody", &*log_in.password),
        ("SCRAM-SHA-512", &*log_in.user, &*log_in.password),
    ] {
        let asked = Instant::now();
        let url = log_in.url(mechanism, user, password);
        let opened = tokio::time::timeout(2 * REFUSED_WITHIN, crate::log::open(&url, LogOptions::default())).await;
        let opened = opened.expect("it does not wait");
        let (error, took) = (opened.map(drop).unwrap_err(), asked.elapsed());
        println!("{mechanism} as {user}, refused after {took:?}: {error}");
        assert!(
            matches!(error, LogError::Refused { .. }),
            "{mechanism} as {user}: {error:?}"
        );
        assert!(took < REFUSED_WITHIN, "{mechanism} as {user}: {took:?}");
        assert!(!error.is_transient(), "{error}");
        let said = format!("{error} {error:?}");
        assert!(said.contains("SASL") && !said.contains(password), "{said}");
    }
}
