//! Control requests over a real connection, answered by a stand-in for the agent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::*;
use crate::api::sigv4::Credentials;

/// Serves the router; one check named `web` exists.
fn start(access: Access) -> (tokio::runtime::Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (sender, mut commands) = mpsc::channel(4);
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(sender, access)).await });
        tokio::spawn(async move {
            while let Some(command) = commands.recv().await {
                let check = |id: String, value: Value| {
                    if id == "web" { Ok(value) } else { Err(CommandError::NoSuchCheck(id)) }
                };
                match command {
                    Command::Status(answer) => {
                        drop(answer.send(Err(CommandError::Failed("not yet".into()))));
                    }
                    Command::Checks(answer) => drop(answer.send(Ok(vec![json!({ "id": "web" })]))),
                    Command::Check(id, answer) => drop(answer.send(check(id, json!({ "id": "web" })))),
                    Command::SetCheck(id, set, answer) => {
                        drop(answer.send(check(id, json!({ "override": set }))));
                    }
                    Command::Explain(question, answer) => {
                        let refused = Refused::Type(question.rtype);
                        drop(answer.send(Err(refused.into())));
                    }
                    Command::RoutingControls(answer) => drop(answer.send(Ok(vec![switch(SwitchState::Off)]))),
                    Command::SetRoutingControl(control, set, answer) => {
                        let known = control == "arn:a/b" || control == "cell";
                        drop(
                            answer
                                .send(known.then(|| switch(set)).ok_or(CommandError::NoSuchControl(control))),
                        );
                    }
                }
            }
        });
        address
    });
    (runtime, address)
}

fn switch(state: SwitchState) -> RoutingControl {
    RoutingControl { arn: "arn:a/b".into(), name: "cell".into(), state, version: 1 }
}

fn check(address: SocketAddr, request: &str, headers: &str, body: &str, expected: &[&str]) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    for part in expected {
        assert!(response.contains(part), "{request}: no {part:?} in\n{response}");
    }
}

#[test]
fn requests_become_commands() {
    let (_runtime, address) = start(Access::Loopback([].into()));
    let check = |request, headers, body, expected: &[&str]| check(address, request, headers, body, expected);
    check("GET /pulse53/v1/health", "", "", &["200 OK", r#"{"checks":[{"id":"web"}]}"#]);
    check("GET /pulse53/v1/health/web", "", "", &["200 OK", r#"{"id":"web"}"#]);
    check("GET /pulse53/v1/health/none", "", "", &["404", "no health check has the id"]);
    check("GET /pulse53/v1/status", "", "", &["503", "not yet"]);
    check("GET /elsewhere", "", "", &["404"]);
    let json = "Content-Type: application/json\r\n";
    check(
        "PUT /pulse53/v1/health/web",
        json,
        r#"{"set":"unhealthy"}"#,
        &["200 OK", r#"{"override":"unhealthy"}"#],
    );
    check("PUT /pulse53/v1/health/web", json, r#"{"set":"dead"}"#, &["400", "auto"]);
    check("PUT /pulse53/v1/health/web", "", r#"{"set":"auto"}"#, &["400", "application/json"]);
    check(
        "POST /pulse53/v1/explain",
        json,
        r#"{"name":"www.example.com","type":"AA","client":"192.0.2.1"}"#,
        &["400", r#"\"AA\" is no record type"#],
    );
    check("POST /pulse53/v1/explain", json, r#"{"name":"a","type":"A","clent":""}"#, &["400", "clent"]);
    check("GET /pulse53/v1/health", "Origin: http://example.com\r\n", "", &["403", "Origin"]);
}

#[test]
fn routing_controls_are_found_by_name_or_arn_h31() {
    let (_runtime, address) = start(Access::Loopback([].into()));
    let check = |request: &str, body: &str, expected: &[&str]| {
        check(address, request, "Content-Type: application/json\r\n", body, expected);
    };
    check(
        "GET /pulse53/v1/routing-controls",
        "",
        &["200 OK", r#"{"routing_controls":[{"arn":"arn:a/b","name":"cell","state":"off","version":1}]}"#],
    );
    for control in ["cell", "arn:a%2Fb"] {
        let request = format!("PUT /pulse53/v1/routing-controls/{control}");
        check(&request, r#"{"set":"on"}"#, &["200 OK", r#""state":"on""#]);
        check(&request, r#"{"set":"up"}"#, &["400", "off"]);
    }
    check("PUT /pulse53/v1/routing-controls/none", r#"{"set":"on"}"#, &["404", "pulse53 control list"]);
}

#[test]
fn with_credentials_nobody_unsigned_gets_in() {
    let (_runtime, address) =
        start(Access::Credentials(std::sync::Arc::new(Credentials::new(Duration::from_secs(300)))));
    check(address, "GET /pulse53/v1/status", "", "", &["403", "not signed"]);
}
