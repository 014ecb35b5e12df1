//! QR codes, drawn as SVG: sharp on every screen and on paper.

use crate::problem::{Problem, Result};
use qrcode::{EcLevel, QrCode, render::svg};

/// Black on white, with the quiet margin that readers need, in dark pages too.
pub fn svg(text: &str) -> Result<String> {
    // A code that is shown on a screen is whole, and one that is folded has to be read as well.
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(Problem::internal)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}
