//! The pages that the tool keeps about hosts: a table in each is its own, the rest is
//! whoever's who writes it.

use std::path::{Path, PathBuf};

use super::ClientName;
use crate::host::HostName;

/// The map of all hosts, relative to the root of the repository.
pub const HOST_MAP: &str = "docs/host-environment-map.md";

/// The headings of the map's table, by which it is found.
const MAP_HEADINGS: [&str; 5] = ["host", "environment", "branch", "server", "database"];
/// The headings of a client's table.
const CLIENT_HEADINGS: [&str; 6] = ["host", "environment", "server", "odoo", "database", "ports"];

/// What is told of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLine {
    /// Its name.
    pub host: HostName,
    /// Its environment.
    pub environment: String,
    /// The branch that is deployed to it.
    pub branch: String,
    /// The server that carries it.
    pub server: String,
    /// Odoo's series.
    pub odoo: String,
    /// Its databases.
    pub databases: String,
    /// Its ports.
    pub ports: String,
}

/// Returns where a client's page is, relative to the root of the repository.
#[must_use]
pub fn client_page_path(client: &ClientName) -> PathBuf {
    Path::new("docs/clients").join(format!("{client}.md"))
}

/// Writes the map anew: its table is replaced, everything else stays.
#[must_use]
pub fn host_map(present: Option<&str>, hosts: &[HostLine]) -> String {
    let rows = hosts.iter().map(|host| {
        [host.host.as_str(), &host.environment, &host.branch, &host.server, &host.databases]
    });
    let table = table(&MAP_HEADINGS, rows);
    with_table(present.unwrap_or("# Hosts and environments\n"), &MAP_HEADINGS, &table)
}

/// Writes a client's page, or its table anew where there is a page.
#[must_use]
pub fn client_page(present: Option<&str>, client: &ClientName, hosts: &[HostLine]) -> String {
    let rows = hosts.iter().map(|host| {
        [
            host.host.as_str(),
            &host.environment,
            &host.server,
            &host.odoo,
            &host.databases,
            &host.ports,
        ]
    });
    let table = table(&CLIENT_HEADINGS, rows);
    let new = format!("# {client}\n");
    with_table(present.unwrap_or(&new), &CLIENT_HEADINGS, &table)
}

/// Reads which hosts the table of a client's page lists.
#[must_use]
pub fn hosts_of_page(text: &str) -> Vec<HostName> {
    let lines: Vec<_> = text.lines().collect();
    let Some((begin, end)) = find(&lines, &CLIENT_HEADINGS) else { return Vec::new() };
    let rows = lines[begin..end].iter().skip(2);
    rows.filter_map(|row| HostName::parse(cells(row).first()?).ok()).collect()
}

fn table<'a, const N: usize>(
    headings: &[&'a str; N],
    rows: impl Iterator<Item = [&'a str; N]>,
) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(headings);
    text.push_str(&format!("|{}\n", "---|".repeat(N)));
    text.extend(rows.map(|row| line(&row)));
    text
}

/// Puts the table in the place of the one with these headings, else at the end.
fn with_table(text: &str, headings: &[&str], table: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let Some((begin, end)) = find(&lines, headings) else {
        return format!("{}\n\n{table}", text.trim_end()).trim_start().to_owned();
    };
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    format!("{}{table}{}", joined(&lines[..begin]), joined(&lines[end..]))
}

/// Finds the lines of the table with these headings.
fn find(lines: &[&str], headings: &[&str]) -> Option<(usize, usize)> {
    let begin = lines.iter().position(|line| cells(line) == headings)?;
    let length =
        lines[begin..].iter().take_while(|line| line.trim_start().starts_with('|')).count();
    Some((begin, begin + length))
}

fn cells(line: &str) -> Vec<&str> {
    let inner = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inner.map(|inner| inner.split('|').map(str::trim).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: &str) -> HostLine {
        HostLine {
            host: HostName::parse(host).unwrap(),
            environment: "test".into(),
            branch: "test".into(),
            server: "vps-1".into(),
            odoo: "19.0".into(),
            databases: "acme-test".into(),
            ports: "8069, 8072".into(),
        }
    }

    fn acme() -> ClientName {
        ClientName::parse("acme").unwrap()
    }

    #[test]
    fn only_the_table_of_the_map_is_the_tools() {
        let written = host_map(None, &[line("acme-test.example.com")]);
        assert_eq!(
            written,
            "# Hosts and environments\n\n| host | environment | branch | server | database |\n\
             |---|---|---|---|---|\n\
             | acme-test.example.com | test | test | vps-1 | acme-test |\n"
        );
        let around = format!("# Ours\n\nSome words.\n\n{}\nMore words.\n", &written[26..]);
        let again = host_map(Some(&around), &[]);
        assert_eq!(
            again,
            "# Ours\n\nSome words.\n\n| host | environment | branch | server | database |\n\
             |---|---|---|---|---|\n\nMore words.\n"
        );
        assert_eq!(host_map(Some(&again), &[]), again);
    }

    #[test]
    fn a_page_without_the_table_gets_it_at_its_end() {
        let page = client_page(Some("# Acme\n\nCall Ana first.\n"), &acme(), &[line("a.example")]);
        assert!(page.starts_with("# Acme\n\nCall Ana first.\n\n| host | environment |"), "{page}");
        assert_eq!(hosts_of_page(&page), [HostName::parse("a.example").unwrap()]);
    }

    #[test]
    fn a_clients_page_lists_its_hosts() {
        let page = client_page(None, &acme(), &[line("a.example"), line("b.example")]);
        assert!(page.starts_with("# acme\n\n| host |"), "{page}");
        assert_eq!(hosts_of_page(&page).len(), 2);
        assert!(hosts_of_page("| host | environment |\n|---|---|\n| x.example | y |\n").is_empty());
        assert_eq!(client_page_path(&acme()), Path::new("docs/clients/acme.md"));
    }
}
