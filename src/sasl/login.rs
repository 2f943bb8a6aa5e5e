//! LOGIN (draft-murchison-sasl-login): the server asks for a user name and a password, in words that
//! no document fixes.

use super::{ByHand, Mechanism};

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "LOGIN",
    source: "draft-murchison-sasl-login",
    summary: "user name, then password, each asked for",
    by_hand: ByHand::PlainText,
};

/// What a challenge asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// The user name.
    UserName,
    /// The password.
    Password,
}

/// Words that name a password in prompts that were seen, in lower case.
const PASSWORD_WORDS: &[&str] =
    &["passw", "passphrase", "passcode", "kennwort", "secret", "mot de passe", "contrase", "wachtwoord", "senha", "lösenord", "пароль"];
/// Words that name a user.
const USER_WORDS: &[&str] =
    &["user", "name", "login", "account", "benutzer", "utilisateur", "usuario", "mail", "identi", "gebruiker", "имя"];

/// What the server asks for, from its words; where they say nothing, the first question is for the
/// user name and the next for the password.
pub fn asks(prompt: &[u8], user_name_given: bool) -> Asks {
    let text = String::from_utf8_lossy(prompt).to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if names(PASSWORD_WORDS) {
        Asks::Password
    } else if names(USER_WORDS) || !user_name_given {
        Asks::UserName
    } else {
        Asks::Password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_of_many_servers_are_understood() {
        use Asks::{Password, UserName};
        let table: &[(&[u8], bool, Asks)] = &[
            (b"Username:", false, UserName),
            (b"User Name\0", false, UserName),
            (b"User Name", true, UserName),
            (b"Password:", true, Password),
            (b"Password\0", false, Password),
            (b"", false, UserName),
            (b"", true, Password),
            (b"Rubbish", false, UserName),
            (b"Rubbish", true, Password),
            ("Benutzername:".as_bytes(), false, UserName),
            ("Kennwort:".as_bytes(), false, Password),
            (b"User password", true, Password),
        ];
        for (prompt, given, want) in table {
            assert_eq!(asks(prompt, *given), *want, "{:?}", String::from_utf8_lossy(prompt));
        }
    }
}
