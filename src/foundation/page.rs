//! Where the next page of a list begins, as a text that callers pass back untouched.

use data_encoding::BASE64URL_NOPAD;

use super::secret::Digest;

const VERSION: u8 = 1;
const LONGEST: usize = 4_096;

/// A cursor: the keys of the last item of a page. `of` names the list with its filters; a cursor of one list opens no
/// other one.
pub fn cursor(of: &str, keys: &[String]) -> String {
    let text = serde_json::to_vec(&(VERSION, mark(of), keys)).unwrap_or_default();
    BASE64URL_NOPAD.encode(&text)
}

/// The keys of a cursor that was made for the same list.
pub fn keys(of: &str, cursor: &str) -> Option<Vec<String>> {
    if cursor.len() > LONGEST {
        return None;
    }
    let text = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let (version, marked, keys): (u8, String, Vec<String>) = serde_json::from_slice(&text).ok()?;
    (version == VERSION && marked == mark(of)).then_some(keys)
}

fn mark(of: &str) -> String {
    BASE64URL_NOPAD.encode(&Digest::of(of.as_bytes()).as_bytes()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_the_list_that_it_was_made_for() {
        let made = cursor("organizations name=a", &["x".into(), "é".into()]);
        assert_eq!(keys("organizations name=a", &made), Some(vec!["x".to_owned(), "é".to_owned()]));
        assert_eq!(keys("organizations name=b", &made), None);
        for wrong in ["", "!", "AAAA", &made[1..], &made.repeat(400)] {
            assert_eq!(keys("organizations name=a", wrong), None, "{wrong}");
        }
    }
}
