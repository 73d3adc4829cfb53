//! `tls` and what belongs to it in `[deploy.nginx]`.

use super::{
    Tls,
    reader::{Reader, parse_server_path},
    resolve::Settings,
};

/// What the key `tls` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Files,
    LetsEncrypt,
    CloudflareOrigin,
}

/// Reads where the certificate comes from.
pub(super) fn read_tls(reader: &mut Reader<'_>, nginx: &Settings, enabled: bool) -> Tls {
    let certificate = reader.parsed(nginx, "certificate", parse_server_path);
    let key = reader.parsed(nginx, "certificate_key", parse_server_path);
    let word = reader.parsed(nginx, "tls", parse_word);
    if !enabled && matches!(word, Some(Word::LetsEncrypt | Word::CloudflareOrigin)) {
        refuse_without_vhost(reader, nginx);
    }
    match (word, certificate, key) {
        (Some(Word::LetsEncrypt), ..) => Tls::LetsEncrypt,
        (Some(Word::CloudflareOrigin), ..) => Tls::CloudflareOrigin,
        (Some(Word::None), ..) | (None, None, None) => Tls::None,
        (_, Some(certificate), Some(key)) => Tls::Files { certificate, key },
        _ => {
            let present = ["tls", "certificate", "certificate_key"].map(|key| nginx.get(key));
            let origin = present.into_iter().flatten().next().map(|setting| setting.origin.clone());
            reader.fault(
                &origin.unwrap_or_else(|| reader.file.clone()),
                "a vhost with TLS needs `certificate` and `certificate_key`".to_owned(),
                Some("write both as absolute paths on the server, or `tls = none`"),
            );
            Tls::None
        }
    }
}

fn parse_word(text: &str) -> Result<Word, String> {
    match text {
        "none" => Ok(Word::None),
        "files" => Ok(Word::Files),
        "letsencrypt" => Ok(Word::LetsEncrypt),
        "cloudflare-origin" => Ok(Word::CloudflareOrigin),
        other => Err(format!(
            "`{other}` is none of `letsencrypt`, `cloudflare-origin`, `files` and `none`"
        )),
    }
}

/// A host that inherits `tls` and does without a vhost is right; one that says both is not.
fn refuse_without_vhost(reader: &mut Reader<'_>, nginx: &Settings) {
    let (Some(tls), Some(enabled)) = (nginx.get("tls"), nginx.get("enabled")) else { return };
    if tls.origin.file == enabled.origin.file {
        reader.fault(
            &tls.origin,
            format!("no certificate is obtained as `{}`: the tool writes no vhost", tls.value),
            Some("remove `enabled = False`, or this line"),
        );
    }
}
