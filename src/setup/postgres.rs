//! How PostgreSQL is set up on a machine of a given size, beside Odoo.

use super::{step::ConfigFile, texts};

const MEGABYTE: u64 = 1 << 20;

/// Settings for so much memory and so many processors.
///
/// Half of the memory is for PostgreSQL and the cache of its files, half for Odoo. Where the
/// present settings were made for about the same memory, that is taken again: a new kernel keeps
/// some pages more or less for itself.
pub(super) fn settings(version: u32, memory: u64, cpus: u32, present: Option<&str>) -> ConfigFile {
    let memory = memory / MEGABYTE / 64 * 64;
    let before = present.and_then(sized_for);
    let memory = before.filter(|before| before.abs_diff(memory) * 10 <= memory).unwrap_or(memory);
    let shared_buffers = (memory / 4).clamp(64, 8192);
    let cache = (memory / 2).max(128);
    // 100 for a small machine; each further gigabyte carries some workers more.
    let connections = (100 + memory / 1024 * 10).min(400);
    let work_mem = (memory / connections / 4).clamp(4, 64);
    let maintenance = (memory / 16).clamp(64, 1024);
    let parallel = (cpus / 2).max(1);
    let text = format!(
        "{head}# For {memory} MB of memory and {cpus} processors, which Odoo shares.\n\
         max_connections = {connections}\nshared_buffers = {shared_buffers}MB\n\
         effective_cache_size = {cache}MB\nwork_mem = {work_mem}MB\n\
         maintenance_work_mem = {maintenance}MB\nmax_worker_processes = {processes}\n\
         max_parallel_workers = {cpus}\nmax_parallel_workers_per_gather = {parallel}\n\
         max_parallel_maintenance_workers = {parallel}\nmin_wal_size = 256MB\n\
         max_wal_size = 2GB\ncheckpoint_completion_target = 0.9\nwal_compression = on\n\
         random_page_cost = 1.1\neffective_io_concurrency = 100\n",
        head = texts::head(),
        processes = cpus.max(8),
    );
    ConfigFile { path: texts::postgres_path(version), text, mode: 0o644 }
}

/// Reads the memory, in megabytes, that settings were made for.
fn sized_for(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("# For "))?;
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIGABYTE: u64 = 1 << 30;

    fn value<'a>(file: &'a ConfigFile, key: &str) -> &'a str {
        let mut lines = file.text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).unwrap()
    }

    #[test]
    fn settings_grow_with_the_machine_and_stay_within_it() {
        let small = settings(17, GIGABYTE, 1, None);
        assert_eq!(value(&small, "shared_buffers"), "256MB");
        assert_eq!(value(&small, "max_connections"), "110");
        let large = settings(17, 64 * GIGABYTE, 16, None);
        assert_eq!(value(&large, "shared_buffers"), "8192MB");
        assert_eq!(value(&large, "max_connections"), "400");
        assert_eq!(value(&large, "max_parallel_workers_per_gather"), "8");
        assert_eq!(large.path.to_str(), Some("/etc/postgresql/17/main/conf.d/odoo-deploy.conf"));
    }

    #[test]
    fn a_few_megabytes_more_or_less_are_no_other_machine() {
        let first = settings(17, 4000 * MEGABYTE, 2, None);
        let after_an_update = settings(17, 3900 * MEGABYTE, 2, Some(&first.text));
        assert_eq!(first, after_an_update);
        let resized = settings(17, 8000 * MEGABYTE, 2, Some(&first.text));
        assert_ne!(first, resized);
        let edited = first.text.replace("work_mem = ", "work_mem = 1");
        assert_eq!(settings(17, 4000 * MEGABYTE, 2, Some(&edited)), first);
    }
}
