//! One's own account: passwords by mail, the second factor, sessions.

use crate::shared::{mails, until};
use serde_json::{Value, json};
use std::process::Command;
use tests::{Client, Home, Server};

/// The token in the newest mail with this in its link.
fn mailed_token(home: &Home, purpose: &str) -> Option<String> {
    let mails = mails(home);
    let texts = mails.iter().rev().map(|mail| &mail.text);
    let link = texts
        .filter_map(|text| text.split_once(&format!("/account#{purpose}=")))
        .next();
    link.map(|(_, rest)| rest.split_whitespace().next().unwrap().to_owned())
}

fn log_in(server: &Server, input: &Value) -> (Client, Value) {
    let answer = server.public().with("user-agent", "a test").post("/v1/session", input);
    let session = answer.expect(200);
    let cookie = answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let client = server.public().with("cookie", &cookie);
    (
        client.with("x-csrf-token", session["csrf_token"].as_str().unwrap()),
        session,
    )
}

fn user(server: &Server) -> Value {
    let new = json!({ "email": "ada@example.org", "name": "Ada", "password": "correct horse" });
    server.admin().post("/v1/users", &new).expect(201);
    json!({ "email": "ada@example.org", "password": "correct horse" })
}

#[test]
fn a_forgotten_password_is_replaced_by_mail() {
    let home = Home::new();
    let server = home.serve_with(|command| command.env("BILTEN_PUBLIC_URL", "https://tickets.example.org"));
    let public = server.public();
    let credentials = user(&server);
    let (browser, _) = log_in(&server, &credentials);
    let cookie = public.post("/v1/session", &credentials);
    assert!(cookie.header("set-cookie").unwrap().ends_with("; Secure"), "{cookie:?}");
    let ask = |email: &str| {
        let request = public
            .request("POST", "/v1/password-resets")
            .header("accept-language", "de-AT");
        request.json(&json!({ "email": email })).send()
    };
    let (unknown, known) = (ask("nobody@example.org"), ask("ada@example.org"));
    assert_eq!((unknown.status, &unknown.body), (202, &known.body));
    assert_eq!(unknown.status, known.status);
    until("the mail is there", || mailed_token(&home, "reset").is_some());
    let mails = mails(&home);
    assert_eq!((mails.len(), mails[0].subject.as_str()), (1, "Neues Passwort wählen"));
    assert!(
        mails[0].text.contains("https://tickets.example.org/account#reset="),
        "{mails:?}"
    );
    let token = mailed_token(&home, "reset").unwrap();
    let confirm = "/v1/password-resets/confirm";
    public
        .post(confirm, &json!({ "token": token, "password": "short" }))
        .problem(422, "password_unsound");
    let new = json!({ "token": token, "password": "battery staple" });
    assert_eq!(public.post(confirm, &new).status, 204);
    public.post(confirm, &new).problem(422, "token_invalid");
    browser.get("/v1/session").problem(401, "unauthenticated");
    public
        .post("/v1/session", &credentials)
        .problem(401, "wrong_credentials");
    let (_, session) = log_in(
        &server,
        &json!({ "email": "ada@example.org", "password": "battery staple" }),
    );
    assert_eq!(session["email_verified"], true);
    assert!(public.get("/account").text().contains("account.js"));
    assert!(!server.log().contains("ada@example.org"), "{}", server.log());
}

#[test]
fn an_address_is_confirmed_by_mail() {
    let home = Home::new();
    let server = home.serve();
    let (browser, session) = log_in(&server, &user(&server));
    assert_eq!(session["email_verified"], false);
    assert_eq!(browser.post("/v1/email-verifications", &json!({})).status, 202);
    until("the mail is there", || mailed_token(&home, "verify").is_some());
    let token = mailed_token(&home, "verify").unwrap();
    let confirm = || {
        server
            .public()
            .post("/v1/email-verifications/confirm", &json!({ "token": token }))
    };
    assert_eq!(confirm().status, 204);
    confirm().problem(422, "token_invalid");
    assert_eq!(browser.get("/v1/session").expect(200)["email_verified"], true);
}

/// The code of now, computed by other means than the program's: Python's hmac.
fn totp(secret: &str) -> String {
    let script = "import base64, hmac, struct, sys, time\n\
                  key = base64.b32decode(sys.argv[1] + '=' * (-len(sys.argv[1]) % 8))\n\
                  h = hmac.new(key, struct.pack('>Q', int(time.time()) // 30), 'sha1').digest()\n\
                  n = struct.unpack('>I', h[h[-1] & 15:][:4])[0] & 0x7fffffff\n\
                  print(f'{n % 10**6:06}', end='')";
    let output = Command::new("python3").args(["-c", script, secret]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_second_factor_is_enrolled_asked_for_and_turned_off() {
    let home = Home::new();
    let server = home.serve();
    let credentials = user(&server);
    let with = |code: &str| {
        let mut proof = credentials.clone();
        proof["code"] = json!(code);
        proof
    };
    let (browser, _) = log_in(&server, &credentials);
    let own = |code: Option<&str>| json!({ "password": "correct horse", "code": code });
    browser
        .post("/v1/second-factor", &json!({ "password": "wrong" }))
        .problem(401, "wrong_credentials");
    let enrolment = browser.post("/v1/second-factor", &own(None)).expect(201);
    let secret = enrolment["secret"].as_str().unwrap();
    assert!(
        enrolment["otpauth_uri"]
            .as_str()
            .unwrap()
            .starts_with("otpauth://totp/Bilten:ada%40example.org?"),
        "{enrolment}"
    );
    log_in(&server, &credentials);
    browser
        .post("/v1/second-factor/confirm", &json!({ "code": "000000" }))
        .problem(401, "wrong_code");
    let code = totp(secret);
    let codes = browser
        .post("/v1/second-factor/confirm", &json!({ "code": code }))
        .expect(200);
    let codes = codes["recovery_codes"].as_array().unwrap();
    server
        .public()
        .post("/v1/session", &credentials)
        .problem(401, "code_needed");
    server
        .public()
        .post("/v1/session", &with(&code))
        .problem(401, "wrong_code");
    let (other, session) = log_in(&server, &with(codes[0].as_str().unwrap()));
    assert_eq!(session["second_factor"], true);
    other
        .post("/v1/second-factor", &own(None))
        .problem(409, "second_factor_on");
    other
        .post("/v1/second-factor/turn-off", &own(None))
        .problem(401, "code_needed");
    assert_eq!(
        other.post("/v1/second-factor/turn-off", &own(codes[1].as_str())).status,
        204
    );
    log_in(&server, &credentials);
}

#[test]
fn sessions_are_seen_and_ended() {
    let home = Home::new();
    let server = home.serve();
    let credentials = user(&server);
    let (first, _) = log_in(&server, &credentials);
    let (second, _) = log_in(&server, &credentials);
    let (third, _) = log_in(&server, &credentials);
    let listed = first.get("/v1/sessions").expect(200);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[2]["current"], true);
    assert_eq!(
        (&listed[0]["user_agent"], &listed[0]["address"]),
        (&json!("a test"), &json!("127.0.0.1"))
    );
    let newest = format!("/v1/sessions/{}", listed[0]["session_id"].as_str().unwrap());
    assert_eq!(first.delete(&newest).status, 204);
    first.delete(&newest).problem(404, "not_found");
    third.get("/v1/session").problem(401, "unauthenticated");
    assert_eq!(first.delete("/v1/sessions").expect(200)["ended"], 1);
    second.get("/v1/session").problem(401, "unauthenticated");
    first.get("/v1/session").expect(200);
}

#[test]
fn who_is_locked_out_is_told_when_to_come_back() {
    let home = Home::new();
    let server = home.serve();
    let mut wrong = user(&server);
    wrong["password"] = json!("battery staple");
    let log_in = || server.public().post("/v1/session", &wrong);
    let refused = (0..10).map(|_| log_in()).find(|answer| answer.status == 429).unwrap();
    refused.problem(429, "locked_out");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
}

#[test]
fn who_has_lost_the_second_factor_is_let_in_by_the_operator() {
    let home = Home::new();
    let server = home.serve();
    let credentials = user(&server);
    let (browser, _) = log_in(&server, &credentials);
    let enrolment = browser
        .post("/v1/second-factor", &json!({ "password": "correct horse" }))
        .expect(201);
    let code = totp(enrolment["secret"].as_str().unwrap());
    browser
        .post("/v1/second-factor/confirm", &json!({ "code": code }))
        .expect(200);
    browser
        .post(
            "/v1/users/turn-off-second-factor",
            &json!({ "email": "ada@example.org" }),
        )
        .problem(403, "forbidden");
    server
        .public()
        .post("/v1/session", &credentials)
        .problem(401, "code_needed");
    home.output(&["user", "ada@example.org", "--turn-off-second-factor"]);
    log_in(&server, &credentials);
    assert!(
        !home
            .run(&["user", "nobody@example.org", "--turn-off-second-factor"])
            .status
            .success()
    );
}
