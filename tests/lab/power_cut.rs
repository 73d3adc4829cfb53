//! The lab's power cut is one: what was not synced is gone.

use crate::lab::{Server, drop_checkpoint};

/// How often the unsynced data may survive: anybody's `sync` on this machine,
/// in that tenth of a second, saves it.
const ATTEMPTS: usize = 3;

#[test]
fn a_power_cut_loses_what_was_not_synced_and_keeps_what_was() {
    let server = Server::on_an_image("power-cut");
    let write = "set -e; mkdir -p /root/cut; cd /root/cut
        dd if=/dev/urandom of=synced bs=1M count=5 conv=fsync status=none
        echo old >replaced; sync replaced . ..
        rm -f unsynced; dd if=/dev/urandom of=unsynced bs=1M count=5 status=none
        echo new >replaced.new; mv replaced.new replaced
        md5sum synced unsynced; cat replaced";
    let read = "cd /root/cut; md5sum synced unsynced 2>/dev/null; cat replaced";
    let lost = (0..ATTEMPTS).any(|_| {
        let before = server.script(write).ok();
        assert!(before.ends_with("new\n"), "{before}");
        server.lab("cut", &[]).ok();
        let after = server.script(read).stdout;
        assert_eq!(before.lines().next(), after.lines().next(), "what was synced is there");
        let unsynced = before.lines().nth(1).expect("two files were written");
        !after.contains(unsynced) && after.ends_with("old\n")
    });
    assert!(lost, "nothing was lost in {ATTEMPTS} power cuts");
}

#[test]
fn a_power_cut_that_is_only_noted_leaves_the_server_alone() {
    let server = Server::on_an_image("noted-cut");
    let booted = server.shell(&["cat", "/proc/1/stat"]).ok();
    server.script("echo synced >/root/synced; sync /root/synced /root").ok();
    let kept = format!("{}-kept", server.name());
    server.lab("cut", &[&kept]).ok();
    server.script("echo later >/root/later; sync /root/later /root").ok();
    assert_eq!(
        server.shell(&["cat", "/proc/1/stat"]).ok().split(' ').nth(21),
        booted.split(' ').nth(21)
    );
    server.lab("reset", &[&kept]).ok();
    assert_eq!(server.shell(&["cat", "/root/synced"]).ok(), "synced\n");
    assert!(!server.path("/root/later").exists());
    drop_checkpoint(&kept);
}
