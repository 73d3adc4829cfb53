//! Tells people how a deploy ended. Types are pure, sinks do I/O.

mod desktop;
mod message;
mod webhook;

pub use desktop::{Session, show_on_desktop};
pub use message::{Ending, Message, Summary};
pub use webhook::{NotifyError, Patience, Webhook};

use crate::{
    host::EnvironmentName,
    settings::{NotifyChannel, NotifyEvent, Settings},
};

/// Returns the channels that want to hear of an event, with their names, in the
/// order of `config/deploy.toml`.
#[must_use]
pub fn channels_for<'a>(
    settings: &'a Settings,
    environment: &EnvironmentName,
    event: NotifyEvent,
) -> Vec<(&'a str, &'a NotifyChannel)> {
    let wanted = |channel: &NotifyChannel| {
        let here = channel.environments.is_empty() || channel.environments.contains(environment);
        here && channel.on.contains(&event)
    };
    let channels = settings.notify.iter().filter(|(_, channel)| wanted(channel));
    channels.map(|(name, channel)| (name.as_str(), channel)).collect()
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    fn name(text: &str) -> EnvironmentName {
        EnvironmentName::parse(text).unwrap()
    }

    fn channel(on: &[NotifyEvent], environments: &[&str]) -> NotifyChannel {
        NotifyChannel {
            webhook: "${HOOK}".to_owned(),
            on: on.to_vec(),
            environments: environments.iter().map(|text| name(text)).collect(),
        }
    }

    #[test]
    fn a_channel_hears_of_its_events_in_its_environments() {
        use NotifyEvent::{Deployed, Failed, Unchanged};
        let settings = Settings {
            notify: IndexMap::from([
                ("team".to_owned(), channel(&[Deployed, Failed], &[])),
                ("night".to_owned(), channel(&[Failed], &["production"])),
                ("mute".to_owned(), channel(&[], &[])),
            ]),
            ..Settings::default()
        };
        let heard = |environment, event| {
            let channels = channels_for(&settings, &name(environment), event);
            channels.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(heard("production", Failed), ["team", "night"]);
        assert_eq!(heard("production", Deployed), ["team"]);
        assert_eq!(heard("test", Failed), ["team"]);
        assert!(heard("production", Unchanged).is_empty());
    }
}
