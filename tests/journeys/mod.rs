//! People on their way, from an application and back.

mod first_login;
