//! The wire: lines, replies, keywords, verbs, dot transparency, base64 and other encodings. Bytes in, values out; no
//! input or output of its own.

pub mod address;
pub mod base64;
pub mod code;
pub mod command;
pub mod dot;
pub mod encoding;
pub mod foreign;
pub mod keyword;
pub mod line;
pub mod line_length;
pub mod reply;
pub mod status;
pub mod verb;
