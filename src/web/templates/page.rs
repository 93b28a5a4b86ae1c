//! What each page needs to know. A field that is shown comes from strangers and may hold anything; the
//! templates escape it.

use serde::Serialize;
use url::{Host, Url};

use super::account::{AccountPage, ApplicationsPage, LeavePage, SessionsPage};

/// A page that a person can see during sign-in.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Page {
    Beforehand(BeforehandPage),
    Email(EmailPage),
    Chooser(ChooserPage),
    Onward(OnwardPage),
    Organizations(OrganizationsPage),
    Error(ErrorPage),
    SignOut(SignOutPage),
    Welcome(WelcomePage),
    Invitation(InvitationPage),
    Accepted(AcceptedPage),
    SignedOut(SignedOutPage),
    Device(DevicePage),
    LetIn(LetInPage),
    Consent(ConsentPage),
    DeviceAnswered(DeviceAnsweredPage),
    Trial(TrialPage),
    Tried(TriedPage),
    Account(AccountPage),
    Sessions(SessionsPage),
    Applications(ApplicationsPage),
    Leave(LeavePage),
    Reference(ReferencePage),
    Problems(ProblemsPage),
}

impl Page {
    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::Beforehand(_) => "login/beforehand.html",
            Self::Email(_) => "login/email.html",
            Self::Chooser(_) => "login/chooser.html",
            Self::Onward(_) => "login/onward.html",
            Self::Organizations(_) => "login/organizations.html",
            Self::Error(_) => "login/error.html",
            Self::Welcome(_) => "welcome.html",
            Self::Invitation(_) => "login/invitation.html",
            Self::Accepted(_) => "login/accepted.html",
            Self::SignOut(_) => "login/sign_out.html",
            Self::SignedOut(_) => "login/signed_out.html",
            Self::Device(_) => "login/device.html",
            Self::LetIn(_) => "login/let_in.html",
            Self::Consent(_) => "login/consent.html",
            Self::DeviceAnswered(_) => "login/device_answered.html",
            Self::Trial(_) => "login/trial.html",
            Self::Tried(_) => "login/tried.html",
            Self::Account(_) => "account/organizations.html",
            Self::Sessions(_) => "account/sessions.html",
            Self::Applications(_) => "account/applications.html",
            Self::Leave(_) => "account/leave.html",
            Self::Reference(_) => "manage/reference.html",
            Self::Problems(_) => "manage/problems.html",
        }
    }

    /// Whether the page works better with a script of ours; none needs one.
    pub fn has_script(&self) -> bool {
        match self {
            Self::Onward(_) => true,
            Self::SignedOut(page) => page.onward.is_some(),
            _ => false,
        }
    }
}

/// The organization before the sign-in. Posts `csrf` with `organization`, or with `skip`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BeforehandPage {
    pub application: String,
    pub about: About,
    pub action: String,
    pub csrf: String,
    /// Whether what was typed is no name of an organization.
    pub problem: Option<Problem>,
    pub organization: String,
    pub cancel: Option<String>,
    pub another_account: Option<String>,
}

/// Email first. Posts `csrf` with `email`, or with `connection` for one of `methods`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EmailPage {
    /// The application's name.
    pub application: String,
    pub about: About,
    pub action: String,
    pub csrf: String,
    /// What was typed before, or the application's hint; or of who has just signed in, and is to do so once more.
    pub email: Option<String>,
    /// Whether that is so: they are told why they are asked again.
    pub again: bool,
    /// What is wrong with it: `EmailInvalid` or `NoIdentityProvider`, say.
    pub problem: Option<Problem>,
    pub methods: Vec<MethodButton>,
    /// Where "Cancel and return" posts `csrf` and `cancel`; no button without it.
    pub cancel: Option<String>,
    /// Where "Use another account" posts `csrf` and `another_account`; without it, as on every page, it is a link.
    pub another_account: Option<String>,
}

/// What an application shows of itself while its people sign in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct About {
    pub logo: Option<ImagePath>,
    /// Whose it is, where that is a customer's.
    pub owner: Option<OwnerName>,
    /// How it treats what it is told of them.
    pub policy: Option<Href>,
    /// What they agree to.
    pub terms: Option<Href>,
}

/// What an organization calls itself that owns an application.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerName {
    pub name: String,
    /// Whether that can be taken for another name.
    pub is_mistakable: bool,
}

/// One way to sign in, as a button.
#[derive(Clone, Debug, Serialize)]
pub struct MethodButton {
    /// What is posted as `connection`.
    pub value: String,
    pub name: String,
}

/// Several connections serve the domain. Posts `csrf` and `connection`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChooserPage {
    pub application: String,
    pub about: About,
    pub email: String,
    pub action: String,
    pub csrf: String,
    pub methods: Vec<MethodButton>,
    pub another_account: Option<String>,
    pub cancel: Option<String>,
}

/// Sends `fields` on to another site, by itself where scripts run (SAML bindings, section 3.5).
#[derive(Clone, Debug, Default, Serialize)]
pub struct OnwardPage {
    /// Who is next.
    pub provider: String,
    pub action: String,
    pub fields: Vec<Field>,
    /// Guards the way back into the login, if one goes on.
    pub csrf: String,
    pub another_account: Option<String>,
}

/// A form that leads on to another site.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OnwardForm {
    pub action: String,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Field {
    pub name: &'static str,
    pub value: String,
}

/// For which organization the person acts. Posts `csrf` and `choice`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OrganizationsPage {
    pub application: String,
    pub about: About,
    pub email: String,
    pub action: String,
    pub csrf: String,
    /// Those of this page.
    pub choices: Vec<Choice>,
    /// What the person named before they signed in, if they may not act for it or there is no such organization.
    pub unavailable: Option<String>,
    /// A search field; for people with more than [`SEARCH_ABOVE`] choices.
    pub search: Option<Search>,
    pub previous: Option<Href>,
    pub next: Option<Href>,
    pub another_account: Option<String>,
    pub cancel: Option<String>,
    /// Where "Do not let it in" posts `csrf`, if a device waits.
    pub decline: Option<String>,
}

/// A list longer than this has a search field, and pages of this length.
pub const SEARCH_ABOVE: usize = 8;

#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// What is posted as `choice`.
    pub value: String,
    /// The organization for which the person would act.
    pub name: String,
    pub logo: Option<ImagePath>,
    /// The name of the connection through which the person signed in.
    pub through: String,
    /// For a delegation, the name of the home organization that sends the person.
    pub delegated_by: Option<String>,
    /// Why it cannot be picked for what the person came for.
    pub problem: Option<Problem>,
}

/// Asks by GET with `q`, so that it works without script.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    pub action: String,
    pub query: String,
    pub found: usize,
}

/// It did not work out.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorPage {
    pub problem: Problem,
    /// Only if it is known and enabled.
    pub application: Option<String>,
    /// The id that the person may quote, and under which the log tells more.
    pub id: Option<String>,
    /// Where "Try again" or "Start again" leads.
    pub again: Option<Href>,
    /// Guards the two buttons below.
    pub csrf: String,
    pub another_account: Option<String>,
    /// Needs `application`.
    pub cancel: Option<String>,
    /// The same of a device that waits: it is told.
    pub decline: Option<String>,
    /// Where the application has people begin, as it is registered. Needs `application`.
    pub back: Option<Href>,
    /// What is wrong with the application's request, for its developers.
    pub detail: Option<String>,
}

impl ErrorPage {
    pub fn new(problem: Problem) -> Self {
        let csrf = String::new();
        let (application, id, another_account, cancel, decline) = (None, None, None, None, None);
        let (again, back, detail) = (None, None, None);
        Self { problem, application, id, again, csrf, another_account, cancel, decline, back, detail }
    }
}

/// Who came without an application, to the bare address.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WelcomePage {
    /// The path of the issuer's discovery document.
    pub discovery: String,
    /// That of one's own account.
    pub account: String,
}

/// Somebody is invited. By a link, it posts nothing: what counts is in the address. Whom an application has sent posts
/// `csrf` and `answer`: `join` or `skip`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InvitationPage {
    /// To whom.
    pub organization: String,
    /// Whether that can be taken for another name.
    pub is_mistakable: bool,
    pub logo: Option<ImagePath>,
    /// As much of the invited address as its owner knows it by.
    pub email: String,
    /// As what, each as `role-name` says it.
    pub roles: Vec<String>,
    /// `2026-06-08 09:00 UTC`
    pub until: String,
    pub action: String,
    /// It cannot be used: nothing above is known then.
    pub is_over: bool,
    pub within: Option<Within>,
}

/// The login that an invitation came with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Within {
    /// The application's name.
    pub application: String,
    pub csrf: String,
    /// Where "Cancel and return" posts `csrf` and `cancel`.
    pub cancel: Option<String>,
    pub another_account: Option<String>,
}

/// They have become a member.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AcceptedPage {
    /// Of what, if the browser shows who they are.
    pub organization: Option<String>,
    pub email: Option<String>,
}

/// Asks before a sign-out that another site may have started. Posts `csrf`, `fields`, and `sign_out`: `yes`, `everywhere`
/// or `no`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignOutPage {
    pub action: String,
    pub csrf: String,
    pub email: Option<String>,
    /// The application that sent them, if it was one.
    pub application: Option<String>,
    /// The one that they may sign out of alone: `sign_out` is `organization` then.
    pub organization: Option<String>,
    /// What it asked for.
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct SignedOutPage {
    pub application: Option<String>,
    /// Whether that is the identity provider, on the way to its own sign-out: nobody has come from there.
    pub goes_on: bool,
    /// The way back to the application, if one is known.
    pub back: Option<Href>,
    /// The same where it is a form that leads on.
    pub onward: Option<OnwardForm>,
    /// What applications want the browser to open, so that they end their own sessions.
    pub frames: Vec<Href>,
    /// The identity provider where the person may still be signed in.
    pub provider: Option<String>,
    /// Of what alone they are signed out; absent: of all.
    pub organization: Option<String>,
}

/// Asks for the code that a device shows, and strangers to sign in before. Posts `user_code`; strangers go on to their
/// sign-in, with `device`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DevicePage {
    pub action: String,
    /// What the address brought along, or was typed before.
    pub code: Option<String>,
    /// In which language the sign-in goes on, if the address says it.
    pub ui_locales: Option<String>,
    /// What is wrong with it.
    pub problem: Option<Problem>,
    pub is_stranger: bool,
    /// Where who is signed in does so as somebody else, and comes back here with the code.
    pub sign_in: Option<Href>,
}

/// Asks whether a device is let in. Posts `csrf` and `answer`: `allow` or `deny`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LetInPage {
    pub application: String,
    pub about: About,
    /// What it is told, where it is somebody else's.
    pub told: Option<Disclosed>,
    /// Whose access it gets: the person, and for whom they act.
    pub email: String,
    pub organization: Option<String>,
    /// For a delegation, the home organization that sends the person.
    pub delegated_by: Option<String>,
    /// What the device shows.
    pub code: String,
    /// From where it asked.
    pub address: String,
    /// Minutes ago.
    pub minutes: u64,
    /// Whether that is longer ago than it takes to type a code.
    pub is_late: bool,
    /// How long it stays signed in: `short`, `session` or `offline`.
    pub stays: &'static str,
    pub action: String,
    pub csrf: String,
    /// Of whom and for whom they act, as it is shown here.
    pub shown: String,
    /// Where they pick another one, if there was something to pick.
    pub another_organization: Option<Href>,
    pub another_account: Option<String>,
}

/// Why somebody is asked whether an application may be told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It registered itself.
    Itself,
    /// It is a customer's.
    Owner,
    /// The operator wants it.
    #[default]
    Operator,
}

/// What an application of others is told of somebody, and may do with it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Disclosed {
    pub why: Why,
    pub scopes: Vec<String>,
    /// Claims of their identity provider's that are told with the profile, by their names.
    pub claims: Vec<String>,
    /// Where else its tokens are good.
    pub audiences: Vec<String>,
    /// Whether they are good at our own administration API.
    pub manages: bool,
    /// Where it may act for them by what other applications show it.
    pub acts_at: Vec<String>,
}

/// Asks whether an application of others may be told of the person. Posts `csrf`, `shown` and `answer`: `allow` or `deny`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConsentPage {
    pub application: String,
    pub about: About,
    /// The host where the answer goes, or the scheme of a program.
    pub leads_to: Option<String>,
    /// Who they are, and for whom they act.
    pub email: String,
    pub organization: Option<String>,
    /// For a delegation, the home organization that sends the person.
    pub delegated_by: Option<String>,
    pub told: Disclosed,
    pub action: String,
    pub csrf: String,
    /// Of what is shown here.
    pub shown: String,
    pub another_account: Option<String>,
}

/// It was let in, or not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeviceAnsweredPage {
    pub application: String,
    pub allowed: bool,
    /// Why nobody was even asked.
    pub problem: Option<Problem>,
    /// Where the person ends what it may do.
    pub applications: String,
}

/// Asks somebody to try a connection. Posts `csrf`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrialPage {
    pub connection: String,
    /// Whose it is; absent: no organization's.
    pub organization: Option<String>,
    pub action: String,
    pub csrf: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TriedPage {
    pub worked: bool,
    pub connection: String,
    pub organization: Option<String>,
    pub email: Option<String>,
    pub domain: Option<String>,
    /// `verified`, `not_verified`, `unclaimed` or `no_address`; absent: it did not come to that.
    pub domain_rule: Option<&'static str>,
    /// Why it failed, in the words of the audit trail.
    pub reason: Option<String>,
    /// What the provider told of the person.
    pub claims: Vec<Told>,
    /// Claims that are not among them.
    pub left_out: u64,
    pub id: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Told {
    pub name: String,
    /// None: it was told, and is not read.
    pub values: Vec<String>,
    /// Values that are not among them.
    pub left_out: u64,
    /// Whether there is more of one than is shown.
    pub is_cut: bool,
}

/// The administration API for people, made of the document that programs read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReferencePage {
    pub version: String,
    /// Where the paths begin.
    pub base: String,
    /// The path of the document.
    pub document: String,
    /// The path of the page of all codes.
    pub problems: String,
    pub rooms: Vec<ReferenceRoom>,
    pub shapes: Vec<ReferenceShape>,
}

/// Operations on one kind of things.
#[derive(Clone, Debug, Serialize)]
pub struct ReferenceRoom {
    pub name: String,
    pub operations: Vec<ReferenceOperation>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReferenceOperation {
    pub id: String,
    pub method: String,
    pub path: String,
    pub summary: String,
    pub needs: String,
    pub parameters: Vec<ReferenceMember>,
    /// By media type.
    pub body: Vec<ReferenceMember>,
    /// By status.
    pub answers: Vec<ReferenceMember>,
    /// Codes.
    pub refusals: Vec<String>,
}

/// A named part of what is sent or answered.
#[derive(Clone, Debug, Serialize)]
pub struct ReferenceMember {
    pub name: String,
    pub kind: String,
    /// The shape that it has, if that stands on the page.
    pub shape: Option<String>,
    pub place: Option<String>,
    pub required: bool,
    pub about: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReferenceShape {
    pub name: String,
    pub about: Option<String>,
    pub members: Vec<ReferenceMember>,
}

/// Every code that a problem may have.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProblemsPage {
    pub reference: String,
    pub problems: Vec<ProblemRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ProblemRow {
    pub code: String,
    pub status: u16,
    pub title: String,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $key:literal),* $(,)?) => {
        /// What a person can be told that went wrong. Each has three messages: `error-<name>-title`, what
        /// happened (`-text`) and what to do (`-next`). They tell nothing about other people: a
        /// missing organization and one that does not know the person read the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub enum Problem { $($(#[$doc])* #[serde(rename = $key)] $name),* }

        impl Problem {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// As the messages are keyed.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $key),* }
            }
        }
    };
}

problems! {
    /// Too late, or in another browser than it began in.
    FlowExpired = "flow_expired",
    /// By something else than what somebody has just pressed.
    AlreadyEnded = "already_ended",
    /// Not at this step any more, or from no page of ours; the login itself waits where it stands.
    StepTaken = "step_taken",
    /// What was brought from an identity provider is still looked at.
    StillRunning = "still_running",
    UnknownApplication = "unknown_application",
    BadRedirectUri = "bad_redirect_uri",
    BadRequest = "bad_request",
    NoIdentityProvider = "no_identity_provider",
    /// Unknown, or none of the ways in here: nobody is told which.
    ConnectionNotOffered = "connection_not_offered",
    EmailInvalid = "email_invalid",
    OrganizationNameInvalid = "organization_name_invalid",
    IdpUnreachable = "idp_unreachable",
    /// It answers, but not as it must: no second try helps.
    IdpUnusable = "idp_unusable",
    IdpRefused = "idp_refused",
    IdpAnswerInvalid = "idp_answer_invalid",
    BindingUnsupported = "binding_unsupported",
    EmailDomainNotAllowed = "email_domain_not_allowed",
    NotProvedAnew = "not_proved_anew",
    ProvedTooLongAgo = "proved_too_long_ago",
    NoOrganization = "no_organization",
    /// Unknown, or not one of the person's: nobody is told which.
    OrganizationNotAllowed = "organization_not_allowed",
    /// Only for its own members; strangers are told `OrganizationNotAllowed`.
    OrganizationDeactivated = "organization_deactivated",
    MembershipBlocked = "membership_blocked",
    SsoRequired = "sso_required",
    MfaRequired = "mfa_required",
    ConnectionChanged = "connection_changed",
    UserDisabled = "user_disabled",
    EmailInUse = "email_in_use",
    /// Used, taken back, run out, or not whole.
    InvitationOver = "invitation_over",
    InvitationForAnother = "invitation_for_another",
    /// Who invited may not do so any more.
    InvitationVoid = "invitation_void",
    BelongsElsewhere = "belongs_elsewhere",
    TooManyRequests = "too_many_requests",
    /// What was brought is not taken; and so much is refused besides that it is not written down.
    NotWritten = "not_written",
    /// A link to try a connection has been used, has run out, or is none.
    TrialOver = "trial_over",
    NotFound = "not_found",
    /// Asked for by a name that is not ours.
    WrongAddress = "wrong_address",
    /// Our own failure.
    Fault = "fault",
    SignedOutElsewhere = "signed_out_elsewhere",
    /// Here or there, somebody may still be signed in.
    SignOutUnconfirmed = "sign_out_unconfirmed",
    /// It was told by a binding that is not spoken.
    SignOutBindingUnsupported = "sign_out_binding_unsupported",
    /// An application asked for it in a way that nobody can believe.
    SignOutRefused = "sign_out_refused",
    // At one's own account.
    LastOwner = "last_owner",
    /// Others own it, too, and none of them could sign in.
    LastWayIn = "last_way_in",
    ManagedByDirectory = "managed_by_directory",
    /// What they want needs a newer proof of who they are.
    SignInAgain = "sign_in_again",
    /// No device shows this code, or it was answered or has run out.
    UserCodeUnknown = "user_code_unknown",
    /// The organization lets no devices in.
    DeviceNotAllowed = "device_not_allowed",
}

/// A link that a browser may follow: a path of ours, an `https` URL, or `http` to this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Href(String);

impl Href {
    /// `None` for any other scheme, a name or password in it, or what only looks like a path of ours.
    pub fn parse(text: &str) -> Option<Self> {
        if own_path(text) {
            return Some(Self(text.to_owned()));
        }
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none();
        (plain && is_web(&url)).then(|| Self(url.into()))
    }
}

/// A picture that we serve ourselves. Others' addresses would tell them who is signing in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ImagePath(String);

impl ImagePath {
    pub fn parse(text: &str) -> Option<Self> {
        own_path(text).then(|| Self(text.to_owned()))
    }
}

/// `/…`, but not `//host` or `/\host`, which browsers take for another site, and nothing they would strip.
fn own_path(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_web(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h26_a_link_is_ours_or_of_the_web() {
        let good =
            ["/", "/login?flow=1", "https://app.test/x", "http://localhost:3000/", "http://127.0.0.1/a"];
        for text in good {
            assert!(Href::parse(text).is_some(), "{text}");
        }
        let bad = [
            "",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://a.test/x",
            "//evil.test",
            "/\\evil.test",
            "/\t/evil.test",
            "\\\\evil.test",
            "http://app.test/",
            "https://user:pass@app.test/",
            "https://app.test@evil.test/",
            "app:/callback",
        ];
        for text in bad {
            assert_eq!(Href::parse(text), None, "{text}");
        }
    }

    #[test]
    fn h26_a_picture_is_ours() {
        assert!(ImagePath::parse("/logos/org_1.png").is_some());
        for text in ["https://evil.test/l.png", "//evil.test/l.png", "data:image/svg+xml,x", "l.png", "/a b"]
        {
            assert_eq!(ImagePath::parse(text), None, "{text}");
        }
    }
}
