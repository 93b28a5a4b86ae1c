//! H11: every moment of an answer, on both sides of its limit. Clocks may differ by a minute.

use behalf::foundation::clock::Moment;

use crate::house::application::{Application, Person};
use crate::house::broker::Plan;
use crate::house::forgery::{BOB, Forgery, Scene};
use crate::house::surgery::{attr, within};

/// An attribute, where it stands, and what is told when it is wrong.
#[derive(Clone, Copy)]
struct Limit {
    element: &'static str,
    name: &'static str,
    reason: &'static str,
    /// Seconds from now at which it is refused: earlier than the first, or later than the second.
    good: (i64, i64),
}

const FAR: i64 = 100_000_000;
const AT: [&str; 3] = ["Response", "Assertion", "AuthnStatement"];

const LIMITS: [Limit; 7] = [
    Limit { element: AT[0], name: "IssueInstant", reason: "issue_instant", good: (-659, 60) },
    Limit { element: AT[1], name: "IssueInstant", reason: "issue_instant", good: (-659, 60) },
    Limit { element: "Conditions", name: "NotBefore", reason: "not_yet_valid", good: (-FAR, 60) },
    Limit { element: "Conditions", name: "NotOnOrAfter", reason: "expired", good: (-59, FAR) },
    Limit {
        element: "SubjectConfirmationData",
        name: "NotOnOrAfter",
        reason: "confirmation_expired",
        good: (-59, FAR),
    },
    Limit { element: AT[2], name: "AuthnInstant", reason: "authn_instant", good: (-FAR, 60) },
    Limit { element: AT[2], name: "SessionNotOnOrAfter", reason: "session_expired", good: (1, FAR) },
];

const OFFSETS: [i64; 14] = [-121, -120, -119, -61, -60, -59, -1, 0, 1, 59, 60, 61, 120, 121];

impl Limit {
    fn is_good(&self, offset: i64) -> bool {
        (self.good.0..=self.good.1).contains(&offset)
    }

    /// A response that the provider signed with this text there.
    fn set(&self, scene: &Scene, text: &str) -> String {
        let mut says = scene.says();
        says.session_ends = Some(3_600);
        scene.idp().answers_after(&scene.asked, &says, |xml| {
            within(&xml, self.element, |element| attr(element, self.name, Some(text)))
        })
    }

    fn at(&self, scene: &Scene, offset: i64) -> String {
        self.set(scene, &Moment::from_seconds(scene.house.clock.now().seconds() + offset).rfc3339())
    }
}

/// Texts that are no moments in UTC.
const NONE: [&str; 18] = [
    "",
    " ",
    "now",
    "0",
    "1780304400",
    "2026-06-01",
    "2026-06-01T09:00:00",
    "2026-06-01T09:00:00+00:00",
    "2026-06-01T11:00:00+02:00",
    "2026-06-01T09:00:00z",
    "2026-06-01t09:00:00Z",
    "2026-06-01 09:00:00Z",
    "2026-06-01T09:00:60Z",
    "2026-06-01T24:00:00Z",
    "2026-02-30T09:00:00Z",
    "-2026-06-01T09:00:00Z",
    "12026-06-01T09:00:00Z",
    "2026-06-01T09:00:00.Z",
];

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let mut files = Vec::new();
    for limit in LIMITS {
        let called = format!("{} of {}", limit.name, limit.element);
        let further = if limit.good.0 == -659 { vec![-660, -661, -FAR] } else { vec![] };
        for offset in OFFSETS.into_iter().chain(further).filter(|offset| !limit.is_good(*offset)) {
            let name = format!("{called} {offset:+} s");
            files.push(Forgery::new(name, limit.at(scene, offset), limit.reason).fooling(BOB));
        }
        for text in NONE {
            files.push(Forgery::new(format!("{called} is '{text}'"), limit.set(scene, text), limit.reason));
        }
    }
    for (element, name, reason) in [
        ("Response", "IssueInstant", "issue_instant"),
        ("Assertion", "IssueInstant", "issue_instant"),
        ("SubjectConfirmationData", "NotOnOrAfter", "confirmation_expired"),
        ("AuthnStatement", "AuthnInstant", "authn_instant"),
    ] {
        let xml = scene.signed_after(|xml| within(&xml, element, |element| attr(element, name, None)));
        files.push(Forgery::new(format!("no {name} of {element}"), xml, reason));
    }
    files
}

#[tokio::test]
async fn h11_a_moment_beyond_its_limit_is_refused() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn h11_a_moment_within_its_limit_is_taken() {
    let mut scene = Scene::of(Plan::saml()).await;
    for limit in LIMITS {
        let edges = [limit.good.0, limit.good.1];
        for offset in edges.into_iter().filter(|offset| offset.abs() < FAR) {
            let xml = limit.at(&scene, offset);
            let arrival = scene.bob.returns(&scene.ask, &scene.asked, xml).await;
            let told = arrival.told();
            assert!(arrival.told_application("code").is_some(), "{} {offset}: {told}", limit.name);
            (scene.ask, scene.bob) = (Application::rp1(&scene.house).asks(), Person::new("bob@b.test"));
            scene.asked = scene.bob.leaves_for(&scene.house, "cb", &scene.ask).await;
        }
    }
    for text in ["2026-06-01T09:00:00.5Z", "2026-06-01T08:59:59.123456789Z"] {
        let xml = LIMITS[5].set(&scene, text);
        let arrival = scene.bob.returns(&scene.ask, &scene.asked, xml).await;
        assert!(arrival.told_application("code").is_some(), "{text}: {}", arrival.told());
        (scene.ask, scene.bob) = (Application::rp1(&scene.house).asks(), Person::new("bob@b.test"));
        scene.asked = scene.bob.leaves_for(&scene.house, "cb", &scene.ask).await;
    }
}
