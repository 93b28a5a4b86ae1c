//! What attackers try, one file for each row of the threat list.

mod c01_foreign_addresses;
mod c02_c03_email_is_no_key;
mod c11_c12_mix_up;
mod c13_id_tokens;
mod c14_nominated_keys;
mod c21_organizations;
mod c23_codes;
mod c27_ssrf;
mod h22_pkce;
mod m13_dns;
