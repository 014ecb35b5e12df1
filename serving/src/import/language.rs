//! The language that a text is written in, where one can be told.

use std::sync::LazyLock;
use whatlang::{Detector, Lang};

/// The languages of real catalogues. Between fewer of them the guess is better, and one outside of them is most often wrong.
const KNOWN: &[(Lang, &str)] = &[
    (Lang::Ara, "ar"),
    (Lang::Cat, "ca"),
    (Lang::Ces, "cs"),
    (Lang::Cmn, "zh"),
    (Lang::Dan, "da"),
    (Lang::Deu, "de"),
    (Lang::Ell, "el"),
    (Lang::Eng, "en"),
    (Lang::Fin, "fi"),
    (Lang::Fra, "fr"),
    (Lang::Heb, "he"),
    (Lang::Hrv, "hr"),
    (Lang::Hun, "hu"),
    (Lang::Ind, "id"),
    (Lang::Ita, "it"),
    (Lang::Jpn, "ja"),
    (Lang::Kat, "ka"),
    (Lang::Kor, "ko"),
    (Lang::Nld, "nl"),
    (Lang::Nob, "no"),
    (Lang::Pes, "fa"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Ron, "ro"),
    (Lang::Rus, "ru"),
    (Lang::Slv, "sl"),
    (Lang::Spa, "es"),
    (Lang::Srp, "sr"),
    (Lang::Swe, "sv"),
    (Lang::Tur, "tr"),
    (Lang::Ukr, "uk"),
    (Lang::Vie, "vi"),
];

static DETECTOR: LazyLock<Detector> =
    LazyLock::new(|| Detector::with_allowlist(KNOWN.iter().map(|(lang, _)| *lang).collect()));

/// ISO 639-1. None if the text is too short or too mixed to be sure.
pub(super) fn of(title: &str, description: Option<&str>) -> Option<&'static str> {
    let text: String = match description {
        // Addresses look like English whatever the text around them is.
        Some(description) => description
            .split_whitespace()
            .filter(|word| !word.contains("://"))
            .collect::<Vec<_>>()
            .join(" "),
        None => String::new(),
    };
    let info = DETECTOR.detect(&format!("{title}. {text}"))?;
    if !info.is_reliable() {
        return None;
    }
    KNOWN
        .iter()
        .find(|(lang, _)| *lang == info.lang())
        .map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_told_or_left_open() {
        let spanish = "En esta primera reunión nos conoceremos y te diremos qué trae consigo esta maravillosa \
                       iniciativa. ¿Las mujeres participan en ciencias? También explicaremos qué es R y cómo su uso es \
                       transversal en distintas áreas de aplicación.";
        assert_eq!(of("¡Primer meet-up R-Ladies Guayaquil!", Some(spanish)), Some("es"));
        let german = "Wir treffen uns wie immer in der Bibliothek, um gemeinsam an unseren Projekten zu arbeiten.";
        assert_eq!(of("Treffen", Some(german)), Some("de"));
        assert_eq!(of("R", None), None);
    }
}
