//! The command line, with a server on the folder and without.

use serde_json::{Value, json};
use std::process::Output;
use tests::{Buyer, Home, Show};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn sql_answers_alike_with_a_server_and_without() {
    let home = Home::new();
    let server = home.serve();
    let show = Show::open(&server.admin(), None, 700);
    Buyer {
        client: server.public(),
        show: &show,
    }
    .buy(3);
    let paid = "select count(*) as orders, sum(quantity) as tickets from orders where status = 'paid'";
    crate::shared::eventually_counts(&server.admin(), "select count(*) from orders where status = 'paid'", 1);

    let formats = |home: &Home| ["table", "csv", "json"].map(|format| home.output(&["sql", "--format", format, paid]));
    let with_server = formats(&home);
    server.stop();
    let without = formats(&home);
    assert_eq!(with_server, without);
    assert_eq!(without[1], "orders,tickets\n1,3\n");
    assert_eq!(
        serde_json::from_str::<Value>(&without[2]).unwrap(),
        json!([{ "orders": 1, "tickets": 3 }])
    );
    assert!(without[0].contains("| 1      | 3       |"), "{}", without[0]);

    let file = home.beside("orders.parquet");
    home.output(&["sql", "--format", "parquet", "--output", file.to_str().unwrap(), paid]);
    assert!(std::fs::read(&file).unwrap().starts_with(b"PAR1"));
    let failed = home.run(&["sql", "select nothing"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).contains("nothing"), "{}", stderr(&failed));
    assert!(failed.stdout.is_empty());
}

#[test]
fn audit_and_status_speak_to_people_and_to_programs() {
    let home = Home::new();
    let server = home.serve();
    Show::open(&server.admin(), None, 700);
    assert!(home.output(&["audit"]).contains("clean at position"));
    assert!(home.output(&["status"]).contains("running"));
    server.stop();
    let report: Value = serde_json::from_str(&home.output(&["audit", "--json"])).unwrap();
    assert_eq!(report["clean"], true);
    let status: Value = serde_json::from_str(&home.output(&["status", "--json"])).unwrap();
    assert_eq!(status["behind"], 0);
}

#[test]
fn every_command_has_help_and_a_wrong_one_is_explained() {
    let home = Home::new();
    for command in [
        &["serve"][..],
        &["demo"],
        &["sql"],
        &["import"],
        &["import", "meetup"],
        &["import", "rladies"],
        &["audit"],
        &["status"],
    ] {
        let help = home.output(&[command, &["--help"]].concat());
        assert!(
            help.contains("Usage: bilten") && help.contains("--home"),
            "{command:?}: {help}"
        );
    }
    let wrong = home.run(&["sing"]);
    assert_eq!(wrong.status.code(), Some(2));
    let missing = home.run(&["import", "meetup", "/no/such/folder"]);
    assert!(
        !missing.status.success() && stderr(&missing).contains("/no/such/folder"),
        "{}",
        stderr(&missing)
    );
}

#[test]
fn a_backend_that_is_not_there_is_named() {
    let home = Home::new();
    for (variable, url) in [
        ("DATABASE_URL", "mongodb://x"),
        ("EVENT_LOG_URL", "carrier-pigeon://x"),
        ("LAKE_URL", "ftp://x"),
    ] {
        let output = home
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .env(variable, url)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{variable}={url}");
        let told = stderr(&output);
        assert!(told.contains("can't be opened") && !told.contains("panicked"), "{told}");
    }
}
