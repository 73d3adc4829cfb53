//! What a new client is called, where its hosts go and what their files say. Pure.

mod hosts;
mod name;
mod pages;
mod placement;
mod ports;
mod template;

pub use hosts::{HostnameError, hostname, hosts_of};
pub use name::{ClientName, ClientNameError};
pub use pages::{HOST_MAP, HostLine, client_page, client_page_path, host_map, hosts_of_page};
pub use placement::{Candidate, Choice, PlacementError, Wanted, choose_server};
pub use ports::{Ports, free_ports};
pub use template::{Placeholders, fill, template_path};
