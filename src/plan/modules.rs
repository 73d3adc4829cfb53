//! Decides for each module whether a database must be upgraded for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{observed::SeenAddon, python::CodeChange};
use crate::{
    host::ModuleName,
    odoo::Manifest,
    source::{Addon, CommitId, FileChange, Signature},
};

/// What changed in an addon between what a database last saw and what is to
/// be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleDiff {
    /// The manifest that the database last saw; none where it cannot be told.
    pub old_manifest: Option<Manifest>,
    /// The files, relative to the addon.
    pub files: Vec<FileChange>,
    /// What changed in Python files, by file relative to the addon.
    pub python: BTreeMap<PathBuf, CodeChange>,
}

/// The diffs of a run, by the commit a database last saw and the module.
pub type ModuleDiffs = BTreeMap<(CommitId, ModuleName), ModuleDiff>;

/// What a module's change asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// A new process; the database has nothing to learn.
    Process,
    /// `-u`, for these reasons.
    Upgrade(Vec<String>),
}

/// Tells whether a database has anything to learn of an addon: its reduced
/// tree, or a translation into a language that is active there, is another.
#[must_use]
pub fn differs(seen: &Signature, wanted: &Signature, languages: &BTreeSet<String>) -> bool {
    seen.tree != wanted.tree || translates_anew(seen, wanted, languages)
}

/// Tells whether a translation into an active language is another.
pub(super) fn translates_anew(
    seen: &Signature,
    wanted: &Signature,
    languages: &BTreeSet<String>,
) -> bool {
    translations(wanted, seen).any(|path| is_active(Path::new(path), languages))
}

/// Judges one module of one database.
#[must_use]
pub(super) fn judge(
    seen: &SeenAddon,
    addon: &Addon,
    languages: &BTreeSet<String>,
    diffs: &ModuleDiffs,
) -> Need {
    if !differs(&seen.signature, &addon.signature, languages) {
        return Need::Nothing;
    }
    let Some(diff) = diffs.get(&(seen.commit, addon.name.clone())) else {
        let commit = seen.commit.short();
        return Need::Upgrade(vec![format!("its content differs from commit {commit}")]);
    };
    let mut need = Need::Nothing;
    for change in &diff.files {
        need = need.and(judge_file(change, diff, addon, languages));
    }
    need
}

impl Need {
    /// Joins two needs: the greater one counts, reasons add up.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Upgrade(mut reasons), Self::Upgrade(more)) => {
                reasons.extend(more);
                Self::Upgrade(reasons)
            }
            (upgrade @ Self::Upgrade(_), _) | (_, upgrade @ Self::Upgrade(_)) => upgrade,
            (Self::Process, _) | (_, Self::Process) => Self::Process,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

fn judge_file(
    change: &FileChange,
    diff: &ModuleDiff,
    addon: &Addon,
    languages: &BTreeSet<String>,
) -> Need {
    let path = change.path.as_path();
    let name = path.display();
    let upgrade = |reason: String| Need::Upgrade(vec![reason]);
    let verb = match (change.old, change.new) {
        (None, _) => "is new",
        (_, None) => "is gone",
        _ => "changed",
    };
    if is_unseen(path) {
        return Need::Nothing;
    }
    if is_below(path, "static") {
        return Need::Process;
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("po") if is_active(path, languages) => upgrade(format!("{name} {verb}")),
        Some("po") => Need::Nothing,
        _ if path == Path::new("__manifest__.py") => match &diff.old_manifest {
            Some(old) if old.fingerprint == addon.manifest.fingerprint => Need::Nothing,
            Some(old) => upgrade(manifest_reason(old, &addon.manifest)),
            None => upgrade(format!("{name} {verb}")),
        },
        Some("py") if is_below(path, "migrations") || is_below(path, "upgrades") => {
            upgrade(format!("{name} {verb}"))
        }
        Some("py") => match diff.python.get(path) {
            Some(CodeChange::Same) => Need::Nothing,
            Some(CodeChange::Bodies) => Need::Process,
            Some(CodeChange::Structure { reason }) => upgrade(format!("{name}: {reason}")),
            None => upgrade(format!("{name} {verb}")),
        },
        _ => upgrade(format!("{name} {verb}")),
    }
}

/// Tells whether neither a process nor a database ever reads the file.
pub(super) fn is_unseen(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // Further down, `history.py` is a model like any other.
    let is_at_top = path.components().count() == 1;
    let word = name.split('.').next().unwrap_or_default().to_uppercase();
    let documentation = is_at_top
        && !name.ends_with(".py")
        && ["README", "CHANGELOG", "CHANGES", "HISTORY", "LICENSE", "COPYING"]
            .contains(&word.as_str());
    let extension = path.extension().and_then(|extension| extension.to_str());
    documentation
        || matches!(extension, Some("md" | "rst" | "pot"))
        || ["tests", "doc", "docs", "readme"].iter().any(|part| is_below(path, part))
        || (path.starts_with("static/description") && word != "ICON")
        || name.starts_with(".git")
        || matches!(name, ".editorconfig" | ".pylintrc" | ".flake8" | ".pre-commit-config.yaml")
}

/// Tells whether the first part of a path is the given directory.
fn is_below(path: &Path, directory: &str) -> bool {
    path.starts_with(directory) && path != Path::new(directory)
}

/// Tells whether a translation is of an active language: `es.po` serves `es`
/// and `es_MX`, `es_MX.po` serves `es_MX` (Odoo loads both, the general one first).
fn is_active(path: &Path, languages: &BTreeSet<String>) -> bool {
    let Some(language) = path.file_stem().and_then(|stem| stem.to_str()) else { return false };
    languages
        .iter()
        .any(|active| active == language || active.split(['_', '@']).next() == Some(language))
}

fn translations<'a>(one: &'a Signature, other: &'a Signature) -> impl Iterator<Item = &'a String> {
    let changed = |a: &'a Signature, b: &'a Signature| {
        a.translations.iter().filter(|(path, blob)| b.translations.get(*path) != Some(blob))
    };
    changed(one, other).chain(changed(other, one)).map(|(path, _)| path)
}

fn manifest_reason(old: &Manifest, new: &Manifest) -> String {
    if old.depends != new.depends {
        let added = difference(&new.depends, &old.depends);
        let removed = difference(&old.depends, &new.depends);
        return match (added.is_empty(), removed.is_empty()) {
            (false, true) => format!("now depends on {}", added.join(", ")),
            (true, false) => format!("no longer depends on {}", removed.join(", ")),
            _ => "its dependencies changed".into(),
        };
    }
    if old.version != new.version {
        return format!("version {} → {}", old.version, new.version);
    }
    "__manifest__.py changed".into()
}

fn difference(one: &[ModuleName], other: &[ModuleName]) -> Vec<String> {
    one.iter().filter(|name| !other.contains(name)).map(ToString::to_string).collect()
}

/// Returns every installed module that depends on one of the given, directly
/// or not: `-u` reaches them too.
#[must_use]
pub(super) fn dependents(
    roots: &BTreeSet<ModuleName>,
    modules: &BTreeMap<ModuleName, super::InstalledModule>,
) -> BTreeSet<ModuleName> {
    let mut reached = roots.clone();
    loop {
        let more: Vec<_> = modules
            .iter()
            .filter(|(name, module)| {
                module.is_installed()
                    && !reached.contains(*name)
                    && module.depends.iter().any(|needed| reached.contains(needed))
            })
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        reached.extend(more);
    }
    reached.difference(roots).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::InstalledModule;
    use crate::source::{BlobId, TreeId};

    fn module(name: &str) -> ModuleName {
        ModuleName::parse(name).unwrap()
    }

    fn manifest(version: &str, depends: &[&str]) -> Manifest {
        Manifest {
            version: version.into(),
            depends: depends.iter().map(|name| module(name)).collect(),
            installable: true,
            hooks: Vec::new(),
            python_dependencies: Vec::new(),
            fingerprint: format!("{version}{depends:?}"),
        }
    }

    fn signature(tree: u8, translations: &[(&str, u8)]) -> Signature {
        Signature {
            tree: TreeId::from_bytes([tree; 20]),
            translations: translations
                .iter()
                .map(|(path, blob)| ((*path).into(), BlobId::from_bytes([*blob; 20])))
                .collect(),
        }
    }

    fn addon(signature: Signature) -> Addon {
        Addon {
            name: module("taller"),
            path: "custom-addons/taller".into(),
            tree: TreeId::from_bytes([9; 20]),
            signature,
            manifest: manifest("1.0", &["base"]),
        }
    }

    const COMMIT: CommitId = CommitId::from_bytes([7; 20]);

    fn languages() -> BTreeSet<String> {
        ["en_US".to_owned(), "es_MX".to_owned()].into()
    }

    fn judge_files(files: &[&str], python: &[(&str, CodeChange)]) -> Need {
        let change = |path: &&str| FileChange {
            path: path.into(),
            old: Some(BlobId::from_bytes([1; 20])),
            new: Some(BlobId::from_bytes([2; 20])),
        };
        let diff = ModuleDiff {
            old_manifest: Some(manifest("1.0", &["base"])),
            files: files.iter().map(change).collect(),
            python: python.iter().map(|(path, change)| (path.into(), change.clone())).collect(),
        };
        let seen = SeenAddon { signature: signature(1, &[]), commit: COMMIT };
        let diffs = BTreeMap::from([((COMMIT, module("taller")), diff)]);
        judge(&seen, &addon(signature(2, &[])), &languages(), &diffs)
    }

    #[test]
    fn a_changed_body_needs_a_process_only() {
        let bodies = [("models/order.py", CodeChange::Bodies)];
        assert_eq!(judge_files(&["models/order.py"], &bodies), Need::Process);
    }

    #[test]
    fn only_documentation_goes_unseen() {
        let unseen = |path: &str| is_unseen(Path::new(path));
        for path in ["README.rst", "LICENSE", "CHANGELOG.md", "tests/test_a.py", "i18n/a.pot"] {
            assert!(unseen(path), "{path}");
        }
        for path in
            ["history.py", "models/history.py", "views/license.xml", "static/description/icon.png"]
        {
            assert!(!unseen(path), "{path}");
        }
    }

    #[test]
    fn a_changed_field_view_data_file_or_migration_needs_an_upgrade() {
        let structure =
            [("models/order.py", CodeChange::Structure { reason: "field `x` is new".into() })];
        assert_eq!(
            judge_files(&["models/order.py"], &structure),
            Need::Upgrade(vec!["models/order.py: field `x` is new".into()])
        );
        for file in
            ["views/order.xml", "data/x.csv", "migrations/19.0.1.1/post.py", "models/new.py"]
        {
            assert!(matches!(judge_files(&[file], &[]), Need::Upgrade(_)), "{file}");
        }
    }

    #[test]
    fn tests_and_documentation_need_nothing_and_static_files_a_process() {
        assert_eq!(judge_files(&["tests/test_order.py", "README.md"], &[]), Need::Nothing);
        assert_eq!(judge_files(&["static/src/app.js"], &[]), Need::Process);
        assert_eq!(judge_files(&["static/src/app.xml"], &[]), Need::Process);
        assert_eq!(judge_files(&["static/description/icon.png"], &[]), Need::Process);
        assert_eq!(judge_files(&["static/description/index.html"], &[]), Need::Nothing);
    }

    #[test]
    fn a_comment_in_the_manifest_needs_nothing() {
        assert_eq!(judge_files(&["__manifest__.py"], &[]), Need::Nothing);
    }

    #[test]
    fn a_translation_counts_where_its_language_is_active() {
        let seen = signature(1, &[("i18n/es.po", 1), ("i18n/fr.po", 1)]);
        assert!(!differs(&seen, &seen, &languages()));
        let french = signature(1, &[("i18n/es.po", 1), ("i18n/fr.po", 2)]);
        assert!(!differs(&seen, &french, &languages()));
        let spanish = signature(1, &[("i18n/es.po", 2), ("i18n/fr.po", 1)]);
        assert!(differs(&seen, &spanish, &languages()));
        assert!(matches!(judge_files(&["i18n/es.po"], &[]), Need::Upgrade(_)));
        assert!(matches!(judge_files(&["i18n/es_MX.po"], &[]), Need::Upgrade(_)));
        assert_eq!(judge_files(&["i18n/es_AR.po", "i18n/fr.po"], &[]), Need::Nothing);
    }

    #[test]
    fn content_of_an_unknown_commit_needs_an_upgrade() {
        let seen = SeenAddon { signature: signature(1, &[]), commit: COMMIT };
        let need = judge(&seen, &addon(signature(2, &[])), &languages(), &BTreeMap::new());
        assert!(matches!(need, Need::Upgrade(_)));
    }

    #[test]
    fn dependents_are_followed_to_the_end() {
        let installed = |depends: &[&str]| InstalledModule {
            state: "installed".into(),
            version: None,
            depends: depends.iter().map(|name| module(name)).collect(),
        };
        let modules = BTreeMap::from([
            (module("a"), installed(&["base"])),
            (module("b"), installed(&["a"])),
            (module("c"), installed(&["b"])),
            (module("d"), InstalledModule { state: "uninstalled".into(), ..installed(&["a"]) }),
        ]);
        let reached = dependents(&[module("a")].into(), &modules);
        assert_eq!(reached, [module("b"), module("c")].into());
    }
}
