//! A notification on the operator's desktop, best effort. Does I/O.

use std::{sync::mpsc, thread, time::Duration};

use notify_rust::Notification;

use super::Message;

/// Whether there is a desktop that could show something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// There is one.
    Desktop,
    /// There is none, as on a server or in CI.
    Headless,
}

impl Session {
    /// Judges by `DBUS_SESSION_BUS_ADDRESS`; macOS has no D-Bus and always a desktop.
    #[must_use]
    pub fn of(bus_address: Option<&str>) -> Self {
        let on_bus = bus_address.is_some_and(|address| !address.is_empty());
        if on_bus || cfg!(target_os = "macos") { Self::Desktop } else { Self::Headless }
    }
}

/// The longest an operator waits for the notification: some desktops never answer.
const LONGEST: Duration = Duration::from_secs(1);

/// Shows a message and returns why it could not, in one line; a headless session is
/// no reason to say anything. Comes back after one second at the latest. A desktop
/// that answers later is left to a thread of its own, which ends with the process.
#[must_use]
pub fn show_on_desktop(message: &Message, session: Session) -> Option<String> {
    match session {
        Session::Headless => None,
        Session::Desktop => {
            let message = message.clone();
            within(LONGEST, move || show(&message))
        }
    }
}

fn show(message: &Message) -> Result<(), String> {
    let body =
        if takes_markup() { escaped(message.details()) } else { message.details().to_owned() };
    let shown =
        Notification::new().appname("odoo-deploy").summary(&message.title).body(&body).show();
    shown.map(drop).map_err(|error| error.to_string())
}

/// Asks the desktop whether it reads the body as markup; one that does not say so shows it as is.
#[cfg(not(target_os = "macos"))]
fn takes_markup() -> bool {
    notify_rust::get_capabilities()
        .is_ok_and(|capabilities| capabilities.iter().any(|name| name == "body-markup"))
}

#[cfg(target_os = "macos")]
fn takes_markup() -> bool {
    false
}

/// Escapes the markup of a body (Desktop Notifications Specification 1.2, "Markup").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn within(
    longest: Duration,
    show: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Option<String> {
    let (told, answer) = mpsc::sync_channel(1);
    let work = move || {
        // Nobody listens any more where it comes too late.
        let _ = told.send(show());
    };
    let reason = match thread::Builder::new().name("desktop".to_owned()).spawn(work) {
        Err(error) => error.to_string(),
        Ok(_) => match answer.recv_timeout(longest) {
            Ok(Ok(())) => return None,
            Ok(Err(reason)) => reason,
            Err(mpsc::RecvTimeoutError::Timeout) => "the desktop does not answer".to_owned(),
            Err(mpsc::RecvTimeoutError::Disconnected) => "the attempt crashed".to_owned(),
        },
    };
    Some(format!("no desktop notification: {}", reason.replace(char::is_control, " ")))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::notify::{Ending, message::tests::message};

    #[test]
    fn a_headless_session_is_not_tried_and_not_mentioned() {
        assert_eq!(show_on_desktop(&message(Ending::Deployed), Session::Headless), None);
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn a_session_is_where_a_bus_is() {
        assert_eq!(Session::of(Some("unix:path=/run/user/1000/bus")), Session::Desktop);
        assert_eq!(Session::of(Some("")), Session::Headless);
        assert_eq!(Session::of(None), Session::Headless);
    }

    #[test]
    fn a_desktop_that_never_answers_is_left_alone() {
        let start = Instant::now();
        let note = within(Duration::from_millis(50), || {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        });
        assert_eq!(note.unwrap(), "no desktop notification: the desktop does not answer");
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_desktop_that_refuses_is_a_note() {
        assert_eq!(within(LONGEST, || Ok(())), None);
        let note = within(LONGEST, || Err("no such\nname".to_owned()));
        assert_eq!(note.unwrap(), "no desktop notification: no such name");
    }

    #[test]
    fn markup_of_a_subject_is_text() {
        assert_eq!(escaped("<a href='x'>&"), "&lt;a href='x'&gt;&amp;");
    }
}
