//! Logins and accounts: `user.*`, `source.*` and properties, as the original agent shapes them.

use crate::ecs::json::Json;
use crate::ecs::user::{write_id, write_name};
use crate::enrich::program::file_name;
use crate::enrich::users::Users;
use crate::event::{Account, Event, Login, LoginAct, UNSET_ID};

/// Writes `user`: the one who is logged in, with whom it was done as, and to whom.
///
/// A process that nobody has logged in to has the id `unset`, and the name of its real user.
pub fn write_user(json: &mut Json, event: &Event, login: &Login, users: &Users) {
    let uid = event.credentials.uid;
    json.open("user");
    write_id(json, "id", login.login_uid);
    let name = users.user(login.login_uid).or_else(|| users.user(uid));
    json.text_if_known("name", name.unwrap_or_default());
    match (is_about_account(login.act), &login.account) {
        (false, Some(account)) => write_account(json, "effective", account, login, users),
        (is_about, account) => {
            write_account(json, "effective", &Account::Id(uid), login, users);
            if let Some(account) = account.as_ref().filter(|_| is_about) {
                write_other(json, "target", account, users);
            }
        }
    }
    json.close();
}

/// The user is one thing and the account another: accounts are changed by somebody.
fn is_about_account(act: LoginAct) -> bool {
    use LoginAct::{
        AddedUser, ChangedPassword, DeletedUser, LockedUser, ModifiedUser, UnlockedUser,
    };
    matches!(
        act,
        AddedUser | ChangedPassword | DeletedUser | LockedUser | ModifiedUser | UnlockedUser
    )
}

/// Writes a user who is not the one who is logged in.
fn write_account(
    json: &mut Json,
    key: &'static str,
    account: &Account,
    login: &Login,
    users: &Users,
) {
    let same = match account {
        Account::Id(id) => *id == login.login_uid,
        Account::Name(name) => users.user(login.login_uid) == Some(name),
    };
    if !same {
        write_other(json, key, account, users);
    }
}

fn write_other(json: &mut Json, key: &'static str, account: &Account, users: &Users) {
    json.open(key);
    match account {
        Account::Id(UNSET_ID) => {}
        Account::Id(id) => {
            write_id(json, "id", *id);
            write_name(json, *id, users);
        }
        Account::Name(name) => json.text_if_known("name", name),
    }
    json.close();
}

/// Writes the program, where it is not known of the process.
pub fn write_program(json: &mut Json, login: &Login) {
    json.text_if_known("name", file_name(&login.executable));
    json.text_if_known("executable", &login.executable);
}

/// Writes where the user came from.
pub fn write_source(json: &mut Json, login: &Login) {
    if let Some(address) = login.source {
        json.open("source");
        json.plain("address", address);
        json.plain("ip", address);
        json.close();
    }
    if login.source.is_some() || login.act == LoginAct::LoggedIn {
        json.open("network");
        json.word("direction", "ingress");
        json.close();
    }
}

/// The names of the users, each once.
pub fn names<'a>(event: &Event, login: &'a Login, users: &'a Users) -> Vec<&'a [u8]> {
    let account = match &login.account {
        Some(Account::Id(id)) => users.user(*id),
        Some(Account::Name(name)) => Some(&**name),
        None => None,
    };
    let mut names = Vec::new();
    for name in [
        users.user(login.login_uid),
        users.user(event.credentials.uid),
        account,
    ] {
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

/// Writes what else was told.
pub fn write_properties(json: &mut Json, login: &Login) {
    for (key, value) in &login.properties {
        json.text(key, value);
    }
}
