//! XML Encryption 1.1, as far as it is safe.
