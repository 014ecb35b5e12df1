//! A person who buys, looks at pages and is then erased: the same story on a laptop and on servers.

use crate::{Client, Purchase, Show, interaction, load::eventually, uuid7};
use serde_json::{Value, json};

pub const OTHERS: [&str; 2] = ["balthasar.vk93@stay.example.org", "Balthasar Vk-Ebert"];

/// What she is known by. Every run has texts of its own, which stand nowhere else.
#[derive(Debug)]
pub struct She {
    pub email: String,
    pub name: String,
    /// The core knows the newer one alone.
    pub phones: [String; 2],
    /// In the addresses of pages that she looked at.
    pub page: String,
}

/// A show with two buyers, her and another.
#[derive(Debug)]
pub struct TwoBuyers {
    pub show: Show,
    pub she: String,
    pub other: String,
}

impl She {
    #[expect(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        let chance: u32 = rand::random();
        let phone = || format!("+48-{:09}", rand::random::<u32>() % 1_000_000_000);
        Self {
            email: format!("zdzislawa.qx{chance:08x}@forget.example.org"),
            name: format!("Zdzisława Qx{chance:08x}-Żółkiewska"),
            phones: [phone(), phone()],
            page: format!("late-quartet-qx{chance:08x}-gallery"),
        }
    }

    /// What must be forgotten.
    pub fn personal(&self) -> [&str; 4] {
        [&self.email, &self.name, &self.phones[0], &self.phones[1]]
    }

    #[track_caller]
    fn buy(&self, public: &Client, show: &Show, phone: &str) {
        buy(public, show, &self.email, &self.name, Some(phone));
    }
}

#[track_caller]
pub fn buy(public: &Client, show: &Show, email: &str, name: &str, phone: Option<&str>) -> Purchase {
    let hold = public.post("/v1/holds", &show.hold_body(2)).expect(201);
    let body = json!({
        "hold_id": hold["hold_id"], "payment_method": "test_ok",
        "buyer": { "email": email, "name": name, "phone": phone },
    });
    let request = public.request("POST", "/v1/orders").json(&body).idempotent(&uuid7());
    Purchase::of(&request.send().expect(201))
}

fn look_at(public: &Client, show: &Show, person: &str, page: &str) {
    let seen: Vec<Value> = (0..5)
        .map(|n| {
            let mut seen = interaction(&show.organizer_id, Some(&show.event_id));
            seen["person_id"] = json!(person);
            seen["url"] = json!(format!("https://shop.example.org/{page}/{n}"));
            seen
        })
        .collect();
    assert_eq!(public.post("/v1/interactions", &json!(seen)).expect(200)["accepted"], 5);
}

/// The id of the person with this address.
pub fn person(query: &Client, email: &str) -> String {
    let sql = format!("select person_id from people where email = '{email}'");
    let rows = eventually("the person is in the lake", || {
        Some(query.sql(&sql)).filter(|rows| !rows.is_empty())
    });
    rows[0]["person_id"].as_str().unwrap().to_owned()
}

/// She buys twice and another once, and both look at pages; all of it is visible afterwards. The operator's clients, of
/// a process that takes commands and of one that answers queries, and anybody's.
pub fn two_buyers(admin: &Client, query: &Client, public: &Client, she: &She) -> TwoBuyers {
    let show = Show::open(admin, None, 1_250);
    she.phones.iter().for_each(|phone| she.buy(public, &show, phone));
    buy(public, &show, OTHERS[0], OTHERS[1], None);
    let (person_id, other) = (person(query, &she.email), person(query, OTHERS[0]));
    look_at(public, &show, &person_id, &she.page);
    look_at(public, &show, &other, "another-page");
    eventually("what both looked at is visible", || {
        (query.count("select count(*) from interactions") == 10).then_some(())
    });
    TwoBuyers {
        show,
        she: person_id,
        other,
    }
}

impl TwoBuyers {
    /// Nothing is known of her any more, and everything else is as before.
    #[track_caller]
    pub fn assert_others_stay(&self, query: &Client) {
        let Self { she, other, .. } = self;
        let nulls = format!(
            "select count(*) from person_changes where person_id = '{she}' and email is null and name is null and phone is null"
        );
        assert_eq!(query.count(&nulls), 3, "registered, updated, erased");
        let known = format!("select email, name from people where person_id = '{other}'");
        assert_eq!(query.sql(&known), [json!({ "email": OTHERS[0], "name": OTHERS[1] })]);
        let orders = format!("select sum(total_minor) from orders where person_id = '{she}' and status = 'paid'");
        assert_eq!(query.count(&orders), 5_000, "the money adds up");
        assert_eq!(query.post("/v1/audit", &json!({})).expect(200)["clean"], true);
    }
}

/// The report says what was done in each place, what remains, and nothing of her.
#[track_caller]
pub fn assert_reports(erased: &Value, she: &She) {
    let core = &erased["report"]["core"];
    assert_eq!(core["people"]["emptied"], json!(["email", "name", "phone"]), "{erased}");
    assert_eq!(core["idempotency_keys"]["rows"], 2, "{erased}");
    assert_eq!(core["person_keys"]["rows"], 1, "{erased}");
    let tables = erased["report"]["lake"]["tables"].as_array().unwrap();
    let table = |name: &str| tables.iter().find(|table| table["table"] == name).unwrap();
    assert_eq!(table("person_changes")["rows_emptied"], 2, "{erased}");
    assert_eq!(table("interactions")["rows_deleted"], 5, "{erased}");
    assert!(table("person_changes")["bytes_deleted"].as_i64() > Some(0), "{erased}");
    assert!(
        erased["report"]["remains"]
            .as_array()
            .is_some_and(|remains| remains.len() > 3)
    );
    for text in she.personal() {
        assert!(!erased.to_string().contains(text), "{erased}");
    }
}
