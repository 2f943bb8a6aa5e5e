//! `ehlo encode`: text in the encodings of mail, and the messages of logins that depend on no challenge.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use zeroize::Zeroizing;

use super::args::{EncodeArgs, OutputArgs};
use super::decode::read_input;
use super::{exit, interactive, password, print, streams};
use crate::jobs::credentials::{PasswordSource, first_line, read_line};
use crate::repl::Terminal;
use crate::sasl::{Exposure, Login, MECHANISMS, Mechanism, Needs, Trouble};
use crate::secret::Secret;
use crate::text::printable_str;
use crate::wire::{base64, encoding};

type Encode = fn(&[u8]) -> anyhow::Result<String>;

/// The encodings that take any text.
const ENCODINGS: [(&str, Encode); 4] = [
    ("base64", |bytes| Ok(base64::encode(bytes))),
    ("word", |bytes| Ok(encoding::to_words(std::str::from_utf8(bytes).context("the text is not UTF-8, which an encoded word needs")?))),
    ("qp", |bytes| Ok(encoding::to_quoted_printable(bytes))),
    ("xtext", |bytes| Ok(encoding::to_xtext(bytes))),
];

/// What can be made: the encodings, and the messages that hold the secret itself.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ENCODINGS.iter().map(|(name, _)| *name).chain(mechanisms().map(|known| known.name))
}

/// Whose secret can be read in its messages, they depend on nothing but name and secret.
fn mechanisms() -> impl Iterator<Item = &'static Mechanism> {
    MECHANISMS.iter().filter(|known| known.exposes == Exposure::Secret)
}

/// Encodes the arguments, joined by spaces, or standard input.
pub(super) fn run(args: &EncodeArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    if let Some(mechanism) = mechanisms().find(|known| known.name.eq_ignore_ascii_case(&args.form)) {
        return login(mechanism, args, output);
    }
    let given = args.password.is_given() || args.authzid.is_some();
    ensure!(!given, "a password or another identity is only for --as plain and its like");
    let encode = ENCODINGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&args.form)).map(|(_, encode)| encode);
    let encode = encode.with_context(|| format!("there is no encoding '{}'", printable_str(&args.form)))?;
    let bytes = if args.text.is_empty() { without_line_end(read_input()?) } else { args.text.join(" ").into_bytes() };
    Ok(print(&format!("{}\n", encode(&bytes)?)))
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    for end in [b'\n', b'\r'] {
        bytes.pop_if(|last| *last == end);
    }
    bytes
}

/// The messages of a login, each on its line.
fn login(mechanism: &Mechanism, args: &EncodeArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    interactive::no_core_dumps();
    let user = user(mechanism, args)?;
    let source = password::source(&args.password);
    let Some(secret) = secret(mechanism, &source, &user)? else { return Ok(exit::INTERRUPTED) };
    let login = Login { user, authzid: args.authzid.clone().unwrap_or_default(), secret: Some(secret), ..Login::default() };
    let mut text = Zeroizing::new(String::new());
    for message in messages(mechanism, &login).map_err(anyhow::Error::msg)? {
        text.push_str(&Zeroizing::new(base64::encode(message.expose())));
        text.push('\n');
    }
    if !output.quiet {
        let _ = writeln!(streams::stderr(), "note: this holds the {}: anybody can turn it back", what(mechanism));
    }
    Ok(print(&text))
}

/// What the client says, to the usual questions where it does not speak first.
fn messages(mechanism: &Mechanism, login: &Login) -> Result<Vec<Secret<Vec<u8>>>, String> {
    let mut client = (mechanism.client)();
    let questions: &[Option<&[u8]>] = if mechanism.client_first { &[None] } else { &[Some(b"Username:"), Some(b"Password:")] };
    questions.iter().map(|question| client.step(*question, login)).collect::<Result<_, _>>().map_err(|trouble| match trouble {
        Trouble::Impossible(words) => words,
        Trouble::NeedsUser => "a user name is wanted".to_owned(),
        trouble => format!("{}: {trouble:?}", mechanism.name),
    })
}

fn user(mechanism: &Mechanism, args: &EncodeArgs) -> anyhow::Result<String> {
    let user = match args.text.as_slice() {
        [] if std::io::stdin().is_terminal() => ask_user()?,
        [] => bail!("a user name is wanted: ehlo encode --as {} USER", args.form),
        [user] => user.clone(),
        _ => bail!("only the user name is an argument (in quotes if it has spaces): the {} is asked for", what(mechanism)),
    };
    ensure!(!user.contains(':'), "give the user name alone: a password on the command line can be read by others; it is asked for");
    let all = [&user, args.authzid.as_ref().unwrap_or(&user)];
    ensure!(!all.iter().any(|name| name.contains(char::is_control)), "a user name holds a control character");
    Ok(user)
}

fn ask_user() -> anyhow::Result<String> {
    let _ = streams::stderr().write_all(b"username> ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("the user name cannot be read")?;
    Ok(line.trim().to_owned())
}

fn what(mechanism: &Mechanism) -> &'static str {
    if mechanism.needs == Needs::Token { "token" } else { "password" }
}

/// The password or token; `None` when Ctrl-C was its answer.
fn secret(mechanism: &Mechanism, source: &PasswordSource, user: &str) -> anyhow::Result<Option<Secret<String>>> {
    let what = what(mechanism);
    if let Some(found) = password::read(source, user, crate::net::Limits::new(None).reply)
        .map_err(|words| anyhow::anyhow!("no {what}: {}", printable_str(&words)))?
    {
        if let Some(words) = &found.warning {
            let _ = writeln!(streams::stderr(), "warning: {}", printable_str(words));
        }
        return Ok(Some(found.secret));
    }
    if *source == PasswordSource::Input {
        return first_line(read_line(std::io::stdin().lock())?)
            .map(Some)
            .map_err(|words| anyhow::anyhow!("the first line of the input, which is the {what}, {words}"));
    }
    let terminal = Terminal::open().with_context(|| {
        format!(
            "there is no terminal to ask for the {what} at: --password-file, --password-command, --password-stdin or EHLO_PASSWORD gives it"
        )
    })?;
    let typed = typed_hidden(format!("{what}> "));
    terminal.as_found();
    match typed {
        Ok(typed) => Ok(Some(Secret::new(typed))),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
        Err(error) => bail!("the {what} cannot be read: {}", crate::net::dial::system_words(&error)),
    }
}

/// rpassword sends the process the signal of Ctrl-C while the echo is off: it must not end by it (P39).
fn typed_hidden(prompt: String) -> std::io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let typed = runtime.block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => Err(std::io::ErrorKind::Interrupted.into()),
            typed = async { tokio::task::spawn_blocking(|| rpassword::prompt_password(prompt)).await } => typed?,
        }
    });
    // Its thread may still wait for the terminal; the process does not wait for it.
    runtime.shutdown_background();
    typed
}
