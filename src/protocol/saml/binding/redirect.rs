//! The HTTP Redirect binding (SAML 2.0 Bindings, section 3.4): a message is deflated into the query, and the query is
//! signed as it was sent.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{BindingError, Carried};
use crate::protocol::saml::base64;
use crate::protocol::saml::keys::{SigningKey, VerifyingKey};
use crate::protocol::saml::refused::named;
use crate::protocol::saml::signature::{SignatureError, SignatureMethod, Verified, verify_detached};

/// The most bytes of a query, and of the message that is inflated from it (threat H13).
const MAX_QUERY: usize = 64 * 1024;
const MAX_INFLATED: usize = 256 * 1024;
/// An RSA signature of 8192 bits.
const MAX_SIGNATURE: usize = 1024;
/// Of our own (SAML 2.0 Bindings, section 3.4.3).
const MAX_RELAY_STATE: usize = 80;
/// Of others', which an answer brings back exactly as it came: providers send more than they may.
pub const MAX_ECHO: usize = 2048;
const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";
/// Everything but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A message that came in a query, with the query's signature if it has one.
#[derive(Debug)]
pub struct RedirectMessage<'q> {
    /// The inflated message, unread.
    pub xml: Vec<u8>,
    pub relay_state: Option<String>,
    signature: Option<Signature<'q>>,
}

#[derive(Debug)]
struct Signature<'q> {
    /// None: by an algorithm that nothing is believed by.
    method: Option<SignatureMethod>,
    bytes: Vec<u8>,
    /// The parameters that are signed, as they were received.
    signed: Signed<'q>,
}

#[derive(Debug)]
struct Signed<'q> {
    which: Carried,
    message: &'q str,
    relay_state: Option<&'q str>,
    algorithm: &'q str,
}

impl<'q> RedirectMessage<'q> {
    /// Reads the query as it was received, without its `?`: at most 64 KiB, and 256 KiB inflated. It must not have been
    /// decoded, because the signature is over it as it is. Parameters of other names are ignored; they are not
    /// signed either.
    pub fn read(raw_query: &'q str, which: Carried) -> Result<Self, BindingError> {
        if raw_query.len() > MAX_QUERY {
            return Err(BindingError::TooLarge);
        }
        let query = Query::read(raw_query)?;
        let message = query.message(which)?;
        let relay_state = query.relay_state.map(|raw| form_decoded(raw, "RelayState")).transpose()?;
        let signature = query.signature(which, message)?;
        let deflated = decoded(message, which.parameter(), MAX_QUERY)?;
        Ok(Self { xml: inflate(&deflated)?, relay_state, signature })
    }

    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// The message, read once more from what one of `keys` signed.
    pub fn verified(&self, keys: &[VerifyingKey]) -> Result<Verified<Vec<u8>>, SignatureError> {
        let signature = self.signature.as_ref().ok_or(SignatureError::Missing)?;
        let method = signature.method.ok_or_else(|| {
            let uri = percent_decoded(signature.signed.algorithm, "SigAlg").unwrap_or_default();
            SignatureError::Algorithm(format!("SigAlg {}", named(&uri)))
        })?;
        let signed = signature.signed.text().into_bytes();
        verify_detached(signed, method, &signature.bytes, keys)?.try_map(|signed| {
            let text = std::str::from_utf8(signed).unwrap_or_default();
            let message = text.split('&').next().and_then(|message| message.split_once('='));
            let inflated = message.and_then(|(_, message)| {
                inflate(&decoded(message, signature.signed.which.parameter(), MAX_QUERY).ok()?).ok()
            });
            inflated.ok_or(SignatureError::Digest)
        })
    }
}

impl Signed<'_> {
    /// In the order of the specification, whatever the order was (section 3.4.4.1).
    fn text(&self) -> String {
        let mut text = format!("{}={}", self.which.parameter(), self.message);
        if let Some(relay_state) = self.relay_state {
            text.push_str("&RelayState=");
            text.push_str(relay_state);
        }
        text.push_str("&SigAlg=");
        text.push_str(self.algorithm);
        text
    }
}

/// The parameters of the binding, still percent-encoded.
#[derive(Default)]
struct Query<'q> {
    request: Option<&'q str>,
    response: Option<&'q str>,
    relay_state: Option<&'q str>,
    algorithm: Option<&'q str>,
    signature: Option<&'q str>,
    encoding: Option<&'q str>,
}

impl<'q> Query<'q> {
    fn read(raw: &'q str) -> Result<Self, BindingError> {
        let mut query = Self::default();
        for piece in raw.split('&') {
            let (raw_name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let name = percent_decode_str(raw_name).decode_utf8_lossy();
            let Some((name, place)) = query.place(&name) else { continue };
            // A name in disguise could be seen by one reader and not by another.
            if name != raw_name || place.is_some() {
                return Err(BindingError::Ambiguous(name));
            }
            *place = Some(value);
        }
        Ok(query)
    }

    fn place(&mut self, name: &str) -> Option<(&'static str, &mut Option<&'q str>)> {
        match name {
            "SAMLRequest" => Some(("SAMLRequest", &mut self.request)),
            "SAMLResponse" => Some(("SAMLResponse", &mut self.response)),
            "RelayState" => Some(("RelayState", &mut self.relay_state)),
            "SigAlg" => Some(("SigAlg", &mut self.algorithm)),
            "Signature" => Some(("Signature", &mut self.signature)),
            "SAMLEncoding" => Some(("SAMLEncoding", &mut self.encoding)),
            _ => None,
        }
    }

    fn message(&self, which: Carried) -> Result<&'q str, BindingError> {
        if self.request.is_some() && self.response.is_some() {
            return Err(BindingError::Both);
        }
        if let Some(encoding) = self.encoding
            && percent_decoded(encoding, "SAMLEncoding")? != DEFLATE
        {
            return Err(BindingError::Encoding);
        }
        let message = match which {
            Carried::Request => self.request,
            Carried::Response => self.response,
        };
        message.ok_or(BindingError::Missing(which.parameter()))
    }

    fn signature(&self, which: Carried, message: &'q str) -> Result<Option<Signature<'q>>, BindingError> {
        let (algorithm, signature) = match (self.algorithm, self.signature) {
            (None, None) => return Ok(None),
            (Some(algorithm), Some(signature)) => (algorithm, signature),
            (None, Some(_)) => return Err(BindingError::Missing("SigAlg")),
            (Some(_), None) => return Err(BindingError::Missing("Signature")),
        };
        Ok(Some(Signature {
            method: SignatureMethod::from_uri(&percent_decoded(algorithm, "SigAlg")?),
            bytes: decoded(signature, "Signature", MAX_SIGNATURE)?,
            signed: Signed { which, message, relay_state: self.relay_state, algorithm },
        }))
    }
}

/// Percent-decoded and then from base64. A `+` stands for itself: base64 has no blanks that it could mean.
fn decoded(raw: &str, name: &'static str, max: usize) -> Result<Vec<u8>, BindingError> {
    base64::decode(&percent_decoded(raw, name)?, max).ok_or(BindingError::Base64(name))
}

/// Percent-decoded, with `+` for a blank, as forms do it.
fn form_decoded(raw: &str, name: &'static str) -> Result<String, BindingError> {
    percent_decoded(&raw.replace('+', " "), name)
}

fn percent_decoded(raw: &str, name: &'static str) -> Result<String, BindingError> {
    let escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !raw.split('%').skip(1).all(escape) {
        return Err(BindingError::Percent(name));
    }
    let text = percent_decode_str(raw).decode_utf8().map_err(|_| BindingError::Percent(name))?;
    Ok(text.into_owned())
}

/// One DEFLATE stream (RFC 1951) with nothing after it.
fn inflate(deflated: &[u8]) -> Result<Vec<u8>, BindingError> {
    let mut stream = Decompress::new(false);
    // Most messages become three times as large; a bomb gets no more than the limit.
    let mut inflated = Vec::with_capacity((deflated.len() * 4).clamp(4096, MAX_INFLATED));
    loop {
        let before = (stream.total_in(), stream.total_out());
        let rest = usize::try_from(before.0).ok().and_then(|at| deflated.get(at..)).unwrap_or_default();
        let status = stream.decompress_vec(rest, &mut inflated, FlushDecompress::None);
        if status.map_err(|_| BindingError::Deflate)? == Status::StreamEnd {
            break;
        }
        if inflated.len() > MAX_INFLATED {
            return Err(BindingError::TooLarge);
        }
        if inflated.len() == inflated.capacity() {
            inflated.reserve_exact(inflated.len().min(MAX_INFLATED + 1 - inflated.len()));
        } else if before == (stream.total_in(), stream.total_out()) {
            // There is room, and nothing comes any more: the stream is cut.
            return Err(BindingError::Deflate);
        }
    }
    if usize::try_from(stream.total_in()) != Ok(deflated.len()) {
        return Err(BindingError::Deflate);
    }
    if inflated.len() > MAX_INFLATED {
        return Err(BindingError::TooLarge);
    }
    Ok(inflated)
}

/// The address that carries `xml` to `location`, signed by `key`. `location` may have a query, but no fragment and no
/// parameter of this binding; a RelayState has at most 80 bytes, in an answer [`MAX_ECHO`].
pub fn redirect_url(
    location: &str,
    which: Carried,
    xml: &str,
    relay_state: Option<&str>,
    key: &SigningKey,
) -> Result<String, BindingError> {
    let most = match which {
        Carried::Request => MAX_RELAY_STATE,
        Carried::Response => MAX_ECHO,
    };
    if relay_state.is_some_and(|state| state.len() > most) {
        return Err(BindingError::RelayState);
    }
    let start = start_of_query(location)?;
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let message = encoded(&base64::encode(&deflate(xml.as_bytes()).ok_or(BindingError::Deflate)?));
    let relay_state = relay_state.map(encoded);
    let algorithm = encoded(key.method().uri());
    let signed =
        Signed { which, message: &message, relay_state: relay_state.as_deref(), algorithm: &algorithm };
    let signed = signed.text();
    let signature = key.sign(key.method(), signed.as_bytes()).map_err(|_| BindingError::Signing)?;
    Ok(format!("{start}{signed}&Signature={}", encoded(&base64::encode(&signature))))
}

/// Whether a message can be sent there: what is in the address already must not be taken for a part of it.
pub fn may_carry(location: &str) -> bool {
    start_of_query(location).is_ok()
}

/// `location` up to where the parameters begin.
fn start_of_query(location: &str) -> Result<String, BindingError> {
    if location.contains('#') || !location.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BindingError::Location);
    }
    let Some((_, query)) = location.split_once('?') else { return Ok(format!("{location}?")) };
    let mut reserved = Query::default();
    let names = query.split('&').map(|piece| piece.split_once('=').unwrap_or((piece, "")).0);
    for name in names {
        if reserved.place(&percent_decode_str(name).decode_utf8_lossy()).is_some() {
            return Err(BindingError::Location);
        }
    }
    let between = if query.is_empty() || query.ends_with('&') { "" } else { "&" };
    Ok(format!("{location}{between}"))
}

thread_local! {
    /// A third of a megabyte, which takes longer to make than a message takes to deflate. Nothing of one is left for the next.
    static DEFLATER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

fn deflate(bytes: &[u8]) -> Option<Vec<u8>> {
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        // What cannot be made smaller takes five bytes for each block of 32 kB more.
        let mut deflated = Vec::with_capacity(bytes.len() + bytes.len() / 1_000 + 64);
        let status = deflater.compress_vec(bytes, &mut deflated, FlushCompress::Finish).ok()?;
        (status == Status::StreamEnd).then_some(deflated)
    })
}

#[cfg(test)]
mod tests;
