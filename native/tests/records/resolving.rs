//! Datagrams, and what is asked and answered by DNS.

use endpoint_agent_native::event::{Action, Answer, Data, Direction, Dns, Question, Stage};

use crate::scene::{SHELL, Scene, john, staged};

/// A question over both transports, its answers, and messages that cannot be read to their end.
pub fn resolving() -> Scene {
    let mut scene = Scene::with_shell();
    let (local, server) = ("10.0.1.4:49878", "10.0.1.1:53");
    let datagram = staged(Stage::Datagram, Direction::Egress, local, server);
    scene.happens(john(SHELL), datagram);
    let query = Dns {
        answer: false,
        tcp: false,
        local: local.parse().unwrap(),
        peer: server.parse().unwrap(),
        id: 19_552,
        flags: 0x0100,
        response_code: 0,
        question: Some(question("self.events.data.microsoft.com", 65)),
        answers: Vec::new(),
        truncated: false,
    };
    let mut happens = |dns: &Dns| scene.happens(john(SHELL), Action::Dns(dns.clone()));
    happens(&query);
    let alias = "self-events-data.trafficmanager.net";
    let answer = Dns {
        answer: true,
        flags: 0x8180,
        answers: vec![
            Answer {
                name: "self.events.data.microsoft.com".into(),
                kind: 5,
                ttl: 71,
                data: Data::Text(alias.into()),
            },
            Answer {
                name: alias.into(),
                kind: 1,
                ttl: 20,
                data: Data::Address([192, 0, 2, 44].into()),
            },
        ],
        ..query.clone()
    };
    happens(&answer);
    happens(&Dns {
        tcp: true,
        flags: 0x8183,
        response_code: 3,
        question: Some(question(r"nobody\000.example", 65_280)),
        answers: Vec::new(),
        ..answer.clone()
    });
    happens(&Dns {
        flags: 0,
        question: None,
        truncated: true,
        ..query
    });
    scene
}

fn question(name: &str, kind: u16) -> Question {
    Question {
        name: name.into(),
        kind,
        class: 1,
    }
}
