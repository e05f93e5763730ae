//! What the rooms of a user and of a role are called by the gateway under test.

use std::collections::BTreeMap;

use protocol::Role;

use crate::identity::RoleNames;

/// Rooms of their own, as a profile names them. The default is the seed's (SPEC "Rooms").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomNames {
    /// A user's.
    pub user: RoomName,
    /// A role's.
    pub role: RoomName,
    /// Those that anybody may join.
    pub free: FreeRooms,
    /// The rooms of events for subscribers, by the types that scenarios use, where they are called otherwise than their events.
    pub of_events: BTreeMap<String, String>,
}

/// What those rooms are called that anybody may join, beside those of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreeRooms {
    /// As anybody likes.
    AnyName,
    /// What stands around a name of letters and digits.
    Called {
        /// Before it.
        before: String,
        /// Behind it.
        after: String,
    },
    /// There are none.
    Absent,
}

impl FreeRooms {
    /// Reads a template: a text in which `{name}` stands once.
    ///
    /// # Errors
    /// Says what must stand in it.
    pub fn parse(template: &str) -> Result<Self, String> {
        match template.split_once("{name}") {
            Some((before, after)) if !before.contains('{') && !after.contains('{') => {
                Ok(Self::Called { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(format!("`{template}`: `{{name}}` must stand in it, once")),
        }
    }
}

/// What the rooms of one kind are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomName {
    /// There are none.
    Absent,
    /// What stands around a user's id, or a role's name.
    Called {
        /// Before it.
        before: String,
        /// Behind it.
        after: String,
        /// Whether a role's name stands there as in a token, and not in lower case.
        as_in_tokens: bool,
    },
    /// What the rooms of some roles are called; the others have none.
    OfRoles(BTreeMap<Role, String>),
}

/// Whose room it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomKind {
    /// A user's.
    User,
    /// A role's.
    Role,
}

/// How a scenario writes a room's name: as it is, or in a spelling that names no room.
#[derive(Clone, Copy)]
enum Spelling {
    Plain,
    UpperCase,
    Capitalised,
    PercentEncoded,
    FullWidth,
}

impl RoomKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::User, Self::Role];

    /// What the name of the seed's begins with, in each spelling that scenarios use.
    const fn beginnings(self) -> [(&'static str, Spelling); 5] {
        match self {
            Self::User => [
                ("user:", Spelling::Plain),
                ("USER:", Spelling::UpperCase),
                ("User:", Spelling::Capitalised),
                ("user%3A", Spelling::PercentEncoded),
                ("ｕｓｅｒ:", Spelling::FullWidth),
            ],
            Self::Role => [
                ("role:", Spelling::Plain),
                ("ROLE:", Spelling::UpperCase),
                ("Role:", Spelling::Capitalised),
                ("role%3A", Spelling::PercentEncoded),
                ("ｒｏｌｅ:", Spelling::FullWidth),
            ],
        }
    }

    /// Whether a text names such a room.
    pub(crate) fn is_named_in(self, text: &str) -> bool {
        self.beginnings().iter().any(|(beginning, _)| text.contains(beginning))
    }

    /// The key of the profile that says what they are called.
    pub fn key(self) -> &'static str {
        match self {
            Self::User => "gateway.rooms.user",
            Self::Role => "gateway.rooms.role",
        }
    }
}

impl RoomName {
    /// Reads a template: a text in which `{user}`, or `{role}` (in lower case) or `{ROLE}` (as in a token) stands once.
    ///
    /// # Errors
    /// Says what must stand in it.
    pub fn parse(kind: RoomKind, template: &str) -> Result<Self, String> {
        let places: &[(&str, bool)] = match kind {
            RoomKind::User => &[("{user}", false)],
            RoomKind::Role => &[("{role}", false), ("{ROLE}", true)],
        };
        let found = places.iter().find_map(|(place, as_in_tokens)| {
            let (before, after) = template.split_once(place)?;
            Some((before, after, *as_in_tokens))
        });
        match found {
            Some((before, after, as_in_tokens)) if !before.contains('{') && !after.contains('{') => {
                let (before, after) = (before.to_owned(), after.to_owned());
                Ok(Self::Called { before, after, as_in_tokens })
            }
            _ => {
                let places: Vec<_> = places.iter().map(|(place, _)| format!("`{place}`")).collect();
                Err(format!("`{template}`: {} must stand in it, once", places.join(" or ")))
            }
        }
    }

    /// Reads the names of the rooms that some roles have, each a room of its own.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn of_roles(names: BTreeMap<Role, String>) -> Result<Self, String> {
        if let Some((role, _)) = names.iter().find(|(_, name)| name.is_empty()) {
            return Err(format!("the name of the room of {role} is empty"));
        }
        if let Some((role, name)) = names.iter().find(|(_, name)| name.contains(['{', '}'])) {
            return Err(format!("`{name}`: the room of {role} alone has no placeholder in its name"));
        }
        let of_admins = names.get(&Role::Admin);
        match names.iter().find(|(role, name)| **role != Role::Admin && Some(*name) == of_admins) {
            Some((role, _)) => Err(format!("ADMIN and {role} have one room: it would be nobody's own")),
            None => Ok(Self::OfRoles(names)),
        }
    }

    /// The room of the user whose id this is.
    pub fn of(&self, id: &str) -> Option<String> {
        self.spelled(id, Spelling::Plain)
    }

    fn spelled(&self, whose: &str, spelling: Spelling) -> Option<String> {
        let Self::Called { before, after, .. } = self else { return None };
        Some(format!("{}{whose}{}", spelling.of(before), spelling.of(after)))
    }
}

impl RoomNames {
    /// What the rooms of one kind are called.
    pub fn of(&self, kind: RoomKind) -> &RoomName {
        match kind {
            RoomKind::User => &self.user,
            RoomKind::Role => &self.role,
        }
    }

    /// A role's room.
    pub fn of_role(&self, role: Role, roles: &RoleNames) -> Option<String> {
        self.spelled_of_role(role.lower_case(), roles, Spelling::Plain)
    }

    /// Whether a text that names the room of a role, as scenarios do, names one that there is not.
    pub(crate) fn lack(&self, room: &str, roles: &RoleNames) -> bool {
        RoomKind::Role.beginnings().iter().any(|(beginning, spelling)| {
            let named = room.split_once(beginning).map(|(_, rest)| {
                let end = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
                &rest[..end]
            });
            named.is_some_and(|said| {
                role_said(said).is_some() && self.spelled_of_role(said, roles, *spelling).is_none()
            })
        })
    }

    /// Changes the names of the seed's rooms in a text to what they are called. A role's name in the other case stays in the other case.
    pub(crate) fn rename(&self, text: &mut String, roles: &RoleNames) {
        for kind in RoomKind::ALL {
            for (beginning, spelling) in kind.beginnings() {
                if !text.contains(beginning) {
                    continue;
                }
                let mut parts = text.split(beginning);
                let mut renamed = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    let end = part.find(|c| !is_of_a_name(c)).unwrap_or(part.len());
                    let (whose, rest) = part.split_at(end);
                    let named = match kind {
                        RoomKind::User if whose.is_empty() => None,
                        RoomKind::User => self.user.spelled(whose, spelling),
                        RoomKind::Role => self.spelled_of_role(whose, roles, spelling),
                    };
                    match named {
                        Some(room) => renamed.push_str(&room),
                        None => renamed.extend([beginning, whose]),
                    }
                    renamed.push_str(rest);
                }
                *text = renamed;
            }
        }
    }

    /// The room of a role that a scenario names: `admin` as there, `ADMIN` in another case.
    fn spelled_of_role(&self, said: &str, roles: &RoleNames, spelling: Spelling) -> Option<String> {
        let role = role_said(said)?;
        let in_tokens = roles.name(role)?;
        let is_plain = said == role.lower_case();
        match &self.role {
            RoomName::Absent => None,
            RoomName::OfRoles(names) => {
                let name = spelling.of(names.get(&role)?);
                Some(if is_plain { name } else { in_another_case(&name) })
            }
            RoomName::Called { as_in_tokens, .. } => {
                let name = if *as_in_tokens { in_tokens.to_owned() } else { in_tokens.to_lowercase() };
                let name = if is_plain { name } else { in_another_case(&name) };
                self.role.spelled(&name, spelling)
            }
        }
    }
}

/// The role that a scenario names.
fn role_said(said: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.lower_case() == said || role.as_str() == said)
}

fn in_another_case(name: &str) -> String {
    let upper = name.to_uppercase();
    if upper == name { name.to_lowercase() } else { upper }
}

impl Default for RoomNames {
    fn default() -> Self {
        let of = |kind, template| RoomName::parse(kind, template).expect("the seed's");
        Self {
            user: of(RoomKind::User, "user:{user}"),
            role: of(RoomKind::Role, "role:{role}"),
            free: FreeRooms::AnyName,
            of_events: BTreeMap::new(),
        }
    }
}

impl Spelling {
    fn of(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::UpperCase => text.to_uppercase(),
            Self::Capitalised => {
                let mut rest = text.chars();
                rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
            }
            Self::PercentEncoded => {
                let encoded = |c: char| format!("%{:02X}", u32::from(c));
                match text.chars().rfind(|c| c.is_ascii() && !c.is_ascii_alphanumeric()) {
                    Some(mark) => text.replace(mark, &encoded(mark)),
                    None => text.chars().map(|c| if c.is_ascii() { encoded(c) } else { c.into() }).collect(),
                }
            }
            Self::FullWidth => {
                let wide = |c: char| char::from_u32(u32::from(c) + FULL_WIDTH).unwrap_or(c);
                text.chars().map(|c| if c.is_ascii_alphanumeric() { wide(c) } else { c }).collect()
            }
        }
    }
}

/// From an ASCII character to its full-width form (Unicode block "Halfwidth and Fullwidth Forms").
const FULL_WIDTH: u32 = 0xfee0;

/// Whether a character belongs to an id, a placeholder for one, or a role's name.
fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(names: &RoomNames, roles: &RoleNames, text: &str) -> String {
        let mut text = text.to_owned();
        names.rename(&mut text, roles);
        text
    }

    fn roles(names: [(Role, &str); 2]) -> RoleNames {
        RoleNames::Called(names.map(|(role, name)| (role, name.to_owned())).into())
    }

    fn names(user: &str, role: &str) -> RoomNames {
        let of = |kind, template| RoomName::parse(kind, template).unwrap();
        RoomNames { user: of(RoomKind::User, user), role: of(RoomKind::Role, role), ..RoomNames::default() }
    }

    /// As the seed has them, rooms have a role's name in lower case, and in upper case where a scenario has it so; other texts stay.
    #[test]
    fn rooms_have_the_names_of_roles() {
        let roles = roles([(Role::Admin, "vendor"), (Role::Vendor, "Seller")]);
        for (text, expected) in [
            ("role:admin", "role:vendor"),
            (r#"{"room":"role:admin"} role:vendor"#, r#"{"room":"role:vendor"} role:seller"#),
            (" role:ADMIN", " role:VENDOR"),
            ("ROLE:admin", "ROLE:vendor"),
            ("role:customer", "role:customer"),
            ("admin role: user:admin", "admin role: user:admin"),
        ] {
            assert_eq!(renamed(&RoomNames::default(), &roles, text), expected);
        }
    }

    /// A profile's names take the place of the seed's, in each spelling that scenarios have; with the seed's nothing changes.
    #[test]
    fn rooms_are_called_as_declared() {
        let names = names("users/{user}/inbox", "team-{role}");
        let roles = roles([(Role::Admin, "BackOffice"), (Role::Vendor, "courier")]);
        for (text, expected) in [
            ("user:{alice}", "users/{alice}/inbox"),
            (" user:{alice} ", " users/{alice}/inbox "),
            (r#"{"rooms":{"user:4711":1}}"#, r#"{"rooms":{"users/4711/inbox":1}}"#),
            ("USER:{alice}", "USERS/{alice}/INBOX"),
            ("User:{alice}", "Users/{alice}/inbox"),
            ("user%3A{alice}", "users%2F{alice}%2Finbox"),
            ("ｕｓｅｒ:{alice}", "ｕｓｅｒｓ/{alice}/ｉｎｂｏｘ"),
            ("role:admin", "team-backoffice"),
            ("role:ADMIN", "team-BACKOFFICE"),
            ("ROLE:admin", "TEAM-backoffice"),
            ("role:somebody", "role:somebody"),
            ("catalog:changed", "catalog:changed"),
        ] {
            assert_eq!(renamed(&names, &roles, text), expected, "{text}");
            let usual = RoleNames::default();
            assert_eq!(renamed(&RoomNames::default(), &usual, text), text);
        }
    }

    /// A role's name may stand in its room as in a token; what names no room is then in lower case.
    #[test]
    fn a_role_may_stand_in_its_room_as_in_tokens() {
        let names = names("{user}", "role/{ROLE}");
        let usual = RoleNames::default();
        let of = |text| renamed(&names, &usual, text);
        assert_eq!([of("role:admin"), of("role:ADMIN"), of("user:7")], ["role/ADMIN", "role/admin", "7"]);
        assert_eq!(names.of_role(Role::Admin, &usual).as_deref(), Some("role/ADMIN"));
        assert_eq!(names.user.of("7").as_deref(), Some("7"));
    }

    /// The room of a role may have any name; a role that has none is asked for in no room.
    #[test]
    fn roles_may_have_rooms_of_any_name() {
        let of_roles = RoomName::of_roles([(Role::Admin, "front-desk".to_owned())].into()).unwrap();
        let names = RoomNames { role: of_roles, ..RoomNames::default() };
        let usual = RoleNames::default();
        for (text, expected) in [
            ("role:admin", "front-desk"),
            (" role:admin ", " front-desk "),
            ("role:ADMIN", "FRONT-DESK"),
            ("ROLE:admin", "FRONT-DESK"),
            ("role%3Aadmin", "front%2Ddesk"),
            ("user:7", "user:7"),
        ] {
            assert_eq!(renamed(&names, &usual, text), expected, "{text}");
            assert!(!names.lack(text, &usual), "{text}");
        }
        assert!(names.lack("role:vendor", &usual) && names.lack(" ROLE:vendor", &usual));
        assert!(!names.lack("role:somebody", &usual), "it is no role");
        assert_eq!(names.of_role(Role::Vendor, &usual), None);
        let two = |name: &str| [(Role::Admin, "desk".to_owned()), (Role::Vendor, name.to_owned())].into();
        assert!(RoomName::of_roles(two("desk")).unwrap_err().contains("ADMIN and VENDOR have one room"));
        assert!(RoomName::of_roles(two("")).unwrap_err().contains("is empty"));
        assert!(RoomName::of_roles(two("{role}")).unwrap_err().contains("no placeholder"));
    }

    /// Whose room it is must stand in its name, once.
    #[test]
    fn a_name_says_whose_room_it_is() {
        for (kind, template) in [
            (RoomKind::User, "user"),
            (RoomKind::User, "{role}"),
            (RoomKind::User, "{user}/{user}"),
            (RoomKind::Role, "{user}"),
            (RoomKind::Role, "{role}{ROLE}"),
        ] {
            assert!(RoomName::parse(kind, template).unwrap_err().contains("must stand in it, once"));
        }
    }
}
