//! Names that nobody holds alone: below a public suffix anybody may register, and at a free provider anybody may have a
//! mailbox. Whoever could prove one of them would speak for strangers (threats H07, M13).

use std::collections::HashSet;
use std::sync::LazyLock;

use super::domain_name::DomainName;

/// One a line; `#` begins a comment.
static FREE_MAIL: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("free_mail.txt").lines().filter(|line| !line.starts_with('#')).collect());

/// Whether this is a suffix of the Public Suffix List, of registries (`co.uk`) or of providers (`github.io`), and not
/// a name below one.
pub fn is_public(name: &DomainName) -> bool {
    psl::domain_str(name.as_str()).is_none()
}

/// Whether anybody may have a mailbox there.
fn is_free_mail(name: &DomainName) -> bool {
    FREE_MAIL.contains(name.as_str())
}

/// Why nobody claims a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimable {
    #[error("anybody may register a name below it, so nobody holds it alone")]
    PublicSuffix,
    #[error("anybody may have a mailbox in this domain")]
    FreeMail,
}

/// Whether one organization can hold a name for itself.
pub fn claimable(name: &DomainName) -> Result<(), NotClaimable> {
    if is_public(name) {
        Err(NotClaimable::PublicSuffix)
    } else if is_free_mail(name) {
        Err(NotClaimable::FreeMail)
    } else {
        Ok(())
    }
}

/// What was registered: the name itself, or the one above it that stands right below a public suffix.
pub fn registrable(name: &DomainName) -> &str {
    psl::domain_str(name.as_str()).unwrap_or(name.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn s1_d1_h07_names_that_nobody_holds_alone_are_known() {
        for suffix in ["co.uk", "github.io", "com.au", "blogspot.com", "x.kawasaki.jp"] {
            assert!(is_public(&name(suffix)), "{suffix}");
        }
        for free in
            ["gmail.com", "googlemail.com", "outlook.com", "yahoo.co.uk", "gmx.de", "proton.me", "qq.com"]
        {
            assert!(is_free_mail(&name(free)), "{free}");
        }
        for own in
            ["a.test", "dev.a.test", "my-corp.com", "my-corp.co.uk", "team.github.io", "mail.my-corp.com"]
        {
            assert!(!is_public(&name(own)) && !is_free_mail(&name(own)), "{own}");
        }
    }

    #[test]
    fn what_was_registered_is_found_above_a_name() {
        for (below, registered) in [
            ("a.test", "a.test"),
            ("x.dev.a.test", "a.test"),
            ("x.my-corp.co.uk", "my-corp.co.uk"),
            ("co.uk", "co.uk"),
        ] {
            assert_eq!(registrable(&name(below)), registered);
        }
    }

    #[test]
    fn the_list_of_free_providers_is_in_the_one_spelling() {
        assert!(FREE_MAIL.len() > 5_000);
        for free in FREE_MAIL.iter() {
            assert!(!free.ends_with(".test") && *free == free.to_ascii_lowercase(), "{free}");
        }
    }
}
