//! Schemathesis reads the description of the API and asks every route for the right and the wrong: no answer is a fault
//! of the server, and each has the form that the description says.

use serde_json::json;
use std::process::Command;
use tests::{Home, Show, python::python};

/// How long it looks for faults, in seconds; more by `BILTEN_FUZZ_SECONDS`.
const SECONDS: &str = "60";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn no_request_makes_the_server_fail_or_answer_out_of_form() {
    let home = Home::new();
    let server = home.serve_with(|command| command.args(["--rate-limit", "0"]));
    let admin = server.admin();
    let show = Show::open(&admin, Some(1_000), 1_200);
    admin.post(&show.of_event("publish"), &json!({}));
    let seconds = std::env::var("BILTEN_FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.into());
    let looked = Command::new(python().with_file_name("schemathesis"))
        .arg("run")
        .arg(format!("http://{}/openapi.json", server.address()))
        .args(["--header", &format!("Authorization: Bearer {}", server.admin_token())])
        .args([
            "--checks",
            CHECKS,
            "--phases",
            "examples,coverage,fuzzing",
            "--max-time",
            &seconds,
        ])
        .args([
            "--continue-on-failure",
            "--workers",
            "2",
            "--no-color",
            "--warnings",
            "off",
        ])
        // Its body is lines of JSON, which the tool can't write; `imports.rs` tries the wrong ones.
        .args(["--exclude-path", "/v1/imports"])
        .current_dir(home.beside(""))
        .output()
        .expect("schemathesis stands beside Python: see tests/python/requirements.txt");
    let told = String::from_utf8_lossy(&looked.stdout);
    eprintln!(
        "{}",
        told.lines()
            .rev()
            .take(12)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert!(
        looked.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&looked.stderr)
    );
    assert!(!server.log().contains("panicked"), "{}", server.log());
    assert_eq!(admin.post("/v1/audit", &json!({})).expect(200)["clean"], true);
    server.stop();
}
