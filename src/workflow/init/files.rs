//! What a new platform repository holds.

use crate::source::{Author, NewCommit};

/// A file of a new repository: its path and what it holds.
pub(super) type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($($path:literal = $source:literal),+ $(,)?) => {
        &[$(($path, include_bytes!($source))),+]
    };
}

/// The configuration, documentation and workflow.
const PLATFORM: &[File] = files![
    ".github/actions/install-deploy/action.yml" = "platform/actions/install-deploy/action.yml",
    ".github/workflows/deploy.yml" = "platform/workflows/deploy.yml",
    ".github/workflows/plan-comment.yml" = "platform/workflows/plan-comment.yml",
    ".github/workflows/plan.yml" = "platform/workflows/plan.yml",
    ".gitignore" = "platform/gitignore",
    "README.md" = "platform/README.md",
    "config/base.conf" = "platform/config/base.conf",
    "config/deploy.toml" = "platform/config/deploy.toml",
    "config/hosts/blink.somosblink.com.conf" = "platform/config/hosts/blink.somosblink.com.conf",
    "config/hosts/corteperfecto-test.somosblink.com.conf" =
        "platform/config/hosts/corteperfecto-test.somosblink.com.conf",
    "config/hosts/corteperfecto.somosblink.com.conf" =
        "platform/config/hosts/corteperfecto.somosblink.com.conf",
    "config/hosts/demo.somosblink.com.conf" = "platform/config/hosts/demo.somosblink.com.conf",
    "config/hosts/localhost.conf" = "platform/config/hosts/localhost.conf",
    "config/templates/production.template.conf" =
        "../../../config/templates/production.template.conf",
    "config/templates/test.template.conf" = "../../../config/templates/test.template.conf",
    "custom-addons/README.md" = "platform/custom-addons/README.md",
    "docs/host-environment-map.md" = "platform/docs/host-environment-map.md",
];

/// The demonstration's host, which installs its modules and runs as the user that Odoo's
/// package brings, in place of the sample.
const DEMO_HOST: &[File] =
    files!["config/hosts/demo.somosblink.com.conf" = "demo/demo.somosblink.com.conf",];

/// A commit of the demonstration's history.
struct DemoCommit {
    message: &'static str,
    at: &'static str,
    files: &'static [File],
}

const DEMO: &[DemoCommit] = &[
    DemoCommit {
        message: "[ADD] taller_reparaciones: repair orders from reception to delivery\n",
        at: "2025-11-03T09:12:00Z",
        files: files![
            "custom-addons/taller_reparaciones/__init__.py" =
                "demo/taller_reparaciones/__init__.py",
            "custom-addons/taller_reparaciones/__manifest__.py" = "demo/earlier/1/__manifest__.py",
            "custom-addons/taller_reparaciones/models/__init__.py" =
                "demo/taller_reparaciones/models/__init__.py",
            "custom-addons/taller_reparaciones/models/repair_order.py" =
                "demo/earlier/1/repair_order.py",
            "custom-addons/taller_reparaciones/security/ir.model.access.csv" =
                "demo/taller_reparaciones/security/ir.model.access.csv",
            "custom-addons/taller_reparaciones/security/taller_security.xml" =
                "demo/taller_reparaciones/security/taller_security.xml",
            "custom-addons/taller_reparaciones/static/description/icon.png" =
                "demo/taller_reparaciones/static/description/icon.png",
            "custom-addons/taller_reparaciones/static/description/index.html" =
                "demo/taller_reparaciones/static/description/index.html",
            "custom-addons/taller_reparaciones/views/repair_order_views.xml" =
                "demo/taller_reparaciones/views/repair_order_views.xml",
            "custom-addons/taller_reparaciones/views/taller_menus.xml" =
                "demo/taller_reparaciones/views/taller_menus.xml",
        ],
    },
    DemoCommit {
        message: "[IMP] taller_reparaciones: number the orders by a sequence\n",
        at: "2025-11-05T16:40:00Z",
        files: files![
            "custom-addons/taller_reparaciones/__manifest__.py" = "demo/earlier/2/__manifest__.py",
            "custom-addons/taller_reparaciones/data/ir_sequence_data.xml" =
                "demo/taller_reparaciones/data/ir_sequence_data.xml",
            "custom-addons/taller_reparaciones/models/repair_order.py" =
                "demo/earlier/2/repair_order.py",
        ],
    },
    DemoCommit {
        message: "[I18N] taller_reparaciones: Spanish\n",
        at: "2025-11-10T08:05:00Z",
        files: files![
            "custom-addons/taller_reparaciones/i18n/es.po" = "demo/taller_reparaciones/i18n/es.po",
        ],
    },
    DemoCommit {
        message: "[IMP] taller_reparaciones: archive old deliveries every day\n",
        at: "2025-11-18T11:27:00Z",
        files: files![
            "custom-addons/taller_reparaciones/__manifest__.py" =
                "demo/taller_reparaciones/__manifest__.py",
            "custom-addons/taller_reparaciones/data/ir_cron_data.xml" =
                "demo/taller_reparaciones/data/ir_cron_data.xml",
            "custom-addons/taller_reparaciones/models/repair_order.py" =
                "demo/taller_reparaciones/models/repair_order.py",
            "custom-addons/taller_reparaciones/tests/__init__.py" =
                "demo/taller_reparaciones/tests/__init__.py",
            "custom-addons/taller_reparaciones/tests/test_repair_order.py" =
                "demo/taller_reparaciones/tests/test_repair_order.py",
        ],
    },
    DemoCommit {
        message: "[ADD] taller_portal: customers look up their repair\n",
        at: "2025-11-24T15:03:00Z",
        files: files![
            "custom-addons/taller_portal/__init__.py" = "demo/taller_portal/__init__.py",
            "custom-addons/taller_portal/__manifest__.py" = "demo/taller_portal/__manifest__.py",
            "custom-addons/taller_portal/controllers/__init__.py" =
                "demo/taller_portal/controllers/__init__.py",
            "custom-addons/taller_portal/controllers/main.py" =
                "demo/taller_portal/controllers/main.py",
            "custom-addons/taller_portal/i18n/es.po" = "demo/taller_portal/i18n/es.po",
            "custom-addons/taller_portal/static/description/icon.png" =
                "demo/taller_portal/static/description/icon.png",
            "custom-addons/taller_portal/static/description/index.html" =
                "demo/taller_portal/static/description/index.html",
            "custom-addons/taller_portal/tests/__init__.py" =
                "demo/taller_portal/tests/__init__.py",
            "custom-addons/taller_portal/tests/test_taller_portal.py" =
                "demo/taller_portal/tests/test_taller_portal.py",
            "custom-addons/taller_portal/views/taller_portal_templates.xml" =
                "demo/taller_portal/views/taller_portal_templates.xml",
        ],
    },
];

/// Returns the configuration, documentation and workflow of a new repository.
pub(super) fn platform_files(demo: bool) -> Vec<File> {
    let mut files = PLATFORM.to_vec();
    for file in DEMO_HOST.iter().filter(|_| demo) {
        files.retain(|(path, _)| *path != file.0);
        files.push(*file);
    }
    files
}

/// Returns the demonstration's files as its last commit leaves them.
pub(super) fn demo_files() -> Vec<File> {
    let mut last: Vec<File> = Vec::new();
    for file in DEMO.iter().flat_map(|commit| commit.files) {
        last.retain(|(path, _)| *path != file.0);
        last.push(*file);
    }
    last
}

/// Returns the demonstration's history, the same everywhere, of the files that `takes` accepts.
pub(super) fn demo_commits(takes: &dyn Fn(&str) -> bool) -> Vec<NewCommit> {
    let author = Author { name: "Ana Torres".into(), email: "ana.torres@taller.example".into() };
    DEMO.iter()
        .map(|commit| NewCommit {
            message: commit.message.to_owned(),
            author: author.clone(),
            at: commit.at.parse().expect("the demonstration's dates are written as RFC 3339"),
            files: owned(commit.files, takes),
        })
        .filter(|commit| !commit.files.is_empty())
        .collect()
}

/// Copies the files that `takes` accepts.
pub(super) fn owned(
    files: &[File],
    takes: &dyn Fn(&str) -> bool,
) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files
        .iter()
        .filter(|(path, _)| takes(path))
        .map(|(path, content)| (path.into(), content.to_vec()))
        .collect()
}
