//! Reading Git and manifests against the real programs, `git` and `python3`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod addons;
mod caches;
mod fixture;
mod literals;
mod packs;
mod repositories;
mod submodules;
