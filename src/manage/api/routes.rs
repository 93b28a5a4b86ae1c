//! THE table: every door of the administration API, once. The router is made of it, and so is the document.

use super::route::Route;
use crate::manage::invitations::api as invitations;
use crate::manage::organizations::api as organizations;
use crate::manage::people::api::{members, review, transfer, users};

pub const ROUTES: &[Route] = &[
    Route::of::<organizations::List>(),
    Route::of::<organizations::Create>(),
    Route::of::<organizations::Read>(),
    Route::of::<organizations::Replace>(),
    Route::of::<organizations::Patch>(),
    // People
    Route::of::<members::List>(),
    Route::of::<members::Export>(),
    Route::of::<members::Add>(),
    Route::of::<members::Read>(),
    Route::of::<members::Patch>(),
    Route::of::<members::ChangeRole>(),
    Route::of::<members::Remove>(),
    Route::of::<review::History>(),
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
];
