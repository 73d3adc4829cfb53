//! Reading Git and manifests against the real programs, `git` and `python3`.

mod literals;
