//! What the OpenID Foundation's plans for providers ask of us, played by us: `plans.txt` lists every module of each plan, and
//! for each the story that does what the module does, or why there is none.
//!
//! The Foundation's own suite is another program and has not been run.

mod basic;
mod config;
mod dynamic;
mod fapi2;
mod fapi2_clients;
mod fapi2_proofs;
mod logout;
mod party;

use std::collections::BTreeMap;

const PLANS: &str = include_str!("plans.txt");

/// The stories of this room, by their module.
const STORIES: [(&str, &str); 7] = [
    ("basic", include_str!("basic.rs")),
    ("config", include_str!("config.rs")),
    ("dynamic", include_str!("dynamic.rs")),
    ("fapi2", include_str!("fapi2.rs")),
    ("fapi2_clients", include_str!("fapi2_clients.rs")),
    ("fapi2_proofs", include_str!("fapi2_proofs.rs")),
    ("logout", include_str!("logout.rs")),
];

/// How many modules each plan has.
const MODULES: [(&str, usize); 8] = [
    ("oidcc-basic-certification-test-plan", 38),
    ("oidcc-formpost-basic-certification-test-plan", 38),
    ("oidcc-config-certification-test-plan", 1),
    ("oidcc-dynamic-certification-test-plan", 23),
    ("oidcc-rp-initiated-logout-certification-test-plan", 11),
    ("oidcc-backchannel-rp-initiated-logout-certification-test-plan", 2),
    ("oidcc-frontchannel-rp-initiated-logout-certification-test-plan", 2),
    ("fapi2-security-profile-final-test-plan", 62),
];

/// How a module stands, as far as our own story can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The story does what it does, and all is as it must be.
    Passes,
    /// The same, but for something that the module warns of.
    Warns,
    /// It skips itself, because of what our metadata says or leaves out; the story shows that.
    Skips,
    /// It is for another profile.
    Foreign,
    /// It fails, and is meant to.
    Fails,
}

struct Line<'a> {
    module: &'a str,
    verdict: Verdict,
    /// `basic::…`
    story: Option<&'a str>,
    why: &'a str,
}

/// `module | verdict | story | why`
fn line(text: &str) -> Line<'_> {
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    let [module, verdict, story, why] = parts.as_slice() else { panic!("{text}") };
    let verdict = match *verdict {
        "passes" => Verdict::Passes,
        "warns" => Verdict::Warns,
        "skips" => Verdict::Skips,
        "foreign" => Verdict::Foreign,
        "fails" => Verdict::Fails,
        other => panic!("{module}: {other}"),
    };
    Line { module, verdict, story: Some(*story).filter(|story| !story.is_empty()), why }
}

fn plans() -> BTreeMap<&'static str, Vec<Line<'static>>> {
    let mut plans: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut plan = "";
    for text in PLANS.lines().map(str::trim).filter(|text| !text.is_empty() && !text.starts_with('#')) {
        match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => plan = name,
            None => plans.entry(plan).or_default().push(line(text)),
        }
    }
    plans
}

fn is_told(story: &str) -> bool {
    let Some((file, name)) = story.split_once("::") else { return false };
    let text = STORIES.iter().find(|(known, _)| *known == file).map_or("", |(_, text)| text);
    text.contains(&format!("#[tokio::test]\nasync fn {name}()"))
}

#[test]
fn s2_24_every_module_of_every_plan_has_its_story_or_a_reason() {
    let plans = plans();
    let counted: BTreeMap<&str, usize> = plans.iter().map(|(name, lines)| (*name, lines.len())).collect();
    assert_eq!(counted, MODULES.into());
    for (plan, lines) in &plans {
        for (place, Line { module, verdict, story, why }) in lines.iter().enumerate() {
            assert!(lines[..place].iter().all(|other| other.module != *module), "{plan}: {module} twice");
            match verdict {
                Verdict::Passes => assert!(why.is_empty(), "{plan}: {module}"),
                _ => assert!(!why.is_empty(), "{plan}: {module} needs a reason"),
            }
            match story {
                Some(story) => assert!(is_told(story), "{plan}: {module}: there is no {story}"),
                None => assert_eq!(*verdict, Verdict::Foreign, "{plan}: {module} needs a story"),
            }
        }
    }
    // One thing of all that is decided otherwise: no answer carries a token.
    let all = plans.values().flatten();
    let failing: Vec<&str> =
        all.filter(|line| line.verdict == Verdict::Fails).map(|line| line.module).collect();
    assert_eq!(failing, ["oidcc-discovery-endpoint-verification"]);
}

#[test]
fn s2_24_the_plan_for_forms_is_the_basic_one_answered_by_forms() {
    let plans = plans();
    let names = |plan: &str| plans[plan].iter().map(|line| (line.module, line.story)).collect::<Vec<_>>();
    assert_eq!(
        names("oidcc-formpost-basic-certification-test-plan"),
        names("oidcc-basic-certification-test-plan")
    );
}
