//! JSON Web Signatures and Keys (RFC 7515, 7517, 7518).
