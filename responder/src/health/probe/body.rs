//! The search string in a response body: framed, decoded, bounded (H-11).

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use httparse::{Header, Status};
use pulse53_core::health::Outcome;
use tokio::io::{AsyncRead, AsyncWrite};

use super::http::{Head, Response, field_value};

/// Bytes of the decoded body that are searched.
const SEARCHED_MAX: usize = 5120;

/// A chunk's size line with its extensions, or the trailer, may be this long.
const CHUNK_LINE_MAX: usize = 16_384;

/// How the end of a body is found (RFC 7230 section 3.3.3).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    /// A length that contradicts itself is none: H-10 asks for fields that are well-formed, not for more.
    pub(super) fn of(code: u16, fields: &[Header<'_>]) -> Self {
        if matches!(code, 100..200 | 204 | 304) {
            return Self::Empty;
        }
        let transfer = field_value(fields, "transfer-encoding");
        if !transfer.is_empty() {
            let last = transfer.rsplit(',').next().unwrap_or_default().trim();
            return if last == "chunked" { Self::Chunked } else { Self::UntilClose };
        }
        let lengths = field_value(fields, "content-length");
        let mut lengths = lengths.split(',').map(|length| {
            let length = length.trim();
            length.bytes().all(|byte| byte.is_ascii_digit()).then(|| length.parse::<u64>().ok()).flatten()
        });
        match lengths.next().flatten() {
            Some(first) if lengths.all(|length| length == Some(first)) => Self::Length(first),
            _ => Self::UntilClose,
        }
    }
}

/// Reads the body until the string is found (true) or cannot be found any more (false).
pub(super) async fn find<S: AsyncRead + AsyncWrite + Unpin>(
    response: &mut Response<'_, S>,
    head: &Head,
    needle: &[u8],
) -> Result<bool, Outcome> {
    let mut decoder = Decoder::new(&head.coding, Sink::new(needle, SEARCHED_MAX));
    let ended = transfer(response, head.framing, |bytes| {
        let more = decoder.push(bytes);
        more && !decoder.sink().found && !decoder.sink().is_full()
    })
    .await;
    decoder.finish();
    if decoder.sink().found {
        return Ok(true);
    }
    ended.map(|()| false)
}

/// Reads the whole body, undecoded, up to `max` bytes.
pub(super) async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    response: &mut Response<'_, S>,
    head: &Head,
    max: usize,
) -> Result<Vec<u8>, Outcome> {
    let mut body = Vec::new();
    transfer(response, head.framing, |bytes| {
        body.extend_from_slice(&bytes[..bytes.len().min(max - body.len())]);
        body.len() < max
    })
    .await?;
    Ok(body)
}

/// Hands the body's bytes over as they arrive, framing removed, until it ends or nobody wants more.
async fn transfer<S: AsyncRead + AsyncWrite + Unpin>(
    response: &mut Response<'_, S>,
    framing: Framing,
    mut wants_more: impl FnMut(&[u8]) -> bool,
) -> Result<(), Outcome> {
    match framing {
        Framing::Empty => Ok(()),
        Framing::Length(length) => span(response, length, &mut wants_more).await.map(|_wanted| ()),
        Framing::UntilClose => loop {
            if !wants_more(&std::mem::take(&mut response.buffer)) || response.fill().await? == 0 {
                return Ok(());
            }
        },
        Framing::Chunked => loop {
            let length = match httparse::parse_chunk_size(&response.buffer) {
                Ok(Status::Complete((line, length))) => {
                    response.buffer.drain(..line);
                    length
                }
                Ok(Status::Partial) if response.buffer.len() < CHUNK_LINE_MAX => {
                    more(response).await?;
                    continue;
                }
                // Nothing after a broken chunk can be told from framing: the body ends here.
                Ok(Status::Partial) | Err(_) => return Ok(()),
            };
            if length == 0 || !span(response, length, &mut wants_more).await? {
                return Ok(());
            }
            while response.buffer.len() < 2 {
                more(response).await?;
            }
            if !response.buffer.starts_with(b"\r\n") {
                return Ok(());
            }
            response.buffer.drain(..2);
        },
    }
}

/// Hands over exactly `length` bytes; false if nobody wants more.
async fn span<S: AsyncRead + AsyncWrite + Unpin>(
    response: &mut Response<'_, S>,
    length: u64,
    wants_more: &mut impl FnMut(&[u8]) -> bool,
) -> Result<bool, Outcome> {
    let mut left = length;
    while left > 0 {
        if response.buffer.is_empty() {
            more(response).await?;
        }
        let take = response.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if !wants_more(&response.buffer[..take]) {
            return Ok(false);
        }
        response.buffer.drain(..take);
        left -= take as u64;
    }
    Ok(true)
}

/// Reads more of a body that has not ended yet.
async fn more<S: AsyncRead + AsyncWrite + Unpin>(response: &mut Response<'_, S>) -> Result<(), Outcome> {
    if response.fill().await? == 0 { Err(Outcome::ConnectionClosed) } else { Ok(()) }
}

/// Decoded bytes, up to a bound, and whether the needle is among them.
struct Sink<'a> {
    needle: &'a [u8],
    seen: Vec<u8>,
    max: usize,
    found: bool,
}

impl<'a> Sink<'a> {
    fn new(needle: &'a [u8], max: usize) -> Self {
        Self { needle, seen: Vec::new(), max, found: needle.is_empty() }
    }

    fn is_full(&self) -> bool {
        self.seen.len() == self.max
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(self.max - self.seen.len());
        if take == 0 && !bytes.is_empty() {
            // Stops a decoder that could go on for ever.
            return Err(io::Error::other("enough"));
        }
        let start = self.seen.len().saturating_sub(self.needle.len().saturating_sub(1));
        self.seen.extend_from_slice(&bytes[..take]);
        self.found = self.found
            || (!self.needle.is_empty()
                && self.seen[start..].windows(self.needle.len()).any(|window| window == self.needle));
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Undoes the content coding.
enum Decoder<'a> {
    Identity(Sink<'a>),
    Gzip(MultiGzDecoder<Sink<'a>>),
    /// "deflate" before its first two bytes tell whether it has the zlib format it should have (RFC 7230 section 4.2.2).
    Deflate(Vec<u8>, Sink<'a>),
    Zlib(ZlibDecoder<Sink<'a>>),
    Raw(DeflateDecoder<Sink<'a>>),
}

impl<'a> Decoder<'a> {
    fn new(coding: &str, sink: Sink<'a>) -> Self {
        match coding {
            "gzip" | "x-gzip" => Self::Gzip(MultiGzDecoder::new(sink)),
            "deflate" => Self::Deflate(Vec::new(), sink),
            _ => Self::Identity(sink),
        }
    }

    fn sink(&self) -> &Sink<'a> {
        match self {
            Self::Identity(sink) | Self::Deflate(_, sink) => sink,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zlib(decoder) => decoder.get_ref(),
            Self::Raw(decoder) => decoder.get_ref(),
        }
    }

    /// Decodes more bytes; false if no more can be decoded.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let mut held = Vec::new();
        if let Self::Deflate(start, sink) = self {
            start.extend_from_slice(bytes);
            if start.len() < 2 {
                return true;
            }
            held = std::mem::take(start);
            let is_zlib = held[0] & 0x0f == 8 && u16::from_be_bytes([held[0], held[1]]) % 31 == 0;
            let sink = std::mem::replace(sink, Sink::new(&[], 0));
            *self = if is_zlib {
                Self::Zlib(ZlibDecoder::new(sink))
            } else {
                Self::Raw(DeflateDecoder::new(sink))
            };
        }
        let bytes = if held.is_empty() { bytes } else { &held };
        let decoder: &mut dyn Write = match self {
            Self::Identity(sink) | Self::Deflate(_, sink) => sink,
            Self::Gzip(decoder) => decoder,
            Self::Zlib(decoder) => decoder,
            Self::Raw(decoder) => decoder,
        };
        // Flushing brings out what is decodable now: the string counts as soon as it has arrived.
        decoder.write_all(bytes).and_then(|()| decoder.flush()).is_ok()
    }

    /// No more bytes will come.
    fn finish(&mut self) {
        match self {
            Self::Identity(_) | Self::Deflate(..) => {}
            Self::Gzip(decoder) => drop(decoder.try_finish()),
            Self::Zlib(decoder) => drop(decoder.try_finish()),
            Self::Raw(decoder) => drop(decoder.try_finish()),
        }
    }
}
