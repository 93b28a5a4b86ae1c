//! What the signatures of a message say, and whether they fit.

use data_encoding::HEXLOWER;

use super::report::Report;
use crate::protocol::saml::certificate::Certificate;
use crate::protocol::saml::keys::VerifyingKey;
use crate::protocol::saml::names;
use crate::protocol::saml::signature::{SignatureError, examine_enveloped, verify_enveloped};
use crate::protocol::saml::xml::Element;

/// Every signature, wherever it is. Whether any proves something only a connection's certificates can tell.
pub fn describe(root: Element<'_>, report: &mut Report) {
    let signatures = root.descendants().filter(|element| element.is(names::SIGNATURE, "Signature"));
    for signature in signatures {
        let Some(parent) = signature.parent() else { continue };
        report.heading(format!("Signature of the {}", parent.local()));
        let algorithms = |local: &'static str| {
            let found = signature.descendants().filter(move |element| element.is(names::SIGNATURE, local));
            let names: Vec<_> = found.filter_map(|element| element.attr("Algorithm")).map(short).collect();
            names.join(", ")
        };
        report.line("method", algorithms("SignatureMethod"));
        report.line("digest method", algorithms("DigestMethod"));
        report.line("canonical form", algorithms("CanonicalizationMethod"));
        report.line("transforms", algorithms("Transform"));
        for reference in signature.descendants().filter(|element| element.is(names::SIGNATURE, "Reference")) {
            report.line("reference", reference.attr("URI").unwrap_or("none"));
        }
        let brought = certificates(signature);
        for certificate in &brought {
            certificate_line(certificate, report);
        }
        judge(parent, &brought, report);
    }
}

fn judge(parent: Element<'_>, brought: &[Result<Certificate, String>], report: &mut Report) {
    match examine_enveloped(parent) {
        Ok(examined) if examined.digest_fits => {
            report.fine("the digest fits: what is signed was not changed")
        }
        Ok(_) => report.wrong("the digest does not fit: what is signed was changed after it was signed"),
        Err(error) => return report.wrong(format!("refused as it is: {error}")),
    }
    let keys: Vec<_> =
        brought.iter().flatten().map(|certificate| certificate.verifying_key().clone()).collect();
    match verify_enveloped(parent, &keys) {
        Ok(_) => report.warn("verifies by the certificate that it brings along; this proves nothing"),
        Err(SignatureError::NoKeys) => {
            report.warn("brings no usable certificate along: only a connection's can tell who signed");
        }
        Err(SignatureError::Signature | SignatureError::Method { .. }) => {
            report.wrong("does not verify by the certificate that it brings along")
        }
        // Told above.
        Err(_) => {}
    }
}

pub fn certificate_line(certificate: &Result<Certificate, String>, report: &mut Report) {
    let certificate = match certificate {
        Ok(certificate) => certificate,
        Err(error) => return report.wrong(format!("a certificate that cannot be used: {error}")),
    };
    report.line("certificate", format!("{} ({})", certificate.subject(), certificate.verifying_key().kind()));
    report.line("  SHA-256", HEXLOWER.encode(&certificate.fingerprint()));
    report.line("  valid from", report.moment(&certificate.not_before().rfc3339()));
    report.line("  valid until", report.until(&certificate.not_after().rfc3339()));
}

/// Those in the KeyInfo of a signature.
fn certificates(signature: Element<'_>) -> Vec<Result<Certificate, String>> {
    let found = signature.descendants().filter(|element| element.is(names::SIGNATURE, "X509Certificate"));
    let read = |element: Element<'_>| {
        let text = element.text().map_err(|error| error.to_string())?;
        Certificate::from_base64(&text).map_err(|error| error.to_string())
    };
    found.map(read).collect()
}

/// The keys of all certificates that the message brings along: good for a look, for nothing else.
pub fn brought_keys(root: Element<'_>) -> Vec<VerifyingKey> {
    let signatures = root.descendants().filter(|element| element.is(names::SIGNATURE, "Signature"));
    let certificates = signatures.flat_map(certificates).flatten();
    certificates.map(|certificate| certificate.verifying_key().clone()).collect()
}

/// The last piece of an identifier: `rsa-sha256`, `xml-exc-c14n#`.
pub fn short(uri: &str) -> &str {
    let piece = uri.trim_end_matches('#').rsplit(['#', '/']).next().unwrap_or(uri);
    if piece.is_empty() { uri } else { piece }
}
