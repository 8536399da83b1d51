//! TCP or Unix, as the address says.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

/// A connection.
#[derive(Debug)]
pub enum Socket {
    /// Without delay.
    Tcp(TcpStream),
    /// In the file system.
    Unix(UnixStream),
}

/// A place where connections are accepted.
#[derive(Debug)]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

macro_rules! either {
    ($of:expr, $socket:ident => $do:expr) => {
        match $of {
            Self::Tcp($socket) => $do,
            Self::Unix($socket) => $do,
        }
    };
}

impl Socket {
    /// Dials.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(address: &str) -> io::Result<Self> {
        match address.strip_prefix("unix:") {
            Some(path) => UnixStream::connect(path).map(Self::Unix),
            None => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// Sets whether operations wait.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        either!(self, socket => socket.set_nonblocking(on))
    }
}

impl Listener {
    /// Listens and says so on standard output.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: &str) -> io::Result<Self> {
        let listener = match address.strip_prefix("unix:") {
            Some(path) => {
                let _absent = std::fs::remove_file(path);
                Self::Unix(UnixListener::bind(path)?)
            }
            None => Self::Tcp(TcpListener::bind(address)?),
        };
        println!("READY");
        io::stdout().flush()?;
        Ok(listener)
    }

    /// The next connection.
    ///
    /// # Errors
    /// What the system says.
    pub fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Socket::Unix(listener.accept()?.0)),
        }
    }

    /// Sets whether accepting waits.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        either!(self, listener => listener.set_nonblocking(on))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => socket.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, socket => socket.write(bytes))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, socket => socket.write_vectored(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, socket => socket.as_fd())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, listener => listener.as_fd())
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        either!(self, socket => socket.as_raw_fd())
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        either!(self, listener => listener.as_raw_fd())
    }
}
