//! THE table: every door of the administration API, once. The router is made of it, and so is the document.

use super::route::Route;
use crate::manage::account::api as account;
use crate::manage::applications::api as applications;
use crate::manage::audit::api as audit;
use crate::manage::connections::{api as connections, relink, sso_provider};
use crate::manage::delegations::api as delegations;
use crate::manage::domains::api as domains;
use crate::manage::health::api as health;
use crate::manage::invitations::api as invitations;
use crate::manage::keys::api as keys;
use crate::manage::organizations::api as organizations;
use crate::manage::people::api::{history, members, review, transfer, users};
use crate::manage::policy::api as policy;
use crate::manage::registration::api as registration;
use crate::manage::role_rules::api as role_rules;
use crate::manage::roles::api as roles;
use crate::manage::routing::api as routing;
use crate::manage::session::api as session;
use crate::manage::trials::api as trials;

pub const ROUTES: &[Route] = &[
    Route::of::<organizations::List>(),
    Route::of::<organizations::Create>(),
    Route::of::<organizations::Read>(),
    Route::of::<organizations::Replace>(),
    Route::of::<organizations::Patch>(),
    // Domains.
    Route::of::<domains::List>(),
    Route::of::<domains::Claim>(),
    Route::of::<domains::Read>(),
    Route::of::<domains::Start>(),
    Route::of::<domains::Confirm>(),
    Route::of::<domains::Patch>(),
    Route::of::<domains::Remove>(),
    Route::of::<organizations::Deactivate>(),
    Route::of::<organizations::Reactivate>(),
    Route::of::<organizations::Delete>(),
    Route::of::<organizations::Restore>(),
    Route::of::<policy::Read>(),
    Route::of::<policy::Replace>(),
    Route::of::<policy::Patch>(),
    Route::of::<policy::ReadProject>(),
    Route::of::<policy::ReplaceProject>(),
    Route::of::<policy::PatchProject>(),
    Route::of::<roles::List>(),
    Route::of::<roles::Create>(),
    Route::of::<roles::Read>(),
    Route::of::<roles::Patch>(),
    Route::of::<roles::Delete>(),
    // Roles by what an identity provider says.
    Route::of::<role_rules::List>(),
    Route::of::<role_rules::Create>(),
    Route::of::<role_rules::Preview>(),
    Route::of::<role_rules::Read>(),
    Route::of::<role_rules::Patch>(),
    Route::of::<role_rules::Delete>(),
    Route::of::<session::Me>(),
    Route::of::<session::MyOrganizations>(),
    Route::of::<session::MyPermissions>(),
    Route::of::<session::ReadSession>(),
    Route::of::<session::Switch>(),
    // what people are signed in to
    Route::of::<account::MySessions>(),
    Route::of::<account::EndMySession>(),
    Route::of::<account::MyApplications>(),
    Route::of::<account::EndMyApplication>(),
    Route::of::<account::MyConsents>(),
    Route::of::<account::MemberSessions>(),
    Route::of::<account::EndMemberSession>(),
    // People
    Route::of::<members::List>(),
    Route::of::<members::Export>(),
    Route::of::<members::Add>(),
    Route::of::<members::Read>(),
    Route::of::<members::Patch>(),
    Route::of::<members::ChangeRole>(),
    Route::of::<members::Remove>(),
    Route::of::<history::History>(),
    Route::of::<review::AccessReview>(),
    Route::of::<review::ExportAccessReview>(),
    Route::of::<transfer::Transfer>(),
    Route::of::<transfer::Read>(),
    Route::of::<transfer::Accept>(),
    Route::of::<transfer::Cancel>(),
    Route::of::<users::Search>(),
    Route::of::<users::Read>(),
    Route::of::<users::Patch>(),
    Route::of::<invitations::List>(),
    Route::of::<invitations::Create>(),
    Route::of::<invitations::Bulk>(),
    Route::of::<invitations::Read>(),
    Route::of::<invitations::Renew>(),
    Route::of::<invitations::Revoke>(),
    Route::of::<invitations::ByToken>(),
    Route::of::<invitations::Accept>(),
    // what is recorded
    Route::of::<audit::List>(),
    Route::of::<audit::Export>(),
    Route::of::<audit::Checkpoints>(),
    Route::of::<audit::Keys>(),
    // keys
    Route::of::<keys::List>(),
    Route::of::<keys::Create>(),
    Route::of::<keys::Read>(),
    Route::of::<keys::Patch>(),
    Route::of::<keys::Revoke>(),
    Route::of::<keys::Rotate>(),
    // delegations
    Route::of::<delegations::List>(),
    Route::of::<delegations::Propose>(),
    Route::of::<delegations::Read>(),
    Route::of::<delegations::Patch>(),
    Route::of::<delegations::Approve>(),
    Route::of::<delegations::Pause>(),
    Route::of::<delegations::Resume>(),
    Route::of::<delegations::Revoke>(),
    // applications
    Route::of::<applications::List>(),
    Route::of::<applications::Create>(),
    Route::of::<applications::Read>(),
    Route::of::<applications::Replace>(),
    Route::of::<applications::Patch>(),
    Route::of::<applications::Disable>(),
    Route::of::<applications::Rotate>(),
    // clients that register themselves
    Route::of::<registration::List>(),
    Route::of::<registration::Create>(),
    Route::of::<registration::Read>(),
    Route::of::<registration::Revoke>(),
    // how connections do
    Route::of::<health::Read>(),
    Route::of::<health::Failures>(),
    Route::of::<health::Reviewed>(),
    Route::of::<trials::Create>(),
    Route::of::<trials::List>(),
    Route::of::<trials::Read>(),
    // connections
    Route::of::<connections::List>(),
    Route::of::<connections::Create>(),
    Route::of::<connections::Read>(),
    Route::of::<connections::Replace>(),
    Route::of::<connections::Patch>(),
    Route::of::<connections::Delete>(),
    Route::of::<connections::Discard>(),
    Route::of::<connections::Versions>(),
    Route::of::<connections::ReadVersion>(),
    Route::of::<connections::Activate>(),
    Route::of::<connections::RollBack>(),
    Route::of::<connections::Disable>(),
    Route::of::<connections::Enable>(),
    Route::of::<connections::MakePrimary>(),
    Route::of::<sso_provider::Read>(),
    Route::of::<sso_provider::Put>(),
    Route::of::<sso_provider::Delete>(),
    Route::of::<relink::Plan>(),
    Route::of::<relink::Relink>(),
    Route::of::<relink::names::Plan>(),
    Route::of::<relink::names::Relink>(),
    Route::of::<relink::person::Plan>(),
    Route::of::<relink::person::Relink>(),
    // why a login goes where it goes
    Route::of::<routing::Explain>(),
];
