//! LOGIN (draft-murchison-sasl-login): the server asks for a user name and a password, in words that
//! no document fixes.

use super::{ByHand, Client, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Server, Trouble, Turn, Typed, hash};
use crate::secret::Secret;

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "LOGIN",
    source: "draft-murchison-sasl-login",
    summary: "user name, then password, each asked for",
    by_hand: ByHand::PlainText,
    needs: Needs::Password,
    client_first: false,
    exposes: Exposure::Secret,
    typed: &[&[Typed::UserName], &[Typed::Password]],
    acknowledge: None,
    rank: 10,
    client: || Box::new(Answering::default()),
    server: Some(|| Box::new(Asking::default())),
    describe,
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

/// Whether a prompt has a word for what it asks for.
pub fn names_something(prompt: &[u8]) -> bool {
    asks(prompt, false) == Asks::Password || asks(prompt, true) == Asks::UserName
}

/// The client's side.
#[derive(Debug, Default)]
struct Answering {
    user_name_given: bool,
    password_given: bool,
}

impl Client for Answering {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let answer = match asks(challenge.unwrap_or_default(), self.user_name_given) {
            Asks::UserName => {
                let user = login.known_user()?;
                self.user_name_given = true;
                user
            }
            // A server that asks again gets it once (P47): who knows what it does with the second.
            Asks::Password if self.password_given => return Err(Trouble::BadChallenge("it asks for the password again")),
            Asks::Password => {
                let password = login.known()?.1;
                self.password_given = true;
                password
            }
        };
        Ok(Secret::new(answer.as_bytes().to_vec()))
    }

    fn adopt(&mut self, _sent: &[u8], answering: Option<&[u8]>) -> Result<(), Trouble> {
        match asks(answering.unwrap_or_default(), self.user_name_given) {
            Asks::UserName => self.user_name_given = true,
            Asks::Password => self.password_given = true,
        }
        Ok(())
    }

    fn only_asks(&self) -> bool {
        true
    }
}

/// The server's side.
#[derive(Debug, Default)]
struct Asking {
    user: Option<String>,
}

impl Server for Asking {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        match (message, &self.user) {
            (None, _) => Turn::Challenge(b"Username:".to_vec()),
            (Some(name), None) => {
                self.user = Some(String::from_utf8_lossy(name).into_owned());
                Turn::Challenge(b"Password:".to_vec())
            }
            (Some(password), Some(user)) => host.judge(user, hash::same(password, host.password.expose().as_bytes())),
        }
    }
}

fn describe(said: &Said<'_>) -> Option<Description> {
    if said.from == Party::Server {
        return None;
    }
    let what = said.answering.map_or(if said.number == 0 { Asks::UserName } else { Asks::Password }, |words| asks(words, said.number > 0));
    match what {
        // What stands in no name is the message of another mechanism, with its password or token.
        Asks::UserName if said.bytes.iter().any(u8::is_ascii_control) => None,
        Asks::UserName => Some(Description::new("user name").open_bytes("user", said.bytes)),
        Asks::Password => Some(Description::new("password").hidden("password", said.bytes)),
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

    #[test]
    fn a_server_that_asks_for_the_password_again_gets_it_once() {
        let login = crate::sasl::tests::login("logon", "secret");
        let mut client = Answering::default();
        for (words, want) in [(&b"User Name"[..], &b"logon"[..]), (b"Username:", b"logon"), (b"Password:", b"secret")] {
            assert_eq!(client.step(Some(words), &login).unwrap().expose(), want);
        }
        assert!(matches!(client.step(Some(b"Password:"), &login), Err(Trouble::BadChallenge(_))));
    }
}
