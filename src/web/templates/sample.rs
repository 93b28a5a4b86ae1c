//! One of each page, to try a template on before people see it.

use super::account::*;
use super::page::*;
use super::{Brand, Colour};
use crate::model::browser::{Family, System};
use crate::protocol::oauth::scope;

/// A brand that has everything a brand can have.
pub(super) fn brand() -> Brand {
    Brand {
        logo: ImagePath::parse("/assets/mark.svg"),
        accent: Some(Colour::BLACK),
        support: Href::parse("https://example.test/help"),
        privacy: Href::parse("https://example.test/privacy"),
        ..Brand::named("prj_sample", "Behalf")
    }
}

/// Every page with everything filled in, then the same pages bare, then every problem.
pub(super) fn pages() -> impl Iterator<Item = Page> {
    let full = full("Northwind Planner", "con@a.test");
    let bare = [
        Page::Beforehand(BeforehandPage { application: "App".to_owned(), ..BeforehandPage::default() }),
        Page::Email(EmailPage { application: "App".to_owned(), ..EmailPage::default() }),
        Page::Chooser(ChooserPage::default()),
        Page::Onward(OnwardPage::default()),
        Page::Organizations(OrganizationsPage::default()),
        Page::SignOut(SignOutPage::default()),
        Page::Invitation(InvitationPage::default()),
        Page::Accepted(AcceptedPage::default()),
        Page::SignedOut(SignedOutPage::default()),
        Page::Device(DevicePage::default()),
        Page::LetIn(LetInPage::default()),
        Page::Consent(ConsentPage::default()),
        Page::DeviceAnswered(DeviceAnsweredPage::default()),
        Page::Trial(TrialPage::default()),
        Page::Tried(TriedPage::default()),
        Page::Account(AccountPage::default()),
        Page::Sessions(SessionsPage::default()),
        Page::Applications(ApplicationsPage::default()),
        Page::Leave(LeavePage::default()),
        Page::Reference(ReferencePage::default()),
        Page::Problems(ProblemsPage::default()),
    ];
    let problems = Problem::ALL.iter().map(|problem| Page::Error(ErrorPage::new(*problem)));
    full.into_iter().chain(bare).chain(problems)
}

/// Every page with each optional part, every text of a stranger being `text`.
pub(super) fn full(text: &str, email: &str) -> [Page; 29] {
    [
        Page::Beforehand(beforehand(text)),
        Page::Email(email_page(text, email)),
        Page::Email(EmailPage { again: true, problem: None, ..email_page(text, email) }),
        Page::Chooser(chooser(text, email)),
        Page::Onward(OnwardPage {
            provider: at(text),
            action: at("/sso"),
            fields: vec![Field { name: "SAMLRequest", value: at(text) }],
            csrf: at("c"),
            another_account: Some(at("/login/another")),
        }),
        Page::Organizations(organizations(text, email)),
        Page::Error(error(text)),
        Page::SignOut(SignOutPage {
            action: at("/logout"),
            csrf: at("c"),
            email: Some(email.to_owned()),
            application: Some(at(text)),
            organization: Some(at(text)),
            fields: vec![Field { name: "state", value: at(text) }],
        }),
        Page::Welcome(WelcomePage {
            discovery: at("/.well-known/openid-configuration"),
            account: at("/account"),
        }),
        Page::Invitation(InvitationPage {
            organization: at(text),
            is_mistakable: true,
            logo: ImagePath::parse("/logos/org_1.png"),
            email: at(email),
            roles: vec!["admin".to_owned(), at(text)],
            until: at(text),
            action: at("/invitations/x"),
            is_over: false,
            within: Some(Within {
                application: at(text),
                csrf: at("c"),
                cancel: Some(at("/login/x/cancel")),
                another_account: Some(at("/login/x/another")),
            }),
        }),
        Page::Invitation(InvitationPage { is_over: true, ..InvitationPage::default() }),
        Page::Accepted(AcceptedPage { organization: Some(at(text)), email: Some(at(email)) }),
        Page::SignedOut(SignedOutPage {
            application: Some(text.to_owned()),
            goes_on: true,
            back: Href::parse("https://app.test/"),
            onward: Some(OnwardForm {
                action: at("/slo"),
                fields: vec![Field { name: "SAMLResponse", value: at(text) }],
            }),
            frames: Href::parse("https://other.test/bye").into_iter().collect(),
            provider: Some(text.to_owned()),
            organization: None,
        }),
        Page::SignedOut(SignedOutPage {
            application: Some(text.to_owned()),
            back: Href::parse("https://app.test/"),
            organization: Some(text.to_owned()),
            ..SignedOutPage::default()
        }),
        Page::Device(DevicePage {
            action: at("/device"),
            code: Some(at(text)),
            ui_locales: Some(at(text)),
            problem: Some(Problem::UserCodeUnknown),
            is_stranger: false,
            sign_in: Href::parse("/account/sign-in?another=yes&device=BCDF"),
        }),
        Page::Device(DevicePage {
            action: at("/account/sign-in"),
            code: Some(at(text)),
            ui_locales: Some(at(text)),
            problem: None,
            is_stranger: true,
            sign_in: None,
        }),
        Page::LetIn(LetInPage {
            application: at(text),
            about: about(text),
            told: Some(disclosed(text)),
            email: at(email),
            organization: Some(at(text)),
            delegated_by: Some(at(text)),
            code: at(text),
            address: at(text),
            minutes: 7,
            is_late: true,
            stays: "offline",
            action: at("/login/device"),
            csrf: at("c"),
            shown: at("s"),
            another_organization: Href::parse("/login/organizations"),
            another_account: Some(at("/login/another")),
        }),
        Page::Consent(ConsentPage {
            application: at(text),
            about: about(text),
            leads_to: Some(at(text)),
            email: at(email),
            organization: Some(at(text)),
            delegated_by: Some(at(text)),
            told: disclosed(text),
            action: at("/login/consent"),
            csrf: at("c"),
            shown: at("s"),
            another_account: Some(at("/login/another")),
        }),
        Page::DeviceAnswered(DeviceAnsweredPage {
            application: at(text),
            allowed: true,
            problem: Some(Problem::DeviceNotAllowed),
            applications: at(text),
        }),
        Page::Trial(TrialPage {
            connection: at(text),
            organization: Some(at(text)),
            action: at("/trial"),
            csrf: at("c"),
        }),
        Page::Tried(tried(text, email, true, "verified")),
        Page::Tried(tried(text, email, false, "not_verified")),
        Page::Tried(tried(text, email, false, "no_address")),
        Page::Account(account(text, email)),
        Page::Sessions(sessions(text, email)),
        Page::Applications(applications(text, email)),
        Page::Leave(LeavePage {
            frame: frame(email, Some("session")),
            organization: at(text),
            action: at("/account/organizations/org_1/leave"),
        }),
        Page::Reference(reference(text)),
        Page::Problems(ProblemsPage {
            reference: at("/docs"),
            problems: vec![ProblemRow { code: at(text), status: 404, title: at(text) }],
        }),
    ]
}

fn frame(email: &str, done: Option<&'static str>) -> AccountFrame {
    AccountFrame {
        email: at(email),
        csrf: at("c"),
        organizations: at("/account"),
        sessions: at("/account/sessions"),
        applications: at("/account/applications"),
        sign_out: at("/logout"),
        done,
        first: Href::parse("/account"),
        next: Href::parse("/account?after=x"),
    }
}

fn account(text: &str, email: &str) -> AccountPage {
    let home = OwnOrganization {
        name: at(text),
        logo: ImagePath::parse("/logos/org_1.png"),
        kind: "home",
        delegated_by: None,
        current: true,
        switch: None,
        leave: Href::parse("/account/organizations/org_1/leave"),
    };
    let other = |kind| OwnOrganization {
        kind,
        logo: None,
        current: false,
        switch: Some(at("/account/organizations/org_2/switch")),
        ..home.clone()
    };
    let delegated = OwnOrganization { delegated_by: Some(at(text)), leave: None, ..other("delegate") };
    let organizations = vec![home.clone(), other("member"), other("guest"), delegated];
    AccountPage { frame: frame(email, Some("switched")), organizations }
}

fn sessions(text: &str, email: &str) -> SessionsPage {
    let here = OwnSession {
        here: true,
        through: at(text),
        browser: Some("firefox"),
        system: Some("linux"),
        since: at(text),
        seen: at(text),
        end: at("/account/sessions/sess_1/end"),
    };
    let words = Family::ALL.iter().zip(System::ALL.iter().cycle());
    let others = words.map(|(family, system)| OwnSession {
        here: false,
        browser: Some(family.word()),
        system: Some(system.word()),
        ..here.clone()
    });
    let unknown = OwnSession { here: false, browser: None, system: None, ..here.clone() };
    let sessions = std::iter::once(here.clone()).chain(others).chain([unknown]).collect();
    SessionsPage { frame: frame(email, Some("session")), sessions }
}

fn applications(text: &str, email: &str) -> ApplicationsPage {
    let named = OwnApplication {
        name: at(text),
        held_for: HeldFor::Named { posted: at("org_1"), name: at(text) },
        since: at(text),
        offline: true,
        end: at("/account/applications/app_1/end"),
    };
    let held_for = HeldFor::Unnamed { posted: at("org_2") };
    let hidden = OwnApplication { held_for, offline: false, ..named.clone() };
    let personal = OwnApplication { held_for: HeldFor::of(None, None), ..hidden.clone() };
    let told = OwnTold {
        leads_to: Some(at(text)),
        audiences: at(text),
        acts_at: at(text),
        scopes: scope::SUPPORTED.map(at).to_vec(),
    };
    let device = OwnTold { leads_to: None, audiences: String::new(), acts_at: String::new(), ..told.clone() };
    let consent = OwnConsent {
        name: at(text),
        held_for: HeldFor::Named { posted: at("org_1"), name: at(text) },
        told: vec![told, device],
        since: at(text),
        withdraw: at("/account/applications/app_1/withdraw"),
    };
    ApplicationsPage {
        frame: frame(email, Some("application")),
        applications: vec![named, hidden, personal],
        consents: vec![consent],
    }
}

fn reference(text: &str) -> ReferencePage {
    let member = || ReferenceMember {
        name: at(text),
        kind: at(text),
        shape: Some(at(text)),
        place: Some(at(text)),
        required: true,
        about: Some(at(text)),
    };
    let operation = ReferenceOperation {
        id: at(text),
        method: at("GET"),
        path: at(text),
        summary: at(text),
        needs: at(text),
        parameters: vec![member()],
        body: vec![member()],
        answers: vec![member()],
        refusals: vec![at(text)],
    };
    ReferencePage {
        version: at(text),
        base: at(text),
        document: at("/openapi.json"),
        problems: at("/problems"),
        rooms: vec![ReferenceRoom { name: at(text), operations: vec![operation] }],
        shapes: vec![ReferenceShape { name: at(text), about: Some(at(text)), members: vec![member()] }],
    }
}

fn tried(text: &str, email: &str, worked: bool, rule: &'static str) -> TriedPage {
    TriedPage {
        worked,
        connection: at(text),
        organization: Some(at(text)),
        email: Some(at(email)),
        domain: Some(at(text)),
        domain_rule: Some(rule),
        reason: (!worked).then(|| at(text)),
        claims: vec![
            Told { name: at(text), values: vec![at(text), at(text)], left_out: 2, is_cut: true },
            Told { name: at(text), values: vec![], left_out: 1, is_cut: false },
        ],
        left_out: 3,
        id: at(text),
    }
}

fn at(text: &str) -> String {
    text.to_owned()
}

fn methods(text: &str) -> Vec<MethodButton> {
    ["con_1", "con_2"].map(|value| MethodButton { value: at(value), name: at(text) }).into()
}

fn disclosed(text: &str) -> Disclosed {
    Disclosed {
        why: Why::Itself,
        scopes: scope::SUPPORTED.map(at).to_vec(),
        claims: vec![at(text)],
        audiences: vec![at(text)],
        manages: true,
        acts_at: vec![at(text)],
    }
}

fn about(text: &str) -> About {
    About {
        owner: Some(OwnerName { name: at(text), is_mistakable: true }),
        logo: ImagePath::parse("/logos/app_1.png"),
        policy: Href::parse("https://app.test/policy"),
        terms: Href::parse("https://app.test/terms"),
    }
}

fn beforehand(text: &str) -> BeforehandPage {
    BeforehandPage {
        application: at(text),
        about: about(text),
        action: at("/login/beforehand"),
        csrf: at("c"),
        problem: Some(Problem::OrganizationNameInvalid),
        organization: at(text),
        cancel: Some(at("/login/cancel")),
        another_account: Some(at("/login/another")),
    }
}

fn email_page(text: &str, email: &str) -> EmailPage {
    EmailPage {
        application: at(text),
        about: about(text),
        action: at("/login"),
        csrf: at("c"),
        email: Some(at(email)),
        again: false,
        problem: Some(Problem::EmailInvalid),
        methods: methods(text),
        cancel: Some(at("/login/cancel")),
        another_account: Some(at("/login/another")),
    }
}

fn chooser(text: &str, email: &str) -> ChooserPage {
    ChooserPage {
        application: at(text),
        about: about(text),
        email: at(email),
        action: at("/login/connection"),
        csrf: at("c"),
        methods: methods(text),
        another_account: Some(at("/login/another")),
        cancel: Some(at("/login/cancel")),
    }
}

fn organizations(text: &str, email: &str) -> OrganizationsPage {
    let own = Choice {
        value: at("org_1"),
        name: at(text),
        logo: ImagePath::parse("/logos/org_1.png"),
        through: at(text),
        delegated_by: None,
        problem: None,
    };
    let barred = Choice { problem: Some(Problem::DeviceNotAllowed), ..own.clone() };
    let delegated = Choice { value: at("dlg_1"), logo: None, delegated_by: Some(at(text)), ..own.clone() };
    OrganizationsPage {
        application: at(text),
        about: about(text),
        email: at(email),
        action: at("/select-organization"),
        csrf: at("c"),
        choices: vec![own, delegated, barred],
        unavailable: Some(at(text)),
        search: Some(Search { action: at("/select-organization"), query: at(text), found: 2 }),
        previous: Href::parse("/select-organization?page=1"),
        next: Href::parse("/select-organization?page=3"),
        another_account: Some(at("/login/another")),
        cancel: Some(at("/login/cancel")),
        decline: Some(at("/login/cancel")),
    }
}

fn error(text: &str) -> ErrorPage {
    ErrorPage {
        application: Some(at(text)),
        id: Some(at(text)),
        again: Href::parse("/login"),
        csrf: at("c"),
        another_account: Some(at("/login/another")),
        cancel: Some(at("/login/cancel")),
        decline: Some(at("/login/cancel")),
        back: Href::parse("https://app.test/"),
        detail: Some(at(text)),
        ..ErrorPage::new(Problem::FlowExpired)
    }
}
