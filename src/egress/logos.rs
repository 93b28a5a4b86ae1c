//! Pictures that customers name, and nothing else than pictures (threats H26).

use std::io::Cursor;

use bytes::Bytes;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use url::Url;

use super::documents::{DocumentError, Documents, Kind, Unfit, Wanted};

/// The media type of every logo that is shown.
const MEDIA_TYPE: &str = "image/png";

/// Pixels of either side, as it comes. Whatever says that it is larger is not unpacked.
const LARGEST: u32 = 2_048;
/// Bytes that a picture may take while it is unpacked.
const MEMORY: u64 = 24 * 1024 * 1024;
/// Pixels of either side, as it is shown.
const SHOWN: u32 = 512;

impl Documents {
    /// The logo at this address, painted anew, with its media type: of what the customer's server sent, only the pixels
    /// of the first picture reach a browser.
    ///
    /// # Errors
    /// It cannot be had, or is none.
    pub async fn logo(&self, owner: &str, address: &str) -> Result<(Bytes, &'static str), DocumentError> {
        let url = Url::parse(address)
            .map_err(|error| DocumentError::Unfit(unfit(format!("it is no URL: {error}"))))?;
        let body = self.made_of(&Wanted::new(Kind::Logo, owner, &url), |body| painted(&body)).await?;
        Ok((Bytes::copy_from_slice(&body), MEDIA_TYPE))
    }
}

fn unfit(explained: String) -> Unfit {
    Unfit { reason: "logo_invalid", explained }
}

/// By what it is, not by what it is called. SVG is a document, and refused.
fn format(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(ImageFormat::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// The same picture as a PNG of ours, upright, and no larger than pages show it.
fn painted(bytes: &[u8]) -> Result<Vec<u8>, Unfit> {
    let format = format(bytes).ok_or_else(|| {
        unfit("it is no PNG, JPEG, GIF or WebP (an SVG is a document, and never shown)".to_owned())
    })?;
    let picture =
        unpacked(bytes, format).map_err(|error| unfit(format!("it cannot be unpacked: {error}")))?;
    let mut painted = Cursor::new(Vec::new());
    match picture.write_to(&mut painted, ImageFormat::Png) {
        Ok(()) => Ok(painted.into_inner()),
        Err(error) => Err(unfit(format!("it cannot be painted: {error}"))),
    }
}

fn unpacked(bytes: &[u8], format: ImageFormat) -> Result<DynamicImage, ImageError> {
    let mut limits = Limits::no_limits();
    (limits.max_image_width, limits.max_image_height) = (Some(LARGEST), Some(LARGEST));
    limits.max_alloc = Some(MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // What says how a photograph was held does not come along.
    let held = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(held);
    let is_large = picture.width() > SHOWN || picture.height() > SHOWN;
    let picture = if is_large { picture.thumbnail(SHOWN, SHOWN) } else { picture };
    Ok(DynamicImage::ImageRgba8(picture.into_rgba8()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::GenericImageView;

    use super::*;

    fn packed(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let picture = image::RgbImage::from_pixel(width, height, image::Rgb([200, 30, 60]));
        let mut packed = Cursor::new(Vec::new());
        picture.write_to(&mut packed, format).unwrap();
        packed.into_inner()
    }

    #[test]
    fn h26_a_logo_is_painted_anew_and_nothing_else_of_it_stays() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let mut sent = packed(40, 20, format);
            sent.extend(b"<script>alert(1)</script>");
            let painted = painted(&sent).unwrap();
            assert!(painted.starts_with(b"\x89PNG") && !painted.windows(7).any(|part| part == b"<script"));
            let shown = image::load_from_memory_with_format(&painted, ImageFormat::Png).unwrap();
            assert_eq!(shown.dimensions(), (40, 20), "{format:?}");
            let [red, green, blue, alpha] = shown.get_pixel(7, 7).0;
            assert!(red.abs_diff(200) < 9 && green.abs_diff(30) < 9 && blue.abs_diff(60) < 9 && alpha == 255);
        }
        let shown =
            image::load_from_memory(&painted(&packed(2_000, 1_000, ImageFormat::Png)).unwrap()).unwrap();
        assert_eq!(shown.dimensions(), (512, 256));
    }

    #[test]
    fn h26_what_is_no_picture_or_one_of_any_size_is_refused() {
        let whole = packed(40, 20, ImageFormat::Png);
        let mut enormous = whole.clone();
        // What it says of its width, with the checksum of that.
        enormous[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(&enormous[12..29]);
        enormous[29..33].copy_from_slice(&sum.sum().to_be_bytes());
        for (bytes, told) in [
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice(), "an SVG is a document"),
            (b"<!doctype html>", "it is no PNG"),
            (b"", "it is no PNG"),
            (b"\x89PNG\r\n\x1a\n....", "cannot be unpacked"),
            (&whole[..40], "cannot be unpacked"),
            (&enormous, "cannot be unpacked"),
            (b"GIF89a\xff\xff\xff\xff\0\0\0", "cannot be unpacked"),
        ] {
            let why = painted(bytes).unwrap_err().explained;
            assert!(why.contains(told), "{why}");
        }
    }
}
