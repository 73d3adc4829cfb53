//! Files in pip's requirements format: which other ones they include. Pure.

use std::path::{Component, Path, PathBuf};

/// The options of a line that name another file.
const INCLUDES: [&str; 4] = ["-r", "--requirement", "-c", "--constraint"];

/// Lists the files that a requirements file includes, each relative to the repository's
/// root, as the including file is.
///
/// # Errors
/// Returns what is written where a file lies outside of the repository.
pub fn included_files(path: &Path, text: &str) -> Result<Vec<PathBuf>, String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    text.lines().filter_map(included).map(|name| within(directory, name)).collect()
}

/// Reads `-r base.txt`, `--requirement=base.txt` and the like.
fn included(line: &str) -> Option<&str> {
    let line = line.split(" #").next().unwrap_or(line).trim();
    INCLUDES.iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        let name = match option.starts_with("--") {
            true => rest.strip_prefix([' ', '=', '\t'])?,
            // pip takes `-rbase.txt`, too.
            false => rest,
        };
        Some(name.trim()).filter(|name| !name.is_empty() && !name.contains("://"))
    })
}

fn within(directory: &Path, name: &str) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for part in directory.join(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return Err(name.to_owned()),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_files_are_relative_to_the_one_that_names_them() {
        let text = "-r base.txt  # all\n--constraint=../limits.txt\n-cother.txt\nrequests>=2\n\
                    # -r no.txt\n--requirement-like x\n-r https://example.net/x.txt\n";
        let files = included_files(Path::new("python/all.txt"), text).unwrap();
        assert_eq!(files, ["python/base.txt", "limits.txt", "python/other.txt"].map(PathBuf::from));
        assert_eq!(included_files(Path::new("a.txt"), "-r ../x"), Err("../x".to_owned()));
        assert_eq!(included_files(Path::new("a.txt"), "-r /etc/x"), Err("/etc/x".to_owned()));
    }
}
