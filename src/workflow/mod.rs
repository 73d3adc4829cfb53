//! The stories of the tool, each told top to bottom. Does I/O.

pub mod init;
