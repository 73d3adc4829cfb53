//! A small Cloudflare: zones, records in pages, filters, batches, errors.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// How many entries come on a page.
const PAGE: usize = 3;

pub(super) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    token: String,
    records: Vec<Value>,
    last_id: u32,
    requests: usize,
    failures: Vec<u16>,
    post_failures: Vec<u16>,
}

struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    token: String,
    body: Value,
}

impl Fake {
    pub(super) fn new(token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { token: token.to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = Request::read(&stream) else { continue };
                let answer = shared.lock().unwrap().answer(&request);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, state }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}/client/v4", self.address)
    }

    /// Describes every record, in the order of their ids.
    pub(super) fn records(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let show = |record: &Value| {
            let proxied = if record["proxied"] == true { "proxied" } else { "-" };
            let [kind, name, content, comment] =
                ["type", "name", "content", "comment"].map(|key| text(&record[key]));
            format!("{kind} {name} {content} {} {proxied} {comment}", record["ttl"])
        };
        self.state.lock().unwrap().records.iter().map(show).collect()
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.state.lock().unwrap().records.iter().map(|record| record["id"].to_string()).collect()
    }

    /// Adds a record by hand.
    pub(super) fn add(&self, kind: &str, name: &str, content: &str, comment: Option<&str>) {
        self.state.lock().unwrap().add(&json!({
            "type": kind, "name": name, "content": content, "ttl": 1, "proxied": false,
            "comment": comment,
        }));
    }

    /// Says how many requests came.
    pub(super) fn count(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// Answers the next requests with these statuses.
    pub(super) fn fail_next(&self, statuses: &[u16]) {
        self.state.lock().unwrap().failures = statuses.to_vec();
    }

    /// Answers the next changes with these statuses.
    pub(super) fn fail_posts(&self, statuses: &[u16]) {
        self.state.lock().unwrap().post_failures = statuses.to_vec();
    }
}

impl State {
    fn add(&mut self, record: &Value) {
        self.last_id += 1;
        let mut record = record.clone();
        record["id"] = json!(format!("id-{}", self.last_id));
        self.records.push(record);
    }

    fn answer(&mut self, request: &Request) -> String {
        self.requests += 1;
        let failures =
            if request.method == "POST" { &mut self.post_failures } else { &mut self.failures };
        if !failures.is_empty() {
            let status = failures.remove(0);
            return format!("HTTP/1.1 {status} No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
        }
        if request.token != format!("Bearer {}", self.token) {
            let said = format!("Authentication error with {}", request.token);
            return failed(403, 10000, &said);
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/client/v4/zones") => {
                let zones = [json!({ "id": "z1", "name": "example.com", "name_servers": [] })];
                let zones = zones.iter().filter(|zone| request.is("name", &zone["name"]));
                page(request, &zones.cloned().collect::<Vec<_>>())
            }
            ("GET", "/client/v4/zones/z1/dns_records") => {
                let records = self.records.iter().filter(|record| request.takes(record));
                page(request, &records.cloned().collect::<Vec<_>>())
            }
            ("POST", "/client/v4/zones/z1/dns_records/batch") => self.batch(&request.body),
            _ => failed(404, 7003, "Could not route to the path"),
        }
    }

    /// Does all of it or nothing, in Cloudflare's order.
    fn batch(&mut self, body: &Value) -> String {
        let mut next =
            Self { records: self.records.clone(), last_id: self.last_id, ..Self::default() };
        let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
        for delete in list("deletes") {
            let before = next.records.len();
            next.records.retain(|record| record["id"] != delete["id"]);
            if next.records.len() == before {
                return failed(404, 81044, "Record does not exist.");
            }
        }
        for patch in list("patches") {
            let record = next.records.iter_mut().find(|record| record["id"] == patch["id"]);
            let Some(record) = record else { return failed(404, 81044, "Record does not exist.") };
            for (key, value) in patch.as_object().unwrap() {
                record[key] = value.clone();
            }
        }
        for post in list("posts") {
            let same = |record: &Value| {
                ["type", "name", "content"].iter().all(|key| record[*key] == post[*key])
            };
            if next.records.iter().any(same) {
                return failed(400, 81058, "An identical record already exists.");
            }
            next.add(&post);
        }
        self.records = next.records;
        self.last_id = next.last_id;
        reply(200, &json!({ "success": true, "errors": [], "messages": [], "result": {} }))
    }
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let header = |wish: &str| {
            head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case(wish).then(|| value.to_owned())
            })
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut line = head.split(' ');
        let method = line.next()?.to_owned();
        let (path, query) = line
            .next()?
            .split_once('?')
            .map_or_else(|| (head.split(' ').nth(1).unwrap(), ""), |(path, query)| (path, query));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            method,
            path: path.to_owned(),
            query: pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
            token: header("authorization").unwrap_or_default(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn is(&self, key: &str, value: &Value) -> bool {
        self.value(key).is_none_or(|wish| Some(wish) == value.as_str())
    }

    fn takes(&self, record: &Value) -> bool {
        let filters = [("name.exact", &record["name"]), ("comment.exact", &record["comment"])];
        let given: Vec<_> =
            filters.into_iter().filter(|(key, _)| self.value(key).is_some()).collect();
        match self.value("match") {
            Some("any") => given.iter().any(|(key, value)| self.is(key, value)),
            _ => given.iter().all(|(key, value)| self.is(key, value)),
        }
    }
}

fn page(request: &Request, all: &[Value]) -> String {
    let number: usize = request.value("page").map_or(1, |page| page.parse().unwrap());
    let result: Vec<_> = all.iter().skip((number - 1) * PAGE).take(PAGE).collect();
    reply(
        200,
        &json!({
            "success": true, "errors": [], "messages": [], "result": result,
            "result_info": {
                "page": number, "per_page": PAGE, "count": result.len(),
                "total_count": all.len(), "total_pages": all.len().div_ceil(PAGE),
            },
        }),
    )
}

fn failed(status: u16, code: u32, message: &str) -> String {
    let errors = json!([{ "code": code, "message": message }]);
    let body = json!({ "success": false, "errors": errors, "messages": [], "result": null });
    reply(status, &body)
}

fn reply(status: u16, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
