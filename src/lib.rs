//! ehlo
