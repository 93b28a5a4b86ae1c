//! By what people are found. No login asks here (invariant 1).

use std::collections::BTreeSet;

use super::engine::{StoreError, Tx, params};
use crate::model::user::User;

/// Bytes of a term; what is longer is found by its beginning.
const LONGEST: usize = 64;
/// Terms of one person.
pub const MOST: usize = 12;
/// Words of a search that count.
pub const WORDS: usize = 4;

/// Writes down by what somebody is found, where it differs.
pub async fn put(tx: &mut Tx<'_>, user: &User) -> Result<(), StoreError> {
    let wanted = terms(user);
    let sql = "SELECT term FROM user_terms WHERE user_id = $1";
    let rows = tx.all(sql, params![user.id]).await?;
    let there: BTreeSet<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    for term in there.difference(&wanted) {
        let sql = "DELETE FROM user_terms WHERE project_id = $1 AND term = $2 AND user_id = $3";
        tx.execute(sql, params![user.project_id, term, user.id]).await?;
    }
    for term in wanted.difference(&there) {
        let sql =
            "INSERT INTO user_terms (project_id, term, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        tx.execute(sql, params![user.project_id, term, user.id]).await?;
    }
    Ok(())
}

/// The address, the parts of what stands before its @, and the words of the name.
fn terms(user: &User) -> BTreeSet<Vec<u8>> {
    let address = user.email.as_ref().map(|email| email.as_str());
    let parts = address.and_then(|address| address.split('@').next()).unwrap_or_default();
    let name = user.profile.shown_name().unwrap_or_default();
    let words = parts.split(['.', '_', '-', '+']).chain(name.split_whitespace());
    address.into_iter().chain(words).map(folded).filter(|term| !term.is_empty()).take(MOST).collect()
}

/// The words of a search, the longest first: it leads to the fewest people.
pub fn words(search: &str) -> Vec<Vec<u8>> {
    let mut words: Vec<_> =
        search.split_whitespace().map(folded).filter(|word| !word.is_empty()).take(WORDS).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

/// In lower case, and not too long.
fn folded(word: &str) -> Vec<u8> {
    let mut text = word.to_lowercase();
    text.truncate(text.floor_char_boundary(LONGEST));
    text.into_bytes()
}

/// A range of terms: everything that begins so. No byte of UTF-8 is 0xFF, so its end is above all of them.
#[derive(Clone, Debug, Default)]
pub struct Range {
    pub low: Vec<u8>,
    pub high: Vec<u8>,
}

/// The ranges of a search, as many as a statement has places for, and how many of them count.
pub fn ranges(search: &str) -> ([Range; WORDS], i64) {
    let words = words(search);
    let many = words.len();
    let mut ranges = std::array::from_fn(|_| Range::default());
    for (range, word) in ranges.iter_mut().zip(words) {
        *range = Range { high: [word.as_slice(), &[0xff]].concat(), low: word };
    }
    (ranges, i64::try_from(many).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_38_a_search_is_folded_and_its_longest_word_comes_first() {
        assert_eq!(words(" An  ÜLRIKE "), [b"\xc3\xbclrike".to_vec(), b"an".to_vec()]);
        assert_eq!(words("a b c d e").len(), WORDS);
        assert_eq!(words(&"é".repeat(100))[0].len(), LONGEST);
        let (ranges, many) = ranges("an");
        assert_eq!(
            (many, ranges[0].low.as_slice(), ranges[0].high.as_slice()),
            (1, &b"an"[..], &b"an\xff"[..])
        );
    }
}
