//! By what the code that a device shows is found.

use super::keyring::Keyring;
use crate::foundation::id::ProjectId;
use crate::foundation::secret::Digest;
use crate::model::device::UserCode;

/// Another one in every project.
pub fn digest(keyring: &Keyring, project: ProjectId, code: &UserCode) -> Digest {
    keyring.master().lookup(&format!("user code {project}"), code.letters())
}
