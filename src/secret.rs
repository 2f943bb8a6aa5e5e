//! Values that must never be seen: redacted in every build, wiped when dropped.

use std::fmt;

use zeroize::Zeroize;

/// The variable of the environment with the password to log in with.
pub const PASSWORD: &str = "EHLO_PASSWORD";

/// The variable with the password of the proxy's user: no flag takes it (P24).
pub const PROXY_PASSWORD: &str = "EHLO_PROXY_PASSWORD";

/// All variables with secrets: they are for this program, and not for those that it starts.
pub const VARIABLES: [&str; 2] = [PASSWORD, PROXY_PASSWORD];

/// A password, a token or an answer derived from one.
///
/// # Shape
/// Neither `Display` nor `Clone`; `Debug` prints `(hidden)`, not even a length. [`Secret::expose`]
/// is the only way out, so that every use can be found by its name.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in. The caller wipes copies that it made on the way.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the wire only.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // P24
    #[test]
    fn debug_output_shows_nothing() {
        let secret = Secret::new(b"open sesame".to_vec());
        assert_eq!(format!("{secret:?} {secret:#?}"), "(hidden) (hidden)");
        assert_eq!(secret.expose(), b"open sesame");
    }
}
