//! Money is a count of minor units in one currency. It never touches a float, and it never overflows silently.

use crate::{
    Invalid,
    record::{ColumnType, Kind},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub amount_minor: i64,
    pub currency: Currency,
}

impl Money {
    pub fn new(amount_minor: i64, currency: Currency) -> Self {
        Self { amount_minor, currency }
    }

    pub fn plus(self, other: Money) -> Result<Money, Invalid> {
        if self.currency != other.currency {
            return Err(Invalid(format!(
                "{} can't be added to {}",
                other.currency, self.currency
            )));
        }
        self.amount_minor
            .checked_add(other.amount_minor)
            .map(|sum| Money::new(sum, self.currency))
            .ok_or_else(too_much)
    }

    pub fn times(self, quantity: i64) -> Result<Money, Invalid> {
        self.amount_minor
            .checked_mul(quantity)
            .map(|sum| Money::new(sum, self.currency))
            .ok_or_else(too_much)
    }
}

impl Money {
    /// `-12.50`, without the currency.
    pub fn decimal(self) -> String {
        let decimals = self.currency.decimals();
        let digits = format!("{:0>width$}", self.amount_minor.unsigned_abs(), width = decimals + 1);
        let (whole, part) = digits.split_at(digits.len() - decimals);
        let sign = if self.amount_minor < 0 { "-" } else { "" };
        let point = if part.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{part}")
    }
}

fn too_much() -> Invalid {
    Invalid::new("the amount is larger than this program can count")
}

/// The active codes of countries' currencies, sorted: list one of ISO 4217, as SIX (its maintenance agency) keeps it,
/// without funds, metals and codes for tests, in 2026. What was sold in one that is gone since stays readable.
const ACTIVE: &[[u8; 3]] = &[
    *b"AED", *b"AFN", *b"ALL", *b"AMD", *b"AOA", *b"ARS", *b"AUD", *b"AWG", *b"AZN", *b"BAM", *b"BBD", *b"BDT",
    *b"BHD", *b"BIF", *b"BMD", *b"BND", *b"BOB", *b"BRL", *b"BSD", *b"BTN", *b"BWP", *b"BYN", *b"BZD", *b"CAD",
    *b"CDF", *b"CHF", *b"CLP", *b"CNY", *b"COP", *b"CRC", *b"CUP", *b"CVE", *b"CZK", *b"DJF", *b"DKK", *b"DOP",
    *b"DZD", *b"EGP", *b"ERN", *b"ETB", *b"EUR", *b"FJD", *b"FKP", *b"GBP", *b"GEL", *b"GHS", *b"GIP", *b"GMD",
    *b"GNF", *b"GTQ", *b"GYD", *b"HKD", *b"HNL", *b"HTG", *b"HUF", *b"IDR", *b"ILS", *b"INR", *b"IQD", *b"IRR",
    *b"ISK", *b"JMD", *b"JOD", *b"JPY", *b"KES", *b"KGS", *b"KHR", *b"KMF", *b"KPW", *b"KRW", *b"KWD", *b"KYD",
    *b"KZT", *b"LAK", *b"LBP", *b"LKR", *b"LRD", *b"LSL", *b"LYD", *b"MAD", *b"MDL", *b"MGA", *b"MKD", *b"MMK",
    *b"MNT", *b"MOP", *b"MRU", *b"MUR", *b"MVR", *b"MWK", *b"MXN", *b"MYR", *b"MZN", *b"NAD", *b"NGN", *b"NIO",
    *b"NOK", *b"NPR", *b"NZD", *b"OMR", *b"PAB", *b"PEN", *b"PGK", *b"PHP", *b"PKR", *b"PLN", *b"PYG", *b"QAR",
    *b"RON", *b"RSD", *b"RUB", *b"RWF", *b"SAR", *b"SBD", *b"SCR", *b"SDG", *b"SEK", *b"SGD", *b"SHP", *b"SLE",
    *b"SOS", *b"SRD", *b"SSP", *b"STN", *b"SVC", *b"SYP", *b"SZL", *b"THB", *b"TJS", *b"TMT", *b"TND", *b"TOP",
    *b"TRY", *b"TTD", *b"TWD", *b"TZS", *b"UAH", *b"UGX", *b"USD", *b"UYU", *b"UZS", *b"VED", *b"VES", *b"VND",
    *b"VUV", *b"WST", *b"XAF", *b"XCD", *b"XCG", *b"XOF", *b"XPF", *b"YER", *b"ZAR", *b"ZMW", *b"ZWG",
];

impl Currency {
    /// The same, if something can be sold in it from now on.
    pub fn active(self) -> Result<Self, Invalid> {
        match ACTIVE.binary_search(&self.0) {
            Ok(_) => Ok(self),
            Err(_) => Err(Invalid(format!("{self} is no active currency of ISO 4217"))),
        }
    }

    /// How many decimals an amount has, by ISO 4217.
    pub fn decimals(&self) -> usize {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
            | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }

    pub fn as_str(&self) -> &str {
        // The constructor admits ASCII letters alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `12.50 EUR`
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(Invalid::new(
                "a currency is an ISO 4217 code of three capital letters, such as EUR",
            )),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ColumnType for Currency {
    const KIND: Kind = Kind::Text;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, "EUR".parse().unwrap())
    }

    #[test]
    fn currencies_do_not_mix() {
        assert!(eur(1).plus(Money::new(1, "USD".parse().unwrap())).is_err());
        assert!("eur".parse::<Currency>().is_err());
        assert!("EURO".parse::<Currency>().is_err());
    }

    #[test]
    fn only_active_currencies_are_sold_in() {
        assert!(ACTIVE.is_sorted());
        let active = |code: &str| code.parse::<Currency>().unwrap().active().is_ok();
        assert!(["EUR", "USD", "JPY", "XCG", "ZWG"].into_iter().all(active));
        assert!(
            !["DEM", "HRK", "BGN", "XXX", "XTS", "XAU", "ZZZ"]
                .into_iter()
                .any(active)
        );
    }

    #[test]
    fn an_amount_is_written_with_its_currencys_decimals() {
        let written = |minor, currency: &str| Money::new(minor, currency.parse().unwrap()).decimal();
        assert_eq!(written(1_250, "EUR"), "12.50");
        assert_eq!(written(-5, "EUR"), "-0.05");
        assert_eq!(written(0, "EUR"), "0.00");
        assert_eq!(written(1_250, "JPY"), "1250");
        assert_eq!(written(0, "JPY"), "0");
        assert_eq!(written(1_250, "KWD"), "1.250");
        assert_eq!(written(i64::MIN, "EUR"), "-92233720368547758.08");
        assert_eq!(eur(-1_250).to_string(), "-12.50 EUR");
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_refused(a in any::<i64>(), b in any::<i64>()) {
            let (sum, product) = (i128::from(a) + i128::from(b), i128::from(a) * i128::from(b));
            prop_assert_eq!(eur(a).plus(eur(b)).ok().map(|m| i128::from(m.amount_minor)), i64::try_from(sum).ok().map(i128::from));
            prop_assert_eq!(eur(a).times(b).ok().map(|m| i128::from(m.amount_minor)), i64::try_from(product).ok().map(i128::from));
        }
    }
}
