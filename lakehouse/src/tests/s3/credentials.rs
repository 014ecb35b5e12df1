//! Who the lake says it is.

use super::*;
use std::{env, process::Command, time::Instant};

/// The address of the lake that a process of this test opens.
const OPENS: &str = "BILTEN_TEST_OPENS";
const NAME: &str = "a_profiles_credentials_are_used_with_an_endpoint_too";

/// The environment belongs to a whole process, so this one runs itself once more in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profiles_credentials_are_used_with_an_endpoint_too() {
    if let Ok(url) = env::var(OPENS) {
        let lake = Lake::open(&url, manual()).await.unwrap();
        lake.publish(publish(&[order(1, 1, "o1", 1, 1250)])).await.unwrap();
        return lake.close().await.unwrap();
    }
    let Some(place) = S3::on_server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let key = |name: &str| env::var(name).unwrap();
    let profile = |name: &str, secret: &str| {
        let id = key("AWS_ACCESS_KEY_ID");
        format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    };
    let (wrong, right) = (
        profile("default", "wrong"),
        profile("tickets", &key("AWS_SECRET_ACCESS_KEY")),
    );
    std::fs::write(&file, wrong + &right).unwrap();
    let open_as = |profile: &str| {
        let module = module_path!().split_once("::").unwrap().1;
        let mut opens = Command::new(env::current_exe().unwrap());
        opens.args(["--exact", "--nocapture", &format!("{module}::{NAME}")]);
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            opens.env_remove(name);
        }
        opens.env(OPENS, format!("{}&region=us-east-1", place.url()));
        opens
            .env("AWS_SHARED_CREDENTIALS_FILE", &file)
            .env("AWS_PROFILE", profile);
        opens.env("AWS_CONFIG_FILE", folder.path().join("config"));
        let started = Instant::now();
        let output = opens.output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), told.into_owned())
    };
    let (opened, told) = open_as("default");
    assert!(!opened && told.contains("SignatureDoesNotMatch"), "{told}");
    let (opened, told) = open_as("tickets");
    assert!(opened, "{told}");
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    assert_eq!(
        number(&lake, &admin(), "select sum(total_minor) from orders").await,
        1250
    );
}
