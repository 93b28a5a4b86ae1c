//! What a document does: by who signed it, when it ends, and what it changes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::super::newer::newer;
use super::*;
use crate::model::connection::{
    IdentityProvider, IdpInitiated, LoginHint, Metadata, MetadataSource, OwnCertificates, Past,
    RequestBinding, RequestSettings, SamlPreset, ServiceEndpoint, ServiceEndpoints, Subject, WantedSignature,
    Wants, Withdrawn, key_name,
};
use crate::protocol::saml::keys::{KeyKind, SigningKey, self_signed};

const DAY: Duration = Duration::from_secs(86_400);
const NOW: Moment = Moment::from_seconds(1_790_000_000);

/// Two that are known, one that is younger, one that was withdrawn, and one that is no younger than those that are known.
static KEYS: LazyLock<[Idp; 5]> = LazyLock::new(|| [10, 5, 1, 2, 7].map(Idp::of_days_ago));

struct Idp {
    key: SigningKey,
    certificate: String,
}

impl Idp {
    fn of_days_ago(days: u32) -> Self {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let certificate = certificate(&key, days, DAY * 900);
        Self { key, certificate }
    }
}

fn certificate(key: &SigningKey, days_ago: u32, until: Duration) -> String {
    self_signed(key, "idp", NOW.minus(DAY * days_ago), NOW.plus(until), &[1]).unwrap().base64()
}

/// By whom and when, in rows, and what, in columns. The newest of all that counted ends in 30 days, or does not say when, or
/// its end is over: `later` is later than that.
const TABLE: &str = "
                  | adds    | adds older | drops   | drops youngest | replaces | moves   | moves, adds | encrypts | brings back | brings back, adds | only withdrawn | renews
  signed  later   | taken   | offered    | taken   | offered        | taken    | taken   | taken       | taken    | offered     | partly            | offered        | taken
  signed  not     | taken   | offered    | taken   | offered        | taken    | offered | partly      | offered  | offered     | partly            | offered        | taken
  nobody  later   | offered | offered    | offered | offered        | offered  | offered | offered     | offered  | offered     | offered           | offered        | same
  nobody  not     | offered | offered    | offered | offered        | offered  | offered | offered     | offered  | offered     | offered           | offered        | same
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

fn known(who: &str, newest_end: Option<Moment>) -> SamlSettings {
    let [one, two, _, withdrawn, _] = &*KEYS;
    let given_at = NOW.minus(DAY * 40);
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
            valid_until: newest_end,
            dated_at: None,
            ends: newest_end,
            signed: who != "nobody",
            dropped: Vec::new(),
            encryption: None,
            offer: None,
        }),
        past: Past {
            withdrawn: vec![Withdrawn {
                key: key_name(&withdrawn.certificate),
                at: given_at,
                by_document: true,
            }],
            newest_end,
            arrivals: Vec::new(),
        },
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

fn document(known: &SamlSettings, who: &str, ends: Option<Moment>, what: &str) -> Described {
    let [one, two, new, withdrawn, older] = KEYS.each_ref().map(|idp| idp.certificate.clone());
    let mut idp = known.idp.clone();
    let mut moves = || idp.sso.redirect.as_mut().unwrap().location = "https://new.test/sso".into();
    match what {
        "moves" | "moves, adds" => moves(),
        _ => {}
    }
    match what {
        "adds" | "moves, adds" => idp.certificates.push(new),
        "adds older" => idp.certificates.push(older),
        "keeps" | "encrypts" | "moves" => {}
        "drops" => idp.certificates = vec![two],
        "drops youngest" => idp.certificates = vec![one.clone()],
        "replaces" => idp.certificates = vec![new],
        "brings back" => idp.certificates.push(withdrawn),
        "brings back, adds" => idp.certificates.extend([withdrawn, new]),
        "only withdrawn" => idp.certificates = vec![withdrawn],
        "renews" => idp.certificates[0] = certificate(&KEYS[0].key, 0, DAY * 950),
        what => panic!("{what}"),
    }
    Described {
        idp,
        signed: who != "nobody",
        refused: None,
        digest: "other".to_owned(),
        encryption: (what == "encrypts").then_some(one),
        dropped: Vec::new(),
        valid_until: ends,
        ends,
        next_read_at: NOW,
    }
}

fn kept(known: &SamlSettings, described: &Described, verdict: Verdict) -> SamlSettings {
    let offer = verdict.offer.as_ref().map(ToString::to_string);
    newer(known, (described.clone(), verdict), offer, NOW)
}

/// A provider that is known by these certificates.
fn of(who: &str, certificates: &[String]) -> SamlSettings {
    let known = known(who, Some(NOW.plus(DAY * 30)));
    SamlSettings {
        idp: IdentityProvider { certificates: certificates.to_vec(), ..known.idp.clone() },
        ..known
    }
}

/// What lists these, and ends sooner than what is known.
fn lists(known: &SamlSettings, who: &str, certificates: &[String]) -> Described {
    let described = document(known, who, Some(NOW.plus(DAY * 25)), "keeps");
    Described { idp: IdentityProvider { certificates: certificates.to_vec(), ..described.idp }, ..described }
}

/// What is known once a document came, and whether something of it waits.
fn after(known: &SamlSettings, described: &Described) -> (SamlSettings, Verdict) {
    let verdict = judge(known, described).unwrap();
    (kept(known, described, verdict.clone()), verdict)
}

fn encryption(saml: &SamlSettings) -> Option<&String> {
    saml.metadata.as_ref().unwrap().encryption.as_ref()
}

fn word(known: &SamlSettings, described: &Described) -> &'static str {
    let (after, verdict) = after(known, described);
    let is_changed = (&after.idp, encryption(&after)) != (&known.idp, encryption(known));
    let is_all = (&after.idp, encryption(&after)) == (&described.idp, described.encryption.as_ref());
    match (is_changed, verdict.offer.is_some()) {
        (true, true) if !is_all => "partly",
        (true, false) if is_all => "taken",
        (false, true) => "offered",
        (false, false) => "same",
        told => panic!("{told:?}: {after:?}"),
    }
}

/// The names of these of [`KEYS`].
fn keys_of<const N: usize>(which: [usize; N]) -> [String; N] {
    which.map(|one| key_name(&KEYS[one].certificate))
}

fn keys(saml: &SamlSettings) -> Vec<String> {
    saml.idp.key_names()
}

#[test]
fn m15_the_table_of_what_a_document_does() {
    let until = |days| Some(NOW.plus(DAY * days));
    for newest_end in [until(30), None, Some(NOW.minus(DAY))] {
        for [who, when, what, expected] in cells(TABLE) {
            // Only what somebody has had read, and what counted since, says that documents have an end.
            let ends = match when {
                "later" if newest_end.is_none() => continue,
                "later" => vec![until(31)],
                _ if newest_end == until(30) => vec![until(30), until(5), None],
                _ if newest_end.is_none() => vec![None, until(31)],
                _ => vec![None],
            };
            for (end, signer) in ends.into_iter().flat_map(|end| [(end, "listed"), (end, "pinned")]) {
                let known = known(signer, newest_end);
                let described = document(&known, who, end, what);
                let case = format!("{signer} {who} {end:?} {what} {newest_end:?}");
                assert_eq!(word(&known, &described), expected, "{case}");
                let (after, verdict) = after(&known, &described);
                assert!(!keys(&after).contains(&keys_of([3])[0]), "{case}: it was withdrawn");
                let offer = &after.metadata.as_ref().unwrap().offer;
                assert_eq!(offer.is_some(), verdict.offer.is_some(), "{case}: it is shown");
                // What counts no more is remembered, and so is the latest end.
                let gone = keys(&known).into_iter().filter(|one| !keys(&after).contains(one));
                let is_remembered = |key| after.past.withdrawn.iter().any(|one| one.key == key);
                assert!(gone.into_iter().all(is_remembered), "{case}");
                assert!(after.past.newest_end >= newest_end, "{case}");
                // The same document again changes nothing more.
                let again = judge(&after, &described).unwrap();
                assert_eq!(kept(&after, &described, again).idp, after.idp, "{case}");
            }
        }
    }
}

#[test]
fn m15_what_is_read_or_typed_anew_forgets_neither_the_latest_end_nor_what_was_withdrawn() {
    let known = known("pinned", Some(NOW.plus(DAY * 300)));
    let mut idp = known.idp.clone();
    idp.certificates = vec![KEYS[1].certificate.clone()];
    let mut metadata = known.metadata.clone().unwrap();
    metadata.ends = Some(NOW.plus(DAY * 7));
    for metadata in [Some(metadata), None] {
        let past = known.past_of(&idp, metadata.as_ref(), (NOW, false));
        assert_eq!(past.newest_end, Some(NOW.plus(DAY * 300)));
        assert_eq!(past.withdrawn.len(), 2);
        let anew = SamlSettings { idp: idp.clone(), past, ..known.clone() };
        for days in [300, 301] {
            let old = document(&known, "pinned", Some(NOW.plus(DAY * days)), "moves");
            let (after, verdict) = after(&anew, &old);
            assert_eq!(keys(&after), keys_of([1]), "what somebody took away needs somebody");
            assert!(verdict.offer.unwrap().to_string().contains("withdrawn"));
            assert_eq!(has_moved(&after.idp, &anew.idp), days == 301);
        }
    }
    // Another provider's dates are its own.
    let other = IdentityProvider { entity_id: Some("https://other.test".into()), ..idp };
    assert_eq!(known.past_of(&other, None, (NOW, false)).newest_end, None);
}

#[test]
fn m15_of_a_provider_of_two_keys_of_one_moment_neither_is_taken_away_by_a_copy_that_has_the_other() {
    let mut known = known("listed", None);
    let twin = Idp::of_days_ago(5);
    known.idp.certificates = vec![KEYS[1].certificate.clone(), twin.certificate.clone()];
    for one in [&KEYS[1], &twin] {
        let mut described = document(&known, "listed", None, "keeps");
        described.idp.certificates = vec![one.certificate.clone()];
        assert_eq!(word(&known, &described), "offered");
    }
}

/// A key is as old as the youngest certificate of it that the provider has signed, whatever copies come and however often.
#[test]
fn m15_no_copy_makes_a_known_key_older() {
    let [renewed, newest] = [100, 50].map(Idp::of_days_ago);
    let [between, next] = [400, 5].map(Idp::of_days_ago);
    let listed = |idp: &Idp| idp.certificate.clone();
    let once = |idp: &Idp| certificate(&idp.key, 700, DAY * 900);
    let begun = |idp: &Idp, days| certificate(&idp.key, days, DAY * 950);
    for signer in ["listed", "pinned"] {
        let of = |certificates: Vec<String>| {
            let known = known(signer, Some(NOW.plus(DAY * 30)));
            SamlSettings { idp: IdentityProvider { certificates, ..known.idp.clone() }, ..known }
        };
        let says = |known: &SamlSettings, who: &str, certificates: &[String]| {
            let described = document(known, who, Some(NOW.plus(DAY * 25)), "keeps");
            let idp = IdentityProvider { certificates: certificates.to_vec(), ..described.idp };
            let told = after(known, &Described { idp, ..described });
            assert_eq!(
                told.0.past.withdrawn.len() - known.past.withdrawn.len(),
                0,
                "{signer} {certificates:?}"
            );
            told
        };
        // What was published between two certificates of a key is no younger than the key, however often it is shown.
        let mut now = of(vec![listed(&renewed)]);
        for _ in 0..3 {
            let (then, verdict) = says(&now, signer, &[once(&renewed), listed(&between)]);
            assert_eq!(then.idp.certificates, [listed(&renewed)]);
            assert_eq!((verdict.word, verdict.offer.is_some()), (Word::Older, true));
            now = then;
        }
        // Nor does the newest key become one that may leave.
        let mut now = of(vec![certificate(&renewed.key, 300, DAY * 900), listed(&newest)]);
        for copy in [vec![once(&newest), certificate(&renewed.key, 300, DAY * 900)], vec![once(&renewed)]] {
            now = says(&now, signer, &copy).0;
            assert!(now.idp.certificates.contains(&listed(&newest)), "{:?}", keys(&now));
        }
        // By the address alone a certificate makes a key neither older nor younger, so its successor still comes by itself.
        let short = certificate(&renewed.key, 100, DAY * 20);
        for days in [20_000, 0] {
            let now = of(vec![short.clone()]);
            let (then, verdict) = says(&now, "nobody", &[begun(&renewed, days)]);
            assert_eq!((&then.idp, verdict.offer), (&now.idp, None));
            let (then, verdict) = says(&then, signer, &[short.clone(), listed(&next)]);
            assert_eq!((then.idp.certificates.len(), verdict.offer), (2, None));
        }
    }
}

/// One key in two certificates, as while it is renewed, is one key, as old as the younger of them, in whatever order they come.
#[test]
fn m15_a_key_in_two_certificates_is_as_old_as_the_younger_one() {
    let [renewed, newest] = [100, 50].map(Idp::of_days_ago);
    let between = Idp::of_days_ago(400);
    let begun = |idp: &Idp, days| certificate(&idp.key, days, DAY * 900);
    let young = begun(&renewed, 100);
    let newest = [600, 50].map(|days| begun(&newest, days));
    for signer in ["listed", "pinned"] {
        for both in [[begun(&renewed, 700), young.clone()], [young.clone(), begun(&renewed, 700)]] {
            // What was published between the two is shown again and again.
            let mut now = of(signer, &both);
            for copy in
                [&[begun(&renewed, 700), between.certificate.clone()][..], &both, &both[..1]].repeat(2)
            {
                let (then, verdict) = after(&now, &lists(&now, signer, copy));
                assert_eq!(then.idp.certificates, std::slice::from_ref(&young), "{signer}");
                assert_eq!(verdict.offer.is_some(), copy.contains(&between.certificate), "{signer}");
                now = then;
            }
            // The newest key does not grow old, and is not left out.
            let three = [begun(&renewed, 300), newest[0].clone(), newest[1].clone()];
            let mut now = of(signer, &three);
            for copy in [&[newest[0].clone(), begun(&renewed, 300)][..], &[begun(&renewed, 300)]].repeat(2) {
                now = after(&now, &lists(&now, signer, copy)).0;
                assert!(now.idp.certificates.contains(&newest[1]), "{signer}");
                assert_eq!(now.past.withdrawn.len(), 1, "{signer}");
            }
        }
    }
}

/// A document from before a key was renewed is older than what is known since, though it lists the same key.
#[test]
fn m15_a_copy_from_before_a_renewal_takes_no_key_away() {
    let [renewed, other] = [300, 100].map(Idp::of_days_ago);
    let [once, now_on] = [300, 50].map(|days| certificate(&renewed.key, days, DAY * 900));
    for signer in ["listed", "pinned"] {
        let start = of(signer, &[once.clone(), other.certificate.clone()]);
        let (now, _) = after(&start, &lists(&start, signer, &[now_on.clone(), other.certificate.clone()]));
        assert_eq!(now.idp.certificates, [now_on.clone(), other.certificate.clone()]);
        let (then, verdict) = after(&now, &lists(&now, signer, std::slice::from_ref(&once)));
        assert_eq!((&then.idp, &then.past), (&now.idp, &now.past), "{signer}");
        assert_eq!(verdict.word, Word::Older);
        // And what its provider says now counts as before.
        let (then, verdict) = after(&then, &lists(&then, signer, &now.idp.certificates));
        assert_eq!((&then.idp, verdict.offer), (&now.idp, None), "{signer}");
    }
}

/// A key that was made before and came later stays, whatever was published before it came.
#[test]
fn m15_a_copy_from_before_a_key_came_does_not_take_it_away() {
    let [renewed, made_before, further] = [5, 100, 90].map(Idp::of_days_ago);
    let [first, second, third] = [&renewed, &made_before, &further].map(|idp| idp.certificate.clone());
    let confirmed = |saml: &SamlSettings, certificates: &[String]| {
        let idp = IdentityProvider { certificates: certificates.to_vec(), ..saml.idp.clone() };
        let past = saml.past_of(&idp, saml.metadata.as_ref(), (NOW, false));
        SamlSettings { idp, past, ..saml.clone() }
    };
    let start = of("listed", std::slice::from_ref(&first));
    let two = confirmed(&start, &[first.clone(), second.clone()]);
    let three = confirmed(&two, &[first.clone(), second.clone(), third.clone()]);
    // What came last went again: then what came before it is the last.
    let back = confirmed(&three, &[first.clone(), second.clone()]);
    for (now, copy) in [
        (&two, vec![first.clone()]),
        (&three, vec![first.clone(), second.clone()]),
        (&back, vec![first.clone()]),
    ] {
        let (then, verdict) = after(now, &lists(now, "listed", &copy));
        assert_eq!((&then.idp, verdict.word), (&now.idp, Word::Older));
        assert!(verdict.offer.unwrap().to_string().contains("takes keys away"));
    }
    // The others may leave.
    let (then, _) = after(&two, &lists(&two, "listed", &[first.clone(), second.clone(), third.clone()]));
    assert_eq!(then.idp, two.idp, "a third waits");
    let next = Idp::of_days_ago(1).certificate;
    let (then, _) = after(&three, &lists(&three, "listed", &[third.clone(), next.clone()]));
    assert_eq!(then.idp.certificates, [third, next.clone()]);
    let (then, _) = after(&then, &lists(&then, "listed", std::slice::from_ref(&next)));
    assert_eq!(then.idp.certificates, [next]);
}

#[test]
fn m15_a_copy_from_when_a_provider_still_signed_does_not_let_it_run_out() {
    let until = |days| Some(NOW.plus(DAY * days));
    let mut now = known("nobody", until(6));
    for (who, days, expected) in
        [("listed", 2, until(6)), ("nobody", 20, until(20)), ("listed", 30, until(30))]
    {
        now = after(&now, &document(&now, who, until(days), "keeps")).0;
        assert_eq!(now.metadata.as_ref().unwrap().valid_until, expected, "{who}");
    }
    let (then, _) = after(&now, &document(&now, "nobody", until(40), "keeps"));
    assert_eq!(
        then.metadata.unwrap().valid_until,
        until(30),
        "what is signed now is prolonged by what is signed"
    );
}

#[test]
fn m15_how_long_a_document_is_good_for() {
    let until = |days| Some(NOW.plus(DAY * days));
    let over = Some(NOW.minus(DAY));
    for (signer, who, known_end, own, what, expected) in [
        ("listed", "listed", until(30), until(40), "keeps", until(40)),
        ("listed", "listed", until(30), until(5), "keeps", until(30)),
        ("listed", "listed", until(30), None, "keeps", until(30)),
        // It has stopped to say when, which whoever signs for many does not.
        ("listed", "listed", over, None, "keeps", None),
        ("pinned", "pinned", over, None, "keeps", over),
        ("listed", "listed", None, until(5), "keeps", None),
        // Older than what is known, or nobody's.
        ("listed", "listed", until(30), until(30), "drops youngest", until(30)),
        ("listed", "nobody", until(30), until(40), "keeps", until(30)),
        ("nobody", "nobody", until(30), until(40), "keeps", until(40)),
        ("nobody", "nobody", until(30), until(40), "only withdrawn", until(30)),
        ("nobody", "nobody", until(30), until(5), "keeps", until(30)),
    ] {
        let known = known(signer, known_end);
        let described = document(&known, who, own, what);
        let after = after(&known, &described).0.metadata.unwrap().valid_until;
        assert_eq!(after, expected, "{signer} {who} {known_end:?} {own:?} {what}");
    }
}

mod timelines;
