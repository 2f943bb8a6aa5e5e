//! The client's side, over the machine's Kerberos. Its first step asks the KDC, and waits for it.

use std::fmt;

use cross_krb5::{ClientCtx, InitiateFlags, K5Ctx, PendingClientCtx, Step};

use super::super::{Client, Login, Proof, Trouble};
use crate::secret::Secret;

/// The security layer `none` (RFC 4752 §3.3).
const NO_LAYER: u8 = 1;

/// What the library's messages mean to the operator, by words that MIT Kerberos has in them.
const WORDS: &[(&str, &str)] = &[
    ("Ticket expired", "the Kerberos ticket has expired: kinit gets a new one"),
    ("Clock skew too great", "the clocks of this machine and the KDC are too far apart for Kerberos, which tolerates 5 minutes"),
    ("not found in Kerberos database", "the KDC does not know this server: is that the name in its service principal?"),
    ("Cannot contact any KDC", "no KDC answers"),
    ("Cannot find KDC", "no KDC is known for the realm"),
    ("Preauthentication failed", "the KDC refuses the credentials"),
    ("No Kerberos credentials", "there is no Kerberos ticket here: kinit gets one"),
    ("No credentials cache", "there is no Kerberos ticket here: kinit gets one"),
    ("can't get cred", "there is no Kerberos ticket here: kinit gets one"),
    ("Can't find client principal", "the Kerberos ticket here is another user's: kinit USER gets one"),
];

/// The client's side.
#[derive(Default)]
pub(super) struct Answering {
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Start,
    /// The server has to prove who it is.
    Pending(PendingClientCtx),
    /// It has; the layer is to be agreed on.
    Established(ClientCtx),
    Done,
    /// A step went wrong.
    Broken,
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Start => "Start",
            State::Pending(_) => "Pending",
            State::Established(_) => "Established",
            State::Done => "Done",
            State::Broken => "Broken",
        })
    }
}

impl Client for Answering {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let challenge = challenge.unwrap_or_default();
        let (next, answer) = match std::mem::replace(&mut self.state, State::Broken) {
            // Once there is a ticket the same step can be taken again.
            State::Start => begin(login).inspect_err(|_| self.state = State::Start)?,
            State::Pending(context) => go_on(context, challenge)?,
            State::Established(context) => agree(context, challenge, &login.authzid)?,
            State::Done | State::Broken => return Err(Trouble::BadChallenge("the login was at its end")),
        };
        self.state = next;
        Ok(answer)
    }

    fn adopt(&mut self, sent: &[u8], _answering: Option<&[u8]>) -> Result<(), Trouble> {
        match self.state {
            State::Start if sent.is_empty() => Ok(()),
            _ => Err(Trouble::Impossible("a Kerberos token made elsewhere cannot be gone on from".to_owned())),
        }
    }

    fn proof(&self) -> Proof {
        match self.state {
            State::Established(_) | State::Done => Proof::Given,
            _ => Proof::Failed("the server accepted the login without proving that it is the one the ticket is for"),
        }
    }
}

fn begin(login: &Login) -> Result<(State, Secret<Vec<u8>>), Trouble> {
    let service = format!("smtp/{}", login.host);
    let user = Some(login.user.as_str()).filter(|user| !user.is_empty());
    // Only signed messages are wanted: TLS is there for the rest.
    let wish = InitiateFlags::DISABLE_CONFIDENTIALITY;
    let (context, token) = ClientCtx::new(wish, user, &service, None).map_err(|why| in_words(&service, &format!("{why:#}")))?;
    Ok((State::Pending(context), Secret::new(token.to_vec())))
}

fn go_on(context: PendingClientCtx, challenge: &[u8]) -> Result<(State, Secret<Vec<u8>>), Trouble> {
    if challenge.is_empty() {
        return Err(Trouble::BadChallenge("it is empty where the server has to prove who it is"));
    }
    match context.step(challenge) {
        Ok(Step::Continue((context, token))) => Ok((State::Pending(context), Secret::new(token.to_vec()))),
        // RFC 4752 §3.1: an answer goes out even when there is nothing to say.
        Ok(Step::Finished((context, token))) => {
            Ok((State::Established(context), Secret::new(token.map(|token| token.to_vec()).unwrap_or_default())))
        }
        Err(why) => Err(in_words("the server's token", &format!("{why:#}"))),
    }
}

/// Takes no layer, and says whose rights are wanted.
fn agree(mut context: ClientCtx, challenge: &[u8], authzid: &str) -> Result<(State, Secret<Vec<u8>>), Trouble> {
    let offer = context.unwrap(challenge).map_err(|_| Trouble::NotTheServer("its offer of security layers is not signed by it"))?;
    let Some([layers, ..]) = offer.first_chunk::<4>().filter(|_| offer.len() == 4) else {
        return Err(Trouble::BadChallenge("it is no offer of security layers"));
    };
    if layers & NO_LAYER == 0 {
        return Err(Trouble::Impossible("the server insists on a security layer of SASL; in SMTP that is for TLS".to_owned()));
    }
    let choice = [&[NO_LAYER, 0, 0, 0], authzid.as_bytes()].concat();
    let answer = context.wrap(false, &choice).map_err(|why| in_words("the last message", &format!("{why:#}")))?;
    Ok((State::Done, Secret::new(answer.to_vec())))
}

/// What it means, if that is known, and what Kerberos says itself.
fn in_words(what: &str, said: &str) -> Trouble {
    let known = WORDS.iter().find(|(words, _)| said.contains(words));
    Trouble::Impossible(known.map_or_else(|| format!("{what}: {said}"), |(_, meaning)| format!("{meaning} ({what}: {said})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::tests::login;

    // A name of the machine's own Kerberos, or none: no realm has this user.
    #[test]
    fn without_a_ticket_the_way_to_one_is_told() {
        let mut login = login("nobody@NOWHERE.TEST", "x");
        for host in ["127.0.0.1", "mail.contoso.test"] {
            host.clone_into(&mut login.host);
            let Err(Trouble::Impossible(why)) = Answering::default().step(None, &login) else { panic!("a ticket for nobody") };
            assert!(why.contains("kinit"), "{why}");
        }
    }

    #[test]
    fn what_kerberos_says_is_put_in_words() {
        let table = [
            ("Unspecified GSS failure (Clock skew too great)", "the clocks of this machine"),
            ("Unspecified GSS failure (Server smtp/x@CONTOSO.TEST not found in Kerberos database)", "the KDC does not know"),
            ("Unspecified GSS failure (Ticket expired)", "the Kerberos ticket has expired"),
            ("Unspecified GSS failure (something new)", "smtp/x: Unspecified GSS failure (something new)"),
        ];
        for (said, want) in table {
            let Trouble::Impossible(why) = in_words("smtp/x", said) else { panic!("{said}") };
            assert!(why.starts_with(want) && why.contains(said), "{why}");
        }
    }

    #[test]
    fn an_accepted_login_without_the_servers_proof_is_told() {
        let (mut client, login) = (Answering::default(), login("nobody@NOWHERE.TEST", "x"));
        let first = client.step(None, &login).unwrap_err();
        assert_eq!(client.step(None, &login).unwrap_err(), first);
        assert!(matches!(client.proof(), Proof::Failed(_)));
    }
}
