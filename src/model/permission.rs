//! What somebody may do through the administration API.

use super::words;

words! {
    /// In the words that roles, keys and tokens name.
    #[derive(PartialOrd, Ord)]
    Permission {
        OrganizationRead = "organization:read",
        OrganizationWrite = "organization:write",
        OrganizationDelete = "organization:delete",
        OrganizationTransfer = "organization:transfer",
        MembersRead = "members:read",
        MembersWrite = "members:write",
        InvitationsRead = "invitations:read",
        InvitationsWrite = "invitations:write",
        RolesRead = "roles:read",
        RolesWrite = "roles:write",
        PolicyRead = "policy:read",
        PolicyWrite = "policy:write",
        DomainsRead = "domains:read",
        DomainsWrite = "domains:write",
        ConnectionsRead = "connections:read",
        ConnectionsWrite = "connections:write",
        ConnectionsTest = "connections:test",
        ApplicationsRead = "applications:read",
        ApplicationsWrite = "applications:write",
        DelegationsRead = "delegations:read",
        DelegationsWrite = "delegations:write",
        ApiKeysRead = "api_keys:read",
        ApiKeysWrite = "api_keys:write",
        AuditRead = "audit:read",
        HealthRead = "health:read",
        RoutingExplain = "routing:explain",
    }
}

impl Permission {
    /// Whether it lets somebody look, and change nothing.
    pub fn only_reads(self) -> bool {
        self.word().ends_with(":read")
    }

    /// Whether a key of an organization may have it: none makes further ones, or does what an owner alone may.
    pub fn is_for_keys(self) -> bool {
        !self.is_the_owners() && self != Self::ApiKeysWrite
    }

    /// Whether whoever acts by somebody's leave has it, be it by a delegation or as an application that people had to allow:
    /// what they make or decide by the others would go on to count when that has been taken back.
    pub fn is_by_leave(self) -> bool {
        !self.is_the_owners()
            && !matches!(
                self,
                Self::ApiKeysWrite
                    | Self::ApplicationsWrite
                    | Self::DelegationsWrite
                    | Self::PolicyWrite
                    | Self::RolesWrite
            )
    }

    /// Whether an owner alone has it, and no other role, key or delegate.
    pub fn is_the_owners(self) -> bool {
        matches!(self, Self::OrganizationDelete | Self::OrganizationTransfer)
    }
}
