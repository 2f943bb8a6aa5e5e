//! Values → text for people. Functions of their input: they write nothing and never wait.

pub mod check;
pub mod description;
pub mod human;
pub mod reading;
pub mod style;
pub mod tls;
pub mod transcript;

pub use style::{Row, Sign, Style};
