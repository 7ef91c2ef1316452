//! Records of the audit system, as it wrote them, and what they have to become.

use endpoint_agent_native::capture::audit::login;
use serde_json::{Value, json};

use crate::scene::Scene;

/// Each kind of record: its type and text.
const RECORDS: &[(u16, &str)] = &[
    (
        1100,
        "pid=1750 uid=0 auid=4294967295 ses=4294967295 subj=unconfined msg='op=PAM:authentication grantors=pam_permit,pam_unix acct=\"john_doe\" exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1101,
        "pid=1750 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:accounting grantors=pam_unix acct=\"john_doe\" exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1006,
        "pid=1750 uid=0 subj=unconfined old-auid=4294967295 auid=1000 tty=(none) old-ses=4294967295 ses=3 res=1",
    ),
    (
        1103,
        "pid=1750 uid=0 auid=1000 ses=3 msg='op=PAM:setcred grantors=pam_permit acct=\"john_doe\" exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1105,
        "pid=1750 uid=0 auid=1000 ses=3 msg='op=PAM:session_open grantors=pam_unix acct=\"john_doe\" exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1112,
        "pid=1750 uid=0 auid=1000 ses=3 msg='op=login id=1000 exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1123,
        "pid=1801 uid=1000 auid=1000 ses=3 msg='cwd=\"/home/john_doe\" cmd=636174202F6574632F736861646F77 exe=\"/usr/bin/sudo\" terminal=pts/0 res=success'",
    ),
    (
        1110,
        "pid=1801 uid=0 auid=1000 ses=3 msg='op=PAM:setcred grantors=pam_permit acct=\"root\" exe=\"/usr/bin/sudo\" hostname=? addr=? terminal=/dev/pts/0 res=success'",
    ),
    (
        1116,
        "pid=1802 uid=0 auid=1000 ses=3 msg='op=add-group acct=\"stage\" exe=\"/usr/sbin/useradd\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1114,
        "pid=1802 uid=0 auid=1000 ses=3 msg='op=add-user id=1001 exe=\"/usr/sbin/useradd\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1108,
        "pid=1803 uid=0 auid=1000 ses=3 msg='op=change-password acct=\"stage\" exe=\"/usr/bin/passwd\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1102,
        "pid=1804 uid=0 auid=1000 ses=3 msg='op=changing-group id=1001 grp=\"sudo\" new_gid=27 exe=\"/usr/sbin/usermod\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1132,
        "pid=1804 uid=0 auid=1000 ses=3 msg='op=add-user-to-group grp=\"sudo\" acct=\"stage\" exe=\"/usr/sbin/usermod\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1133,
        "pid=1805 uid=0 auid=1000 ses=3 msg='op=change-password grp=\"sudo\" exe=\"/usr/bin/gpasswd\" hostname=? addr=? terminal=pts/0 res=failed'",
    ),
    (
        1134,
        "pid=1806 uid=0 auid=1000 ses=3 msg='op=locked-password id=1001 exe=\"/usr/bin/passwd\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1135,
        "pid=1806 uid=0 auid=1000 ses=3 msg='op=unlocked-password id=1001 exe=\"/usr/bin/passwd\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1115,
        "pid=1807 uid=0 auid=1000 ses=3 msg='op=delete-user id=1001 exe=\"/usr/sbin/userdel\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1117,
        "pid=1807 uid=0 auid=1000 ses=3 msg='op=delete-group acct=\"stage\" exe=\"/usr/sbin/userdel\" hostname=? addr=? terminal=pts/0 res=success'",
    ),
    (
        1106,
        "pid=1750 uid=0 auid=1000 ses=3 msg='op=PAM:session_close grantors=pam_unix acct=\"john_doe\" exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1104,
        "pid=1750 uid=0 auid=1000 ses=3 msg='op=PAM:setcred grantors=pam_permit acct=\"john_doe\" exe=\"/usr/sbin/sshd\" hostname=198.51.100.7 addr=198.51.100.7 terminal=ssh res=success'",
    ),
    (
        1113,
        "pid=1750 uid=0 auid=1000 ses=3 msg='op=login id=1000 exe=\"/usr/sbin/sshd\" hostname=? addr=? terminal=/dev/pts/0 res=success'",
    ),
    (
        1112,
        "pid=1900 uid=0 auid=4294967295 ses=4294967295 msg='op=login acct=28696E76616C6964207573657229 exe=\"/usr/sbin/sshd\" hostname=? addr=2001:db8::7 terminal=sshd res=failed'",
    ),
];

/// Every kind of record.
pub fn logins() -> Scene {
    let mut scene = Scene::with_shell();
    for (number, (kind, text)) in RECORDS.iter().enumerate() {
        tell(
            &mut scene,
            *kind,
            &format!("audit(1768827060.{number:03}:{number}): {text}"),
        );
    }
    scene
}

fn tell(scene: &mut Scene, kind: u16, text: &str) {
    scene.event(login::decode(kind, text.as_bytes()).unwrap());
}

/// The part of a record that an event of the original agent shows.
fn told(kind: u16, text: &str) -> Value {
    let mut scene = Scene::new();
    tell(&mut scene, kind, text);
    let mut record = scene.records().remove(0);
    let members = record.as_object_mut().unwrap();
    for key in ["agent", "host", "related", "sekoiaio"] {
        members.remove(key);
    }
    let event = members["event"].as_object_mut().unwrap();
    for key in ["kind", "sequence"] {
        event.remove(key);
    }
    members["process"].as_object_mut().unwrap().remove("name");
    record
}

/// As `sshd` of a distribution tells it, and what the original agent makes of it.
#[test]
fn a_login_has_the_shape_of_the_original() {
    let event = told(
        1112,
        "audit(1687506069.858:88): pid=1750 uid=0 auid=1000 ses=4294967295 msg='op=login id=1000 \
         exe=\"/usr/sbin/sshd\" hostname=192.0.2.1 addr=192.0.2.1 terminal=ssh res=success'",
    );
    let expected = json!({
        "@timestamp": "2023-06-23T07:41:09.858Z",
        "user": {"id": "1000", "name": "john_doe"},
        "action": {"properties": {
            "hostname": "192.0.2.1", "id": "1000", "op": "login", "terminal": "ssh"}},
        "event": {"action": "logged-in", "provider": "SEKOIA-IO-Endpoint", "outcome": "success",
            "category": ["authentication"], "type": ["start"]},
        "network": {"direction": "ingress"},
        "process": {"executable": "/usr/sbin/sshd", "pid": 1750},
        "source": {"address": "192.0.2.1", "ip": "192.0.2.1"},
    });
    assert_eq!(event, expected);
}

#[test]
fn a_refused_login_has_the_shape_of_the_original() {
    let event = told(
        1112,
        "audit(1687506070.892:89): pid=3799903 uid=0 auid=4294967295 ses=4294967295 msg='op=login \
         acct=\"(invalid user)\" exe=\"/usr/sbin/sshd\" hostname=? addr=192.0.2.1 terminal=sshd \
         res=failed'",
    );
    let expected = json!({
        "@timestamp": "2023-06-23T07:41:10.892Z",
        "user": {"effective": {"name": "(invalid user)"}, "id": "unset", "name": "root"},
        "action": {"properties": {"acct": "(invalid user)", "op": "login", "terminal": "sshd"}},
        "event": {"action": "logged-in", "provider": "SEKOIA-IO-Endpoint", "outcome": "failure",
            "category": ["authentication"], "type": ["start"]},
        "network": {"direction": "ingress"},
        "process": {"executable": "/usr/sbin/sshd", "pid": 3_799_903},
        "source": {"address": "192.0.2.1", "ip": "192.0.2.1"},
    });
    assert_eq!(event, expected);
}

#[test]
fn a_session_of_cron_has_the_shape_of_the_original() {
    let event = told(
        1006,
        "audit(1687506069.963:90): pid=121806 uid=0 old-auid=4294967295 auid=33 tty=(none) \
         old-ses=4294967295 ses=4294967295 res=1",
    );
    let expected = json!({
        "@timestamp": "2023-06-23T07:41:09.963Z",
        "user": {"effective": {"id": "33", "name": "www-data"}, "id": "unset", "name": "root"},
        "action": {"properties": {"old-ses": "4294967295", "tty": "(none)"}},
        "event": {"action": "changed-login-id-to", "provider": "SEKOIA-IO-Endpoint",
            "outcome": "success", "category": ["authentication"], "type": ["start"]},
        "process": {"pid": 121_806},
    });
    assert_eq!(event, expected);
}

#[test]
fn other_records_are_no_logins() {
    for (kind, text) in [
        (1300, "audit(1.0:1): pid=1 uid=0 res=1"),
        (1107, "audit(1.0:1): pid=1 uid=0 msg='avc: denied'"),
        (1112, "audit(1.0:1): uid=0 msg='op=login res=success'"),
        (1112, "audit(1.0:1): pid=1 uid=0 op=login res=success"),
        (1112, "no record"),
    ] {
        assert_eq!(login::decode(kind, text.as_bytes()), None, "{text}");
    }
}
