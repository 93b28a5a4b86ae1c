//! THE table: every door of the administration API, once. The router is made of it, and so is the document.

use super::route::Route;
use crate::manage::applications::api as applications;
use crate::manage::audit::api as audit;
use crate::manage::delegations::api as delegations;
use crate::manage::keys::api as keys;
use crate::manage::organizations::api as organizations;
use crate::manage::routing::api as routing;

pub const ROUTES: &[Route] = &[
    Route::of::<organizations::List>(),
    Route::of::<organizations::Create>(),
    Route::of::<organizations::Read>(),
    Route::of::<organizations::Replace>(),
    Route::of::<organizations::Patch>(),
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
    // why a login goes where it goes
    Route::of::<routing::Explain>(),
];
