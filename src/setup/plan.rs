//! Compares a machine with a wish.

use std::path::Path;

use super::{
    distribution::Distribution,
    facts::MachineFacts,
    nginx::plan_nginx,
    postgres,
    step::{ConfigFile, OdooPackage, Owner, Reader, SetupStep},
    texts,
    wish::{self, Wish},
};
use crate::{
    odoo::Series,
    plan::{FileDiff, Obstacle, unified},
    settings::OdooOrigin,
};

/// What has to be done to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetupPlan {
    /// The steps; none where the server is as it should be.
    pub steps: Vec<SetupStep>,
    /// How each file changes.
    pub diffs: Vec<FileDiff>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// What keeps the plan from being carried out.
    pub obstacles: Vec<Obstacle>,
}

/// Makes the plan: what is as it should be needs no step.
#[must_use]
pub fn plan_setup(wish: &Wish, facts: &MachineFacts) -> SetupPlan {
    let mut plan = SetupPlan::default();
    let Some(distribution) = Distribution::of(&facts.os) else {
        plan.obstacles.push(Obstacle {
            message: format!("the server runs {}, which is not known here", facts.os.name),
            hint: Some("take Debian 12 or 13, or Ubuntu 22.04 or 24.04".to_owned()),
            details: Vec::new(),
        });
        return plan;
    };
    let mut planner = Planner { wish, facts, distribution, plan };
    planner.make();
    planner.plan
}

struct Planner<'a> {
    wish: &'a Wish,
    facts: &'a MachineFacts,
    distribution: Distribution,
    plan: SetupPlan,
}

impl Planner<'_> {
    /// The order matters: what is installed later may find what is there earlier.
    fn make(&mut self) {
        self.user();
        self.packages();
        self.postgres();
        for (series, origin) in &self.wish.odoo {
            self.odoo(*series, origin);
        }
        self.nginx();
        self.configuration();
        self.units();
        self.firewall();
        self.lists();
        self.plan.diffs = self.diffs();
    }

    fn add(&mut self, step: SetupStep) {
        self.plan.steps.push(step);
    }

    fn user(&mut self) {
        if !self.facts.user {
            let home = "/var/lib/odoo".into();
            self.add(SetupStep::CreateUser { name: wish::USER.to_owned(), home });
        }
        for (path, owner, mode) in wish::DIRECTORIES {
            let path = Path::new(path);
            if self.facts.directories.get(path).is_some_and(|found| found == owner) {
                continue;
            }
            let owner = Owner { user: (*owner).to_owned(), group: (*owner).to_owned() };
            self.add(SetupStep::MakeDirectory { path: path.to_owned(), owner, mode: *mode });
        }
    }

    fn packages(&mut self) {
        let has = |name: &str| self.facts.packages.contains_key(name);
        let mut names: Vec<&str> = wish::PACKAGES.to_vec();
        if !wish::CLOCKS.iter().any(|name| has(name)) {
            names.push(wish::CLOCKS[0]);
        }
        if self.wish.odoo.values().any(|origin| !origin.is_package()) {
            names.extend(wish::SOURCE_PACKAGES);
        }
        names.retain(|name| !has(name));
        names.sort_unstable();
        if !names.is_empty() {
            let names = names.into_iter().map(str::to_owned).collect();
            self.add(SetupStep::InstallPackages { names });
        }
    }

    fn postgres(&mut self) {
        let version = match self.facts.clusters.as_slice() {
            [] => self.distribution.postgres(),
            all => {
                if all.len() > 1 {
                    self.plan.warnings.push(format!(
                        "there are {} versions of PostgreSQL; only the newest is looked after",
                        all.len()
                    ));
                }
                all.iter().copied().max().unwrap_or_default()
            }
        };
        let facts = self.facts;
        let present = facts.files.get(&texts::postgres_path(version));
        let file =
            postgres::settings(version, facts.memory, facts.cpus, present.map(String::as_str));
        if present != Some(&file.text) || facts.postgres_waits {
            let hosts = facts.hosts.len();
            if hosts > 0 {
                self.plan.warnings.push(format!(
                    "PostgreSQL may be restarted: users of {hosts} hosts wait some seconds"
                ));
            }
            self.add(SetupStep::TunePostgres { version, file });
        }
        if facts.role == Some(false) || facts.clusters.is_empty() {
            self.add(SetupStep::CreateRole { name: wish::USER.to_owned() });
        }
    }

    fn odoo(&mut self, series: Series, origin: &OdooOrigin) {
        if let OdooOrigin::Source(url) = origin {
            let found = self.facts.sources.get(&series).copied().unwrap_or_default();
            if !found.code {
                self.add(SetupStep::CheckOutOdoo { series, url: url.clone() });
            }
            if !found.environment || !found.code {
                self.add(SetupStep::BuildEnvironment { series });
            }
            return;
        }
        self.mask_package_unit();
        if let OdooOrigin::Repository { uri, suite, key } = origin {
            let source = texts::apt_source(series, uri, suite);
            if self.facts.files.get(&source.path) != Some(&source.text) {
                let (key, keyring) = (key.clone(), texts::keyring_path(series));
                self.add(SetupStep::AddRepository { series, source, key, keyring });
            }
        }
        let package = match origin {
            OdooOrigin::Package(name) => OdooPackage::Named(name.clone()),
            OdooOrigin::Url(url) => OdooPackage::Url(url.clone()),
            OdooOrigin::File(path) => OdooPackage::Sent { path: path.clone() },
            OdooOrigin::Repository { .. } | OdooOrigin::Source(_) => {
                OdooPackage::Named("odoo".to_owned())
            }
        };
        match &self.facts.odoo {
            Some(found) if found == series.as_str() => {}
            Some(found) => self.plan.obstacles.push(Obstacle {
                message: format!("the server has a package of Odoo {found}, wished is {series}"),
                hint: Some(format!(
                    "remove that package first, or take `source` for Odoo {series}"
                )),
                details: Vec::new(),
            }),
            None => self.add(SetupStep::InstallOdoo { series, package }),
        }
    }

    /// An instance that somebody runs by that name is not touched.
    fn mask_package_unit(&mut self) {
        let found = self.facts.units.get(wish::PACKAGE_UNIT).cloned().unwrap_or_default();
        let is_own = found.file.as_ref().is_some_and(|file| file.starts_with("/etc"));
        if found.masked {
            return;
        }
        if found.active || is_own {
            self.plan.warnings.push(format!(
                "`{}` is an instance of its own: it is left alone",
                wish::PACKAGE_UNIT
            ));
            return;
        }
        self.add(SetupStep::Mask { unit: wish::PACKAGE_UNIT.to_owned() });
    }

    fn nginx(&mut self) {
        let nginx = plan_nginx(self.distribution, self.facts);
        self.plan.warnings.extend(nginx.warnings);
        self.plan.steps.extend(nginx.step);
    }

    fn configuration(&mut self) {
        if !self.facts.ssh_ports.is_empty() {
            self.configure(Reader::Fail2ban, texts::fail2ban(&self.facts.ssh_ports), &[]);
        }
        self.rotation();
        self.configure(Reader::Apt, texts::upgrades(), &[]);
        if let Some(login) = &self.facts.login {
            self.configure(Reader::Sudo, texts::sudoers(login), &[]);
        }
    }

    fn rotation(&mut self) {
        let paths = texts::PACKAGE_ROTATIONS.iter().map(Path::new);
        let found = paths.clone().filter_map(|path| Some((path, self.facts.files.get(path)?)));
        let (of_packages, of_others): (Vec<_>, Vec<_>) =
            found.partition(|(_, text)| texts::is_package_rotation(text));
        if let Some((path, _)) = of_others.first() {
            self.plan.warnings.push(format!(
                "`{}` rotates Odoo's logs in a way of its own; it is left alone",
                path.display()
            ));
            return;
        }
        // A package that is about to be installed brings one.
        let installs =
            self.plan.steps.iter().any(|step| matches!(step, SetupStep::InstallOdoo { .. }));
        let remove: Vec<&Path> = if installs {
            paths.collect()
        } else {
            of_packages.into_iter().map(|(path, _)| path).collect()
        };
        self.configure(Reader::Logrotate, texts::logrotate(self.wish.log_days), &remove);
    }

    fn configure(&mut self, reader: Reader, file: ConfigFile, remove: &[&Path]) {
        if self.facts.files.get(&file.path) == Some(&file.text) && remove.is_empty() {
            return;
        }
        let remove = remove.iter().map(|path| (*path).to_owned()).collect();
        self.add(SetupStep::Configure { reader, files: vec![file], remove });
    }

    fn units(&mut self) {
        let mut units: Vec<&str> = wish::UNITS.to_vec();
        // `postgresql.service` only stands for the clusters, and is active whatever they are.
        let cluster = self.facts.clusters.iter().max().map(|version| cluster_unit(*version));
        units.extend(cluster.as_deref());
        let fresh = !wish::CLOCKS.iter().any(|name| self.facts.packages.contains_key(*name));
        if fresh && !self.facts.container {
            units.push("systemd-timesyncd.service");
        }
        let mut missing = Vec::new();
        for unit in units {
            let found = self.facts.units.get(unit).cloned().unwrap_or_default();
            if found.masked {
                self.plan.warnings.push(format!("`{unit}` is masked; it is left so"));
            } else if !found.is_up() {
                missing.push(unit.to_owned());
            }
        }
        if !missing.is_empty() {
            self.add(SetupStep::Enable { units: missing });
        }
    }

    /// The port by which the server is reached is open before any is closed.
    fn firewall(&mut self) {
        for other in wish::OTHER_FIREWALLS {
            if self.facts.units.get(*other).is_some_and(|unit| unit.active) {
                self.plan.warnings.push(format!("`{other}` filters already; ufw is left as it is"));
                return;
            }
        }
        let mut open = self.facts.ssh_ports.clone();
        if open.is_empty() {
            self.plan.warnings.push(
                "no sshd was found to listen: the firewall is left as it is, for it could shut \
                 you out"
                    .to_owned(),
            );
            return;
        }
        open.extend([80, 443]);
        open.sort_unstable();
        open.dedup();
        let is_right = self.facts.firewall.as_ref().is_some_and(|firewall| {
            let all_open = open.iter().all(|port| firewall.open.contains(port));
            firewall.active && firewall.closed && all_open
        });
        if !is_right {
            self.add(SetupStep::CloseFirewall { open });
        }
    }

    /// Fetches the lists of packages before the first package.
    fn lists(&mut self) {
        let needs = |step: &SetupStep| {
            matches!(step, SetupStep::InstallPackages { .. } | SetupStep::InstallOdoo { .. })
        };
        if let Some(at) = self.plan.steps.iter().position(needs) {
            self.plan.steps.insert(at, SetupStep::UpdatePackageLists);
        }
    }

    fn diffs(&self) -> Vec<FileDiff> {
        let written = self.plan.steps.iter().flat_map(SetupStep::files);
        written
            .map(|file| {
                let present = self
                    .facts
                    .files
                    .get(&file.path)
                    .or_else(|| self.facts.nginx.get(&file.path))
                    .map(String::as_str);
                unified(present, Some(&file.text), &file.path.display().to_string())
            })
            .filter(|diff| !diff.is_empty())
            .collect()
    }
}

/// Returns the unit of a version's cluster, as Debian makes it.
pub(super) fn cluster_unit(version: u32) -> String {
    format!("postgresql@{version}-main.service")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::sample::{bare, matching, wish};

    fn titles(plan: &SetupPlan) -> Vec<String> {
        plan.steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_matching_server_needs_no_steps() {
        let plan = plan_setup(&wish(), &matching());
        assert_eq!(titles(&plan), Vec::<String>::new());
        assert_eq!((plan.warnings, plan.obstacles.len()), (vec![], 0));
    }

    #[test]
    fn a_bare_server_gets_everything_in_an_order_that_holds() {
        let plan = plan_setup(&wish(), &bare());
        let titles = titles(&plan);
        let at = |text: &str| {
            let found = titles.iter().position(|title| title.contains(text));
            found.unwrap_or_else(|| panic!("no `{text}` in {titles:#?}"))
        };
        // A package may only find a unit that cannot be started.
        assert!(at("mask the package's own") < at("install Odoo 19.0: package odoo-19"));
        assert!(at("fetch the lists") < at("install ca-certificates"));
        assert!(at("install ca-certificates") < at("configure PostgreSQL 17"));
        assert!(at("configure PostgreSQL") < at("create the role `odoo`"));
        assert!(at("install Odoo") < at("logrotate.d/odoo-deploy, in place of"));
        assert!(at("enable and start") < at("close every port but 22, 80, 443"));
        assert!(at("/etc/sudoers.d/odoo-deploy") > 0);
        assert!(plan.diffs.iter().all(|diff| diff.is_new));
    }

    #[test]
    fn each_drift_is_one_step() {
        let only = |change: fn(&mut MachineFacts)| {
            let mut facts = matching();
            change(&mut facts);
            let plan = plan_setup(&wish(), &facts);
            titles(&plan).join("; ")
        };
        let missing = only(|facts| drop(facts.packages.remove("fail2ban")));
        assert_eq!(missing, "fetch the lists of packages; install fail2ban");
        let edited = only(|facts| {
            facts.files.insert(texts::LOGROTATE.into(), "# mine\n".into());
        });
        assert_eq!(edited, "configure log rotation: /etc/logrotate.d/odoo-deploy");
        let stopped = only(|facts| {
            facts.units.get_mut("nginx.service").unwrap().active = false;
        });
        assert_eq!(stopped, "enable and start nginx.service");
        let closed = only(|facts| facts.firewall.as_mut().unwrap().open = vec![22, 80]);
        assert_eq!(closed, "close every port but 22, 80, 443");
        let owner = only(|facts| {
            facts.directories.insert("/var/lib/odoo".into(), "root".into());
        });
        assert_eq!(owner, "create /var/lib/odoo, of odoo");
        assert_eq!(
            only(|facts| facts.role = Some(false)),
            "create the role `odoo`, which may create databases"
        );
    }

    #[test]
    fn sshd_keeps_the_port_that_it_has() {
        let mut facts = bare();
        facts.ssh_ports = vec![2222];
        let plan = plan_setup(&wish(), &facts);
        assert!(titles(&plan).iter().any(|title| title == "close every port but 80, 443, 2222"));
        let jail = plan.diffs.iter().find(|diff| diff.name.ends_with("odoo-deploy.local"));
        assert!(jail.unwrap().hunks.contains("port = 2222"));
        facts.ssh_ports.clear();
        let plan = plan_setup(&wish(), &facts);
        assert!(!titles(&plan).iter().any(|title| title.starts_with("close")));
        assert!(plan.warnings[0].contains("shut you out"));
    }

    #[test]
    fn what_somebody_else_looks_after_is_left_alone() {
        let mut facts = bare();
        let running = super::super::UnitFacts {
            known: true,
            active: true,
            ..super::super::UnitFacts::default()
        };
        facts.units.insert("firewalld.service".into(), running.clone());
        facts.units.insert("odoo.service".into(), running);
        facts.files.insert("/etc/logrotate.d/odoo".into(), "/var/log/odoo/*.log { weekly }".into());
        let plan = plan_setup(&wish(), &facts);
        let titles = titles(&plan).join("\n");
        for absent in ["close every port", "mask", "log rotation"] {
            assert!(!titles.contains(absent), "{titles}");
        }
        assert_eq!(plan.warnings.len(), 3, "{:?}", plan.warnings);
    }

    #[test]
    fn another_series_or_distribution_is_an_obstacle() {
        let mut facts = matching();
        facts.odoo = Some("18.0".into());
        let plan = plan_setup(&wish(), &facts);
        assert!(plan.obstacles[0].message.contains("a package of Odoo 18.0"));
        facts.os.version = "11".into();
        let plan = plan_setup(&wish(), &facts);
        assert!(plan.steps.is_empty());
        assert!(plan.obstacles[0].hint.as_ref().unwrap().contains("Debian 12 or 13"));
    }

    #[test]
    fn a_series_from_its_source_has_a_checkout_and_an_environment() {
        let mut wish = wish();
        let source = OdooOrigin::Source("https://git.example/odoo.git".into());
        wish.odoo.insert(Series::V18, source);
        let plan = plan_setup(&wish, &matching());
        let titles = titles(&plan);
        assert!(titles.iter().any(|title| title.contains("build-essential")), "{titles:?}");
        assert!(titles.contains(
            &"check Odoo 18.0 out of https://git.example/odoo.git into /opt/odoo-18.0".to_owned()
        ));
        assert!(titles.iter().any(|title| title.ends_with("into /opt/odoo-18.0-venv")));
    }

    #[test]
    fn a_vendors_repository_is_added_before_its_package() {
        let mut wish = wish();
        let repository = OdooOrigin::Repository {
            uri: "https://n.example/deb/".into(),
            suite: "./".into(),
            key: "https://n.example/key".into(),
        };
        wish.odoo.insert(Series::V19, repository);
        let plan = plan_setup(&wish, &bare());
        let titles = titles(&plan);
        let at = |text: &str| titles.iter().position(|title| title == text).unwrap();
        let added = at("add the package source https://n.example/deb/ ./");
        assert!(added < at("install Odoo 19.0: package odoo"));
    }
}
