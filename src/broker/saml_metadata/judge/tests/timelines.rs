//! Providers that publish one document after the other, a house that reads some of them, and whoever holds the address and shows
//! what was there before: no document that is older than what counted last changes what is believed.

use super::*;

/// Numbers by chance, the same in each run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// Days of a timeline; the first is so long ago.
const DAYS: usize = 14;
const DAYS_AGO: u32 = 14;

static SOME: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| (0..DAYS).map(|_| SigningKey::generate(KeyKind::P256).unwrap()).collect());

/// What a provider has: the certificates of each key that it lists.
struct Provider {
    keys: Vec<Vec<String>>,
    unused: usize,
    address: u32,
}

impl Provider {
    /// A certificate of a key that begins so many days ago.
    fn make(key: usize, days_ago: u32) -> String {
        certificate(&SOME[key], days_ago, DAY * 900)
    }

    fn add(&mut self, days_ago: u32) {
        if let Some(key) = SOME.len().checked_sub(self.unused + 1) {
            self.keys.push(vec![Self::make(key, days_ago)]);
            self.unused += 1;
        }
    }

    /// What it does on a day, so many days ago. A key that it leaves out never comes back.
    fn goes_on(&mut self, chance: &mut Chance, days_ago: u32) {
        match chance.below(7) {
            0 | 1 => self.add(days_ago),
            // Made before, and published now.
            2 => self.add(days_ago + 1 + u32::try_from(chance.below(20)).unwrap()),
            3 | 4 => {
                let at = chance.below(self.keys.len());
                let name = key_name(&self.keys[at][0]);
                let key = (0..SOME.len()).find(|key| key_name(&Self::make(*key, 1)) == name).unwrap();
                let renewed = Self::make(key, days_ago);
                let last = self.keys[at].pop().unwrap();
                self.keys[at] = match chance.below(3) {
                    0 => vec![renewed],
                    1 => vec![last, renewed],
                    _ => vec![renewed, last],
                };
            }
            5 if self.keys.len() > 1 => drop(self.keys.remove(chance.below(self.keys.len()))),
            _ => self.address += 1,
        }
    }

    fn says(&self, known: &SamlSettings, ends: Option<Moment>) -> Described {
        let certificates: Vec<_> = self.keys.iter().flatten().cloned().collect();
        let mut described = Described { valid_until: ends, ends, ..lists(known, "listed", &certificates) };
        let location = format!("https://idp.test/sso/{}", self.address);
        described.idp.sso.redirect = Some(ServiceEndpoint { location, response_location: None });
        described
    }
}

/// The age of each key that is believed.
fn ages(saml: &SamlSettings) -> BTreeMap<String, Moment> {
    let certificates = one_each(&saml.idp.certificates);
    certificates.iter().map(|text| (key_name(text), begins(text).unwrap())).collect()
}

/// Whether it lists a key that was never known, and is younger than all that are: of such a one nobody can tell that the
/// provider has given it up since.
fn is_unheard(known: &SamlSettings, described: &Described) -> bool {
    let ages = ages(known);
    let newest = ages.values().max().copied();
    let was_known = |name: &String| known.past.withdrawn.iter().any(|one| one.key == *name);
    described.idp.certificates.iter().any(|text| {
        let name = key_name(text);
        !ages.contains_key(&name) && !was_known(&name) && begins(text) > newest
    })
}

/// One timeline. Tells how often an older document was shown, and how often one counted.
fn run(seed: u64) -> (u32, u32) {
    let mut chance = Chance(seed);
    let (signer, is_dated) = (if chance.one_in(2) { "pinned" } else { "listed" }, chance.one_in(2));
    let mut provider = Provider { keys: Vec::new(), unused: 0, address: 0 };
    provider.add(DAYS_AGO + 30);
    let ends = |days_ago: u32| is_dated.then(|| NOW.minus(DAY * days_ago).plus(DAY * 30));
    let mut known = of(signer, &provider.keys.concat());
    known.metadata =
        known.metadata.map(|read| Metadata { valid_until: ends(DAYS_AGO), ends: ends(DAYS_AGO), ..read });
    known.past = Past::beginning(known.metadata.as_ref());
    known.idp = provider.says(&known, None).idp;
    let mut published = vec![provider.says(&known, ends(DAYS_AGO))];
    // The newest that has counted.
    let mut counted = 0;
    let (mut shown, mut counts) = (0, 0);
    for days_ago in (0..DAYS_AGO).rev() {
        provider.goes_on(&mut chance, days_ago);
        published.push(provider.says(&known, ends(days_ago)));
        let latest = published.len() - 1;
        if chance.one_in(2) {
            let (then, verdict) = after(&known, &published[latest]);
            known = then;
            if matches!(verdict.word, Word::Newer | Word::Current) {
                (counted, counts) = (latest, counts + 1);
            }
            // Somebody has it read anew.
            if verdict.offer.is_some() && chance.one_in(3) {
                let idp = IdentityProvider {
                    certificates: one_each(&published[latest].idp.certificates),
                    ..published[latest].idp.clone()
                };
                let read = known.metadata.clone().unwrap();
                let read = Metadata { valid_until: ends(days_ago), ends: ends(days_ago), ..read };
                let past = known.past_of(&idp, Some(&read), (NOW, false));
                known = SamlSettings { idp, metadata: Some(read), past, ..known };
                counted = latest;
            }
        }
        if counted == 0 {
            continue;
        }
        let old = &published[chance.below(counted)];
        for _ in 0..1 + chance.below(3) {
            if is_unheard(&known, old) {
                break;
            }
            shown += 1;
            let (then, _) = after(&known, old);
            let case = format!("seed {seed}, {days_ago} days ago: {:?}", old.idp.key_names());
            let (before, now) = (ages(&known), ages(&then));
            assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>(), "{case}");
            assert!(now.iter().all(|(key, age)| *age >= before[key]), "{case}: a key has grown older");
            assert!(!has_moved(&known.idp, &then.idp), "{case}: an address has moved");
            let until = |saml: &SamlSettings| saml.metadata.as_ref().unwrap().valid_until;
            assert!(until(&then).is_none() || until(&then) >= until(&known), "{case}: an end is nearer");
            assert_eq!(then.past.withdrawn, known.past.withdrawn, "{case}");
            known = then;
        }
    }
    (shown, counts)
}

#[test]
fn m15_no_older_document_changes_what_is_believed_in_whatever_order_documents_come() {
    let (mut shown, mut counts) = (0, 0);
    for seed in 0..250 {
        let told = run(seed);
        shown += told.0;
        counts += told.1;
    }
    // Otherwise it would say nothing.
    assert!(shown > 1_500 && counts > 600, "{shown} {counts}");
}
