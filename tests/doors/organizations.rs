//! Every way of asking for an organization, by everybody, for every kind of organization: what `/docs/organizations.txt`
//! says is what comes of it. The rows are made here, so none can be missing; the file is what readers are given.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Ask, Person, Proof, consent_form};
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::device::{self, Device, pressed};
use crate::house::visitor::{Answer, Visitor};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A fourth organization, applications that work by themselves (for two, for one, for whichever they name), and one that
/// exchanges tokens.
const MORE: &str = r#"
[organization.org-d]
display_name = "D Corporation"
policy = { device_sign_in = true }

[application.desk]
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://desk.test/callback"]
grant_types = ["authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"]

[application.guest]
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://guest.test/callback"]
consent_required = true
grant_types = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]

[application.robot]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
organizations = ["org-a", "org-d"]

[application.clerk]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
organizations = ["org-a"]

[application.rover]
type = "machine"
client_secrets = [{ env = "RP1_SECRET" }]
"#;

/// Those that ask for themselves, and how the table calls them. Which is foreign to the last one, nobody can say.
const MACHINES: [(&str, &str); 3] = [
    ("robot", "an application for org-a and org-d"),
    ("clerk", "an application for org-a"),
    ("rover", "an application for no named ones"),
];

/// Where it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The authorization request, where the person may be asked.
    Authorize,
    /// The same with `prompt=none`.
    Silent,
    /// The request that is pushed beforehand.
    Pushed,
    /// What a device asks for that the person lets in.
    Device,
    /// The token request with a token of their own organization, or of none, that is exchanged.
    Exchange,
    /// The token request with a refresh token: of their own organization, or of none where they have none.
    Refresh,
    /// The token request of an application for itself.
    Machine,
}

/// How it is asked, besides what the place needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Nothing,
    /// These scopes.
    Scope(&'static str),
    /// `organization`, by its name; and these scopes.
    Parameter(&'static str),
    /// `organization_id`
    Id,
    /// `organization:<name>`
    Named,
}

impl Way {
    /// Whether it names one.
    fn names(self) -> bool {
        matches!(self, Self::Parameter(_) | Self::Id | Self::Named)
    }

    fn told(self) -> String {
        match self {
            Self::Nothing => "says nothing".into(),
            Self::Scope(scope) => format!("scope {scope}"),
            Self::Parameter("") => "organization=…".into(),
            Self::Parameter(scope) => format!("organization=… and scope {scope}"),
            Self::Id => "organization_id=…".into(),
            Self::Named => "scope organization:…".into(),
        }
    }
}

const LISTS: &str = "organizations roles permissions";

/// Every place with every way that it takes.
const WAYS: [(Place, &[Way]); 7] = [
    (
        Place::Authorize,
        &[
            Way::Nothing,
            Way::Scope("organization"),
            Way::Scope("organization:*"),
            Way::Scope("organizations"),
            Way::Scope("roles"),
            Way::Scope("permissions"),
            Way::Parameter(""),
            Way::Parameter("organization"),
            Way::Parameter(LISTS),
            Way::Parameter("organization:*"),
            Way::Id,
            Way::Named,
        ],
    ),
    (
        Place::Silent,
        &[
            Way::Nothing,
            Way::Scope("organization"),
            Way::Scope("organization:*"),
            Way::Parameter(""),
            Way::Id,
            Way::Named,
        ],
    ),
    (
        Place::Pushed,
        &[
            Way::Nothing,
            Way::Scope("organization"),
            Way::Scope("organization:*"),
            Way::Parameter(""),
            Way::Parameter("organization:*"),
            Way::Id,
            Way::Named,
        ],
    ),
    (
        Place::Device,
        &[
            Way::Nothing,
            Way::Scope("organization"),
            Way::Scope("organization:*"),
            Way::Parameter(""),
            Way::Parameter("organization:*"),
            Way::Id,
            Way::Named,
        ],
    ),
    (Place::Refresh, &[Way::Nothing, Way::Parameter(""), Way::Id, Way::Scope("organization"), Way::Named]),
    (Place::Exchange, &[Way::Nothing, Way::Parameter(""), Way::Id, Way::Scope("organization"), Way::Named]),
    (
        Place::Machine,
        &[
            Way::Nothing,
            Way::Scope("organization"),
            Way::Scope("organization:*"),
            Way::Scope("organizations"),
            Way::Parameter(""),
            Way::Parameter("organization"),
            Way::Id,
            Way::Named,
        ],
    ),
];

/// The same of an application of others, which people have allowed for what it has of them.
const WAYS_OF_OTHERS: [(Place, &[Way]); 4] = [
    (Place::Authorize, &[Way::Parameter(""), Way::Named]),
    (Place::Silent, &[Way::Nothing, Way::Parameter(""), Way::Id, Way::Named]),
    (Place::Refresh, &[Way::Parameter(""), Way::Id]),
    (Place::Exchange, &[Way::Parameter(""), Way::Id]),
];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Belongs nowhere any more.
    Nobody,
    /// A member of `org-a`.
    One,
    /// The same, who may act for `org-b` by delegation.
    Delegate,
    /// A member of `org-a` and of `org-c`.
    Many,
}

const PEOPLE: [(Who, &str, &str); 4] = [
    (Who::Nobody, "no membership", "eve@a.test"),
    (Who::One, "one membership", "ann@a.test"),
    (Who::Delegate, "one and a delegation", "con@a.test"),
    (Who::Many, "two memberships", "dan@a.test"),
];

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Own,
    Delegated,
    Foreign,
    Unknown,
    Deactivated,
}

const WHICH: [(Which, &str); 5] = [
    (Which::Own, "their own"),
    (Which::Delegated, "delegated"),
    (Which::Foreign, "foreign"),
    (Which::Unknown, "unknown"),
    (Which::Deactivated, "deactivated"),
];

impl Which {
    /// Its slug. Nothing: there is none for this person.
    fn of(self, who: Who) -> Option<&'static str> {
        match (self, who) {
            (Self::Own, Who::Nobody) => None,
            (Self::Own, Who::Many) => Some("org-c"),
            (Self::Own, _) => Some("org-a"),
            (Self::Delegated, Who::Delegate) => Some("org-b"),
            (Self::Delegated, _) => None,
            (Self::Foreign, Who::Delegate) => Some("org-c"),
            (Self::Foreign, _) => Some("org-b"),
            (Self::Unknown, _) => Some("nowhere"),
            (Self::Deactivated, _) => Some("org-d"),
        }
    }
}

/// What `organization_usage` of all applications says; the first is what it usually says.
const USAGES: [&str; 3] = ["allow", "deny", "require"];

/// The ways that are tried where it does not say what is usual.
const OTHERWISE: [Way; 4] =
    [Way::Nothing, Way::Scope("organization"), Way::Scope("organization:*"), Way::Parameter("")];

struct Street {
    house: House,
    people: Vec<Person>,
    usage: &'static str,
    /// Whether the application that asks is of others.
    of_others: bool,
}

impl Street {
    /// Everybody is signed in; whoever belongs to `org-d` does so in vain.
    async fn opens() -> Self {
        let lets_in = "[organization.org-c]\npolicy = { device_sign_in = true }";
        let plan = device::plan(Plan::default().with("[organization.org-c]", lets_in));
        let house = plan.and(MORE).build().await;
        let mut people = Vec::new();
        for (who, _, email) in PEOPLE {
            let mut person = Person::new(email);
            let ask = Application::rp1(&house).asks().with("scope", "openid organization:*");
            let arrival = person.follows(&ask.with("login_hint", email)).await;
            arrival.code();
            let user = house.user(email).await;
            match who {
                Who::Nobody => {
                    let gone = format!("UPDATE memberships SET status = 'removed' WHERE user_id = '{user}'");
                    house.execute(&gone).await;
                }
                Who::Many => {
                    house.joins(user.parse().unwrap(), "org-c", &["member"]).await;
                    house.joins(user.parse().unwrap(), "org-d", &["member"]).await;
                }
                Who::One | Who::Delegate => {
                    house.joins(user.parse().unwrap(), "org-d", &["member"]).await;
                }
            }
            people.push(person);
        }
        let operator = Api::operator(&house).await;
        let shut = "/organizations/org-d/deactivate";
        assert_eq!(operator.send(reqwest::Method::POST, shut, |ask| ask).await.status, 200);
        Self { house, people, usage: USAGES[0], of_others: false }
    }

    /// From now on, an application of others asks, which everybody allows what it has of them.
    async fn is_asked_by_others(&mut self) {
        (self.usage, self.of_others) = (USAGES[0], true);
        self.uses(self.usage).await;
        let guest = self.application("rp1");
        for (at, person) in self.people.iter_mut().enumerate() {
            let ask = of_their_own(at).iter().fold(guest.asks(), |ask, (name, value)| ask.with(name, value));
            person.follows(&ask).await.code();
        }
    }

    /// The one of this name, or that of others.
    fn application(&self, name: &str) -> Application {
        let name = if self.of_others { "guest" } else { name };
        Application::new(&self.house, name, Proof::Basic(RP1_SECRET.to_owned()))
    }

    /// From now on, all applications treat organizations so.
    async fn uses(&self, usage: &str) {
        for other in USAGES {
            let said = |usage: &str| format!("'\"organization_usage\":\"{usage}\"'");
            let (other, usage) = (said(other), said(usage));
            let change = format!("UPDATE applications SET settings = replace(settings, {other}, {usage})");
            self.house.execute(&change).await;
        }
    }

    /// What is asked for, as the way names it.
    async fn name(&self, way: Way, slug: &str) -> String {
        let unknown = "org_00000000000000000000000007";
        match way {
            Way::Id if slug == "nowhere" => unknown.to_owned(),
            Way::Id => self.house.organization(slug).await,
            _ => slug.to_owned(),
        }
    }

    /// The parameters of a way: `scope` with what the place has besides, and another one perhaps.
    async fn fields(&self, way: Way, slug: Option<&str>, base: &str) -> Vec<(&'static str, String)> {
        let name = match slug {
            Some(slug) => self.name(way, slug).await,
            None => String::new(),
        };
        let scope = |more: &str| ("scope", format!("{base} {more}").trim().to_owned());
        match way {
            Way::Nothing => vec![scope("")],
            Way::Scope(more) => vec![scope(more)],
            Way::Parameter(more) => vec![scope(more), ("organization", name)],
            Way::Id => vec![scope(""), ("organization_id", name)],
            Way::Named => vec![scope(&format!("organization:{name}"))],
        }
    }

    async fn asks(&mut self, at: usize, silent: bool, fields: &[(&'static str, String)]) -> (Ask, Arrival) {
        let mut ask = self.application("rp1").asks();
        for (name, value) in fields {
            ask = ask.with(name, value);
        }
        if silent {
            ask = ask.with("prompt", "none");
        }
        // Nobody allows more than they have.
        let first = self.people[at].browser.get(&ask.url()).await;
        let arrival = self.people[at].walks(&ask, first, |_| false).await;
        (ask, arrival)
    }

    /// What comes of it at the authorization endpoint.
    async fn authorized(&mut self, at: usize, silent: bool, way: Way, slug: Option<&str>) -> String {
        let fields = self.fields(way, slug, "openid").await;
        let (ask, arrival) = self.asks(at, silent, &fields).await;
        self.arrived(&ask, &arrival).await
    }

    /// The same of a request that was pushed.
    async fn pushed(&mut self, at: usize, way: Way, slug: Option<&str>) -> String {
        let fields = self.fields(way, slug, "openid").await;
        let all = Application::rp1(&self.house).asks();
        let ask = fields.iter().fold(all, |ask, (name, value)| ask.with(name, value));
        let answer = ask.pushes().send().await;
        if answer.status != 201 {
            return denied(&answer);
        }
        let url = ask.only("request_uri", answer.json()["request_uri"].as_str().unwrap());
        let arrival = self.people[at].opens(&ask, &url).await;
        self.arrived(&ask, &arrival).await
    }

    async fn arrived(&self, ask: &Ask, arrival: &Arrival) -> String {
        if arrival.is_picker() {
            return format!("asks: {}", arrival.choices().join(", "));
        }
        if consent_form(&arrival.answer).is_some() {
            return "asks whether it may be told".to_owned();
        }
        if let Some(error) = arrival.told_application("error") {
            return format!("{error}: {}", arrival.told_application("error_description").unwrap_or_default());
        }
        if arrival.told_application("code").is_none() {
            return format!("page {}", arrival.status());
        }
        self.granted(&ask.redeems(arrival).await.access).await
    }

    /// What comes of it where a device asks, and the person lets it in.
    async fn let_in(&mut self, at: usize, way: Way, slug: Option<&str>) -> String {
        let fields = self.fields(way, slug, "openid").await;
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let application = Device::television(&self.house);
        let answer = Device::request(&application, &fields).send().await;
        if answer.status != 200 {
            return denied(&answer);
        }
        let device = Device { application, told: answer.json() };
        let page = self.people[at].types_code(&device).await;
        if page.is_picker() {
            return format!("asks: {}", page.choices().join(", "));
        }
        if page.status() != 200 {
            return match device.is_told().await.as_str() {
                "authorization_pending" => format!("page {}", page.status()),
                told => format!("page {}, and the device {told}", page.status()),
            };
        }
        let form = pressed(&page.answer.form_with_button("answer"), "allow");
        self.people[at].browser.submit(&form).await;
        let answer = device.polls().send().await;
        if answer.status != 200 {
            return denied(&answer);
        }
        self.granted(&device.ask().reads_again(&answer).await.access).await
    }

    /// What comes of it where a token of their own organization, or of none, is exchanged.
    async fn exchanged(&mut self, at: usize, way: Way, slug: Option<&str>) -> String {
        let desk = self.application("desk");
        let ask = of_their_own(at).iter().fold(desk.asks(), |ask, (name, value)| ask.with(name, value));
        let arrival = self.people[at].follows(&ask).await;
        let subject = ask.redeems(&arrival).await.access_token;
        self.uses(self.usage).await;
        let fields = [
            ("grant_type", EXCHANGE),
            ("subject_token", subject.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        let mut request = desk.posts("/token", &fields);
        for (name, value) in self.fields(way, slug, "openid").await {
            // What says nothing of scopes keeps them.
            if name != "scope" || value != "openid" {
                request = request.with(name, &value);
            }
        }
        let answer = request.send().await;
        if answer.status != 200 {
            return denied(&answer);
        }
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let told = desk.posts("/introspect", &[("token", &token)]).send().await.json();
        self.granted(&told).await
    }

    /// What comes of it with a refresh token of their own organization, or of none.
    async fn refreshed(&mut self, at: usize, way: Way, slug: Option<&str>) -> String {
        let fields = of_their_own(at);
        let (ask, arrival) = self.asks(at, false, &fields).await;
        let tokens = ask.redeems(&arrival).await;
        self.uses(self.usage).await;
        let mut refresh = self.application("rp1").refreshes(tokens.refresh());
        for (name, value) in self.fields(way, slug, "openid").await {
            // What says nothing of scopes keeps them.
            if name != "scope" || value != "openid" {
                refresh = refresh.with(name, &value);
            }
        }
        let answer = refresh.send().await;
        match answer.status.as_u16() {
            200 => {
                let tokens = ask.reads_again(&answer).await;
                self.granted(&tokens.access).await
            }
            _ => denied(&answer),
        }
    }

    /// What comes of it for an application itself: `own` is one that it is open to, `foreign` one that it is not.
    async fn for_itself(&self, at: usize, way: Way, slug: Option<&str>) -> String {
        let robot = Application::new(&self.house, MACHINES[at].0, Proof::Basic(RP1_SECRET.to_owned()));
        let mut request = robot.posts("/token", &[("grant_type", "client_credentials")]);
        for (name, value) in self.fields(way, slug, "").await {
            if !value.is_empty() {
                request = request.with(name, &value);
            }
        }
        let answer = request.send().await;
        if answer.status != 200 {
            return denied(&answer);
        }
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let told = robot.posts("/introspect", &[("token", &token)]).send().await.json();
        self.granted(&told).await
    }

    /// What an access token says of organizations.
    async fn granted(&self, claims: &Value) -> String {
        let mut text = match claims["org_name"].as_str() {
            Some(name) => {
                assert_eq!(claims["org_id"], json!(self.house.organization(name).await), "{claims}");
                format!("acts for {name}")
            }
            None => {
                assert!(claims.get("org_id").is_none(), "{claims}");
                "acts for none".to_owned()
            }
        };
        if claims.get("home_org_id").is_some() {
            assert_eq!(claims["home_org_id"], json!(self.house.organization("org-a").await));
            assert!(claims["delegation_id"].is_string());
            text += " from org-a";
        }
        if let Some(all) = claims["organizations"].as_array() {
            // In the order of their ids, which is another one each time.
            let mut names: Vec<_> = all.iter().map(|one| one["name"].as_str().unwrap()).collect();
            names.sort_unstable();
            match names.as_slice() {
                [] => text += "; no organizations",
                names => write!(text, "; organizations {}", names.join(" ")).unwrap(),
            }
        }
        if let Some(all) = claims["roles"].as_array() {
            let names: Vec<_> = all.iter().map(|one| one.as_str().unwrap()).collect();
            write!(text, "; roles {}", names.join(" ")).unwrap();
        }
        if let Some(all) = claims["permissions"].as_array() {
            text += if all.is_empty() { "; no permissions" } else { "; permissions" };
        }
        text
    }

    async fn comes(&mut self, place: Place, at: usize, way: Way, slug: Option<&str>) -> String {
        // What is refreshed or exchanged was given before.
        let given_before = matches!(place, Place::Exchange | Place::Refresh);
        self.uses(if given_before { USAGES[0] } else { self.usage }).await;
        match place {
            Place::Authorize => self.authorized(at, false, way, slug).await,
            Place::Silent => self.authorized(at, true, way, slug).await,
            Place::Pushed => self.pushed(at, way, slug).await,
            Place::Device => self.let_in(at, way, slug).await,
            Place::Exchange => self.exchanged(at, way, slug).await,
            Place::Refresh => self.refreshed(at, way, slug).await,
            Place::Machine => self.for_itself(at, way, slug).await,
        }
    }
}

/// What asks for tokens of their own organization, or of none where they have none.
fn of_their_own(at: usize) -> Vec<(&'static str, String)> {
    match PEOPLE[at].0 {
        Who::Nobody => vec![("scope", "openid organization:*".to_owned())],
        _ => vec![("scope", "openid organization".to_owned()), ("organization", "org-a".to_owned())],
    }
}

fn denied(answer: &Answer) -> String {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    format!("{} {}: {}", answer.status.as_u16(), text("error"), text("error_description"))
}

fn heading((usage, of_others): (&str, bool), place: Place, way: Way) -> String {
    let place = match place {
        Place::Authorize => "/authorize",
        Place::Silent => "/authorize with prompt=none",
        Place::Pushed => "/par, and /authorize with what it gave",
        Place::Device => "/device_authorization, and /device",
        Place::Exchange => "/token with a token that is exchanged",
        Place::Refresh => "/token with a refresh token",
        Place::Machine => "/token for the application itself",
    };
    match (usage, of_others) {
        (_, true) => format!("application of others, {place}: {}", way.told()),
        ("allow", _) => format!("{place}: {}", way.told()),
        (other, _) => format!("organization_usage = {other}, {place}: {}", way.told()),
    }
}

/// Who asks at a place, and how the table calls them.
fn askers(place: Place, way: Way) -> Vec<(usize, Who, &'static str)> {
    let named = if way.names() { 2 } else { 3 };
    match place {
        // Nobody stands behind it: "their own" are those that it is open to.
        Place::Machine => {
            MACHINES.iter().take(named).enumerate().map(|(at, (_, name))| (at, Who::One, *name)).collect()
        }
        _ => PEOPLE.iter().enumerate().map(|(at, (who, name, _))| (at, *who, *name)).collect(),
    }
}

const PREFACE: &str = "\
Every way in which an application can ask for an organization, who asks, and for which: what comes of it.

People have no membership, one (org-a), one with a delegation to org-b, or two (org-a and org-c). All but the first are
also members of org-d, which is deactivated. `foreign` is one that there is and that they may not act for; `unknown` is
none at all. A line that is not here cannot be: who has no membership has none of their own to ask for.

The refresh token, or the token that is exchanged, was given for org-a, or for no organization where there is no
membership. An application that asks for itself is for org-a alone, for org-a and org-d, or for no named ones, which is
then for whichever it names. All organizations let devices in. Errors are `error: error_description`; where an
application is answered directly, the status comes first.

A request that is signed, or was pushed, says all of it by itself (RFC 9101, section 6.3), and what stands within is
answered as below; an organization that is named beside it must be named within in the same words: otherwise it is
`invalid_request`.

`organization_usage` of the applications is `allow`, but where a heading says otherwise; what is refreshed or exchanged
there was given before it said so.

An application of others (`consent_required`) is one that each of them has allowed for what the refresh token was given
for, and for nothing else: of whatever else it asks for it learns nothing, by whatever it is answered. Where it names none
and nobody may be asked, it is answered as if there were nothing else. Where the person reads a page, it is answered when
they have said something, and always the same.
";

#[tokio::test]
async fn c21_c22_s2_20_every_way_of_asking_for_an_organization_comes_to_what_the_table_says() {
    let mut street = Street::opens().await;
    let mut table = PREFACE.to_owned();
    let all = USAGES.into_iter().flat_map(|usage| WAYS.map(|(place, ways)| (usage, false, place, ways)));
    let others = WAYS_OF_OTHERS.map(|(place, ways)| (USAGES[0], true, place, ways));
    for (usage, of_others, place, ways) in all.chain(others) {
        if of_others && !street.of_others {
            street.is_asked_by_others().await;
        }
        street.usage = usage;
        let is_tried = |way: &&Way| usage == USAGES[0] || OTHERWISE.contains(way);
        for way in ways.iter().filter(is_tried) {
            write!(table, "\n{}\n", heading((usage, of_others), place, *way)).unwrap();
            for (at, who, name) in askers(place, *way) {
                if !way.names() {
                    let outcome = street.comes(place, at, *way, None).await;
                    writeln!(table, "    {name}: {outcome}").unwrap();
                    continue;
                }
                for (which, called) in WHICH {
                    let Some(slug) = which.of(who) else { continue };
                    let outcome = street.comes(place, at, *way, Some(slug)).await;
                    writeln!(table, "    {name}, {called}: {outcome}").unwrap();
                }
            }
            // Networks may begin so many in a minute.
            street.house.turn_clock(if place == Place::Device { 61 } else { 1 });
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/publish/organizations.txt");
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert!(table == expected, "src/publish/organizations.txt should be, if that is right:\n{table}");
    let published = Visitor::arrives().get(&format!("{}/docs/organizations.txt", street.house.url)).await;
    assert_eq!(published.body, expected);
}
