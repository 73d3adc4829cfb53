//! `requirements` of `[deploy]`: where the addons' Python packages are listed.

use std::path::{Component, Path, PathBuf};

use super::{reader::Reader, resolve::Settings};

/// The file that counts where nothing is written.
pub const REQUIREMENTS: &str = "requirements.txt";

/// Which file of the repository lists the addons' Python packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Requirements {
    /// `requirements.txt` at the root, where the commit has one.
    #[default]
    IfPresent,
    /// None: Odoo runs under the server's interpreter.
    None,
    /// This one, which has to be there; relative to the root.
    File(PathBuf),
}

pub(super) fn read(reader: &mut Reader<'_>, deploy: &Settings) -> Requirements {
    reader.parsed(deploy, "requirements", parse).unwrap_or_default()
}

fn parse(text: &str) -> Result<Requirements, String> {
    match text {
        "" => return Ok(Requirements::IfPresent),
        "False" | "false" | "None" => return Ok(Requirements::None),
        _ => {}
    }
    let path = Path::new(text);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if stays && !text.chars().any(char::is_control) {
        return Ok(Requirements::File(path.to_owned()));
    }
    Err(format!("`{text}` is no file of the repository: write a path relative to its root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stays_in_the_repository() {
        assert_eq!(parse("False"), Ok(Requirements::None));
        assert_eq!(parse("python/all.txt"), Ok(Requirements::File("python/all.txt".into())));
        for bad in ["/etc/passwd", "../x", "a/../../x", "./x"] {
            assert!(parse(bad).is_err() || bad == "./x", "{bad}");
        }
    }
}
