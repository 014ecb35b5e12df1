//! What an organizer takes away: CSV, XLSX and Parquet, opened by other programs.

use crate::shared::{eventually_counts, server};
use serde_json::{Value, json};
use std::process::Command;
use tests::{Buyer, Client, Purchase, Show, python::python, scan, token};

/// Buys one ticket under this name.
fn buy_as(client: &Client, show: &Show, name: &str) -> Purchase {
    let hold = client.post("/v1/holds", &show.hold_body(1)).expect(201);
    let mut order = tests::order_body(&hold, "test_manual");
    order["buyer"]["name"] = json!(name);
    order["buyer"]["phone"] = json!("+43 1 234");
    Purchase::of(&client.post("/v1/orders", &order).expect(201))
}

fn export(client: &Client, show: &Show, file: &str) -> Vec<u8> {
    let answer = client.get(&show.of_event(&format!("exports/{file}")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let disposition = format!("attachment; filename=\"{file}\"");
    assert_eq!(answer.header("content-disposition"), Some(disposition.as_str()));
    assert!(answer.header("bilten-position").is_some());
    answer.body
}

fn csv_rows(bytes: &[u8]) -> Vec<serde_json::Map<String, Value>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        header
            .iter()
            .map(str::to_owned)
            .zip(row.iter().map(Value::from))
            .collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// The rows of an XLSX or Parquet file, as openpyxl or pyarrow reads them.
fn read_by_python(bytes: &[u8], file: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, bytes).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_export.py");
    let output = Command::new(python()).arg(script).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn case_46_export_cells_are_neutralised() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 1_250);
    let public = shared.server.public();
    let names = [
        "=cmd|' /C calc'!A0",
        "@SUM(A1:A9)",
        "\u{ff1d}1+1",
        "-2+3",
        "Ada, \"the\" Countess",
    ];
    for name in names {
        buy_as(&public, &show, name);
    }
    eventually_counts(
        &admin,
        &format!("select count(*) from orders where event_id = '{}'", show.event_id),
        5,
    );
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    let csv = csv_rows(&export(&manager, &show, "orders.csv"));
    let xlsx = read_by_python(&export(&manager, &show, "orders.xlsx"), "orders.xlsx");
    let harmless = [
        "'=cmd|' /C calc'!A0",
        "'@SUM(A1:A9)",
        "'\u{ff1d}1+1",
        "'-2+3",
        "Ada, \"the\" Countess",
    ];
    for (index, name) in harmless.iter().enumerate() {
        assert_eq!(csv[index]["buyer_name"], *name);
        assert_eq!(xlsx[index]["buyer_name"], *name, "{xlsx:?}");
        assert_eq!(
            (&csv[index]["total"], &csv[index]["total_minor"]),
            (&json!("12.50"), &json!("1250"))
        );
        assert_eq!(
            (&xlsx[index]["total"], &xlsx[index]["total_minor"]),
            (&json!(12.5), &json!(1250))
        );
        assert_eq!(xlsx[index]["buyer_phone"], "'+43 1 234");
    }
    let parquet = read_by_python(&export(&manager, &show, "orders.parquet"), "orders.parquet");
    assert_eq!(
        parquet[0]["buyer_name"], names[0],
        "what no spreadsheet opens stays as it is"
    );
    assert_eq!(parquet[0]["total_minor"], 1250);
}

#[test]
fn a_scan_that_was_taken_back_says_so_and_let_nobody_in() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let shown = scan(&buyer.codes(&buyer.buy(1))[0]);
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    door.post(&show.redeem_path(), &shown).expect(200);
    let of_event = |from: &str| format!("select count(*) from {from} event_id = '{}'", show.event_id);
    eventually_counts(&admin, &of_event("check_ins where"), 1);
    let rows = |what: &str| csv_rows(&export(&admin, &show, &format!("{what}.csv")));
    assert_ne!(rows("tickets")[0]["first_entry_at"], "");
    assert_eq!(rows("check-ins")[0]["annulled_at"], "");
    let annul = format!("/v1/check-in-lists/{}/annul", show.check_in_list_id);
    door.post(&annul, &json!({ "nonce": shown["nonce"] })).expect(200);
    eventually_counts(&admin, &of_event("check_ins where annulled_at is not null and"), 1);
    assert_eq!(rows("tickets")[0]["first_entry_at"], "");
    assert_ne!(rows("check-ins")[0]["annulled_at"], "");
}

#[test]
fn personal_data_is_exported_for_who_may_read_orders() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    let codes = buyer.codes(&purchase);
    admin.post(&show.redeem_path(), &scan(&codes[0])).expect(200);
    admin.post(&show.redeem_path(), &scan("no code of ours")).expect(200);
    eventually_counts(
        &admin,
        &format!("select count(*) from check_ins where event_id = '{}'", show.event_id),
        2,
    );
    let [manager, analyst, door] =
        ["manager", "analyst", "door"].map(|role| shared.server.bearer(&token(&admin, &show.organizer_id, role)));
    let rows = |client: &Client, what: &str| csv_rows(&export(client, &show, &format!("{what}.csv")));
    for (what, column, count) in [
        ("orders", "buyer_email", 1),
        ("tickets", "attendee_email", 2),
        ("check-ins", "attendee_email", 2),
    ] {
        let (with, without) = (rows(&manager, what), rows(&analyst, what));
        assert_eq!((with.len(), without.len()), (count, count), "{what}");
        assert!(
            with.iter().any(|row| row[column].as_str().unwrap().starts_with("ada")),
            "{with:?}"
        );
        assert!(!json!(without).to_string().contains("ada"), "{without:?}");
        assert!(!without[0].contains_key(column), "{without:?}");
        door.get(&show.of_event(&format!("exports/{what}.csv")))
            .problem(403, "forbidden");
        let xlsx = read_by_python(&export(&manager, &show, &format!("{what}.xlsx")), "file.xlsx");
        assert_eq!(xlsx.len(), count, "{what}");
    }
    let tickets = rows(&manager, "tickets");
    let entered = tickets.iter().filter(|row| row["first_entry_at"] != "").count();
    assert_eq!((entered, tickets[0]["ticket_type"].as_str()), (1, Some("Regular")));
    let scans = rows(&manager, "check-ins");
    let accepted: Vec<_> = scans.iter().map(|row| row["accepted"].as_str().unwrap()).collect();
    assert_eq!(accepted, ["true", "false"]);
    manager
        .get(&show.of_event("exports/orders.pdf"))
        .problem(404, "not_found");
    let other = Show::open(&admin, None, 700);
    manager
        .get(&other.of_event("exports/orders.csv"))
        .problem(404, "not_found");
}

#[test]
fn an_event_without_orders_has_files_with_a_header_alone() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let csv = String::from_utf8(export(&admin, &show, "orders.csv")).unwrap();
    assert!(
        csv.starts_with("code,status,quantity,total,total_minor,currency,promo_code,buyer_name,"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 1);
    for file in ["orders.xlsx", "orders.parquet"] {
        assert!(read_by_python(&export(&admin, &show, file), file).is_empty(), "{file}");
    }
}
