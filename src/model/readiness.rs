//! Whether an organization may let its members in through its own connection only: whoever would be locked out must
//! have a way back (S1-T1, S1-T2).

use std::time::Duration;

use super::words;

/// A trial is worth so much and no longer: providers change.
pub const TRIED_WITHIN: Duration = Duration::from_secs(7 * 86_400);
/// A way in for emergencies that nobody has walked for longer is only hoped for.
pub const USED_WITHIN: Duration = Duration::from_secs(90 * 86_400);
/// Sign-ins in a row that failed by the connection's own fault, before it counts as failing.
pub const FAILING: i64 = 5;

words! {
    /// What is missing.
    Missing {
        /// No connection that is active, by a method that is on.
        Connection = "connection_not_active",
        /// None of them has a verified domain that leads to it.
        Domain = "domain_not_verified",
        Owner = "second_owner_missing",
        /// Nobody who administers nothing has tried it as it is now.
        Test = "test_missing",
        BreakGlass = "break_glass_missing",
        /// People fail to sign in by it at this moment.
        Health = "health_failing",
    }
}

impl Missing {
    /// What somebody does about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Connection => "activate a connection by a method that is on",
            Self::Domain => "verify a domain, and lead it to a connection that is active",
            Self::Owner => "give a second person the role owner",
            Self::Test => "have somebody who administers nothing try the connection as it is now",
            Self::BreakGlass => NO_BREAK_GLASS,
            Self::Health => "mend the connection that people cannot sign in by, or go back a version",
        }
    }
}

/// What a way in for emergencies waits for: nobody has another one than an identity provider yet.
pub const NO_BREAK_GLASS: &str = "nobody can show that they get in while the provider is down before people can sign in without an \
     identity provider, which is not here yet; until then only the operator may force it";

/// What is known of an organization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub connection: bool,
    pub domain: bool,
    /// Active ones, as far as two.
    pub owners: usize,
    pub tested: bool,
    pub break_glass: bool,
    pub failing: bool,
}

impl Facts {
    /// In the order in which somebody would see to it.
    pub fn missing(self) -> Vec<Missing> {
        let all = [
            (self.connection, Missing::Connection),
            (self.domain, Missing::Domain),
            (self.owners >= 2, Missing::Owner),
            (self.tested, Missing::Test),
            (self.break_glass, Missing::BreakGlass),
            (!self.failing, Missing::Health),
        ];
        all.into_iter().filter(|(there, _)| !there).map(|(_, missing)| missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_t1_s1_t2_each_thing_that_is_missing_is_told() {
        let ready = Facts {
            connection: true,
            domain: true,
            owners: 2,
            tested: true,
            break_glass: true,
            failing: false,
        };
        assert_eq!(ready.missing(), []);
        for (facts, missing) in [
            (Facts { connection: false, ..ready }, Missing::Connection),
            (Facts { domain: false, ..ready }, Missing::Domain),
            (Facts { owners: 1, ..ready }, Missing::Owner),
            (Facts { tested: false, ..ready }, Missing::Test),
            (Facts { break_glass: false, ..ready }, Missing::BreakGlass),
            (Facts { failing: true, ..ready }, Missing::Health),
        ] {
            assert_eq!(facts.missing(), [missing]);
        }
        assert_eq!(Facts::default().missing(), &Missing::ALL[..5]);
    }
}
