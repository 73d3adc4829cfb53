//! Addresses of remotes: what may be fetched, relative ones, credentials. Pure.

/// The user's name and password of an address, decoded.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Option<String>,
}

/// Replaces user names and passwords of every address in a text.
///
/// The user of an ssh address is no secret and stays.
pub(super) fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme = rest[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next();
        let is_ssh = scheme.is_some_and(|scheme| scheme.contains("ssh"));
        let (before, after) = rest.split_at(at + 3);
        let end = after.find(|c: char| "/?#'\"".contains(c) || c.is_whitespace());
        let authority = &after[..end.unwrap_or(after.len())];
        shown.push_str(before);
        rest = after;
        if let Some(at) =
            authority.rfind('@').filter(|at| !is_ssh || authority[..*at].contains(':'))
        {
            shown.push_str("***");
            rest = &after[at..];
        }
    }
    shown + rest
}

/// Takes the credentials out of an `http(s)://` address.
pub(super) fn without_credentials(url: &str) -> (String, Option<Credentials>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    if !matches!(scheme, "http" | "https") {
        return (url.to_owned(), None);
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let Some((userinfo, _)) = authority.rsplit_once('@') else { return (url.to_owned(), None) };
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password))),
        None => (userinfo, None),
    };
    let stripped = format!("{scheme}://{}", &rest[userinfo.len() + 1..]);
    (stripped, Some(Credentials { user: decoded(user), password }))
}

/// Returns `scheme://host/` of an address, as Git's settings by address want it.
pub(super) fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    Some(format!("{scheme}://{}/", &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]))
}

/// Reduces an address to host and path, so that two ways to write the same repository are
/// equal: without scheme, user, port, credentials and `.git`.
#[must_use]
pub fn plain_address(address: &str) -> String {
    let (rest, is_path) = match address.split_once("://") {
        Some(("file", path)) => (path, true),
        Some((_, rest)) => (rest, false),
        None => (address, is_local(address)),
    };
    let trimmed = |path: &str| {
        let path = path.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).to_owned()
    };
    if is_path {
        return trimmed(rest);
    }
    let at = rest.find('/').unwrap_or(rest.len());
    let authority_end = rest[..at].rfind('@').map_or(0, |user| user + 1);
    let rest = &rest[authority_end..];
    let (host, path) = rest.split_at(rest.find(['/', ':']).unwrap_or(rest.len()));
    let path = path.trim_start_matches([':', '/']);
    // A port is no part of the path.
    let path = match path.split_once('/') {
        Some((port, path)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => path,
        _ => path,
    };
    format!("{}/{}", host.to_ascii_lowercase(), trimmed(path.trim_start_matches('/')))
}

/// Tells whether an address is a path on this machine.
pub(super) fn is_local(url: &str) -> bool {
    let is_scp_like = || url.split('/').next().is_some_and(|first| first.contains(':'));
    url.starts_with("file://") || (!url.contains("://") && !is_scp_like())
}

/// Refuses an address that Git would take for an option or for a program to run.
pub(super) fn check(url: &str) -> Result<(), &'static str> {
    if url.is_empty() || url.starts_with('-') {
        return Err("it reads as an option");
    }
    if url.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    let scheme_like = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if url.trim_start_matches(scheme_like).starts_with("::") {
        return Err("it names a transport helper, which is a program");
    }
    let host = match url.split_once("://") {
        Some((scheme, rest)) => {
            if !["https", "http", "ssh", "git", "git+ssh", "ssh+git", "file"].contains(&scheme) {
                return Err("its scheme is none of https, ssh, git, http and file");
            }
            rest
        }
        None => url,
    };
    let host = host.split(['/', ':']).next().unwrap_or_default();
    if host.rsplit('@').next().is_some_and(|host| host.starts_with('-')) {
        return Err("its host reads as an option");
    }
    Ok(())
}

/// Resolves a submodule's address against the address of the repository it is in.
pub(super) fn resolved(parent: &str, url: &str) -> Result<String, &'static str> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Ok(url.to_owned());
    }
    let fixed = match parent.split_once("://") {
        Some((scheme, rest)) => scheme.len() + 3 + rest.find('/').unwrap_or(rest.len()),
        None if is_local(parent) => 0,
        None => parent.find(':').unwrap_or(0),
    };
    let (host, mut path) = parent.split_at(fixed);
    path = path.trim_end_matches('/');
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            let cut = path.rfind(['/', ':']).ok_or("it climbs above the parent's host")?;
            // What follows `host:` has no slash before it.
            path = if path[cut..].starts_with(':') { &path[..=cut] } else { &path[..cut] };
            if path == ":" && !after.starts_with("../") {
                return Ok(format!("{host}:{after}"));
            }
            if path == ":" {
                return Err("it climbs above the parent's host");
            }
            rest = after;
        } else {
            return Ok(format!("{host}{path}/{rest}"));
        }
    }
}

/// Writes the value of an `Authorization: Basic` header.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        (0..4).map(move |at: usize| match at > chunk.len() {
            true => '=',
            false => char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]),
        })
    });
    digits.collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_write_a_repository_are_one_address() {
        for address in [
            "git@GitHub.com:blink/platform.git",
            "ssh://git@github.com:22/blink/platform",
            "https://user:t0ken@github.com/blink/platform.git/",
        ] {
            assert_eq!(plain_address(address), "github.com/blink/platform", "{address}");
        }
        assert_eq!(plain_address("file:///srv/git/p.git"), "/srv/git/p");
        assert_eq!(plain_address("/srv/git/p.git"), "/srv/git/p");
    }

    #[test]
    fn credentials_are_masked_wherever_they_stand() {
        assert_eq!(
            masked("a https://tok@h/x 'http://u:p@h:8/y' b"),
            "a https://***@h/x 'http://***@h:8/y' b"
        );
        assert_eq!(masked("ssh://git@h/x ssh://u:p@h/x"), "ssh://git@h/x ssh://***@h/x");
        assert_eq!(masked("https://u:p@q@h"), "https://***@h");
        assert_eq!(masked("git@github.com:o/r"), "git@github.com:o/r");
    }

    #[test]
    fn credentials_come_out_of_an_address() {
        let (url, credentials) = without_credentials("https://me:p%40ss@h:8443/x.git");
        let credentials = credentials.unwrap();
        assert_eq!(url, "https://h:8443/x.git");
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_deref()),
            ("me", Some("p@ss"))
        );
        assert_eq!(base64(b"me:p@ss"), "bWU6cEBzcw==");
        assert_eq!(base64(b"abc"), "YWJj");
        assert!(without_credentials("ssh://git@h/x").1.is_none());
        assert_eq!(origin("https://h:8443/x.git").unwrap(), "https://h:8443/");
    }

    #[test]
    fn an_address_that_runs_a_program_is_refused() {
        for good in ["https://h/x", "git@h:o/r.git", "ssh://git@h/x", "/srv/x", "../x", "file:///x"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for hostile in [
            "-x",
            "--upload-pack=touch x",
            "ext::sh -c x",
            "fd::1",
            "ssh://-oProxyCommand=x/y",
            "",
            "git@-oProxyCommand=x:y",
            "-oProxyCommand=x:y",
            "javascript://x",
            "https://h/\nx",
        ] {
            assert!(check(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_relative_address_is_taken_from_the_parents() {
        let same = |parent, url, expected: &str| {
            assert_eq!(resolved(parent, url).as_deref(), Ok(expected));
        };
        same("https://h/o/super.git", "../sub.git", "https://h/o/sub.git");
        same("https://h/o/super.git/", "../../p/sub", "https://h/p/sub");
        same("git@h:o/super.git", "../sub.git", "git@h:o/sub.git");
        same("git@h:o/super.git", "../../p/sub.git", "git@h:p/sub.git");
        same("git@h:super.git", "../sub.git", "git@h:sub.git");
        same("/srv/git/super", "../sub", "/srv/git/sub");
        same("/srv/git/super", "./sub", "/srv/git/super/sub");
        same("file:///srv/super", "../sub", "file:///srv/sub");
        same("https://h/x", "https://other/y", "https://other/y");
        assert!(resolved("https://h/x", "../../../y").is_err());
        assert!(resolved("git@h:x", "../../y").is_err());
    }
}
