//! The parameters of a request (RFC 6749, section 3.1): each at most once, empty ones as if they were absent.

/// More than this is no honest request.
const MOST: usize = 100;

/// What may be sent more than once (RFC 8707, section 2; RFC 8693, section 2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    #[error("there are more than {MOST} parameters")]
    TooMany,
    #[error("the parameters are not valid UTF-8 in percent-encoding")]
    Encoding,
    #[error("the parameter {0} stands more than once")]
    Twice(String),
}

impl Params {
    /// Reads a query string or an `application/x-www-form-urlencoded` body.
    pub fn parse(raw: &[u8]) -> Result<Self, ParamsError> {
        let mut pairs = Vec::new();
        for piece in raw.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
            if pairs.len() == MOST {
                return Err(ParamsError::TooMany);
            }
            let split = piece.iter().position(|byte| *byte == b'=');
            let (name, value) = split.map_or((piece, &b""[..]), |at| (&piece[..at], &piece[at + 1..]));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// Those that another message than a form has brought.
    pub fn of(pairs: Vec<(String, String)>) -> Result<Self, ParamsError> {
        if pairs.len() > MOST {
            return Err(ParamsError::TooMany);
        }
        let broken = pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0'));
        if broken { Err(ParamsError::Encoding) } else { Ok(Self(pairs)) }
    }

    /// The value of a parameter. Sent without a value, it counts as not sent; sent twice, it is an error.
    pub fn get(&self, name: &str) -> Result<Option<&str>, ParamsError> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(ParamsError::Twice(shown(name))),
            (Some((_, value)), None) if !value.is_empty() => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// All values of a parameter that may be sent more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// The first parameter that stands more than once, whatever its name, unless it may.
    pub fn twice(&self) -> Option<ParamsError> {
        let may = |at: usize| REPEATABLE.contains(&self.0[at].0.as_str());
        let seen_before = |at: usize| !may(at) && self.0[..at].iter().any(|(key, _)| *key == self.0[at].0);
        (0..self.0.len()).find(|at| seen_before(*at)).map(|at| ParamsError::Twice(shown(&self.0[at].0)))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(bytes: &[u8]) -> Result<String, ParamsError> {
    // Whole runs at once: the message of an identity provider has thousands of bytes.
    let (mut decoded, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        decoded.extend_from_slice(&rest[..at]);
        let (byte, length) = match (rest[at], rest.get(at + 1..at + 3).and_then(encoded_byte)) {
            (b'+', _) => (b' ', 1),
            (_, Some(byte)) => (byte, 3),
            (percent, None) => (percent, 1),
        };
        decoded.push(byte);
        rest = &rest[at + length..];
    }
    decoded.extend_from_slice(rest);
    // A NUL is in no honest value, and no database keeps one.
    let text = String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'));
    text.ok_or(ParamsError::Encoding)
}

fn encoded_byte(digits: &[u8]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    digits
        .iter()
        .try_fold(0_u32, |byte, next| Some(byte * 16 + digit(*next)?))
        .and_then(|byte| byte.try_into().ok())
}

/// What is written where a name should stand may be a secret that got there by mistake: none of ours, and none that an
/// operator may choose, is as short as this. Nothing longer is repeated, to whomever.
pub const LONGEST_NAME: usize = 30;

/// A name as it may be repeated.
pub fn shown(name: &str) -> String {
    match name.chars().count() {
        0..=LONGEST_NAME => printable(name),
        longer => format!("of {longer} characters"),
    }
}

/// A name that a stranger chose, fit to be shown in an error.
pub fn printable(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.:".contains(*c)).take(40).collect()
}

/// Adds parameters to a URI that may have some already; the URI itself is kept to the letter.
pub fn append<'a>(uri: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{}", encoded(pairs))
}

/// Puts parameters into the fragment of a URI that has none.
pub fn in_fragment<'a>(uri: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("{uri}#{}", encoded(pairs))
}

fn encoded<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        query.append_pair(name, value);
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m11_a_parameter_that_stands_twice_is_refused_and_an_empty_one_is_absent() {
        let params = Params::parse(b"a=1&b=&c=x+y%20z&a=2").unwrap();
        assert_eq!(params.get("a"), Err(ParamsError::Twice("a".into())));
        assert_eq!(params.get("b"), Ok(None));
        assert_eq!(params.get("c"), Ok(Some("x y z")));
        assert_eq!(params.twice(), Some(ParamsError::Twice("a".into())));
    }

    #[test]
    fn a_percent_sign_that_begins_nothing_stands_for_itself() {
        let decoded = |text: &[u8]| {
            decode(text).map(|read| read == percent_encoding::percent_decode(text).decode_utf8_lossy())
        };
        for text in
            ["", "a", "%", "%4", "%zz", "a%2Bb%2f", "%%41", "%4%41", "100%", "%C3%A9t%c3%a9", "%e2%82%ac%"]
        {
            assert_eq!(decoded(text.as_bytes()), Ok(true), "{text}");
        }
        assert_eq!(decode(b"a+%+1%2B+"), Ok("a % 1+ ".to_owned()));
    }

    #[test]
    fn m10_a_flood_of_parameters_and_broken_encodings_are_refused() {
        assert_eq!(Params::parse("a=1&".repeat(101).as_bytes()).unwrap_err(), ParamsError::TooMany);
        assert_eq!(Params::parse(b"a=%ff").unwrap_err(), ParamsError::Encoding);
        assert_eq!(Params::parse(b"a=x%00y").unwrap_err(), ParamsError::Encoding);
    }

    #[test]
    fn parameters_are_added_to_a_uri_as_it_stands() {
        assert_eq!(append("https://a.test/cb?x=1", [("code", "a&b")]), "https://a.test/cb?x=1&code=a%26b");
        assert_eq!(append("com.example:/cb", [("code", "1")]), "com.example:/cb?code=1");
    }
}
