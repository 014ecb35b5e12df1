//! What every adapter of the mail port promises, asked of each.

use super::{MailError, Mailer, compose, open};
use domain::{MailId, Timestamp, message::Language};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use transactional::mail::{Content, DueMail};

/// Where mails arrive.
trait Post {
    fn mailer(&self) -> Mailer;
    fn arrived(&self) -> Vec<String>;
}

struct Folder(TempDir);

impl Post for Folder {
    fn mailer(&self) -> Mailer {
        open(&format!(
            "file://{}?from=Box%20Office%20<box@bilten.example>",
            self.0.path().join("mail").display()
        ))
        .unwrap()
    }

    fn arrived(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path().join("mail")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

/// A server that speaks as much of SMTP (RFC 5321) as a client needs, and refuses recipients by their names.
struct SmtpServer {
    url: String,
    mails: Arc<Mutex<Vec<String>>>,
}

impl SmtpServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let taken = mails.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, taken.clone()));
            }
        });
        Self {
            url: format!("smtp://box:s3cret@{address}?from=Box%20Office%20<box@bilten.example>"),
            mails,
        }
    }
}

async fn serve(connection: TcpStream, mails: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let (reading, mut writing) = connection.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 post.example ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-post.example\r\n250-AUTH PLAIN\r\n250 8BITMIME",
            // \0box\0s3cret
            "AUTH" if line.ends_with("AGJveABzM2NyZXQ=") => "235 welcome",
            "AUTH" => "535 who are you",
            "RCPT" if line.contains("unknown") => "550 no such mailbox <unknown@example.org>",
            "RCPT" if line.contains("busy") => "451 come back later",
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail += line.strip_prefix('.').unwrap_or(&line);
                    mail += "\r\n";
                }
                mails.lock().unwrap().push(mail);
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

impl Post for SmtpServer {
    fn mailer(&self) -> Mailer {
        open(&self.url).unwrap()
    }

    fn arrived(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

fn mail(to: &str) -> DueMail {
    DueMail {
        mail_id: MailId::new(),
        to: Some(to.parse().unwrap()),
        name: Some("آدا".into()),
        language: Language::Arabic,
        content: Content::PasswordReset { token: "t0ken".into() },
        places: Default::default(),
        created_at: Timestamp::from_millis(1_800_000_000_000),
    }
}

async fn send(mailer: &Mailer, mail: &DueMail) -> Result<(), MailError> {
    let to = mail.to.as_ref().unwrap().as_str();
    let message = compose(mail, to, &mailer.from, "https://shop.example.org").unwrap();
    mailer.port.send(mail.mail_id, &message).await
}

async fn a_mail_arrives_whole_and_a_second_time_as_the_same(post: impl Post) {
    let (mailer, mail) = (post.mailer(), mail("ada@example.org"));
    send(&mailer, &mail).await.unwrap();
    send(&mailer, &mail).await.unwrap();
    let arrived = post.arrived();
    mailer.port.forget(mail.mail_id).await.unwrap();
    mailer.port.forget(mail.mail_id).await.unwrap();
    assert!((1..=2).contains(&arrived.len()), "{arrived:?}");
    for text in arrived {
        let head = text.split("\r\n\r\n").next().unwrap();
        for line in [
            format!("Message-ID: <{}@bilten.example>", mail.mail_id),
            "To: ada@example.org".to_owned(),
            "From: \"Box Office\" <box@bilten.example>".to_owned(),
            "Date: Fri, 15 Jan 2027 08:00:00 +0000".to_owned(),
        ] {
            assert!(head.contains(&line), "{line} is not in {head}");
        }
        assert!(text.contains("text/plain") && text.contains("text/html"), "{text}");
    }
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = Folder(tempfile::tempdir().unwrap());
    a_mail_arrives_whole_and_a_second_time_as_the_same(folder).await;
}

#[tokio::test]
async fn a_folder_forgets_the_mail_that_it_is_told_to() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let (mailer, gone, kept) = (folder.mailer(), mail("ada@example.org"), mail("bob@example.org"));
    send(&mailer, &gone).await.unwrap();
    send(&mailer, &kept).await.unwrap();
    mailer.port.forget(gone.mail_id).await.unwrap();
    let arrived = folder.arrived();
    assert!(
        arrived.len() == 1 && arrived[0].contains("bob@example.org"),
        "{arrived:?}"
    );
}

#[tokio::test]
async fn an_smtp_server_keeps_the_contract() {
    a_mail_arrives_whole_and_a_second_time_as_the_same(SmtpServer::start().await).await;
}

#[tokio::test]
async fn a_refusal_says_whether_another_attempt_is_worth_it_and_names_nobody() {
    let server = SmtpServer::start().await;
    let mailer = server.mailer();
    let refused = send(&mailer, &mail("unknown@example.org")).await.unwrap_err();
    assert_eq!(refused, MailError::Refused("the mail server answered 550".into()));
    let busy = send(&mailer, &mail("busy@example.org")).await.unwrap_err();
    assert_eq!(busy, MailError::Unavailable("the mail server answered 451".into()));
    assert_eq!(server.arrived(), Vec::<String>::new());
    let wrong = open(&server.url.replace("s3cret", "wrong")).unwrap();
    let stranger = send(&wrong, &mail("ada@example.org")).await.unwrap_err();
    assert_eq!(stranger, MailError::Refused("the mail server answered 535".into()));
    let nobody = open("smtp://127.0.0.1:1").unwrap();
    let nobody = send(&nobody, &mail("ada@example.org")).await.unwrap_err();
    assert!(matches!(nobody, MailError::Unavailable(_)), "{nobody:?}");
    let folder = Folder(tempfile::tempdir().unwrap());
    let mailer = folder.mailer();
    std::fs::remove_dir(folder.0.path().join("mail")).unwrap();
    let gone = send(&mailer, &mail("ada@example.org")).await.unwrap_err();
    assert!(matches!(gone, MailError::Unavailable(_)), "{gone:?}");
}

#[test]
fn an_address_of_another_form_is_refused_without_repeating_its_password() {
    for url in [
        "mail",
        "http://example.org",
        "smtp://u:s3cret@:x",
        "file:///tmp?colour=red",
        "file:///tmp?from=nobody",
    ] {
        let error = open(url).err().unwrap();
        assert!(!format!("{error:#}").contains("s3cret"), "{error:#}");
    }
}
