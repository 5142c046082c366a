//! However much an endpoint sends, a probe reads no more than it can use: what is not read takes no memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;

/// A connection on which a start is followed by the same octets for ever; counts what is read.
struct Endless {
    start: Vec<u8>,
    then: Vec<u8>,
    read: usize,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let take = buf.remaining();
        let octets: Vec<u8> = (self.read..self.read + take)
            .map(|at| match self.start.get(at) {
                Some(octet) => *octet,
                None => self.then[(at - self.start.len()) % self.then.len()],
            })
            .collect();
        buf.put_slice(&octets);
        self.read += take;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a probe that searches for `ok` says, and how many octets it has read by then.
async fn run(start: &[u8], then: &[u8]) -> (String, usize) {
    let mut stream = Endless { start: start.to_vec(), then: then.to_vec(), read: 0 };
    let limits = TimeLimits::of(&check(80, http(Some("ok")), PATIENT_MS));
    let deadline = Instant::now() + Duration::from_secs(600);
    let exchange = Exchange { request: b"GET / HTTP/1.1\r\n\r\n", deadline, search: Some("ok"), limits };
    let outcome = match exchange.run(&mut stream, &mut Latency::default()).await {
        Ok(outcome) | Err(Abort::Failed(outcome)) => outcome,
        Err(Abort::NotProbed(error)) => panic!("{error}"),
    };
    (outcome.to_string(), stream.read)
}

/// One read more than what is needed may be under way.
const READ_AHEAD: usize = 2 * 4096;

#[tokio::test]
async fn endless_answers_are_read_no_further_than_needed_h10_h11() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let bomb = gzip(&vec![0; 1 << 20]);
    for (sentence, headers, start, then, expect, octets_max) in [
        ("one endless field", "A: ", vec![], b"x".to_vec(), TOO_LONG, 16_384),
        ("endless fields", "", vec![], b"A: b\r\n".to_vec(), TOO_LONG, 16_384),
        ("an endless body", "\r\n", vec![], b".".to_vec(), NOT_FOUND, 5_120),
        (
            "an endless chunk",
            "Transfer-Encoding: chunked\r\n\r\n",
            b"ffffffff\r\n".to_vec(),
            b".".to_vec(),
            NOT_FOUND,
            5_120,
        ),
        (
            "endless small chunks",
            "Transfer-Encoding: chunked\r\n\r\n",
            vec![],
            b"1\r\n.\r\n".to_vec(),
            NOT_FOUND,
            6 * 5_120,
        ),
        (
            "an endless chunk size",
            "Transfer-Encoding: chunked\r\n\r\n",
            b"5;".to_vec(),
            b"x".to_vec(),
            NOT_FOUND,
            16_384,
        ),
        ("a gzip bomb", "Content-Encoding: gzip\r\n\r\n", bomb, b"\0".to_vec(), NOT_FOUND, 5_120),
        (
            "a bomb in deflate",
            "Content-Encoding: deflate\r\n\r\n",
            zlib(&vec![0; 1 << 20]),
            b"\0".to_vec(),
            NOT_FOUND,
            5_120,
        ),
    ] {
        let start = [ok.as_bytes(), headers.as_bytes(), &start].concat();
        let (outcome, read) = run(&start, &then).await;
        assert_eq!(outcome, expect, "{sentence}");
        let octets_max = octets_max + ok.len() + headers.len() + READ_AHEAD;
        assert!(read <= octets_max, "{sentence}: {read} octets");
    }
}
