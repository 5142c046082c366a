//! HTTP/1.1 as a client: one request, one response head, well-formed or refused (H-10).

use httparse::{Header, ParserConfig, Status};
use pulse53_core::health::Outcome;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::body;
use super::tcp::outcome_of;

/// Bytes of header fields a response may have (H-10).
const HEADERS_MAX: usize = 16_384;

/// More fields than this do not fit into `HEADERS_MAX`: the shortest is `a:` and a line feed.
const FIELDS_MAX: usize = HEADERS_MAX / 3 + 1;

/// One read takes at most this much.
const READ_MAX: usize = 4096;

/// The request of a probe.
pub(super) fn probe_request(host: &str, path: &str) -> Vec<u8> {
    request(host, path, "*/*")
}

/// A `GET` on a connection that is closed afterwards. What cannot stand in a request line is percent-encoded.
fn request(host: &str, path: &str, accept: &str) -> Vec<u8> {
    let mut request = b"GET ".to_vec();
    for byte in path.bytes() {
        if byte.is_ascii_graphic() {
            request.push(byte);
        } else {
            request.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    let agent = concat!("pulse53-health-check/", env!("CARGO_PKG_VERSION"));
    request.extend_from_slice(
        format!(
            " HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    );
    request
}

/// What a final response head says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::health) struct Head {
    /// The status code.
    pub(in crate::health) code: u16,
    /// The reason phrase.
    pub(in crate::health) reason: String,
    /// How the end of the body is found.
    pub(super) framing: body::Framing,
    /// `Content-Encoding`, the one that applies, in lower case.
    pub(super) coding: String,
}

/// A response while it arrives. Errors are outcomes; an absent one means that the time was over.
pub(in crate::health) struct Response<'a, S> {
    stream: &'a mut S,
    /// Received and not yet understood.
    pub(super) buffer: Vec<u8>,
    /// When the first byte arrived.
    pub(super) first_byte: Option<Instant>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Response<'a, S> {
    pub(in crate::health) fn new(stream: &'a mut S) -> Self {
        Self { stream, buffer: Vec::new(), first_byte: None }
    }

    /// Sends the request and reads heads up to the first that is final.
    pub(super) async fn request(
        &mut self,
        request: &[u8],
        deadline: Instant,
    ) -> Result<Head, Option<Outcome>> {
        let exchange = async {
            // An endpoint may answer and close before it has read the request: what it sent is looked at all the same.
            if self.stream.write_all(request).await.is_ok() {
                let _ = self.stream.flush().await;
            }
            loop {
                let (head, length) = self.head().await?;
                self.buffer.drain(..length);
                if !(100..200).contains(&head.code) {
                    return Ok(head);
                }
            }
        };
        match timeout_at(deadline, exchange).await {
            Ok(result) => result.map_err(Some),
            Err(_elapsed) => Err(None),
        }
    }

    /// Reads one head; it stays in the buffer, its length is returned with it.
    async fn head(&mut self) -> Result<(Head, usize), Outcome> {
        let mut parsed_to = 0;
        loop {
            // Only the end of a line can decide anything: an endpoint that sends byte by byte must not cost a parse each.
            let decisive = parsed_to == 0 || self.buffer[parsed_to..].contains(&b'\n');
            if decisive || self.buffer.len() > HEADERS_MAX {
                if let Some(parsed) = parse_head(&self.buffer)? {
                    return Ok(parsed);
                }
                parsed_to = self.buffer.len();
            }
            if self.fill().await? == 0 {
                return Err(Outcome::ConnectionClosed);
            }
        }
    }

    /// Reads more into the buffer; 0 bytes at the end.
    pub(super) async fn fill(&mut self) -> Result<usize, Outcome> {
        self.buffer.reserve(READ_MAX);
        let read = match (&mut *self.stream).take(READ_MAX as u64).read_buf(&mut self.buffer).await {
            Ok(read) => read,
            // TLS without its goodbye: the end all the same.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(outcome_of(&error)),
        };
        if read > 0 && self.first_byte.is_none() {
            self.first_byte = Some(Instant::now());
        }
        Ok(read)
    }
}

/// Parses a head at the start of `bytes`; none while more bytes are needed.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Outcome> {
    let mut config = ParserConfig::default();
    // Line folding is obsolete, but RFC 7230 section 3.2 has it.
    config.allow_obsolete_multiline_headers_in_responses(true);
    let mut room = 32;
    loop {
        let mut fields = vec![httparse::EMPTY_HEADER; room];
        let mut response = httparse::Response::new(&mut fields);
        let too_long = |length: usize| length.saturating_sub(fields_start(bytes)) > HEADERS_MAX;
        match config.parse_response(&mut response, bytes) {
            // The empty line at the end is no field.
            Ok(Status::Complete(length)) if too_long(length.saturating_sub(2)) => {
                return Err(Outcome::HeadersTooLong);
            }
            Ok(Status::Complete(length)) => {
                let code = response.code.unwrap_or_default();
                let head = Head {
                    code,
                    reason: response.reason.unwrap_or_default().chars().take(100).collect(),
                    framing: body::Framing::of(code, response.headers),
                    coding: field_value(response.headers, "content-encoding"),
                };
                return Ok(Some((head, length)));
            }
            Ok(Status::Partial) if too_long(bytes.len()) => return Err(Outcome::HeadersTooLong),
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) if room < FIELDS_MAX => room = FIELDS_MAX.min(room * 8),
            Err(httparse::Error::TooManyHeaders) => return Err(Outcome::HeadersTooLong),
            Err(_malformed) => return Err(Outcome::MalformedHeaders),
        }
    }
}

/// Where the header fields start: after the status line and any empty lines before it.
fn fields_start(bytes: &[u8]) -> usize {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    bytes[blank..].iter().position(|&byte| byte == b'\n').map_or(0, |end| blank + end + 1)
}

/// All values of a field, joined as RFC 7230 section 3.2.2 says, in lower case.
pub(super) fn field_value(fields: &[Header<'_>], name: &str) -> String {
    let values: Vec<_> = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(name))
        .map(|field| String::from_utf8_lossy(field.value).trim().to_ascii_lowercase())
        .collect();
    values.join(",")
}

/// A whole response, for callers that want more than health: the body up to `body_max` bytes.
pub(in crate::health) async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    path: &str,
    body_max: usize,
    deadline: Instant,
) -> Result<(Head, Vec<u8>), Outcome> {
    let mut response = Response::new(stream);
    let request = request(host, path, "application/json");
    let head = response
        .request(&request, deadline)
        .await
        .map_err(|outcome| outcome.unwrap_or(Outcome::NoStatusCode))?;
    match timeout_at(deadline, body::read(&mut response, &head, body_max)).await {
        Ok(body) => Ok((head, body?)),
        Err(_elapsed) => Err(Outcome::BodyTimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> String {
        match parse_head(text.as_bytes()) {
            Ok(Some((head, length))) => format!("{} {} after {length}", head.code, head.reason),
            Ok(None) => "more".to_owned(),
            Err(outcome) => outcome.to_string(),
        }
    }

    #[test]
    fn heads_are_well_formed_or_refused_h10() {
        let malformed = "Failure: Malformed response headers";
        for (text, expect) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", "200 OK after 25"),
            ("HTTP/1.0 200 OK\r\n\r\n", "200 OK after 19"),
            ("HTTP/1.1 204\r\n\r\n", "204  after 16"),
            ("HTTP/1.1 200 OK\nA: b\n\n", "200 OK after 22"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "200 OK after 29"),
            ("HTTP/1.1 200 OK\r\nA", "more"),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", malformed),
            ("HTTP/1.1 200 OK\r\nA\r\n\r\n", malformed),
            ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", malformed),
            ("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", malformed),
            ("SSH-2.0-x\r\n", malformed),
            ("HTTP/1.1 20 OK\r\n\r\n", malformed),
        ] {
            assert_eq!(parse(text), expect, "{text:?}");
        }
    }

    #[test]
    fn header_bytes_are_counted_to_the_last_one_h10() {
        let with = |value: usize, fields: usize| {
            let field = format!("A: {}\r\n", "v".repeat(value));
            parse(&format!("HTTP/1.1 200 OK\r\n{}\r\n", field.repeat(fields)))
        };
        assert!(with(16_384 - 5, 1).starts_with("200 OK"));
        assert_eq!(with(16_384 - 4, 1), "Failure: Response headers too long");
        assert!(with(3, 2048).starts_with("200 OK"), "many small ones");
        assert_eq!(with(3, 2049), "Failure: Response headers too long");
    }

    #[test]
    fn a_path_cannot_leave_the_request_line() {
        let request = String::from_utf8(request("h", "/a b\r\nX: é?c=d%20", "*/*")).unwrap();
        assert!(request.starts_with("GET /a%20b%0D%0AX:%20%C3%A9?c=d%20 HTTP/1.1\r\nHost: h\r\n"));
    }
}
