//! A rule by which what an identity provider says of somebody gives them a role (S1-P7). It is judged whenever something
//! is minted for them and is stored with nobody: what the provider says no more is gone with the next login, and a rule
//! that is deleted with the next token.

use std::collections::BTreeMap;

use super::identity::IdentityFacts;
use super::role;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, RoleRuleId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    pub id: RoleRuleId,
    /// Whose people get the role, and there alone.
    pub organization: OrganizationId,
    /// Whose word counts: one of the organization's own.
    pub connection: ConnectionId,
    /// `groups`, or another claim or mapped attribute.
    pub claim: String,
    pub matching: Matching,
    pub value: String,
    pub role: String,
    /// By whose word it gives what may change the organization; nobody's, where no owner was needed (threats H01).
    pub approval: Option<Approval>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// That who owned the organization, or ran the project, wanted a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub by: String,
    /// Whether that is an owner's word still, or the operator's: whoever owns the organization no more has approved nothing.
    pub counts: bool,
}

impl Approval {
    /// By who may give it now.
    pub fn now(by: String) -> Self {
        Self { by, counts: true }
    }
}

words! {
    /// How a claim must be, byte by byte.
    Matching {
        /// It has this value and no other.
        Equals = "equals",
        /// This is one of its values.
        Contains = "contains",
        /// One of its values begins so.
        Prefix = "prefix",
    }
}

words! {
    /// Whether a rule gives anything, as roles are now.
    Standing {
        Active = "active",
        /// There is no role of this name any more.
        RoleUnknown = "role_unknown",
        /// The role may change something of the organization, and nobody who owns it has said yes.
        Unapproved = "unapproved",
    }
}

impl RoleRule {
    /// The value by which it fits somebody.
    pub fn because<'f>(&self, facts: &'f IdentityFacts) -> Option<&'f str> {
        let values = facts.values(&self.claim);
        match (self.matching, values.as_slice()) {
            (Matching::Equals, [only]) if *only == self.value => Some(only),
            (Matching::Equals, _) => None,
            (Matching::Contains, all) => all.iter().find(|value| **value == self.value).copied(),
            // What everything begins with is no beginning.
            (Matching::Prefix, _) if self.value.is_empty() => None,
            (Matching::Prefix, all) => all.iter().find(|value| value.starts_with(&self.value)).copied(),
        }
    }

    /// `custom`: the organization's further roles as they are now, whatever they were when the rule was written.
    pub fn standing(&self, custom: &BTreeMap<String, Vec<String>>) -> Standing {
        match role::built_in(&self.role).is_some() || custom.contains_key(&self.role) {
            // Nobody comes to own anything by what a provider says.
            _ if self.role == role::OWNER => Standing::RoleUnknown,
            false => Standing::RoleUnknown,
            true if role::may_change(&self.role, custom) && !self.is_approved() => Standing::Unapproved,
            true => Standing::Active,
        }
    }

    /// Whether an owner, as owners are now, or the operator answers for it.
    pub fn is_approved(&self) -> bool {
        self.approval.as_ref().is_some_and(|approval| approval.counts)
    }
}

/// The roles that rules give to somebody of whom a provider says this; none twice.
pub fn given(
    rules: &[RoleRule],
    facts: &IdentityFacts,
    custom: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let fits = |rule: &&RoleRule| rule.because(facts).is_some() && rule.standing(custom) == Standing::Active;
    let mut roles: Vec<String> = Vec::new();
    for rule in rules.iter().filter(fits) {
        if !roles.contains(&rule.role) {
            roles.push(rule.role.clone());
        }
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::user::Told;

    fn rule(claim: &str, matching: Matching, value: &str, role: &str) -> RoleRule {
        RoleRule {
            id: RoleRuleId::from_u128(1),
            organization: OrganizationId::from_u128(1),
            connection: ConnectionId::from_u128(1),
            claim: claim.to_owned(),
            matching,
            value: value.to_owned(),
            role: role.to_owned(),
            approval: None,
            created_at: Moment::from_millis(0),
            updated_at: Moment::from_millis(0),
        }
    }

    fn facts() -> IdentityFacts {
        IdentityFacts {
            groups: vec!["staff".into(), "eng-backend".into()],
            claims: [
                ("department".to_owned(), Told::Text("sales".into())),
                ("teams".to_owned(), Told::List(vec!["one".into()])),
            ]
            .into(),
            ..IdentityFacts::default()
        }
    }

    #[test]
    fn s1_p7_a_rule_fits_what_it_says_byte_by_byte_and_nothing_near_it() {
        let fits = |claim: &str, matching, value: &str| {
            rule(claim, matching, value, "member").because(&facts()).map(str::to_owned)
        };
        let found = |value: &str| Some(value.to_owned());
        assert_eq!(fits("groups", Matching::Contains, "staff"), found("staff"));
        assert_eq!(fits("groups", Matching::Prefix, "eng-"), found("eng-backend"));
        assert_eq!(fits("department", Matching::Equals, "sales"), found("sales"));
        assert_eq!(fits("department", Matching::Contains, "sales"), found("sales"));
        assert_eq!(fits("teams", Matching::Equals, "one"), found("one"));
        for (claim, matching, value) in [
            ("groups", Matching::Equals, "staff"),
            ("groups", Matching::Contains, "Staff"),
            ("groups", Matching::Contains, "eng"),
            ("groups", Matching::Contains, "staff,eng-backend"),
            ("groups", Matching::Prefix, "taff"),
            ("groups", Matching::Prefix, ""),
            ("department", Matching::Equals, "sale"),
            ("none", Matching::Contains, ""),
            ("none", Matching::Prefix, "a"),
        ] {
            assert_eq!(fits(claim, matching, value), None, "{claim} {matching} {value:?}");
        }
    }

    #[test]
    fn h01_no_rule_gives_owner_and_none_gives_more_than_an_owner_has_approved() {
        let mut custom: BTreeMap<String, Vec<String>> = [
            ("billing".to_owned(), vec!["invoices:write".to_owned()]),
            ("watcher".to_owned(), vec!["members:read".to_owned()]),
        ]
        .into();
        let all = ["owner", "admin", "member", "billing", "watcher", "none", "Owner"];
        let told = |custom: &BTreeMap<String, Vec<String>>, approval: Option<Approval>| {
            let rules: Vec<_> = all
                .iter()
                .map(|role| RoleRule {
                    approval: approval.clone(),
                    ..rule("groups", Matching::Contains, "staff", role)
                })
                .collect();
            given(&rules, &facts(), custom)
        };
        assert_eq!(told(&custom, None), ["member", "billing", "watcher"]);
        let approval = Approval::now("somebody".to_owned());
        assert_eq!(told(&custom, Some(approval.clone())), ["admin", "member", "billing", "watcher"]);
        // Nor by who owned it then, and does not now.
        let over = Approval { counts: false, ..approval };
        assert_eq!(told(&custom, Some(over)), ["member", "billing", "watcher"]);
        // A role that has come to change something since gives nothing until an owner says yes.
        custom.insert("watcher".to_owned(), vec!["members:write".to_owned()]);
        assert_eq!(told(&custom, None), ["member", "billing"]);
        let twice = [
            rule("groups", Matching::Prefix, "s", "member"),
            rule("groups", Matching::Prefix, "e", "member"),
        ];
        assert_eq!(given(&twice, &facts(), &custom), ["member"]);
    }
}
