//! `ehlo sandbox`: the practice server, and a session with it.

use std::path::Path;

use anyhow::Context as _;

use super::args::{DialArgs, OutputArgs, SandboxArgs};
use super::interactive::{run_on, runtime};
use super::{exit, print};
use crate::jobs::practice::{Authority, token};
use crate::jobs::sandbox::{Options, bind, serve};
use crate::repl::{Outcome, Signal, Signals};
use crate::sasl::{self, Needs};
use crate::session::server::auth::{self, PASSWORD};
use crate::session::server::character::{CHARACTERS, Character};
use crate::session::server::scenario::{SCENARIOS, Scenario};
use crate::session::server::{LOCAL_DOMAINS, NAME};
use crate::target::Target;

/// Lists, serves, or serves and connects.
pub(super) fn run(args: SandboxArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    if args.list {
        return Ok(print(&list()));
    }
    let character = find_character(&args.character)?;
    let scenario = args.scenario.as_deref().map(find_scenario).transpose()?;
    let offer = find_mechanisms(&args.offer)?.unwrap_or_else(|| auth::offer(character, scenario).to_vec());
    let authority = Authority::new()?;
    let tls = authority.tls(scenario, &offer)?;
    let server = Options { character, scenario, tls, implicit_tls: args.session.tls.tls, offer, token: token()? };
    if let Some(path) = &args.save_root {
        save_root(path, &authority)?;
    }
    if args.serve { only_serve(&args, server) } else { serve_and_talk(args, server, &authority, output) }
}

fn save_root(path: &Path, authority: &Authority) -> anyhow::Result<()> {
    std::fs::write(path, authority.root_pem()).map_err(|error| {
        let words = crate::net::dial::system_words(&error);
        anyhow::anyhow!("the root certificate cannot be written to {}: {words}", crate::text::printable_str(&path.to_string_lossy()))
    })
}

fn find_character(name: &str) -> anyhow::Result<&'static Character> {
    let names = CHARACTERS.iter().map(|character| character.name).collect::<Vec<_>>().join(", ");
    CHARACTERS
        .iter()
        .find(|character| character.name.eq_ignore_ascii_case(name))
        .with_context(|| format!("there is no server of the manner '{}': there are {names}", crate::text::printable_str(name)))
}

fn find_scenario(name: &str) -> anyhow::Result<&'static Scenario> {
    let near = SCENARIOS.iter().map(|scenario| (crate::wire::verb::distance(name, scenario.name), scenario.name)).min();
    let hint = near.filter(|(distance, _)| *distance <= 3).map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default();
    SCENARIOS
        .iter()
        .find(|scenario| scenario.name.eq_ignore_ascii_case(name))
        .with_context(|| format!("there is no scenario '{}'{hint} (--list shows them)", crate::text::printable_str(name)))
}

/// The mechanisms of a list, in its order; `None` for no list.
fn find_mechanisms(list: &[String]) -> anyhow::Result<Option<Vec<&'static str>>> {
    if list.iter().any(|name| name.eq_ignore_ascii_case("all")) {
        return Ok(Some(auth::playable().collect()));
    }
    let found = list.iter().map(|name| find_mechanism(name)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Some(found).filter(|found| !found.is_empty()))
}

fn find_mechanism(name: &str) -> anyhow::Result<&'static str> {
    let names = auth::playable().collect::<Vec<_>>().join(", ");
    auth::playable()
        .find(|known| known.eq_ignore_ascii_case(name))
        .with_context(|| format!("the practice server has no mechanism '{}': it has {names}", crate::text::printable_str(name)))
}

/// Whose mail it takes.
fn hosted() -> String {
    let (last, others) = LOCAL_DOMAINS.split_last().unwrap_or((&"", &[]));
    format!("Hosts {} and {last}.", others.join(", "))
}

/// How to log in.
fn account(server: &Options) -> String {
    let wants = |name: &&str| sasl::lookup(name).is_some_and(|known| known.needs == Needs::Token);
    let takers = server.offer.iter().copied().filter(|name| wants(name)).collect::<Vec<_>>();
    let token = if takers.is_empty() { String::new() } else { format!("\nToken for {}: {}", takers.join(" and "), server.token) };
    format!("Account: logon / {PASSWORD}{token}")
}

fn list() -> String {
    let known: Vec<_> = auth::playable().filter_map(sasl::lookup).map(|mechanism| (mechanism.name, mechanism.summary)).collect();
    let width = SCENARIOS.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    let rows =
        |rows: Vec<(&str, &str)>| rows.into_iter().map(|(name, summary)| format!("  {name:<width$} {summary}\n")).collect::<String>();
    let characters = rows(CHARACTERS.iter().map(|character| (character.name, character.summary)).collect());
    let scenarios = rows(SCENARIOS.iter().map(|scenario| (scenario.name, scenario.summary)).collect());
    let mechanisms = rows(known);
    format!("Manners (--as):\n{characters}\nScenarios (--scenario):\n{scenarios}\nMechanisms (--offer):\n{mechanisms}")
}

fn only_serve(args: &SandboxArgs, server: Options) -> anyhow::Result<u8> {
    runtime()?.block_on(async {
        let (listener, address) = bind(args.port).await.with_context(|| listen_words(args.port))?;
        let tls = if server.implicit_tls { ", TLS from the first byte" } else { "" };
        let root = args.save_root.as_deref().map_or_else(String::new, |path| {
            format!("Its root certificate is in {}\n", crate::text::printable_str(&path.to_string_lossy()))
        });
        print(&format!(
            "Practice server ({}-like) on {} port {}{tls}. {} {}\n{root}Ctrl-C ends it.\n",
            server.character.name,
            address.ip(),
            address.port(),
            hosted(),
            account(&server)
        ));
        let mut signals = Signals::listen().context("signals cannot be handled")?;
        let ended = async {
            loop {
                match signals.next().await {
                    Signal::Continue => {}
                    signal => return signal,
                }
            }
        };
        tokio::select! {
            () = serve(listener, server) => Ok(exit::DONE),
            signal = ended => Ok(exit::of(&Outcome::Signalled(signal))),
        }
    })
}

fn serve_and_talk(args: SandboxArgs, server: Options, authority: &Authority, output: &OutputArgs) -> anyhow::Result<u8> {
    let (name, account) = (server.character.name, account(&server));
    let tour = args.tour;
    let (send, receive) = std::sync::mpsc::channel();
    // The server has a thread of its own, so that a scenario that floods cannot starve the session.
    std::thread::Builder::new().name("practice".to_owned()).spawn(move || {
        let served = runtime().and_then(|runtime| {
            runtime.block_on(async {
                let (listener, address) = bind(args.port).await.with_context(|| listen_words(args.port))?;
                let _ = send.send(Ok(address));
                serve(listener, server).await;
                Ok(())
            })
        });
        if let Err(error) = served {
            let _ = send.send(Err(error));
        }
    })?;
    let address = receive.recv().context("the practice server did not start")??;
    let target = Target::new(address.ip().to_string(), address.port());
    run_on(target, &DialArgs::default(), args.session, output, |options| {
        options.practice = Some(NAME);
        options.tls.extra_roots.push(authority.root());
        options.tour = tour;
        options.preface = Some(format!(
            "Practice server ({name}-like) on {address}. Nothing leaves this machine; nothing is delivered. {} {account}",
            hosted()
        ));
        options.keep_going |= tour;
    })
}

fn listen_words(port: Option<u16>) -> String {
    port.map_or_else(
        || "the practice server finds no free port".to_owned(),
        |port| format!("the practice server cannot listen on port {port}"),
    )
}
