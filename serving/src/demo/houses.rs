//! The organizers of the demo world, with their rooms, programmes and audiences.

/// An organizer.
pub(super) struct House {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) city: &'static str,
    pub(super) country: &'static str,
    pub(super) timezone: &'static str,
    pub(super) currency: &'static str,
    pub(super) language: &'static str,
    /// The lowest and the highest price, and the step between prices, in minor units.
    pub(super) prices: (i64, i64, i64),
    pub(super) rooms: &'static [Room],
    pub(super) programme: &'static [(&'static str, &'static str)],
    pub(super) description: &'static str,
    pub(super) given_names: &'static [&'static str],
    pub(super) family_names: &'static [&'static str],
}

pub(super) struct Room {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) capacity: i64,
}

const fn room(name: &'static str, address: &'static str, latitude: f64, longitude: f64, capacity: i64) -> Room {
    Room {
        name,
        address,
        latitude,
        longitude,
        capacity,
    }
}

pub(super) const HOUSES: &[House] = &[
    House {
        slug: "klanghof-berlin",
        name: "Klanghof Berlin",
        city: "Berlin",
        country: "DE",
        timezone: "Europe/Berlin",
        currency: "EUR",
        language: "de",
        prices: (1_200, 4_200, 200),
        rooms: &[
            room("Klanghof, Großer Saal", "Lindenufer 12", 52.5004, 13.4415, 620),
            room("Klanghof, Kellerbühne", "Lindenufer 12", 52.5004, 13.4417, 140),
            room("Halle am Güterbahnhof", "Gleisstraße 3", 52.5361, 13.3702, 950),
        ],
        programme: &[
            ("Nachtstücke für Streicher", "concert"),
            ("Jazz im Hof", "concert"),
            ("Die lange Nacht der Synthesizer", "concert"),
            ("Chor der Werkstätten", "concert"),
            ("Lieder ohne Heimat", "concert"),
            ("Neue Musik am Kanal", "concert"),
            ("Poetry Slam im Keller", "comedy"),
            ("Trio Morgenrot", "concert"),
        ],
        description: "Einlass eine Stunde vor Beginn. Getränke im Hof.",
        given_names: &[
            "Anna", "Jürgen", "Mehmet", "Lena", "Jonas", "Käthe", "Emre", "Sophie", "Lukas", "Ayşe",
        ],
        family_names: &[
            "Müller",
            "Schröder",
            "Yılmaz",
            "Weiß",
            "Krause",
            "Lehmann",
            "Böhm",
            "Vogel",
            "Aydın",
        ],
    },
    House {
        slug: "lantern-stage",
        name: "Lantern Stage Company",
        city: "London",
        country: "GB",
        timezone: "Europe/London",
        currency: "GBP",
        language: "en",
        prices: (1_500, 5_500, 250),
        rooms: &[
            room("Lantern Theatre", "41 Tanner Row", 51.5033, -0.0754, 480),
            room("The Attic", "41 Tanner Row", 51.5034, -0.0752, 95),
        ],
        programme: &[
            ("The Winter Ferry", "theatre"),
            ("Twelfth Night, Backwards", "theatre"),
            ("A Room of Clocks", "theatre"),
            ("Stand-up in the Attic", "comedy"),
            ("The Cartographer's Daughter", "theatre"),
            ("Improvised Opera", "comedy"),
            ("Letters from Leith", "theatre"),
        ],
        description: "Latecomers are seated at the interval.",
        given_names: &[
            "Olivia", "Harry", "Amara", "Zadie", "Callum", "Priya", "Niamh", "Tom", "Grace", "Idris",
        ],
        family_names: &[
            "Okafor", "Smith", "Patel", "Hughes", "O'Neill", "Campbell", "Begum", "Wright", "Evans",
        ],
    },
    House {
        slug: "scena-nad-wisla",
        name: "Scena nad Wisłą",
        city: "Warszawa",
        country: "PL",
        timezone: "Europe/Warsaw",
        currency: "PLN",
        language: "pl",
        prices: (4_000, 16_000, 1_000),
        rooms: &[
            room("Scena nad Wisłą", "Wybrzeże Gdyńskie 4", 52.2606, 20.9972, 540),
            room("Mała Scena", "Wybrzeże Gdyńskie 4", 52.2607, 20.9975, 120),
            room("Dziedziniec Fabryki", "Mińska 25", 52.2519, 21.0577, 700),
        ],
        programme: &[
            ("Wieczór jazzowy", "concert"),
            ("Lalka na nowo", "theatre"),
            ("Noc poezji", "talk"),
            ("Kwartet Praski", "concert"),
            ("Rozmowy o mieście", "talk"),
            ("Śpiewnik powojenny", "concert"),
            ("Kino z orkiestrą", "concert"),
        ],
        description: "Wejście od strony bulwarów. Zapraszamy godzinę wcześniej.",
        given_names: &[
            "Łukasz",
            "Zofia",
            "Paweł",
            "Agnieszka",
            "Michał",
            "Świętosława",
            "Jan",
            "Ewa",
            "Olena",
        ],
        family_names: &[
            "Nowak",
            "Wiśniewska",
            "Wójcik",
            "Zieliński",
            "Dąbrowska",
            "Kowalczyk",
            "Shevchenko",
        ],
    },
    House {
        slug: "festa-do-douro",
        name: "Festa do Douro",
        city: "Porto",
        country: "PT",
        timezone: "Europe/Lisbon",
        currency: "EUR",
        language: "pt",
        prices: (800, 3_600, 200),
        rooms: &[
            room("Armazém do Cais", "Cais da Ribeira 8", 41.1406, -8.6131, 320),
            room("Parque da Foz", "Avenida do Mar", 41.1527, -8.6753, 2_400),
            room("Auditório da Torre", "Rua da Torre 2", 41.1459, -8.6146, 260),
        ],
        programme: &[
            ("Fado à meia-noite", "concert"),
            ("Festa de São Martinho", "festival"),
            ("Ritmos de Lisboa e Luanda", "concert"),
            ("Cinema ao ar livre", "film"),
            ("Mercado de sons", "festival"),
            ("Guitarras do norte", "concert"),
        ],
        description: "Portas abertas uma hora antes. Traga um casaco: a noite junto ao rio é fresca.",
        given_names: &[
            "João",
            "Inês",
            "Tiago",
            "Beatriz",
            "Conceição",
            "Rui",
            "Mariana",
            "Luís",
            "Núria",
        ],
        family_names: &[
            "Silva",
            "Gonçalves",
            "Araújo",
            "Magalhães",
            "Ferreira",
            "Sá",
            "Conceição",
            "Lopes",
        ],
    },
    House {
        slug: "lone-cedar-live",
        name: "Lone Cedar Live",
        city: "Austin",
        country: "US",
        timezone: "America/Chicago",
        currency: "USD",
        language: "en",
        prices: (1_000, 6_000, 500),
        rooms: &[
            room("Cedar Hall", "1180 Waller Creek Rd", 30.2676, -97.7366, 850),
            room("The Porch", "2207 S 5th St", 30.2467, -97.7618, 180),
        ],
        programme: &[
            ("Songwriters in the Round", "concert"),
            ("Desert Wind Big Band", "concert"),
            ("Two-Step Tuesday", "concert"),
            ("Data for Good Night", "talk"),
            ("The Armadillo Variety Hour", "comedy"),
            ("Cumbia on the Creek", "concert"),
            ("Gospel Brunch", "concert"),
        ],
        description: "All ages. Doors open one hour before the show.",
        given_names: &[
            "Maria",
            "Jayden",
            "Emily",
            "Luis",
            "Tanisha",
            "Wyatt",
            "Guadalupe",
            "Noah",
            "Linh",
        ],
        family_names: &[
            "Garcia", "Johnson", "Nguyen", "Ramírez", "Walker", "Brown", "Cortez", "Miller",
        ],
    },
    House {
        slug: "sumida-hall",
        name: "隅田ホール",
        city: "東京",
        country: "JP",
        timezone: "Asia/Tokyo",
        currency: "JPY",
        language: "ja",
        prices: (2_500, 9_000, 500),
        rooms: &[
            room("隅田ホール 大ホール", "墨田区横網 1-8", 35.6969, 139.7942, 560),
            room("川のスタジオ", "墨田区両国 2-4", 35.6935, 139.7903, 110),
        ],
        programme: &[
            ("夜想曲の夕べ", "concert"),
            ("落語と三味線", "comedy"),
            ("川辺のジャズ", "concert"),
            ("未来都市を語る", "talk"),
            ("弦楽四重奏の日曜日", "concert"),
            ("学生演劇祭", "theatre"),
        ],
        description: "開場は開演の一時間前です。",
        given_names: &["Haruka", "Ren", "Yui", "Sota", "Aoi", "Kenji", "Mei", "Takumi"],
        family_names: &["Satō", "Suzuki", "Takahashi", "Tanaka", "Itō", "Yamamoto", "Kobayashi"],
    },
];

impl House {
    /// The name and address of a member of the audience.
    pub(super) fn person(&self, number: usize) -> (String, String) {
        let given = self.given_names[number % self.given_names.len()];
        let family = self.family_names[number / self.given_names.len() % self.family_names.len()];
        let domain = ["example.org", "example.com", "example.net"][number % 3];
        let email = format!("{}.{}.{number}@{domain}", ascii(given), ascii(family));
        (format!("{given} {family}"), email)
    }
}

fn ascii(name: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'ã' | 'ä' | 'ą' | 'â' => "a",
        'ç' => "c",
        'é' | 'ê' | 'ę' => "e",
        'í' | 'ı' => "i",
        'ł' => "l",
        'ó' | 'ō' | 'ö' | 'õ' => "o",
        'ś' | 'ş' => "s",
        'ß' => "ss",
        'ú' | 'ü' => "u",
        _ => "",
    };
    let lower = name.to_lowercase();
    lower
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_string()
            } else {
                plain(c).to_owned()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_ascii_and_of_a_reserved_domain() {
        for house in HOUSES {
            for number in 0..200 {
                let (name, email) = house.person(number);
                let parsed: domain::Email = email.parse().unwrap();
                assert!(parsed.as_str().is_ascii() && !email.contains(".."), "{name}: {email}");
                assert!(
                    ["@example.org", "@example.com", "@example.net"]
                        .iter()
                        .any(|end| email.ends_with(end))
                );
            }
        }
        assert_eq!(HOUSES[0].person(11).1, "jurgen.schroder.11@example.net");
    }
}
