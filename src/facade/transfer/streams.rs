//! Files and streams, compressed or not: how one is written tells its name, how one is read its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use zstd_safe::{CCtx, DCtx, InBuffer, OutBuffer, get_error_name};

use super::Progress;
use crate::base::files::put_in_place;

/// Bytes of a buffer between a file and who reads or writes it.
const BUFFER: usize = 256 << 10;
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Fast, and about as small as gzip's best.
const ZSTD_LEVEL: i32 = 3;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// As `.gz` is.
    Gzip,
    /// As `.zst` is.
    Zstd,
}

impl Compression {
    /// What a file's name asks for.
    pub fn of_name(path: &Path) -> Compression {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Compression::Gzip,
            Some("zst" | "zstd") => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

fn zstd_error(code: usize) -> io::Error {
    io::Error::other(format!("zstd: {}", get_error_name(code)))
}

/// What is to be written: to a file, which bears its name only once it is whole, or to standard output.
pub struct Output {
    inner: Encoder,
    /// The file's name, and what it is called until it is whole.
    names: Option<(PathBuf, PathBuf)>,
}

enum Encoder {
    Plain(Box<dyn Write>),
    Gzip(GzEncoder<Box<dyn Write>>),
    Zstd(CCtx<'static>, Box<dyn Write>, Vec<u8>),
}

/// Begins a file, or standard output for `-`, compressed as the file's name says.
///
/// # Errors
/// The file cannot be made.
pub fn create(path: &Path) -> Result<Output, String> {
    let (sink, names): (Box<dyn Write>, _) = if path == Path::new("-") {
        (Box::new(BufWriter::with_capacity(BUFFER, io::stdout())), None)
    } else {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|e| format!("{}: {e}", part.display()))?;
        (
            Box::new(BufWriter::with_capacity(BUFFER, file)),
            Some((path.to_owned(), part)),
        )
    };
    let inner = match Compression::of_name(path) {
        Compression::None => Encoder::Plain(sink),
        Compression::Gzip => Encoder::Gzip(GzEncoder::new(sink, flate2::Compression::default())),
        Compression::Zstd => {
            let mut context = CCtx::create();
            context
                .init(ZSTD_LEVEL)
                .map_err(|code| zstd_error(code).to_string())?;
            Encoder::Zstd(context, sink, vec![0; BUFFER])
        }
    };
    Ok(Output { inner, names })
}

impl Output {
    /// Ends the stream; a file is on stable storage and bears its name then.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        match &mut self.inner {
            Encoder::Plain(sink) => sink.flush()?,
            Encoder::Gzip(encoder) => {
                encoder.try_finish()?;
                encoder.get_mut().flush()?;
            }
            Encoder::Zstd(context, sink, buffer) => {
                loop {
                    let mut out = OutBuffer::around(&mut buffer[..]);
                    let left = context.end_stream(&mut out).map_err(zstd_error)?;
                    let written = out.pos();
                    sink.write_all(&buffer[..written])?;
                    if left == 0 {
                        break;
                    }
                }
                sink.flush()?;
            }
        }
        if let Some((name, part)) = self.names.take() {
            File::open(&part)?.sync_all()?;
            put_in_place(&part, &name)?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((_, part)) = self.names.take() {
            // It is not whole, and nobody waits for it: that it stays is no harm.
            let _ = std::fs::remove_file(part);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.inner {
            Encoder::Plain(sink) => sink.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(context, sink, buffer) => {
                let mut input = InBuffer::around(bytes);
                while input.pos() < bytes.len() {
                    let mut out = OutBuffer::around(&mut buffer[..]);
                    context
                        .compress_stream(&mut out, &mut input)
                        .map_err(zstd_error)?;
                    let written = out.pos();
                    sink.write_all(&buffer[..written])?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is compressed is flushed when it ends.
        Ok(())
    }
}

/// A stream that counts what is read of it.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.progress.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What zstd has compressed, one frame behind the other.
struct ZstdReader<R> {
    source: R,
    context: DCtx<'static>,
    /// A frame has begun and not ended.
    is_within: bool,
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return match self.is_within {
                    true => Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "zstd: it is cut off",
                    )),
                    false => Ok(0),
                };
            }
            let (mut input, mut out) = (InBuffer::around(bytes), OutBuffer::around(into));
            let left = self
                .context
                .decompress_stream(&mut out, &mut input)
                .map_err(zstd_error)?;
            let (used, made) = (input.pos(), out.pos());
            self.is_within = left != 0;
            self.source.consume(used);
            if made > 0 {
                return Ok(made);
            }
        }
    }
}

/// A stream of any of these, uncompressed; and its first bytes, which are still to be read.
pub fn open(path: &Path, progress: &Arc<Progress>) -> Result<(Box<dyn BufRead>, Vec<u8>), String> {
    let failed = |e: io::Error| format!("{}: {e}", path.display());
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        progress.bytes_expected.fetch_add(length, Ordering::Relaxed);
        Box::new(file)
    };
    let counted = Counted {
        inner: source,
        progress: progress.clone(),
    };
    let mut source = BufReader::with_capacity(BUFFER, counted);
    let mut stream: Box<dyn BufRead> = match source.fill_buf().map_err(failed)? {
        head if head.starts_with(GZIP) => {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(source)))
        }
        head if head.starts_with(ZSTD) => {
            let reader = ZstdReader {
                source,
                context: DCtx::create(),
                is_within: false,
            };
            Box::new(BufReader::with_capacity(BUFFER, reader))
        }
        _ => Box::new(source),
    };
    let head = stream.fill_buf().map_err(failed)?;
    let head = head[..head.len().min(16)].to_vec();
    Ok((stream, head))
}
