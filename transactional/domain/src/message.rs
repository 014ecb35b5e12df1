//! What the program sends to others: the languages of its mails, and how mails and deliveries end.

use crate::record::states;

states! {
    /// A language that the program writes mails in.
    Language {
        English = "en",
        German = "de",
        Arabic = "ar",
    }
    MailStatus {
        Queued = "queued",
        Sent = "sent",
        /// Refused for good, or given up after many attempts.
        Failed = "failed",
        /// There is nobody to send it to any more.
        Cancelled = "cancelled",
    }
    /// A change on its way to a webhook endpoint.
    DeliveryStatus {
        Waiting = "waiting",
        Delivered = "delivered",
        Failed = "failed",
    }
}

impl Language {
    /// The nearest to a language tag or an `Accept-Language` header. English if none is near.
    pub fn nearest(tags: &str) -> Self {
        let primary = |tag: &str| tag.trim().split(['-', '_', ';']).next().unwrap_or("").to_lowercase();
        let known = tags.split(',').find_map(|tag| primary(tag).parse().ok());
        known.unwrap_or(Language::English)
    }

    pub fn is_right_to_left(self) -> bool {
        self == Language::Arabic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_is_known_is_taken() {
        for (tags, language) in [
            ("de-AT,de;q=0.9,en;q=0.8", Language::German),
            ("fr, ar-EG;q=0.5", Language::Arabic),
            ("AR", Language::Arabic),
            ("tlh", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::nearest(tags), language, "{tags}");
        }
    }
}
