//! The secrets that a host's odoo.conf files hold, so that they can be masked.

use std::{cell::RefCell, fs};

use super::{server::Server, step::release};
use crate::{
    layout::{Layout, ReleaseNumber},
    render,
    secret::{Redactor, Secret, is_sensitive_key},
};

/// Adds the values of the sensitive keys of an odoo.conf: those known by name, and
/// those named here.
pub(super) fn add(redactor: &mut Redactor, odoo_conf: &str, more: &dyn Fn(&str) -> bool) {
    let found = RefCell::new(Vec::new());
    let sensitive = |key: &str| is_sensitive_key(key) || more(key);
    let _ = render::mask_conf(odoo_conf, &sensitive, &|_, value| {
        found.borrow_mut().push(Secret::new(value));
        String::new()
    });
    found.into_inner().iter().for_each(|secret| redactor.add(secret));
}

/// Collects the secrets of every release that is on the server: a log outlives a
/// change of passwords.
pub(super) fn of_host(server: &Server, layout: &Layout) -> Redactor {
    let mut redactor = Redactor::default();
    if let Ok(Some(text)) = server.read(&layout.conf_link()) {
        add(&mut redactor, &text, &|_| false);
    }
    let releases = fs::read_dir(server.path(&layout.releases())).into_iter().flatten().flatten();
    for entry in releases {
        let name = entry.file_name();
        let number = name.to_str().and_then(ReleaseNumber::from_directory_name);
        let Some(number) = number else { continue };
        let path = layout.release(number).join("odoo.conf");
        let Ok(Some(text)) = server.read(&path) else { continue };
        let record = release::read_record(server, layout, number);
        let named = record.map(|(record, _)| record.sensitive_keys).unwrap_or_default();
        add(&mut redactor, &text, &|key| named.contains(key));
    }
    redactor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    #[test]
    fn a_password_of_an_earlier_release_is_still_a_secret() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        for (number, password) in [(1, "first-geheim"), (2, "second-geheim")] {
            let release = server.path(&layout.release(ReleaseNumber(number)));
            fs::create_dir_all(&release).unwrap();
            fs::write(release.join("odoo.conf"), format!("[options]\ndb_password = {password}\n"))
                .unwrap();
        }
        let redactor = of_host(&server, &layout);
        assert_eq!(redactor.redact("first-geheim second-geheim x"), "******** ******** x");
    }
}
