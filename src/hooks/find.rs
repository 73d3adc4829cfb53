//! Finds a hook in the operator's working tree. Does I/O.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{Hook, HookError};

/// Finds the program of a hook; none where there is none. A file that is there and could
/// not run is an error: what somebody relies on is not left out silently.
///
/// # Errors
/// Fails where the file is no program, or one outside the repository.
pub fn find(root: &Path, hook: Hook) -> Result<Option<PathBuf>, HookError> {
    let path = root.join(hook.path());
    let read = |source| HookError::Read { hook, source };
    match fs::symlink_metadata(&path) {
        Ok(_) => {}
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(read(error)),
    }
    let real = path.canonicalize().map_err(read)?;
    if !real.starts_with(root.canonicalize().map_err(read)?) {
        return Err(HookError::Outside(hook));
    }
    let found = fs::metadata(&real).map_err(read)?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(HookError::NotExecutable(hook));
    }
    Ok(Some(real))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir_all(directory.path().join("root/deployment/hooks")).unwrap();
            Self(directory)
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("root")
        }

        fn file(&self, path: &str, mode: u32) -> PathBuf {
            let path = self.0.path().join(path);
            fs::File::create(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }

        fn hook(&self) -> PathBuf {
            self.root().join("deployment/hooks/before-plan")
        }

        fn found(&self) -> Result<Option<PathBuf>, HookError> {
            find(&self.root(), Hook::BeforePlan)
        }
    }

    #[test]
    fn a_hook_that_is_not_there_is_none() {
        assert!(Repository::new().found().unwrap().is_none());
        let empty = tempfile::tempdir().unwrap();
        assert!(find(empty.path(), Hook::AfterDeploy).unwrap().is_none());
    }

    #[test]
    fn a_file_that_may_not_be_executed_is_said_and_not_left_out() {
        let repository = Repository::new();
        repository.file("root/deployment/hooks/before-plan", 0o644);
        let error = repository.found().unwrap_err();
        assert_eq!(error.to_string(), "hook `before-plan` is no file that may be executed");
        assert!(error.hint().starts_with("`chmod +x deployment/hooks/before-plan`"));
        let directory = Repository::new();
        fs::create_dir(directory.hook()).unwrap();
        assert!(matches!(directory.found(), Err(HookError::NotExecutable(_))));
    }

    #[test]
    fn a_link_stays_in_the_repository() {
        let repository = Repository::new();
        let inside = repository.file("root/check", 0o755);
        symlink("../../check", repository.hook()).unwrap();
        assert_eq!(repository.found().unwrap(), Some(inside.canonicalize().unwrap()));

        let repository = Repository::new();
        let outside = repository.file("check", 0o755);
        symlink(outside, repository.hook()).unwrap();
        assert!(matches!(repository.found(), Err(HookError::Outside(_))));

        let repository = Repository::new();
        fs::remove_dir(repository.root().join("deployment/hooks")).unwrap();
        fs::create_dir(repository.0.path().join("elsewhere")).unwrap();
        repository.file("elsewhere/before-plan", 0o755);
        symlink("../../elsewhere", repository.root().join("deployment/hooks")).unwrap();
        assert!(matches!(repository.found(), Err(HookError::Outside(_))), "nor by its directory");

        let repository = Repository::new();
        symlink("nowhere", repository.hook()).unwrap();
        assert!(matches!(repository.found(), Err(HookError::Read { .. })));
    }
}
