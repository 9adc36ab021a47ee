//! Bodies read whole: under a cap, in time, decoded from the encodings that are accepted.

use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::Refusal;

/// Decoded bytes for each encoded one, beyond which a body of some size is taken for a bomb. Text reaches 10 to 20.
const MAX_RATIO: usize = 200;
/// Below this size the ratio does not matter.
const RATIO_FROM: usize = 1024 * 1024;

/// How a body went wrong while it was read.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLarge,
    Slow,
    Broken,
    Encoding(&'static str),
}

impl BodyError {
    /// The same as a refusal of the client's own body.
    pub fn of_client(self, cap: usize) -> Refusal {
        match self {
            BodyError::TooLarge => Refusal::TooLarge(cap),
            BodyError::Slow => Refusal::SlowClient,
            BodyError::Broken => Refusal::Invalid("The request body did not arrive whole."),
            BodyError::Encoding(what) => Refusal::Unsupported(what),
        }
    }
}

/// Reads and decodes a body. `idle` bounds the time between two pieces.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    cap: usize,
    idle: Duration,
) -> Result<Bytes, BodyError> {
    let encoding = encoding(headers)?;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(BodyError::TooLarge);
    }
    let raw = collect(body, cap, idle).await?;
    decode(encoding, raw, cap)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    const REFUSED: BodyError =
        BodyError::Encoding("The content-encoding is not accepted. Send one of gzip, br, zstd, or none.");
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(CONTENT_ENCODING) {
            Err(REFUSED)
        } else {
            Ok(Encoding::Identity)
        };
    };
    match value
        .to_str()
        .map(|text| text.trim().to_ascii_lowercase())
        .as_deref()
    {
        Ok("identity" | "") => Ok(Encoding::Identity),
        Ok("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Ok("br") => Ok(Encoding::Brotli),
        Ok("zstd") => Ok(Encoding::Zstd),
        _ => Err(REFUSED),
    }
}

async fn collect(mut body: Incoming, cap: usize, idle: Duration) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut whole: Option<BytesMut> = None;
    while !body.is_end_stream() {
        let frame = match tokio::time::timeout(idle, body.frame()).await {
            Err(_) => return Err(BodyError::Slow),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        let have = whole.as_ref().map_or(first.len(), BytesMut::len);
        if have.saturating_add(data.len()) > cap {
            return Err(BodyError::TooLarge);
        }
        match &mut whole {
            Some(whole) => whole.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut both =
                    BytesMut::with_capacity(first.len().saturating_add(data.len()).saturating_mul(2));
                both.extend_from_slice(&first);
                both.extend_from_slice(&data);
                whole = Some(both);
            }
        }
    }
    Ok(whole.map_or(first, BytesMut::freeze))
}

fn decode(encoding: Encoding, raw: Bytes, cap: usize) -> Result<Bytes, BodyError> {
    match encoding {
        Encoding::Identity => Ok(raw),
        Encoding::Gzip => bounded(flate2::read::MultiGzDecoder::new(&raw[..]), raw.len(), cap),
        Encoding::Brotli => bounded(
            brotli_decompressor::Decompressor::new(&raw[..], 16 * 1024),
            raw.len(),
            cap,
        ),
        Encoding::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&raw[..])
                .map_err(|_| BodyError::Encoding("The body is not what its content-encoding says."))?;
            bounded(decoder, raw.len(), cap)
        }
    }
}

/// Decodes step by step, so that a bomb is noticed before it is unpacked.
fn bounded(mut decoder: impl Read, encoded: usize, cap: usize) -> Result<Bytes, BodyError> {
    let mut out = Vec::with_capacity(encoded.saturating_mul(4).min(cap));
    let mut piece = vec![0u8; 64 * 1024];
    loop {
        let read = decoder
            .read(&mut piece)
            .map_err(|_| BodyError::Encoding("The body is not what its content-encoding says."))?;
        if read == 0 {
            return Ok(Bytes::from(out));
        }
        out.extend_from_slice(piece.get(..read).unwrap_or(&[]));
        let bomb = out.len() > RATIO_FROM && out.len() / encoded.max(1) > MAX_RATIO;
        if out.len() > cap || bomb {
            return Err(BodyError::TooLarge);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        Bytes::from(encoder.finish().unwrap())
    }

    #[test]
    fn encodings_are_decoded_and_bombs_refused() {
        assert_eq!(
            &decode(Encoding::Gzip, gzip(b"hello"), 100).unwrap()[..],
            b"hello"
        );
        let bomb = gzip(&vec![b'a'; 4 * 1024 * 1024]);
        assert!(matches!(
            decode(Encoding::Gzip, bomb.clone(), 100 * 1024 * 1024),
            Err(BodyError::TooLarge)
        ));
        assert!(matches!(
            decode(Encoding::Gzip, bomb, 1024),
            Err(BodyError::TooLarge)
        ));
        for encoding in [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd] {
            assert!(
                matches!(
                    decode(encoding, Bytes::from_static(b"plain text"), 100),
                    Err(BodyError::Encoding(_))
                ),
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn only_one_known_encoding_is_accepted() {
        let encoding_of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, http::HeaderValue::from_static(value));
            }
            encoding(&headers).ok()
        };
        assert_eq!(encoding_of(&[]), Some(Encoding::Identity));
        assert_eq!(encoding_of(&["GZIP"]), Some(Encoding::Gzip));
        for refused in [&["deflate"][..], &["gzip, br"], &["gzip", "br"], &["aws-chunked"]] {
            assert_eq!(encoding_of(refused), None, "{refused:?}");
        }
    }
}
