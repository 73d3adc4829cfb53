//! The text of an odoo.conf that Odoo's parser reads back as it was given.

use super::RenderError;
use crate::host::HostName;

/// The sections of an odoo.conf in order, each with its keys and values in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfSections(pub Vec<(String, Vec<(String, String)>)>);

/// Writes an odoo.conf.
///
/// Python's `RawConfigParser`, which is what Odoo reads it with, returns the same sections,
/// keys and values; a value's further lines become continuation lines.
///
/// # Errors
/// Names the key (never its value) where no text could be read back as the same value: it has
/// spaces at the ends of a line, a further line that looks like a comment, or control characters.
pub fn odoo_conf(host: &HostName, sections: &ConfSections) -> Result<String, RenderError> {
    let mut text = format!("# written by odoo-deploy; edit config/hosts/{host}.conf instead\n");
    for (index, (section, keys)) in sections.0.iter().enumerate() {
        check_section(section)?;
        if sections.0[..index].iter().any(|(earlier, _)| earlier == section) {
            return Err(unwritable(section, "", "the section is there twice"));
        }
        text.push_str(&format!("\n[{section}]\n"));
        for (index, (key, value)) in keys.iter().enumerate() {
            check_key(section, key)?;
            if keys[..index].iter().any(|(earlier, _)| earlier == key) {
                return Err(unwritable(section, key, "the key is there twice"));
            }
            check_value(section, key, value)?;
            let assignment = format!("{key} = {}", value.replace('\n', "\n    "));
            for line in assignment.lines() {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
    }
    Ok(text)
}

fn check_section(section: &str) -> Result<(), RenderError> {
    if section.is_empty() || section.chars().any(|c| c.is_control() || matches!(c, '[' | ']')) {
        return Err(unwritable(section, "", "a section's name has no brackets or line breaks"));
    }
    Ok(())
}

fn check_key(section: &str, key: &str) -> Result<(), RenderError> {
    let understood = !key.is_empty()
        && is_trimmed(key)
        && !key.starts_with(['#', ';', '['])
        && !key.chars().any(|c| c.is_control() || matches!(c, '=' | ':'))
        && key == key.to_lowercase();
    if understood {
        return Ok(());
    }
    Err(unwritable(section, key, "a key is lowercase, without `=`, `:` or spaces around it"))
}

fn check_value(section: &str, key: &str, value: &str) -> Result<(), RenderError> {
    let fault = if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        "the value has control characters"
    } else if value.split('\n').any(|line| !is_trimmed(line)) {
        "the value has spaces at the start or end of a line, which Odoo strips"
    } else if value.split('\n').skip(1).any(|line| line.starts_with(['#', ';'])) {
        "a further line of the value starts with `#` or `;`, which Odoo takes for a comment"
    } else if value.ends_with('\n') {
        "the value ends with a line break, which Odoo strips"
    } else {
        return Ok(());
    };
    Err(unwritable(section, key, fault))
}

/// Tells whether Python's `str.strip` would leave the text alone; unlike Rust's `trim` it also
/// takes the separators U+001C to U+001F away.
fn is_trimmed(text: &str) -> bool {
    let strips = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    !text.starts_with(strips) && !text.ends_with(strips)
}

fn unwritable(section: &str, key: &str, fault: &'static str) -> RenderError {
    let place =
        if key.is_empty() { format!("[{section}]") } else { format!("`{key}` of [{section}]") };
    RenderError::Unwritable { place, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostName {
        HostName::parse("shop.example.com").expect("a good name")
    }

    fn options(key: &str, value: &str) -> ConfSections {
        ConfSections(vec![("options".into(), vec![(key.into(), value.into())])])
    }

    fn tricky() -> ConfSections {
        let pairs = [
            ("addons_path", "/a,\n/b/addons,\n/c"),
            ("list", "\none\n\nthree"),
            ("admin_passwd", "$pbkdf2-sha512$600000$x=/y"),
            ("db_password", "=p%d: #not;a comment"),
            ("logfile", ""),
            ("name", "Café 100 %"),
            ("quoted", "# first line may look like a comment"),
            ("like_a_section", "[x]\n[options]\nworkers = 3"),
        ];
        ConfSections(vec![
            ("options".into(), pairs.map(|(key, value)| (key.into(), value.into())).to_vec()),
            ("queue_job".into(), vec![("channels".into(), "root:2".into())]),
            ("DEFAULT".into(), vec![("workers".into(), "2".into())]),
        ])
    }

    #[test]
    fn the_text_is_plain() {
        insta::assert_snapshot!(odoo_conf(&host(), &tricky()).unwrap());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the reader is Python itself")]
    fn python_reads_back_what_was_given() {
        let script = "import configparser, json, sys\n\
            p = configparser.RawConfigParser()\n\
            p.read_string(sys.stdin.read())\n\
            sections = [*p._sections.items(), ('DEFAULT', p.defaults())]\n\
            json.dump([[s, [[k, v] for k, v in o.items()]] for s, o in sections], sys.stdout)";
        let mut python = std::process::Command::new("python3")
            .args(["-c", script])
            .env("PYTHONUTF8", "1")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let text = odoo_conf(&host(), &tricky()).unwrap();
        let mut stdin = python.stdin.take().expect("stdin is piped");
        std::io::Write::write_all(&mut stdin, text.as_bytes()).unwrap();
        drop(stdin);
        let output = python.wait_with_output().unwrap();
        let read: Vec<(String, Vec<(String, String)>)> =
            serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ConfSections(read), tricky());
    }

    #[test]
    fn what_cannot_be_read_back_is_refused_without_its_value() {
        for value in [" geheim", "geheim ", "geheim\n", "a\n#geheim", "a\n b", "geheim\r", "x\0"] {
            let error = odoo_conf(&host(), &options("db_password", value)).unwrap_err().to_string();
            assert!(error.contains("db_password") && !error.contains("geheim"), "{error}");
        }
        for key in ["", "Workers", "a=b", "a:b", "#a", "[a]", "a\nb", " a"] {
            assert!(odoo_conf(&host(), &options(key, "x")).is_err(), "{key:?}");
        }
        assert!(odoo_conf(&host(), &ConfSections(vec![("a]\nb".into(), vec![])])).is_err());
    }
}
