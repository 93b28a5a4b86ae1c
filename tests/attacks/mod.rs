//! What attackers try, one file for each row of the threat list.

mod c27_ssrf;
mod m13_dns;
