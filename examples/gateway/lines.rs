//! Lines out of a byte stream, in bounded memory whatever the peer sends.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::protocol::Reason;

const CHUNK: usize = 2048;

/// Splits what a peer sends into lines of at most `limit` bytes.
pub struct Lines<R> {
    source: R,
    limit: usize,
    buffer: BytesMut,
    /// Inside a line that was already refused for its length.
    skipping: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(source: R, limit: usize) -> Self {
        Self { source, limit, buffer: BytesMut::new(), skipping: false }
    }

    /// The stream that the lines come from.
    pub fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next line without its end, or why there is none where one should be; `None` once the
    /// peer has said its last. An over-long line is reported once and skipped up to its end.
    ///
    /// Safe to cancel: bytes leave the source only into the buffer.
    pub async fn next(&mut self) -> io::Result<Option<Result<BytesMut, Reason>>> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(Some(line));
            }
            self.buffer.reserve(CHUNK);
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                let cut_short = !self.buffer.is_empty() && !self.skipping;
                self.buffer.clear();
                return Ok(cut_short.then_some(Err(Reason::CutShort)));
            }
        }
    }

    fn buffered(&mut self) -> Option<Result<BytesMut, Reason>> {
        loop {
            let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
                // One byte more than the limit may be the CR of a line that just fits.
                if self.buffer.len() <= self.limit + 1 {
                    return None;
                }
                self.buffer.clear();
                let known = std::mem::replace(&mut self.skipping, true);
                return (!known).then_some(Err(Reason::TooLong));
            };
            let mut line = self.buffer.split_to(end + 1);
            line.truncate(end);
            if line.last() == Some(&b'\r') {
                line.truncate(end - 1);
            }
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            return Some(if line.len() > self.limit { Err(Reason::TooLong) } else { Ok(line) });
        }
    }
}
