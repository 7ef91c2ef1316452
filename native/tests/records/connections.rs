//! Scenes of TCP connections.

use endpoint_agent_native::event::{Action, Direction, Stage, Traffic};

use crate::scene::{SHELL, Scene, connection, john, staged};

/// Both directions and both families, refused ones, and what became of them.
pub fn connections() -> Scene {
    let mut scene = Scene::with_shell();
    let mut happens = |direction, local, peer| {
        scene.happens(john(SHELL), connection(direction, local, peer));
    };
    happens(Direction::Egress, "10.0.1.4:40000", "93.184.216.34:443");
    happens(Direction::Ingress, "10.0.1.4:22", "203.0.113.9:51515");
    happens(
        Direction::Egress,
        "[2001:db8::4]:40001",
        "[2a00:1450:4007:80d::200e]:443",
    );
    happens(
        Direction::Ingress,
        "[::ffff:10.0.1.4]:80",
        "[::ffff:203.0.113.9]:51516",
    );
    happens(Direction::Egress, "127.0.0.1:40002", "127.0.0.1:6379");
    happens(Direction::Egress, "[::1]:40003", "[::1]:0");
    let mut becomes = |stage, direction, local, peer| {
        scene.happens(john(SHELL), staged(stage, direction, local, peer));
    };
    let ended = Stage::Ended(Traffic {
        duration: 90_000_000_123,
        sent: 312,
        received: 150_000,
    });
    let web = "93.184.216.34:443";
    becomes(ended, Direction::Egress, "10.0.1.4:40000", web);
    becomes(
        ended,
        Direction::Ingress,
        "10.0.1.4:22",
        "203.0.113.9:51515",
    );
    // Refused, not answered, given up.
    for error in [111, 110, 0] {
        let failed = Stage::Failed(error);
        becomes(failed, Direction::Egress, "10.0.1.4:40004", web);
    }
    scene.happens(john(SHELL), Action::Listen("[::]:8080".parse().unwrap()));
    scene.happens(john(SHELL), Action::Listen("127.0.0.1:0".parse().unwrap()));
    scene
}
