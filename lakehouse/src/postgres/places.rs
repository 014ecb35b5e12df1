//! Places for values that are written `?`, as drivers for other databases write them.

use datafusion::sql::sqlparser::{
    dialect::GenericDialect,
    tokenizer::{Token, Tokenizer},
};

/// The query with `$1` and on for its `?`, where there are any. What cannot be read stays as it is.
pub fn numbered(sql: &str) -> String {
    let is_place = |token: &Token| matches!(token, Token::Placeholder(place) if place == "?");
    let tokens = Tokenizer::new(&GenericDialect {}, sql).with_unescape(false).tokenize();
    let Ok(tokens) = tokens else {
        return sql.to_owned();
    };
    if !tokens.iter().any(is_place) {
        return sql.to_owned();
    }
    let mut count = 0;
    let text = |token: &Token| match is_place(token) {
        true => {
            count += 1;
            format!("${count}")
        }
        false => token.to_string(),
    };
    tokens.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_are_numbered_outside_of_texts() {
        let sql = "select '?', \"a?\" -- ?\n from t where a = ? and b = 'it''s' /* ? */ and c > ?";
        let wanted = "select '?', \"a?\" -- ?\n from t where a = $1 and b = 'it''s' /* ? */ and c > $2";
        assert_eq!(numbered(sql), wanted);
        for same in ["select $1, $2", "select 'what?'", "select '"] {
            assert_eq!(numbered(same), same);
        }
    }
}
