//! What a document does: by who signed it, when it ends, and what it changes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::newer::newer;
use super::*;
use crate::model::connection::{
    IdentityProvider, IdpInitiated, LoginHint, MetadataSource, OwnCertificates, RequestBinding,
    RequestSettings, SamlPreset, ServiceEndpoint, ServiceEndpoints, Subject, WantedSignature, Wants,
    Withdrawn, key_name,
};
use crate::protocol::saml::keys::{KeyKind, SigningKey, self_signed};

const DAY: Duration = Duration::from_secs(86_400);
const LEFT: &str = "https://left.test/sso";
const NOW: Moment = Moment::from_seconds(1_790_000_000);

/// Two that are known, one that is new, and one that was withdrawn.
static KEYS: LazyLock<[Idp; 4]> = LazyLock::new(|| [(); 4].map(|()| Idp::new()));

struct Idp {
    key: SigningKey,
    certificate: String,
}

impl Idp {
    fn new() -> Self {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let certificate = certificate(&key, DAY * 900);
        Self { key, certificate }
    }
}

fn certificate(key: &SigningKey, until: Duration) -> String {
    self_signed(key, "idp", NOW.minus(DAY), NOW.plus(until), &[1]).unwrap().base64()
}

/// The first row and column say who, when and what; `known` ends in 30 days. `adds, fresh`: where the connection was set up
/// a moment ago, by a document of that end.
const TABLE: &str = "
                  | adds         | adds, fresh  | keeps     | drops     | moves     | moves back | brings back | renews
  pinned  later   | taken        | taken        | taken     | taken     | taken     | taken      | taken       | taken
  pinned  equal   | patiently    | old          | patiently | patiently | patiently | withdrawn  | withdrawn   | patiently
  pinned  sooner  | partly       | old          | partly    | partly    | older     | older      | older       | partly
  pinned  undated | older        | older        | older     | older     | older     | older      | older       | older
  listed  later   | taken        | taken        | taken     | taken     | taken     | taken      | withdrawn   | taken
  listed  equal   | patiently    | old          | patiently | patiently | patiently | withdrawn  | withdrawn   | patiently
  listed  sooner  | partly       | old          | partly    | partly    | older     | older      | older       | partly
  listed  undated | partly       | old          | partly    | partly    | older     | older      | older       | partly
  nobody  later   | certificates | certificates | taken     | fewer     | addresses | addresses  | withdrawn   | taken
  nobody  equal   | certificates | certificates | taken     | fewer     | addresses | addresses  | withdrawn   | taken
  nobody  sooner  | certificates | certificates | taken     | fewer     | addresses | addresses  | withdrawn   | taken
  nobody  undated | certificates | certificates | taken     | fewer     | addresses | addresses  | withdrawn   | taken
";

/// The same where nothing that is known has an end.
const UNDATED: &str = "
                  | adds         | adds, fresh  | keeps     | drops     | moves     | moves back | brings back | renews
  pinned  later   | patiently    | patiently    | patiently | patiently | patiently | withdrawn  | withdrawn   | patiently
  pinned  undated | patiently    | patiently    | patiently | patiently | patiently | withdrawn  | withdrawn   | patiently
  listed  later   | patiently    | patiently    | patiently | patiently | patiently | withdrawn  | withdrawn   | patiently
  listed  undated | patiently    | patiently    | patiently | patiently | patiently | withdrawn  | withdrawn   | patiently
";

/// Who, when, what, and what becomes of it.
fn cells(table: &'static str) -> Vec<[&'static str; 4]> {
    let mut rows = table.trim().lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let what = rows.next().unwrap();
    // The first one's corner is trimmed away.
    let what: Vec<_> = what.into_iter().filter(|cell| !cell.is_empty()).collect();
    let cell = |row: Vec<&'static str>| {
        let (who, when) = row[0].split_once(' ').unwrap();
        assert_eq!(row.len(), what.len() + 1, "{row:?}");
        let of = |(what, told): (&&'static str, &&'static str)| [who, when.trim(), *what, *told];
        what.iter().zip(&row[1..]).map(of).collect::<Vec<_>>()
    };
    rows.flat_map(cell).collect()
}

fn known(who: &str, until: Option<Moment>, is_fresh: bool) -> SamlSettings {
    let [one, two, _, withdrawn] = &*KEYS;
    let given_at = if is_fresh { NOW } else { NOW.minus(DAY * 40) };
    let redirect = Some(ServiceEndpoint { location: "https://idp.test/sso".into(), response_location: None });
    SamlSettings {
        preset: SamlPreset::Generic,
        idp: IdentityProvider {
            entity_id: Some("https://idp.test".into()),
            sso: ServiceEndpoints { redirect, post: None },
            slo: ServiceEndpoints::default(),
            certificates: vec![one.certificate.clone(), two.certificate.clone()],
        },
        metadata: Some(Metadata {
            source: MetadataSource::Address("https://idp.test/metadata".parse().unwrap()),
            entity_id: None,
            signer: (who == "pinned").then(|| one.certificate.clone()),
            digest: String::new(),
            read_at: given_at,
            given_at,
            given_until: until,
            valid_until: until,
            dated_at: None,
            signed_until: until.filter(|_| !is_fresh && who != "nobody"),
            dropped: Vec::new(),
            encryption: None,
            missed: None,
            moving: None,
        }),
        withdrawn: [key_name(&withdrawn.certificate), LEFT.to_owned()]
            .map(|key| Withdrawn { key, at: given_at, by_document: true })
            .into(),
        request: RequestSettings {
            binding: RequestBinding::Redirect,
            force_authn: false,
            authn_context: None,
            name_id_format: None,
            scoping: Vec::new(),
            login_hint: LoginHint::None,
            signature: None,
        },
        wants: Wants { signed: WantedSignature::Either, encrypted: false },
        subject: Subject::NameId,
        attributes: SamlPreset::Generic.facts().attributes(),
        required_attributes: BTreeMap::new(),
        idp_initiated: IdpInitiated::Off,
        default_application: None,
        honours_session_end: true,
        single_logout: true,
        own: OwnCertificates::default(),
    }
}

fn document(known: &SamlSettings, who: &str, when: &str, what: &str) -> Described {
    let [one, two, new, withdrawn] = &*KEYS;
    let mut idp = known.idp.clone();
    match what {
        "adds" | "adds, fresh" => idp.certificates.push(new.certificate.clone()),
        "keeps" => {}
        "drops" => idp.certificates = vec![two.certificate.clone()],
        "moves" => idp.sso.redirect.as_mut().unwrap().location = "https://new.test/sso".into(),
        "moves back" => idp.sso.redirect.as_mut().unwrap().location = LEFT.into(),
        "brings back" => idp.certificates.push(withdrawn.certificate.clone()),
        "renews" => idp.certificates[0] = certificate(&one.key, DAY * 950),
        what => panic!("{what}"),
    }
    let ends = match when {
        "later" => Some(NOW.plus(DAY * 31)),
        "equal" => Some(NOW.plus(DAY * 30)),
        "sooner" => Some(NOW.plus(DAY * 5)),
        _ => None,
    };
    Described {
        idp,
        signed: who != "nobody",
        digest: "other".to_owned(),
        encryption: None,
        dropped: Vec::new(),
        valid_until: ends,
        ends,
        next_read_at: NOW,
    }
}

fn word(judged: &Result<Verdict, MetadataReadError>) -> &'static str {
    match judged {
        Ok(Verdict::Taken) => "taken",
        Ok(Verdict::Patiently) => "patiently",
        Ok(Verdict::Partly) => "partly",
        Ok(Verdict::Offered(why)) => match why {
            Why::Certificates => "certificates",
            Why::Addresses => "addresses",
            Why::Withdrawn => "withdrawn",
            Why::Fewer => "fewer",
            Why::Encryption => "encryption",
            Why::Old => "old",
        },
        Err(MetadataReadError::Older(_)) => "older",
        Err(other) => panic!("{other}"),
    }
}

fn keys(saml: &SamlSettings) -> Vec<String> {
    saml.idp.key_names()
}

#[test]
fn m15_the_table_of_what_a_document_does() {
    for (table, until) in [(TABLE, Some(NOW.plus(DAY * 30))), (UNDATED, None)] {
        for [who, when, what, expected] in cells(table) {
            let known = known(who, until, what.ends_with("fresh"));
            let described = document(&known, who, when, what);
            let judged = judge(&known, &described, NOW);
            assert_eq!(word(&judged), expected, "{who} {when} {what} {until:?}");
            let Ok(verdict) = judged else { continue };
            // What is listed no more, or was withdrawn, is believed only as far as the verdict says.
            let after = newer(&known, (described.clone(), verdict), NOW);
            let lost: Vec<_> = keys(&known).into_iter().filter(|one| !keys(&after).contains(one)).collect();
            let is_gone_at_once = verdict == Verdict::Taken && what == "drops";
            assert_eq!(lost.len(), usize::from(is_gone_at_once), "{who} {when} {what}");
            let gains = keys(&after).len() + lost.len() > keys(&known).len();
            let may_gain = matches!(what, "adds" | "adds, fresh" | "brings back");
            assert_eq!(gains, may_gain && !matches!(verdict, Verdict::Offered(_)), "{who} {when} {what}");
            let moves = has_moved(&known.idp, &after.idp);
            assert_eq!(moves, verdict == Verdict::Taken && what.starts_with("moves"), "{who} {when} {what}");
            let is_missed = matches!(verdict, Verdict::Patiently | Verdict::Partly) && what == "drops";
            assert_eq!(!after.unlisted().is_empty(), is_missed, "{who} {when} {what}");
            // A day later, of nothing else, it is gone, or there.
            if is_missed || (verdict == Verdict::Patiently && what == "moves") {
                let tomorrow = NOW.plus(DAY);
                let verdict = judge(&after, &described, tomorrow).unwrap();
                let later = newer(&after, (described, verdict), tomorrow);
                if is_missed {
                    assert_eq!(keys(&later), [key_name(&KEYS[1].certificate)], "{who} {when}");
                }
                assert_eq!(has_moved(&known.idp, &later.idp), !is_missed, "{who} {when}");
                assert_eq!(later.withdrawn.len(), 3, "and what it was does not come back");
            }
            // By the address alone no certificate is changed that is not about to run out.
            if who == "nobody" {
                assert_eq!(after.idp, known.idp, "{when} {what}");
            }
        }
    }
}

#[test]
fn m15_a_document_that_replaces_every_key_counts_after_a_day_of_nothing_else() {
    let known = known("listed", Some(NOW.plus(DAY * 300)), true);
    let mut described = document(&known, "listed", "sooner", "keeps");
    described.idp.certificates = vec![KEYS[2].certificate.clone()];
    assert_eq!(word(&judge(&known, &described, NOW)), "old");
    let waits = newer(&known, (described.clone(), Verdict::Offered(Why::Old)), NOW);
    assert_eq!((keys(&waits), waits.unlisted().len()), (keys(&known), 2));
    let tomorrow = NOW.plus(DAY);
    assert_eq!(word(&judge(&waits, &described, tomorrow)), "partly");
    let after = newer(&waits, (described.clone(), Verdict::Partly), tomorrow);
    assert_eq!(keys(&after), [key_name(&KEYS[2].certificate)]);
    // One that lists a key that is known may be from before the connection was there: that one stays, and nothing is added.
    described.idp.certificates.push(KEYS[0].certificate.clone());
    let waits = newer(&known, (described.clone(), Verdict::Offered(Why::Old)), NOW);
    assert_eq!(word(&judge(&waits, &described, tomorrow)), "old");
    let after = newer(&waits, (described, Verdict::Offered(Why::Old)), tomorrow);
    assert_eq!(keys(&after), [key_name(&KEYS[0].certificate)]);
}

#[test]
fn m15_documents_without_an_end_worth_the_name_are_no_newer_because_they_were_read_later() {
    let known = known("pinned", Some(NOW.plus(DAY * 400)), false);
    let far = Moment::from_seconds(253_402_300_799);
    let mut first = document(&known, "pinned", "later", "keeps");
    (first.ends, first.valid_until) = (Some(far), Some(NOW.plus(DAY * 400)));
    let after = newer(&known, (first, Verdict::Taken), NOW);
    let mut again = document(&after, "pinned", "later", "brings back");
    (again.ends, again.valid_until) = (Some(far), Some(NOW.plus(DAY * 401)));
    assert_eq!(word(&judge(&after, &again, NOW.plus(DAY))), "withdrawn");
}
