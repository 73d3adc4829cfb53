//! Python packages of the addons: built aside, shared, and gone back to.

use std::fs;

use crate::{
    calm::Calm,
    lab::Server,
    revert::VIEWS,
    world::{HOST, World},
};

const INIT: &str = "custom-addons/taller_reparaciones/__init__.py";
const MANIFEST: &str = "custom-addons/taller_reparaciones/__manifest__.py";
const PORTAL: &str = "custom-addons/taller_portal/__manifest__.py";
const ENVIRONMENTS: &str = "/opt/odoo/demo.somosblink.com/python";

/// Gives the server an index of its own: two versions of one package, and no other.
fn add_index(server: &Server) {
    let wheel = "import zipfile\n\
        for version in ('1.0', '2.0'):\n\
        \x20   info = f'tallerlib-{version}.dist-info'\n\
        \x20   name = f'/srv/wheels/tallerlib-{version}-py3-none-any.whl'\n\
        \x20   with zipfile.ZipFile(name, 'w') as wheel:\n\
        \x20       wheel.writestr('tallerlib.py', f'VERSION = {version!r}\\n')\n\
        \x20       wheel.writestr(f'{info}/METADATA', \
                    f'Metadata-Version: 2.1\\nName: tallerlib\\nVersion: {version}\\n')\n\
        \x20       wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: tests\\n'\n\
        \x20                      'Root-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20       wheel.writestr(f'{info}/RECORD', ''.join(f'{file},,\\n' for file in \
                    ('tallerlib.py', f'{info}/METADATA', f'{info}/WHEEL', f'{info}/RECORD')))\n";
    let script = format!(
        "mkdir -p /srv/wheels && python3 - <<'END'\n{wheel}END\n\
         printf '[global]\\nno-index = true\\nfind-links = /srv/wheels\\n' >/etc/pip.conf"
    );
    server.script(&script).ok();
}

/// Lists the environments that are there.
fn environments(server: &Server) -> Vec<String> {
    let entries = fs::read_dir(server.path(ENVIRONMENTS)).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Returns the environment whose interpreter runs Odoo's main process.
fn running(world: &World) -> String {
    let arguments = format!("/proc/{}/cmdline", world.state().main_pid);
    let text = world.server().shell(&["cat", &arguments]).ok();
    let interpreter = text.split('\0').next().unwrap_or_default().to_owned();
    let name = interpreter.strip_prefix(ENVIRONMENTS).and_then(|rest| rest.split('/').nth(1));
    name.unwrap_or_else(|| panic!("Odoo runs under {interpreter}")).to_owned()
}

#[test]
fn the_packages_of_the_addons_are_part_of_a_release() {
    let world = World::fresh("packages");
    let server = world.server();
    add_index(server);
    world.write("requirements.txt", "# what the workshop needs\n-r python/more.txt\n");
    world.write("python/more.txt", "tallerlib==1.0\n");
    world.write(INIT, &format!("import tallerlib  # noqa: F401\n{}", world.read(INIT)));
    let external = "\"external_dependencies\": {\"python\": [\"tallerlib\"]},\n    \"application\"";
    world.edit(MANIFEST, "\"application\"", external);
    world.commit("Use a library");
    world
        .plan(&["--branch", "demo"])
        .expect_code(0)
        .expect_said("Python environment /opt/odoo/demo.somosblink.com/python/");
    world.deploy_ok(&["--branch", "demo"]);
    let first = environments(server);
    assert_eq!(first, [running(&world)]);
    let directory = format!("{ENVIRONMENTS}/{}", first[0]);
    let writable = format!("runuser -u odoo -- find {directory} -writable ! -type l | head -3");
    assert_eq!(server.script(&writable).ok(), "", "Odoo cannot change what it runs");
    let owners = server.script(&format!("find {directory} ! -user root | head -3"));
    assert_eq!(owners.ok(), "");
    let built = fs::metadata(server.path(format!("{directory}/complete"))).unwrap();

    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Let the device be hidden");
    world.deploy_ok(&[]);
    assert_eq!(environments(server), first, "equal requirements share a directory");
    let kept = fs::metadata(server.path(format!("{directory}/complete"))).unwrap();
    assert_eq!(built.modified().unwrap(), kept.modified().unwrap());

    world.write("python/more.txt", "tallerlib==2.0\n");
    world.commit("Use the next version of the library");
    world.deploy_ok(&[]).expect_said("the Python packages of requirements.txt change");
    let second = running(&world);
    assert_ne!(second, first[0]);
    assert_eq!(environments(server).len(), 2, "an earlier release still has its own");

    let calm = Calm::of(&world);
    calm.refuses(
        |world| world.write("python/more.txt", "tallerlib==9.9\n"),
        6,
        &["the Python packages of requirements.txt cannot be installed", "tallerlib==9.9"],
    );
    calm.refuses(
        |world| {
            let needs = "\"external_dependencies\": {\"python\": [\"nosuchlib\"]},\n    \"name\"";
            world.edit(PORTAL, "\"name\"", needs);
        },
        6,
        &[
            "module `taller_portal` needs the Python package `nosuchlib`",
            "add it to requirements.txt",
        ],
    );
    calm.ends();
    assert_eq!(environments(server).len(), 2);

    world.run(&["rollback", "--host", HOST]).expect_code(0);
    assert_eq!(running(&world), first[0]);
}
