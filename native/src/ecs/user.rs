//! `user.*`: with whose rights.

use hashbrown::HashMap;

use crate::ecs::json::{Json, UNLIMITED};
use crate::enrich::users::Users;
use crate::event::{Credentials, LoginSession, Target, UNSET_ID};

/// Sets of credentials and logins whose JSON is kept; a busy host has a few dozen.
const MAX_KEPT: usize = 256;

/// JSON about credentials and logins, made once for each set of them.
#[derive(Debug, Default)]
pub struct Identities(HashMap<(Credentials, LoginSession), Identity>);

/// JSON about one set of credentials of one login.
#[derive(Debug)]
pub struct Identity {
    /// The members of `user`.
    pub user: Vec<u8>,
    /// The member `user` of `related`, empty if no user has a name.
    pub names: Vec<u8>,
    /// JSON members of `action.properties`.
    pub properties: Vec<u8>,
}

impl Identities {
    /// Forgets all, because names have changed.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// JSON about credentials and the login they come from.
    pub fn of(
        &mut self,
        credentials: Credentials,
        login: LoginSession,
        users: &Users,
    ) -> &Identity {
        let key = (credentials, login);
        if self.0.len() >= MAX_KEPT && !self.0.contains_key(&key) {
            self.0.clear();
        }
        self.0
            .entry(key)
            .or_insert_with(|| Identity::new(credentials, login, users))
    }
}

impl Identity {
    fn new(credentials: Credentials, login: LoginSession, users: &Users) -> Self {
        let Credentials {
            uid,
            euid,
            gid,
            egid,
        } = credentials;
        let mut json = Json::members_of("user", UNLIMITED);
        write_user(&mut json, uid, users);
        write_group(&mut json, gid, users);
        if (euid, egid) != (uid, gid) {
            json.open("effective");
            write_user(&mut json, euid, users);
            write_group(&mut json, egid, users);
            json.close();
        }
        json.open("audit");
        write_user(&mut json, login.uid, users);
        json.close();
        let mut properties = Json::members_of("action.properties", UNLIMITED);
        write_id(&mut properties, "ses", login.session);
        Self {
            user: json.into_parts().0,
            names: names([uid, euid, login.uid], users),
            properties: properties.into_parts().0,
        }
    }
}

/// Writes `user`, with the user of another process that something was done to.
pub fn write(json: &mut Json, identity: &Identity, target: Option<Target>, users: &Users) {
    json.open("user");
    json.raw_members(&identity.user);
    if let Some(target) = target {
        json.open("target");
        write_user(json, target.uid, users);
        json.close();
    }
    json.close();
}

/// Writes a numeric id as ECS has it, as text; `unset` if there is none.
pub fn write_id(json: &mut Json, key: &'static str, id: u32) {
    if id == UNSET_ID {
        json.word(key, "unset");
    } else {
        json.digits(key, id.into());
    }
}

fn write_user(json: &mut Json, uid: u32, users: &Users) {
    write_id(json, "id", uid);
    write_name(json, uid, users);
}

/// Writes a user's name, if it has one.
pub fn write_name(json: &mut Json, uid: u32, users: &Users) {
    if let Some(name) = users.user(uid) {
        json.text("name", name);
    }
}

fn write_group(json: &mut Json, gid: u32, users: &Users) {
    json.open("group");
    write_id(json, "id", gid);
    if let Some(name) = users.group(gid) {
        json.text("name", name);
    }
    json.close();
}

/// The names of the users, each once, as the JSON member of `related`.
fn names(ids: [u32; 3], users: &Users) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in ids.iter().filter_map(|&uid| users.user(uid)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut json = Json::members_of("related", UNLIMITED);
    if !names.is_empty() {
        json.texts("user", names);
    }
    json.into_parts().0
}
