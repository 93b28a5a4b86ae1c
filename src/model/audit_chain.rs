//! The chain of hashes over an organization's audit events, by which a changed, missing or moved one is told from the
//! file or the database alone; and its checkpoints, signed by the project, by which a chain that was made anew is.
//!
//! `hash(n) = SHA-256(hash(n-1) ‖ canonical(event n))`, where `canonical` is RFC 8785. An export is JSON Lines:
//! `{"project_id", "organization_id", "place", "hash"}` says where it goes on, each `{"place", "hash", "event"}` is one
//! event (`place` and `hash` are null of one that is not sealed yet), then `{"checkpoint"}` or `{"next_cursor"}`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId};
use crate::foundation::secret::Digest;
use crate::protocol::jose::{self, Algorithm, JoseError, JwkSet, Jws, SignError, SigningKey, Typ};

/// Which chain: an organization's, or the project's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    pub project: ProjectId,
    pub organization: Option<OrganizationId>,
}

impl Chain {
    /// As tables and checkpoints name it in its project.
    pub fn name(self) -> String {
        self.organization.map(|id| id.to_string()).unwrap_or_default()
    }
}

/// How far a chain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many events it has.
    pub place: i64,
    pub hash: Digest,
}

impl Head {
    /// No two chains begin alike.
    pub fn start(chain: Chain) -> Self {
        let text = format!("behalf audit chain\n{}\n{}\n", chain.project, chain.name());
        Self { place: 0, hash: Digest::of(text.as_bytes()) }
    }

    /// With one event more.
    #[must_use]
    pub fn after(self, event: &Value) -> Self {
        let bytes = [&self.hash.as_bytes()[..], &canonical(event)].concat();
        Self { place: self.place + 1, hash: Digest::of(&bytes) }
    }
}

/// One text for one value (RFC 8785). Events hold no number with a fraction, whose spelling would need more.
pub fn canonical(value: &Value) -> Vec<u8> {
    sorted(value).into_bytes()
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            let text = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), sorted(value));
            format!("{{{}}}", members.into_iter().map(text).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// What a chain was at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The project's issuer.
    pub iss: String,
    pub project_id: ProjectId,
    /// The organization's id; empty: the project's own.
    pub chain: String,
    pub place: i64,
    /// SHA-256, base64url.
    pub hash: String,
    /// Seconds since 1970.
    pub iat: i64,
}

const TYP: &str = "audit-checkpoint+jwt";
/// What signs them; every project has such a key.
pub const CHECKPOINT_ALGORITHM: Algorithm = Algorithm::RS256;

impl Checkpoint {
    pub fn of(iss: String, chain: Chain, head: Head, now: Moment) -> Self {
        let (project_id, hash) = (chain.project, head.hash.text());
        Self { iss, project_id, chain: chain.name(), place: head.place, hash, iat: now.seconds() }
    }

    /// A compact JWS (RFC 7515, section 7.1).
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignError> {
        key.sign_jwt(TYP, self)
    }

    pub fn verify(jws: &str, keys: &JwkSet) -> Result<Self, JoseError> {
        let bytes = Jws::parse(jws)?.verify_bytes(keys, &[CHECKPOINT_ALGORITHM], Typ::Exactly(TYP))?;
        serde_json::from_slice(&bytes).map_err(|_| JoseError::Type)
    }
}

/// How far back, from where sealing has come to, events are looked for that were recorded late.
pub const LATEST: Duration = Duration::from_secs(4 * 3_600);

/// A line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Sealed(Sealed),
    Begins(Begins),
    Signed(Signed),
    GoesOn(GoesOn),
}

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Null: not sealed yet.
    #[serde(deserialize_with = "given")]
    pub place: Option<i64>,
    #[serde(deserialize_with = "given")]
    pub hash: Option<String>,
    /// Null: it is gone.
    #[serde(deserialize_with = "given")]
    pub event: Option<Value>,
}

/// Which chain follows, and how far it has come before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begins {
    pub project_id: ProjectId,
    pub organization_id: Option<OrganizationId>,
    pub place: i64,
    pub hash: String,
}

/// A checkpoint, as a compact JWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub checkpoint: String,
}

/// There is more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoesOn {
    pub next_cursor: String,
}

/// Null, but not absent.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(reader)
}

impl Line {
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("is no line of an export")]
    Unreadable,
    #[error("must say which chain follows, and does not")]
    NoBeginning,
    #[error("is of another chain, or does not go on where the lines before end")]
    OtherChain,
    #[error("place {0} is missing here")]
    Missing(i64),
    #[error("was moved: place {0} stands further up")]
    Moved(i64),
    #[error("the event of place {0} is gone")]
    Gone(i64),
    #[error("place {0} was changed, or its hash or the hash before it")]
    Changed(i64),
    #[error("a sealed event follows one that is not")]
    AfterUnsealed,
    #[error("the chain is not that of the checkpoint at place {0}")]
    OtherPast(i64),
    #[error("the chain ends at place {0}, and a checkpoint knows place {1}")]
    CutOff(i64, i64),
    #[error("the export goes on: append its next page")]
    Incomplete,
    #[error("no event is here: this proves nothing")]
    Empty,
    #[error("the checkpoint at place {0} is gone")]
    CheckpointGone(i64),
}

/// Reads a chain line by line.
#[derive(Debug, Default)]
pub struct Verifier {
    chain: Option<(Chain, Head)>,
    /// By place; the one that it begins after, too.
    hashes: BTreeMap<i64, Digest>,
    unsealed: u64,
    goes_on: bool,
    /// What the lines hold; who holds the keys verifies them.
    pub checkpoints: Vec<String>,
}

/// What was found of a chain that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub chain: Chain,
    /// The first place that was looked at.
    pub first: i64,
    pub head: Head,
    /// Events that nothing protects yet.
    pub unsealed: u64,
}

impl Whole {
    /// Whether there was no event at all.
    pub fn is_empty(&self) -> bool {
        self.unsealed == 0 && self.head.place < self.first
    }
}

impl Verifier {
    pub fn text(&mut self, line: &str) -> Result<(), Broken> {
        // A member that stands there twice would be read one way here and another way elsewhere.
        let members = jose::json::object(line.as_bytes()).map_err(|_| Broken::Unreadable)?;
        self.line(serde_json::from_value(members.into()).map_err(|_| Broken::Unreadable)?)
    }

    pub fn line(&mut self, line: Line) -> Result<(), Broken> {
        match line {
            Line::Begins(begins) => self.begins(&begins),
            Line::Sealed(sealed) => self.sealed(sealed),
            Line::Signed(signed) => {
                self.checkpoints.push(signed.checkpoint);
                Ok(())
            }
            Line::GoesOn(_) => {
                self.goes_on = true;
                Ok(())
            }
        }
    }

    fn begins(&mut self, begins: &Begins) -> Result<(), Broken> {
        let chain = Chain { project: begins.project_id, organization: begins.organization_id };
        let hash = digest(&begins.hash).ok_or(Broken::Unreadable)?;
        let head = Head { place: begins.place, hash };
        let fits = match self.chain {
            Some(known) => known == (chain, head),
            None => begins.place > 0 || head == Head::start(chain),
        };
        if !fits {
            return Err(Broken::OtherChain);
        }
        self.goes_on = false;
        self.chain = Some((chain, head));
        self.hashes.insert(head.place, head.hash);
        Ok(())
    }

    fn sealed(&mut self, line: Sealed) -> Result<(), Broken> {
        let (chain, head) = self.chain.ok_or(Broken::NoBeginning)?;
        let (place, hash) = match (line.place, &line.hash) {
            (None, None) => {
                let event = line.event.as_ref().ok_or(Broken::Unreadable)?;
                self.unsealed += 1;
                return is_of(event, chain);
            }
            (Some(place), Some(hash)) => (place, digest(hash).ok_or(Broken::Unreadable)?),
            _ => return Err(Broken::Unreadable),
        };
        if self.unsealed > 0 {
            return Err(Broken::AfterUnsealed);
        }
        if place <= head.place {
            return Err(Broken::Moved(place));
        }
        if place > head.place + 1 {
            return Err(Broken::Missing(head.place + 1));
        }
        let event = line.event.as_ref().ok_or(Broken::Gone(place))?;
        let next = head.after(event);
        if next.hash != hash {
            return Err(Broken::Changed(place));
        }
        is_of(event, chain)?;
        self.chain = Some((chain, next));
        self.hashes.insert(place, hash);
        Ok(())
    }

    /// Whether the chain is the one that a checkpoint of it tells of.
    pub fn agrees(&self, checkpoint: &Checkpoint) -> Result<(), Broken> {
        let (chain, head) = self.chain.ok_or(Broken::NoBeginning)?;
        if (checkpoint.project_id, &checkpoint.chain) != (chain.project, &chain.name()) {
            return Err(Broken::OtherChain);
        }
        match self.hashes.get(&checkpoint.place) {
            Some(hash) if hash.text() == checkpoint.hash => Ok(()),
            None if checkpoint.place > head.place => Err(Broken::CutOff(head.place, checkpoint.place)),
            // Before what was looked at, nothing is known; nothing is believed either.
            _ => Err(Broken::OtherPast(checkpoint.place)),
        }
    }

    /// That nothing is left to be read.
    pub fn whole(&self) -> Result<Whole, Broken> {
        let (chain, head) = self.chain.ok_or(Broken::NoBeginning)?;
        if self.goes_on {
            return Err(Broken::Incomplete);
        }
        let first = self.hashes.keys().next().map_or(0, |place| place + 1);
        Ok(Whole { chain, first, head, unsealed: self.unsealed })
    }
}

/// An event that was carried over from another chain is none of this one.
fn is_of(event: &Value, chain: Chain) -> Result<(), Broken> {
    let own = json!({ "project_id": chain.project, "organization_id": chain.organization });
    let fits = ["project_id", "organization_id"].iter().all(|name| event.get(name) == own.get(name));
    if fits { Ok(()) } else { Err(Broken::OtherChain) }
}

fn digest(text: &str) -> Option<Digest> {
    Digest::from_slice(&data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CHAIN: Chain =
        Chain { project: ProjectId::from_u128(1), organization: Some(OrganizationId::from_u128(2)) };

    fn export(many: i64) -> Vec<String> {
        let mut head = Head::start(CHAIN);
        let begins = Begins {
            project_id: CHAIN.project,
            organization_id: CHAIN.organization,
            place: 0,
            hash: head.hash.text(),
        };
        let mut lines = vec![Line::Begins(begins).text()];
        for number in 0..many {
            let event = json!({ "project_id": CHAIN.project, "organization_id": CHAIN.organization, "number": number });
            head = head.after(&event);
            let line = Sealed { place: Some(head.place), hash: Some(head.hash.text()), event: Some(event) };
            lines.push(Line::Sealed(line).text());
        }
        lines
    }

    /// The line that is wrong, counted from 1, and what is.
    fn verified<'a>(lines: impl IntoIterator<Item = &'a String>) -> Result<Whole, (usize, Broken)> {
        let (mut verifier, mut last) = (Verifier::default(), 0);
        for (number, line) in lines.into_iter().enumerate() {
            last = number + 1;
            verifier.text(line).map_err(|broken| (last, broken))?;
        }
        verifier.whole().map_err(|broken| (last, broken))
    }

    #[test]
    fn m08_a_value_has_one_text() {
        let value: Value =
            serde_json::from_str(r#"{ "b": [1, null, {"z":"\u001b\n","a":true}], "a" : "é\u0022" }"#)
                .unwrap();
        let text = String::from_utf8(canonical(&value)).unwrap();
        assert_eq!(text, "{\"a\":\"é\\\"\",\"b\":[1,null,{\"a\":true,\"z\":\"\\u001b\\n\"}]}");
        // RFC 8785, section 3.2.3: by UTF-16, not by UTF-8.
        let odd = json!({ "\u{fb33}": 1, "\u{1f600}": 2 });
        assert_eq!(canonical(&odd), "{\"\u{1f600}\":2,\"\u{fb33}\":1}".as_bytes());
    }

    #[test]
    fn m08_what_was_changed_left_out_or_moved_is_named_by_its_line() {
        let lines = export(5);
        let whole = verified(&lines).unwrap();
        assert_eq!((whole.first, whole.head.place, whole.unsealed), (1, 5, 0));
        let changed = |at: usize, new: String| {
            let mut lines = lines.clone();
            lines[at] = new;
            verified(&lines).unwrap_err()
        };
        assert_eq!(changed(3, lines[3].replace("\"number\":2", "\"number\":3")), (4, Broken::Changed(3)));
        assert_eq!(changed(3, lines[3].replace("\"place\":3", "\"place\":4")), (4, Broken::Missing(3)));
        assert_eq!(changed(2, lines[3].clone()), (3, Broken::Missing(2)));
        assert_eq!(changed(4, lines[3].clone()), (5, Broken::Moved(3)));
        assert_eq!(changed(1, "{}".into()), (2, Broken::Unreadable));
        let gone = json!({"place": 3, "hash": "AA", "event": null}).to_string();
        assert_eq!(changed(3, gone), (4, Broken::Unreadable));
        let without =
            |at: usize| verified(lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| line));
        assert_eq!(without(0).unwrap_err(), (1, Broken::NoBeginning));
        assert_eq!(without(2).unwrap_err(), (2 + 1, Broken::Missing(2)));
        let mut swapped = lines.clone();
        swapped.swap(2, 3);
        assert_eq!(verified(&swapped).unwrap_err(), (3, Broken::Missing(2)));
        assert_eq!(changed(4, export(1)[0].clone()), (5, Broken::OtherChain));
    }

    #[test]
    fn m08_every_byte_that_is_changed_is_noticed() {
        let lines = export(2);
        for at in 1..lines.len() {
            for place in 0..lines[at].len() {
                let mut bytes = lines[at].clone().into_bytes();
                bytes[place] ^= 1;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let mut lines = lines.clone();
                lines[at] = text;
                assert!(verified(&lines).is_err(), "{}", lines[at]);
            }
        }
    }

    #[test]
    fn m08_a_chain_that_was_made_anew_or_cut_off_contradicts_its_checkpoint() {
        let key = SigningKey::generate(CHECKPOINT_ALGORITHM, "k").unwrap();
        let keys = JwkSet::new(vec![crate::protocol::jose::VerifyingKey::from_signing_key(&key).unwrap()]);
        let whole = verified(&export(5)).unwrap();
        let made = Checkpoint::of("https://i.test".into(), CHAIN, whole.head, Moment::from_seconds(7));
        let jws = made.sign(&key).unwrap();
        let read = Checkpoint::verify(&jws, &keys).unwrap();
        assert_eq!(read, made);
        assert!(Checkpoint::verify(&jws.replacen('e', "f", 1), &keys).is_err());
        let token = key.sign_jwt("at+jwt", &made).unwrap();
        assert!(Checkpoint::verify(&token, &keys).is_err(), "another kind of token");
        let agrees = |lines: &[String]| {
            let mut verifier = Verifier::default();
            lines.iter().try_for_each(|line| verifier.text(line)).unwrap();
            verifier.agrees(&read)
        };
        assert_eq!(agrees(&export(5)), Ok(()));
        assert_eq!(agrees(&export(7)), Ok(()));
        assert_eq!(agrees(&export(4)), Err(Broken::CutOff(4, 5)));
        let mut anew = export(0);
        let mut head = Head::start(CHAIN);
        for _ in 0..5 {
            let event = json!({ "project_id": CHAIN.project, "organization_id": CHAIN.organization });
            head = head.after(&event);
            let line = Sealed { place: Some(head.place), hash: Some(head.hash.text()), event: Some(event) };
            anew.push(Line::Sealed(line).text());
        }
        assert_eq!(agrees(&anew), Err(Broken::OtherPast(5)));
    }

    #[test]
    fn an_export_in_pages_is_one_export() {
        let lines = export(4);
        let head = verified(&lines[..3]).unwrap().head;
        let again = Begins {
            project_id: CHAIN.project,
            organization_id: CHAIN.organization,
            place: head.place,
            hash: head.hash.text(),
        };
        let (next, again) =
            (Line::GoesOn(GoesOn { next_cursor: "x".into() }).text(), Line::Begins(again).text());
        let mut pages = lines.clone();
        pages.splice(3..3, [next.clone(), again.clone()]);
        assert_eq!(verified(&pages).unwrap().head.place, 4);
        let first: Vec<_> = lines[..3].iter().chain([&next]).cloned().collect();
        assert_eq!(verified(&first).unwrap_err(), (4, Broken::Incomplete));
        let second: Vec<_> = [again].iter().chain(&lines[3..]).cloned().collect();
        assert_eq!(verified(&second).unwrap().first, 3);
    }
}
