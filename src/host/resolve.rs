//! Inheritance: a host's file and all that it extends, as one. Pure.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{
    ConfigError, DEFAULT_SECTION, FileSource, HostFile, Setting, SourceError,
    load::relative_path,
    nearest::{did_you_mean, nearest},
};

/// The tool's sections, which are not passed on to Odoo.
const TOOL_SECTIONS: [&str; 4] = ["deploy", "deploy.nginx", "deploy.dns", "deploy.backup"];

/// The keys of a section, in order of first appearance.
pub(super) type Settings = IndexMap<String, Setting>;

/// A host's file after inheritance; each value keeps the line it was written on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Every section but `[DEFAULT]`, which is applied.
    pub(super) sections: IndexMap<String, Settings>,
}

impl Resolved {
    /// Reads a file and all that it extends.
    ///
    /// # Errors
    /// Returns the faults of the first file that has any, a cycle or a missing
    /// file; then unknown sections of the tool's and keys that `unset` does not find.
    pub(super) fn read(files: &impl FileSource, path: &Path) -> Result<Self, ConfigError> {
        let chain = read_chain(files, path)?;
        let mut faults = Vec::new();
        let mut sections = IndexMap::<String, Settings>::new();
        for file in chain.into_iter().rev() {
            unset_keys(&file, &mut sections, &mut faults);
            check_sections(&file, &mut faults);
            check_characters(&file, &mut faults);
            for (name, section) in file.sections {
                sections.entry(name).or_default().extend(section.settings);
            }
        }
        apply_default(&mut sections);
        ConfigError::unless_empty(faults, Self { sections })
    }

    /// Takes a section out; empty where it was not written.
    pub(super) fn take(&mut self, section: &str) -> Settings {
        self.sections.shift_remove(section).unwrap_or_default()
    }
}

/// Reads a file, then what it extends, and so on.
fn read_chain(files: &impl FileSource, path: &Path) -> Result<Vec<HostFile>, ConfigError> {
    let mut chain = vec![read_file(files, path)?];
    while let Some((written, next)) = chain.last().map(extended).transpose()?.flatten() {
        if let Some(start) = chain.iter().position(|file| file.path == next) {
            let cycle = chain[start..].iter().map(|file| &file.path).chain([&next]);
            let cycle = cycle.map(|path| path.display().to_string()).collect::<Vec<_>>();
            let message = format!("the files extend each other: {}", cycle.join(" -> "));
            return Err(SourceError::new(&written.origin, message)
                .with_hint("remove one of these `extends`")
                .into());
        }
        let Some(file) = read_optional(files, &next)? else {
            let message = format!("`{}` does not exist", next.display());
            return Err(SourceError::new(&written.origin, message)
                .with_hint("the path of `extends` is relative to the file that it stands in")
                .into());
        };
        chain.push(file);
    }
    Ok(chain)
}

fn read_file(files: &impl FileSource, path: &Path) -> Result<HostFile, ConfigError> {
    read_optional(files, path)?.ok_or_else(|| {
        SourceError::of_file(path, "there is no such file")
            .with_hint("a host has one file, named exactly as the host: `<hostname>.conf`")
            .into()
    })
}

fn read_optional(files: &impl FileSource, path: &Path) -> Result<Option<HostFile>, ConfigError> {
    let content = files
        .read(path)
        .map_err(|error| SourceError::of_file(path, format!("failed to read: {error}")))?;
    content.map(|content| HostFile::parse(path, &content)).transpose()
}

/// Returns what a file extends, as it is written and as a path of the repository.
fn extended(file: &HostFile) -> Result<Option<(Setting, PathBuf)>, SourceError> {
    let in_section =
        file.sections.get("deploy").and_then(|section| section.settings.get("extends"));
    if let (Some(first), Some(second)) = (&file.extends, in_section) {
        let message = "`extends` is written twice";
        let hint = format!("remove this line or line {}", first.origin.line);
        return Err(SourceError::new(&second.origin, message).with_hint(hint));
    }
    let Some(setting) = file.extends.as_ref().or(in_section) else { return Ok(None) };
    let path = Some(&setting.value)
        .filter(|written| !written.is_empty() && !written.contains(['\n', '{', '$']))
        .and_then(|written| relative_path(&file.path, written));
    match path {
        Some(path) => Ok(Some((setting.clone(), path))),
        None => Err(SourceError::new(
            &setting.origin,
            format!("`{}` is no path inside the repository", setting.value),
        )
        .with_hint("write a path relative to this file, such as `extends = ../base.conf`")),
    }
}

/// Removes what a file does not want to inherit.
fn unset_keys(
    file: &HostFile,
    inherited: &mut IndexMap<String, Settings>,
    faults: &mut Vec<SourceError>,
) {
    let unset = file.sections.get("deploy").and_then(|section| section.settings.get("unset"));
    let Some(unset) = unset else { return };
    for key in list(&unset.value) {
        let key = key.to_lowercase();
        let mut found = false;
        for name in ["options", DEFAULT_SECTION] {
            if let Some(section) = inherited.get_mut(name) {
                found |= section.shift_remove(&key).is_some();
            }
        }
        if !found {
            let known = inherited.get("options").into_iter().flat_map(IndexMap::keys);
            let message = format!("no file above this one sets `{key}` in `[options]`");
            faults.push(
                SourceError::new(&unset.origin, message)
                    .with_optional_hint(did_you_mean(&key, known.map(String::as_str))),
            );
        }
    }
}

fn check_sections(file: &HostFile, faults: &mut Vec<SourceError>) {
    for (name, section) in &file.sections {
        let lower = name.trim().to_lowercase();
        if TOOL_SECTIONS.contains(&name.as_str()) || name == "options" || name == DEFAULT_SECTION {
            continue;
        }
        let known = TOOL_SECTIONS.into_iter().chain(["options"]);
        if lower == "deploy"
            || lower.starts_with("deploy.")
            || nearest(&lower, known.clone()).is_some()
        {
            let near = did_you_mean(&lower, known).unwrap_or_else(|| {
                format!("the tool's sections are `[{}]`", TOOL_SECTIONS.join("]`, `["))
            });
            let message = format!("`[{name}]` is not a section that Odoo or this tool reads");
            faults.push(SourceError::new(&section.origin, message).with_hint(near));
        }
    }
}

/// Refuses characters that Odoo would carry on, and that no one can see in the file.
fn check_characters(file: &HostFile, faults: &mut Vec<SourceError>) {
    let hidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    for (key, setting) in file.sections.values().flat_map(|section| &section.settings) {
        if key.contains(hidden) || setting.value.contains(hidden) {
            let message = "this setting holds a control character";
            faults.push(SourceError::new(&setting.origin, message).with_hint("type it again"));
        }
    }
}

/// Gives the keys of `[DEFAULT]` to the sections that Odoo reads, as Python does.
fn apply_default(sections: &mut IndexMap<String, Settings>) {
    let Some(default) = sections.shift_remove(DEFAULT_SECTION) else { return };
    for (name, section) in sections {
        if !TOOL_SECTIONS.contains(&name.as_str()) {
            let mut all = default.clone();
            all.extend(std::mem::take(section));
            *section = all;
        }
    }
}

/// Splits a list at commas and line ends; empty entries are left out.
pub(super) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolve(files: &[(&str, &str)]) -> Result<Resolved, ConfigError> {
        let all = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
            .collect::<BTreeMap<_, _>>();
        Resolved::read(&all, Path::new(files[0].0))
    }

    fn fault(files: &[(&str, &str)]) -> String {
        resolve(files).unwrap_err().to_string()
    }

    #[test]
    fn a_child_overrides_key_by_key_and_each_value_keeps_its_line() {
        let resolved = resolve(&[
            ("c/h/a.conf", "extends = ../b.conf\n[options]\nworkers = 4\n[queue_job]\nc = 2\n"),
            ("c/b.conf", "[deploy]\nextends = z/r.conf\n[options]\nworkers = 2\nlist_db = False\n"),
            ("c/z/r.conf", "[options]\nproxy_mode = True\n[queue_job]\nc = 1\nd = 1\n"),
        ])
        .unwrap();
        let at = |section: &str, key: &str| {
            let setting = &resolved.sections[section][key];
            format!("{} {}", setting.value, setting.origin)
        };
        assert_eq!(at("options", "workers"), "4 c/h/a.conf:3");
        assert_eq!(at("options", "list_db"), "False c/b.conf:5");
        assert_eq!(at("options", "proxy_mode"), "True c/z/r.conf:2");
        assert_eq!(at("queue_job", "c"), "2 c/h/a.conf:5");
        assert_eq!(at("queue_job", "d"), "1 c/z/r.conf:5");
    }

    #[test]
    fn a_cycle_names_the_chain() {
        let text = fault(&[
            ("a.conf", "extends = b.conf\n"),
            ("b.conf", "[deploy]\nextends = c.conf\n"),
            ("c.conf", "extends = b.conf\n"),
        ]);
        assert_eq!(text, "c.conf:1: the files extend each other: b.conf -> c.conf -> b.conf");
    }

    #[test]
    fn extends_stays_inside_the_repository() {
        for path in ["../x.conf", "/etc/odoo.conf", "", "${X}", "{{x}}"] {
            let text = fault(&[("a.conf", &format!("extends = {path}\n[options]\n"))]);
            assert!(text.contains("no path inside the repository"), "{text}");
        }
        assert!(fault(&[("a.conf", "extends = b.conf\n")]).contains("does not exist"));
        let twice = "extends = b.conf\n[deploy]\nextends = b.conf\n";
        assert!(fault(&[("a.conf", twice), ("b.conf", "")]).contains("written twice"));
    }

    #[test]
    fn unset_removes_what_is_inherited_and_nothing_else() {
        let base = ("b.conf", "[options]\ndb_host = x\nlogfile = /y\n");
        let child =
            "extends = b.conf\n[options]\nlogfile = /z\n[deploy]\nunset = db_host, logfile\n";
        let resolved = resolve(&[("a.conf", child), base]).unwrap();
        assert!(!resolved.sections["options"].contains_key("db_host"));
        assert_eq!(resolved.sections["options"]["logfile"].value, "/z");
        let error = resolve(&[("a.conf", "extends = b.conf\n[deploy]\nunset = dbhost\n"), base]);
        let error = error.unwrap_err();
        assert_eq!(error.faults().next().unwrap().hint.as_deref(), Some("did you mean `db_host`?"));
    }

    #[test]
    fn a_control_character_is_refused() {
        assert!(fault(&[("a.conf", "[options]\na = b\u{1b}c\n")]).contains("control character"));
        assert!(resolve(&[("a.conf", "[options]\na = b\tc\n  d\n")]).is_ok());
    }

    #[test]
    fn default_keys_reach_odoos_sections_only() {
        let text = "[DEFAULT]\nworkers = 7\nx = 1\n[options]\nx = 2\n[deploy]\nserver = s\n";
        let resolved = resolve(&[("a.conf", text)]).unwrap();
        assert_eq!(resolved.sections["options"]["workers"].value, "7");
        assert_eq!(resolved.sections["options"]["x"].value, "2");
        assert_eq!(resolved.sections["deploy"].len(), 1);
    }

    #[test]
    fn a_mistyped_section_is_no_foreign_section() {
        for name in ["deploy.ngnix", "Deploy", "deploy.other", "option", "Options", "optoins"] {
            let text = fault(&[("a.conf", &format!("[{name}]\na = 1\n"))]);
            assert!(text.contains("not a section"), "{name}: {text}");
        }
        assert!(resolve(&[("a.conf", "[queue_job]\na = 1\n")]).is_ok());
    }
}
