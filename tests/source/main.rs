//! Reading Git and manifests against the real programs, `git` and `python3`.

mod addons;
mod caches;
mod fixture;
mod literals;
mod packs;
mod repositories;
mod submodules;
