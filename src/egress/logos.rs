//! Pictures that customers name, and nothing else than pictures (threats H26).

use bytes::Bytes;
use url::Url;

use super::documents::{DocumentError, Documents, Kind, Unfit, Wanted};

impl Documents {
    /// The logo at this address, and its media type.
    ///
    /// # Errors
    /// It cannot be had, or is none.
    pub async fn logo(&self, owner: &str, address: &str) -> Result<(Bytes, &'static str), DocumentError> {
        let url = Url::parse(address).map_err(|error| unfit(format!("it is no URL: {error}")))?;
        let fits = |bytes: &[u8]| raster(bytes).map(drop);
        let body = self.get(&Wanted::new(Kind::Logo, owner, &url), fits).await?;
        let kind = raster(&body).map_err(DocumentError::Unfit)?;
        Ok((Bytes::copy_from_slice(&body), kind))
    }
}

fn unfit(explained: String) -> DocumentError {
    DocumentError::Unfit(Unfit { reason: "logo_invalid", explained })
}

/// By what it is, not by what it is called. SVG is a document, and refused.
fn raster(bytes: &[u8]) -> Result<&'static str, Unfit> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok("image/png"),
        [0xff, 0xd8, 0xff, ..] => Ok("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok("image/webp"),
        _ => Err(Unfit {
            reason: "logo_invalid",
            explained: "it is no PNG, JPEG, GIF or WebP (an SVG is a document, and never shown)".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h26_only_pictures_are_logos() {
        assert_eq!(raster(b"\x89PNG\r\n\x1a\n...."), Ok("image/png"));
        assert!(raster(b"<svg xmlns='http://www.w3.org/2000/svg'/>").is_err());
        assert!(raster(b"<!doctype html>").is_err());
        assert!(raster(b"").is_err());
    }
}
