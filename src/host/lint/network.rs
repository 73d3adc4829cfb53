//! Where Odoo listens, and what stands before it.

use super::{Finding, RuleId, Severity, view::View};
use crate::odoo::options::reads_as;

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    findings.extend(http_interface(view));
    findings.extend(proxy_mode(view));
    findings.extend(gevent_port(view));
    findings.extend(x_sendfile(view));
}

fn http_interface(view: &View<'_>) -> Option<Finding> {
    let old_name =
        view.get("xmlrpc_interface").filter(|_| reads_as("xmlrpc_interface", view.series()));
    let written = view.get("http_interface").or(old_name);
    let unset = |text: &str| ["", "False", "false", "None"].contains(&text);
    if written.is_some_and(|written| !unset(&written.outline)) {
        return None;
    }
    let message = "Odoo listens on every interface, so its port is open beside nginx";
    let hint = "write `http_interface = 127.0.0.1`, or `0.0.0.0` where that is meant";
    let rule = RuleId::HttpInterfaceUnset;
    Some(view.finding(rule, Severity::Warning, "http_interface", (message, hint)))
}

fn proxy_mode(view: &View<'_>) -> Option<Finding> {
    if view.host.nginx.is_none() || view.is_on("proxy_mode") {
        return None;
    }
    let message = "behind nginx, Odoo takes every visitor for 127.0.0.1 and writes http:// links";
    let rule = RuleId::ProxyModeOffBehindNginx;
    let finding = (message, "write `proxy_mode = True`");
    Some(view.finding(rule, Severity::Warning, "proxy_mode", finding))
}

fn gevent_port(view: &View<'_>) -> Option<Finding> {
    (view.host.gevent_port == view.host.http_port).then(|| {
        let message = format!("`gevent_port` and `http_port` are both {}", view.host.http_port);
        let hint = "write a `gevent_port` of its own, such as 8072";
        let rule = RuleId::GeventPortEqualsHttpPort;
        view.finding(rule, Severity::Error, "gevent_port", (message, hint))
    })
}

fn x_sendfile(view: &View<'_>) -> Option<Finding> {
    (view.is_on("x_sendfile") && view.host.nginx.is_none()).then(|| {
        let message =
            "without a web server that takes `X-Accel-Redirect`, downloads come back empty";
        let hint = "your own vhost needs `location /web/filestore { internal; alias …; }`";
        view.finding(RuleId::XSendfile, Severity::Warning, "x_sendfile", (message, hint))
    })
}
