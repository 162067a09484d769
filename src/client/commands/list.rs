//! `rollcall list`: who is there, once.

use std::ffi::OsString;

use getopts::Options;

use super::line::{self, Asked, Parsed};
use super::screen::{self, Colours, Style};
use super::{json, names};
use crate::client::error::Error;
use crate::client::presence::roster;
use crate::lekt::wire::Object;

const BRIEF: &str = "Usage: rollcall list [OPTION]... [SERVER]\nShow who is on the roll of SERVER, once.";

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    options.optflag("", "json", "print a JSON array in place of the table");
    let matches = match line::parse(options, arguments, 1, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let server = line::server(matches.free.first())?;
    let mut clients = roster(&server)?;
    clients.sort_by(|one, other| (one.address, &one.methods).cmp(&(other.address, &other.methods)));
    if matches.opt_present("json") {
        let clients: Vec<_> = clients.iter().map(json::client).collect();
        screen::line(&serde_json::Value::from(clients).to_string())?;
    } else if clients.is_empty() {
        screen::note(format_args!("nobody is on the roll of {server}"));
    } else {
        screen::line(&table(&clients, Colours::of_stdout()))?;
    }
    Ok(Asked::Done)
}

/// A line each: the address, and where to call.
fn table(clients: &[Object], colours: Colours) -> String {
    let mut lines = vec![colours.paint(Style::Dim, format_args!("{:<15}  CALL", "ADDRESS"))];
    lines.extend(clients.iter().map(|client| {
        let reach = names::reach(client).map_or_else(|| "-".to_owned(), |reach| reach.to_string());
        format!("{:<15}  {reach}", client.address.to_string())
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lekt::wire::Method;

    #[test]
    fn the_table_tells_where_to_call() {
        let reachable =
            Object { address: [127, 0, 0, 9].into(), methods: vec![Method::DirectTcp { port: 80 }] };
        let looking = Object { address: [192, 168, 100, 200].into(), methods: vec![] };
        let expected = "ADDRESS          CALL\n127.0.0.9        127.0.0.9:80\n192.168.100.200  -";
        assert_eq!(table(&[reachable.clone(), looking], Colours::Off), expected);
        let json = r#"{"address":"127.0.0.9","methods":[{"name":"tcp","port":80}]}"#;
        assert_eq!(json::client(&reachable).to_string(), json);
    }
}
