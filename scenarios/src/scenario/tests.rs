use super::*;
use crate::{FreeRooms, RoomKind, RoomName, RoomNames, UserIds};

pub(super) const GOOD: &str = r#"
version = 2
title = "A subscriber gets what it asked for"
subject = "gateway"

[clients.alice]
[clients.bob]
user = "alice"

[[step]]
client = "alice"
subscribe = { room = "catalog:changed" }

[[step]]
publish = { type = "profile:updated", data = { userId = "{alice}" }, count = 2 }

[[step]]
wait = { client = "alice", receives = "profile:updated" }
times = 2
requires = "BRIDGE-18"

[[expect]]
requirement = "ROOM-1"
some = { client = "alice", receives = "subscribed" }
"#;

fn gateway(scenario: &Scenario) -> &GatewayScript {
    match &scenario.script {
        Script::Gateway(script) => script,
        Script::Client(_) | Script::Pair(_) => panic!("a scenario about a gateway"),
    }
}

fn client(scenario: &Scenario) -> &ClientScript {
    match &scenario.script {
        Script::Client(script) => script,
        Script::Gateway(_) | Script::Pair(_) => panic!("a scenario about a client"),
    }
}

pub(super) fn bindings() -> Bindings {
    Bindings {
        case: "c7".to_owned(),
        dialect: Dialect::default(),
        users: Default::default(),
        roles: Default::default(),
        event_names: Default::default(),
        rooms: RoomNames::default(),
        seed_rooms: true,
        pages: crate::pages::PagePaths::default(),
        stats: crate::stats::StatsPlaces::default(),
        audiences: Default::default(),
        owner_keys: Default::default(),
    }
}

pub(super) fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(ScenarioId("t".to_owned()), text)
}

/// Where user ids are numbers, a name that is all of a datum becomes a number; in rooms it stays a part of the text.
#[test]
fn ids_are_bound_as_what_they_are() {
    let bindings = Bindings { users: UserIds::Integers, ..bindings() };
    let scenario = parse(GOOD).unwrap();
    let id = scenario.user_id("bob", &bindings);
    assert!(id.parse::<u32>().is_ok() && scenario.user_id("alice", &bindings) == id, "bob is alice's user");
    assert_ne!(scenario.user_id("afterwards", &bindings), id);
    let bound = scenario.bind(&bindings);
    let GatewayAction::Publish { publication, .. } = &gateway(&bound).steps[1].action else {
        panic!("a publish step")
    };
    let event = format!(r#"{{"data":{{"seq":2,"userId":{id}}},"type":"profile:updated"}}"#);
    assert_eq!(publication.bodies()[1], event);
}

/// A scenario reads as it is written; names in braces become the run's own.
#[test]
fn a_scenario_reads_and_binds() {
    let scenario = parse(GOOD).unwrap();
    assert_eq!(gateway(&scenario).steps.len(), 3);
    assert_eq!(scenario.requirements()[0].to_string(), "ROOM-1");
    assert_eq!(scenario.user_id("bob", &bindings()), "alice-c7");
    let bound = scenario.bind(&bindings());
    let GatewayAction::Publish { publication, .. } = &gateway(&bound).steps[1].action else {
        panic!("a publish step")
    };
    assert_eq!(publication.bodies()[1], r#"{"data":{"seq":2,"userId":"alice-c7"},"type":"profile:updated"}"#);
    assert_eq!(publication.routing_key(), "profile.updated");
}

/// Names are replaced in values, not in text: what a dialect calls things may hold any character.
#[test]
fn a_word_of_a_dialect_may_hold_a_quotation_mark() {
    let text = GOOD.replacen(
        "subscribe = { room = \"catalog:changed\" }",
        "send_text = '{\"type\":\"{subscribe}\"}'",
        1,
    );
    let mut dialect = Dialect::default();
    dialect.requests.subscribe = "say \"join\"\n".to_owned();
    let bound = parse(&text).unwrap().bind(&Bindings { dialect, ..bindings() });
    let GatewayAction::ScriptedClient(_, ScriptedClientAct::SendText(text)) =
        &gateway(&bound).steps[0].action
    else {
        panic!("a text")
    };
    assert_eq!(text, "{\"type\":\"say \"join\"\n\"}");
}

/// What is read can be written, and read again.
#[test]
fn scenarios_are_written_as_they_are_read() {
    for text in [GOOD, FRAMES, CLIENT] {
        let scenario = parse(text).unwrap();
        let written = scenario.to_toml();
        let again = parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(again, scenario, "{written}");
    }
    for scenario in crate::Library::builtin().unwrap().iter() {
        let again = Scenario::parse(scenario.id.clone(), &scenario.to_toml());
        assert_eq!(&again.unwrap_or_else(|error| panic!("{error}")), scenario);
    }
}

/// A file of version 1 is refused with what has changed; one without a version says so.
#[test]
fn a_file_of_version_1_learns_what_changed() {
    let old = parse(&GOOD.replacen("version = 2", "version = 1", 1)).unwrap_err();
    assert_eq!(old.line(), Some(2));
    assert!(old.hint().unwrap().contains("`shows = \"ID\"`"), "{:?}", old.hint());
    let without = parse(&GOOD.replacen("version = 2", "", 1)).unwrap_err();
    assert!(without.to_string().contains("write `version = 2`"), "{without}");
}

/// Nothing is read and then ignored: a key that does not belong where it stands is an error at its line.
#[test]
fn nothing_is_ignored() {
    for (text, from, to, line, says) in [
        (
            GOOD,
            "wait = {",
            "client = \"alice\"\nwait = {",
            17,
            "`client` does not go with `times` and `wait`",
        ),
        (
            GOOD,
            "times = 2\n",
            "times = 2\nuntil = [{ receives = \"pong\" }]\n",
            17,
            "`until` does not go with",
        ),
        (GOOD, "subscribe = {", "code = 1000\nsubscribe = {", 10, "`code` does not go with"),
        (GOOD, "subscribe = {", "within = \"1s\"\nsubscribe = {", 10, "`within` does not go with"),
        (GOOD, "[clients.bob]", "[clients.subscribe]", 7, "`subscribe` means something else"),
        (GOOD, "[clients.bob]", "[clients.case]", 7, "`case` means something else"),
        (GOOD, "{alice}", "{alcie}", 14, "`{alcie}` stands for nothing"),
        (GOOD, "user = \"alice\"", "token = { omit = true, raw = \"x\" }", 7, "a token that is omitted"),
        (CLIENT, "{ do = \"sign_out\" }", "{ do = \"sign_out\", until = [] }", 6, "unknown field `until`"),
        (
            CLIENT,
            "{ do = \"sign_out\" }",
            "{ quiet = \"1s\", times = 2 }",
            10,
            "`times` does not go with `quiet`",
        ),
        (CLIENT, "signed_in = false", "signed_in = false, token = \"t\"", 5, "`token` is of no use"),
        (CLIENT, "signed_in = false", "url = \"nobody\", query = \"a=b\"", 5, "`query` goes with"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = parse(&changed).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
        if line != 6 {
            assert_eq!(error.line(), Some(line), "{to}: {error}");
        }
    }
}

/// Each wait says what it rests on, and keeps the rules of verdicts.
#[test]
fn waits_are_labelled() {
    for (from, to, says) in [
        ("requires = \"BRIDGE-18\"\n", "", "a wait says what it rests on"),
        ("requires = \"BRIDGE-18\"\n", "requires = \"BRIDGE-18\"\nshows = \"ROOM-1\"\n", "or `shows` one"),
        ("requires = \"BRIDGE-18\"\n", "requires = \"ROOM-1\"\n", "cannot take it for granted"),
        ("requires = \"BRIDGE-18\"\n", "requires = \"CONN-4\"\n", "must not rest on CONN-4"),
        ("requires = \"BRIDGE-18\"\n", "shows = \"ROOM-6\"\n", "must not rest on ROOM-6"),
        (
            "count = 2 }\n",
            "count = 2 }\nuntil = [{ receives = \"profile:updated\" }]\n",
            "a wait says what it rests on",
        ),
        ("client = \"alice\"\nsub", "requires = \"CONN-2\"\nclient = \"alice\"\nsub", "rests on nothing"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
    let shown = parse(&GOOD.replacen("requires = \"BRIDGE-18\"", "shows = \"BRIDGE-18\"", 1)).unwrap();
    let ids: Vec<_> = shown.requirements().iter().map(ToString::to_string).collect();
    assert_eq!((ids, shown.last_evidence()), (vec!["BRIDGE-18".to_owned(), "ROOM-1".to_owned()], Some(3)));
}

/// Each slip is reported at its line, with a hint where one is near.
#[test]
fn slips_are_reported_where_they_are() {
    for (from, to, line, says, hint) in [
        ("version = 2", "version = 3", 2, "version 3 is unknown", None),
        ("[clients.bob]\nuser", "[clients.bob]\nusr", 8, "unknown field `usr`", Some("`user`")),
        ("user = \"alice\"", "user = \"alcie\"", 7, "names no client", Some("`alice`")),
        ("client = \"alice\"\nsub", "client = \"alicia\"\nsub", 10, "no client `alicia`", Some("`alice`")),
        ("subscribe = {", "subscrbe = {", 12, "unknown field `subscrbe`", Some("`subscribe`")),
        (
            "requires = \"BRIDGE-18\"",
            "requires = \"BRIGDE-18\"",
            17,
            "no requirement BRIGDE-18",
            Some("BRIDGE-18"),
        ),
        ("times = 2", "times = \"two\"", 19, "`two` is not a time", None),
        ("times = 2", "quiet = \"1s\"", 17, "does one thing", None),
        ("\"ROOM-1\"", "\"BACKOFF-1\"", 22, "is about a client", None),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains(says), "{from}: {error}");
        assert_eq!(error.line(), Some(line), "{from}: {error}");
        assert_eq!(error.hint().is_some(), hint.is_some(), "{from}: {:?}", error.hint());
        assert!(
            error.hint().unwrap_or_default().contains(hint.unwrap_or_default()),
            "{from}: {:?}",
            error.hint()
        );
    }
}

/// A scenario that expects nothing would pass whatever happens.
#[test]
fn a_scenario_expects_something() {
    let (without, _) = GOOD.split_once("[[expect]]").unwrap();
    assert!(parse(without).unwrap_err().to_string().contains("expects nothing"));
}

const FRAMES: &str = r#"
version = 2
title = "Frames of every kind"
subject = "gateway"
clients = { alice = { request = { http = "1.0", without = ["Host"] } } }
step = [
    { client = "alice", send_frame = { opcode = "text", text = "hello", fragments = 2 }, chop = 1 },
    { client = "alice", send_frames = [{ opcode = 11, rsv = 5, masked = false }, { opcode = "close", code = 1000, fill = 2 }] },
    { client = "alice", send_ping = { bytes = 200, fragments = 3, between = "x" } },
]
expect = [{ requirement = "MSG-7", some = { closes = { code_or_none = 1002 } } }]
"#;

/// Frames are sent as they are written, right or wrong.
#[test]
fn frames_are_sent_as_they_are_written() {
    let scenario = parse(FRAMES).unwrap();
    assert_eq!(gateway(&scenario).clients["alice"].request.without, ["Host"]);
    let bytes = |step: usize| match &gateway(&scenario).steps[step].action {
        GatewayAction::ScriptedClient(_, ScriptedClientAct::SendFrames { frames, .. }) => {
            frames.iter().map(|odd| odd.frame.clone().encode(None)).collect::<Vec<_>>()
        }
        other => panic!("{other} sends no frames"),
    };
    assert_eq!(bytes(0), [&b"\x01\x02he"[..], b"\x80\x03llo"]);
    assert_eq!(bytes(1), [&b"\xdb\x00"[..], b"\x88\x04\x03\xe8xx"]);
    let shown = scenario.actions();
    assert_eq!(
        shown,
        [
            "alice: send a text frame of 2 bytes that is not the last, a continue frame of 3 bytes, 1 bytes a write",
            "alice: send a reserved_control_11 frame of 0 bytes without a mask with reserved bits 101, \
             a close frame of 4 bytes",
            "alice: send a ping message of 200 bytes in 3 fragments with ping frames \"x\" between",
        ]
    );
}

/// A frame that cannot be sent is a slip.
#[test]
fn impossible_frames_are_slips() {
    for (from, to, says) in [
        ("rsv = 5", "rsv = 8", "three bits"),
        ("opcode = 11", "opcode = 16", "at most 15"),
        ("opcode = 11", "opcode = \"pang\"", "expected `text`"),
        ("fill = 2", "fill = 2, hex = \"00\"", "`hex`, or `text` and `fill`"),
        (
            "[{ opcode = 11, rsv = 5, masked = false }, { opcode = \"close\", code = 1000, fill = 2 }]",
            "[]",
            "empty list",
        ),
        ("fragments = 2", "fragments = 0", "nonzero"),
        (
            "send_ping = {",
            "do = \"ping\", chop = 1 } , { client = \"alice\", send_ping = {",
            "`chop` does not go with `client` and `do`",
        ),
    ] {
        let text = FRAMES.replacen(from, to, 1);
        assert_ne!(text, FRAMES, "{from}");
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
}

/// Event types are called as the subject calls them, all at once: names may even change places.
#[test]
fn event_types_are_renamed() {
    let swapped = [("payment:created", "payment:updated"), ("payment:updated", "payment:created")];
    let event_names = swapped.map(|(kind, name)| (kind.to_owned(), name.to_owned())).into();
    let text = CLIENT.replace("a:b", "payment:created").replace("\"note\"", "\"payment:updated\"");
    let bound = parse(&text).unwrap().bind(&Bindings { event_names, ..bindings() });
    let expected = CLIENT.replace("a:b", "payment:updated").replace("\"note\"", "\"payment:created\"");
    assert_eq!(bound.to_toml(), parse(&expected).unwrap().to_toml());
}

/// A refusal that is as declared is what the run's dialect declares.
#[test]
fn a_refusal_is_as_declared() {
    let text = GOOD.replacen("receives = \"subscribed\" }", "refused = \"as_declared\" }", 1);
    let scenario = parse(&text).unwrap();
    let expected = |refusal: &str| {
        let dialect: Dialect = serde_json::from_value(serde_json::json!({ "refusal": refusal })).unwrap();
        let bound = scenario.bind(&Bindings { dialect, ..bindings() });
        bound.expectations[0].patterns()[0].to_string()
    };
    assert_eq!(expected("http-401"), "alice is refused with HTTP 401");
    assert_eq!(expected("close-4401"), "alice is refused by a close with 4401 before any message");
}

/// An error's code is called as the dialect has it; where errors say none, any error will do.
#[test]
fn error_codes_are_as_declared() {
    let text = GOOD.replacen(
        "receives = \"subscribed\" }",
        "receives = { type = \"error\", code = \"bad_room\" } }",
        1,
    );
    let scenario = parse(&text).unwrap();
    let expected = |errors: serde_json::Value| {
        let dialect: Dialect = serde_json::from_value(serde_json::json!({ "errors": errors })).unwrap();
        let bound = scenario.bind(&Bindings { dialect, ..bindings() });
        bound.expectations[0].patterns()[0].to_string()
    };
    assert_eq!(expected(true.into()), "alice receives error bad_room");
    assert_eq!(
        expected(serde_json::json!({ "bad_room": "bad_channel" })),
        "alice receives error bad_channel"
    );
    assert_eq!(expected(false.into()), "alice receives error");
}

/// What is about signing in by a message means nothing where the token travels in the request.
#[test]
fn signing_in_by_a_message_needs_one() {
    let text = GOOD.replacen("[[step]]", "[[step]]\nclient = \"alice\"\ndo = \"sign_in\"\n\n[[step]]", 1);
    let scenario = parse(&text).unwrap();
    assert!(scenario.is_about_signing_in() && !parse(GOOD).unwrap().is_about_signing_in());
    assert!(scenario.lacks(&Dialect::default()).unwrap().contains("no message signs in"));
    assert_eq!(scenario.lacks(&Dialect::builtin("first-message").unwrap()), None);
    assert_eq!(parse(&scenario.to_toml()).unwrap(), scenario);
    let nobody = text.replace("do = \"sign_in\"", "sign_in_as = \"nobody\"");
    assert!(parse(&nobody).is_err());
}

/// A gateway may be set up in a way of its own; what cannot be is reported.
#[test]
fn a_setting_names_its_placeholder() {
    let head = "subject = \"gateway\"\n";
    let with = |text: &str| parse(&GOOD.replacen(head, &format!("{head}{text}\n"), 1));
    let scenario = with("broker = \"down\"\ngateways = 2\n[settings]\nmax_connections = 2").unwrap();
    assert_eq!(gateway(&scenario).settings.placeholders(), [["max_connections"]]);
    assert!(
        (gateway(&scenario).gateways, gateway(&scenario).disturbs_broker()) == (2, true)
            && !gateway(&parse(GOOD).unwrap()).disturbs_broker()
    );
    let error = |text: &str| with(text).unwrap_err().to_string();
    assert!(error("gateways = 0").contains("`gateways` lies between"));
    assert!(error("[settings]\nmax_conections = 2").contains("unknown field `max_conections`"));
    let elsewhere = GOOD.replacen("[clients.alice]", "[clients.alice]\ngateway = 2", 1);
    assert!(parse(&elsewhere).unwrap_err().to_string().contains("no such gateway"));
}

const CLIENT: &str = r#"
version = 2
title = "Consumers under a provider"
subject = "client"
client = { signed_in = false, options = { debug = true } }
step = [
    { mount = { name = "list", hook = { kind = "real_time_updates", eventType = "a:b", queryKeys = [["a"]] } } },
    { send = { type = "note", payload = {}, count = 3 } },
    { set_user = { id = "u", email = "u@example.com", name = "U" } },
    { do = "sign_out" },
    { read = "list" },
    { gateway = { event = { type = "a:b", data = {}, count = 25 } } },
    { gateway = { cut_after = 3 } },
    { inspect = "log" },
    { network = "end" },
    { network = { both = { delay = "0.5 * pong_timeout", slice = 3 }, to_subject = { black_hole = true } } },
]
expect = [{ requirement = "HOOK-1", some = { consumer = "list", status = "connected" } }]
"#;

/// Requests to a client are displayed as English.
#[test]
fn client_requests_are_displayed() {
    let scenario = parse(CLIENT).unwrap();
    assert_eq!(client(&scenario).client.token_of(1), None);
    let shown = scenario.actions();
    assert_eq!(
        shown,
        [
            "client: mount list, which invalidates queries on a:b",
            "client: send note (3)",
            r#"client: have {"email":"u@example.com","id":"u","name":"U"} signed in"#,
            "client: sign out",
            "client: tell what list shows",
            "gateway: send a:b (25)",
            "gateway: read 3 messages and drop the connection",
            "read the log",
            "the network ends connections",
            "the network lets nothing through to the subject, delays by 0.5 * pong_timeout, carries 3 bytes at a time from it",
        ]
    );
    let fleet = parse(&CLIENT.replacen("signed_in = false", "fleet = true", 1)).unwrap();
    assert_eq!(client(&fleet).client.token_of(17).as_deref(), Some("a-token-17"));
}

/// An impossible client configuration is an error in the file.
#[test]
fn impossible_clients_are_slips() {
    for (from, to, says) in [
        ("queryKeys = [[\"a\"]]", "queryKeys = [[\"a\"]], queryKey = [\"a\"]", "unknown field `queryKey`"),
        ("kind = \"real_time_updates\"", "kind = \"realtime\"", "unknown variant `realtime`"),
        ("name = \"U\" }", "name = \"U\", age = 7 }", "unknown field `age`, beside `email`, `id`, `name`"),
        ("debug = true", "debug = true, jiter = 0", "unknown field `jiter`"),
        ("debug = true", "debug = \"yes\"", "expected a boolean"),
        ("name = \"list\"", "name = \"client\"", "and its own"),
        ("read = \"list\"", "read = \"lits\"", "no step mounts the consumer `lits`"),
        ("consumer = \"list\"", "consumer = \"lits\"", "no step mounts the consumer `lits`"),
        ("consumer = \"list\"", "client = \"list\"", "name a `consumer`"),
        ("payload = {}, count", "payload = 1, count", "has a table"),
        ("cut_after = 3", "cut_after = 0", "is a `drop`"),
        ("inspect = \"log\"", "inspect = \"queue\"", "unknown variant `queue`"),
        ("do = \"sign_out\"", "do = \"stall\"", "unknown variant `stall`"),
        ("signed_in = false", "url = \"environment\"", "say `simulated = false`"),
        ("do = \"sign_out\"", "network = \"reset\"", "say `simulated = false`"),
        ("do = \"sign_out\"", "network = \"gone\"", "expected `\"clear\"`"),
    ] {
        let text = CLIENT.replacen(from, to, 1);
        assert_ne!(text, CLIENT, "{from}");
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
}

/// A token expires with the code that the dialect declares for that; where it declares none, with 4401 or that of a refusal (AUTH-6).
#[test]
fn a_token_expires_as_declared() {
    let library = crate::Library::builtin().unwrap();
    let case = library.iter().find(|case| case.id.0 == "gateway/auth/token-expires").unwrap();
    let expected = |dialect: &str| {
        let bindings = Bindings { dialect: dialect.parse().unwrap(), ..bindings() };
        case.bind(&bindings).expectations[0].patterns()[1].to_string()
    };
    for (dialect, codes) in [
        ("{}", "4401"),
        (r#"{"refusal":"close-4010"}"#, "4010 or 4401"),
        (r#"{"refusal":"close-4010","closes":{"expired":1008}}"#, "1008"),
    ] {
        assert_eq!(expected(dialect), format!("alice sees the connection end with {codes}"), "{dialect}");
    }
}

/// ROOM-3 is asked of the rooms that the profile names; a case says which kinds it is about.
#[test]
fn private_rooms_are_called_as_declared() {
    let library = crate::Library::builtin().unwrap();
    let find = |id: &str| library.iter().find(|case| case.id.0 == id).unwrap();
    let rooms = RoomNames {
        user: RoomName::parse(RoomKind::User, "user/{user}").unwrap(),
        role: RoomName::parse(RoomKind::Role, "team/{role}").unwrap(),
        ..RoomNames::default()
    };
    let bindings = Bindings { rooms, ..bindings() };
    for (id, kinds, asked) in [
        ("gateway/rooms/private", vec![RoomKind::User], "room = \"user/alice-"),
        ("gateway/rooms/private-role", vec![RoomKind::Role], "room = \"team/admin\""),
        ("gateway/messages/well-formed", Vec::new(), "room = \"user/somebody-else\""),
        ("gateway/rooms/no-leak", Vec::new(), "catalog:changed"),
    ] {
        assert_eq!(find(id).private_rooms().into_iter().collect::<Vec<_>>(), kinds, "{id}");
        let bound = find(id).bind(&bindings).to_toml();
        assert!(bound.contains(asked) && !bound.contains("role:"), "{id}: {bound}");
    }
}

/// A room that anybody may join is called as the profile has it, in what is asked, answered and counted; where the profile names none, a case
/// about one is not played.
#[test]
fn free_rooms_are_called_as_declared() {
    let library = crate::Library::builtin().unwrap();
    let find = |id: &str| library.iter().find(|case| case.id.0 == id).unwrap();
    let owners_alone = || crate::Audiences::new(crate::Audience::Owner.types().iter().copied(), []);
    let with = |free, audiences| {
        let rooms = RoomNames { free, ..RoomNames::default() };
        Bindings { rooms, audiences, ..bindings() }
    };
    let called = FreeRooms::parse("board.{name}").unwrap();
    let named = with(called.clone(), owners_alone());
    for (id, asked) in [
        ("gateway/rooms/limit", "board.r17"),
        ("gateway/connections/churn-is-not-counted", "board.catalogchanged"),
    ] {
        let bound = find(id).bind(&named).to_toml();
        assert!(bound.contains(asked) && !bound.contains("catalog:changed"), "{id}: {bound}");
        assert_eq!(find(id).lacks_rooms(&named), None, "{id}");
    }
    let limit = find("gateway/rooms/limit");
    let gap = |free, audiences| limit.lacks_rooms(&with(free, audiences)).map(|lacks| lacks.gap);
    let all = crate::Audiences::default;
    assert_eq!(gap(FreeRooms::AnyName, all()), None);
    assert_eq!(gap(FreeRooms::AnyName, owners_alone()), Some(crate::Gap::Undeclared));
    let without = owners_alone().without([crate::Audience::Subscribers]);
    assert_eq!(gap(FreeRooms::AnyName, without), Some(crate::Gap::Unclaimed));
    assert_eq!(gap(FreeRooms::Absent, all()), Some(crate::Gap::Design));
    // The room of an event is the event's own, by whatever name it is joined.
    let mut own = with(called, all());
    own.rooms.of_events.insert("catalog:changed".to_owned(), "shop/catalogue".to_owned());
    let bound = find("gateway/rooms/no-other-room").bind(&own).to_toml();
    assert!(bound.contains("room = \"shop/catalogue\""), "{bound}");
    assert!(bound.contains("type = \"catalog:changed\"") && bound.contains("\"stock:changed\""), "{bound}");
    assert!(FreeRooms::parse("board").is_err() && FreeRooms::parse("{name}{name}").is_err());
}

/// What is about no audience is played with whatever event there is, an owner's alone among them.
#[test]
fn an_owners_event_serves_where_no_audience_is_meant() {
    let library = crate::Library::builtin().unwrap();
    let owner = crate::Audience::Owner.types()[0];
    let audiences = crate::Audiences::new([owner], []);
    for id in [
        "gateway/bridge/acknowledged-once-handed-on",
        "gateway/bridge/consumed-with-acknowledgements",
        "gateway/auth/signs-in-twice",
        "gateway/auth/silent-before-sign-in",
    ] {
        let case = library.iter().find(|case| case.id.0 == id).unwrap();
        let played = case.addressed(&audiences).unwrap_or_else(|gap| panic!("{id}: {gap}")).to_toml();
        assert!(played.contains(owner) && !played.contains("its event"), "{id}: {played}");
    }
}

/// A declared close is looked for by its code, where it is declared, and in no other dialect.
#[test]
fn a_close_is_as_declared() {
    let library = crate::Library::builtin().unwrap();
    let find = |id: &str| library.iter().find(|case| case.id.0 == id).unwrap();
    let cases = ["gateway/messages/closes-on-garbage", "gateway/messages/closes-on-unknown-types"].map(find);
    let dialect = r#"{"closes":{"bad_message":4422}}"#.parse::<Dialect>().unwrap();
    assert_eq!(cases.map(|case| case.lacks(&dialect).is_none()), [true, false]);
    assert_eq!(cases.map(|case| case.lacks(&Dialect::default()).is_none()), [false, false]);
    let bindings = Bindings { dialect, ..bindings() };
    let bound = cases[0].bind(&bindings);
    assert!(bound.requirements().len() == 1 && bound.to_toml().contains("4422"), "{}", bound.to_toml());
    assert!(cases.iter().all(|case| case.lacks(&case.own_dialect().unwrap()).is_none()));
}

/// Where what is no message closes the connection, a case whose client sends such a one is not run; a ping in whatever frames is one.
#[test]
fn what_closes_is_left_out() {
    let library = crate::Library::builtin().unwrap();
    let dialect = |text: &str| text.parse::<Dialect>().unwrap();
    let left_out = |dialect: &Dialect, id: &str| {
        let case = library.iter().find(|case| case.id.0 == id).unwrap();
        case.lacks(dialect).is_some_and(|why| why.contains("dialect.closes"))
    };
    let same_ping = dialect(r#"{"closes":{"bad_message":4400}}"#);
    let other_ping =
        dialect(r#"{"closes":{"bad_message":4400},"frames":{"message":"[\"{type}\",\"{payload}\"]"}}"#);
    for (id, with_same, with_other) in [
        ("gateway/messages/garbage", true, true),
        ("gateway/messages/closes-on-garbage", false, false),
        ("gateway/rfc6455/fragmentation/nothing-to-continue", false, true),
        ("gateway/rfc6455/opcodes/data", false, true),
        ("gateway/rfc6455/utf8/boundaries", false, true),
        ("gateway/rfc6455/fragmentation/pings-between", false, false),
        ("gateway/rooms/private", false, false),
        ("client/messages/emitted", true, true),
        ("client/network/slow-bytes", false, false),
    ] {
        assert_eq!(left_out(&same_ping, id), with_same, "{id}");
        assert_eq!(left_out(&other_ping, id), with_other, "{id}");
        assert!(!left_out(&Dialect::default(), id), "{id}");
    }
}

/// A listener's message without a payload could be read and not written (found by `scenario_files` of the fuzz targets).
#[test]
fn what_is_left_out_can_be_written() {
    let text = "version = 2\ntitle = \"a\"\nsubject = \"client\"\n[[step]]\nreact = { name = \"a:b\", listener = \"l\", do = { op = \"send\", \
                message = { type = \"note\" } } }\n[[step]]\ndo = \"connect\"\n[[step]]\nwait = { opens = true }\nrequires = \"STATE-1\"\n[[expect]]\n\
                requirement = \"IN-3\"\nsome = { sends = \"note\" }\n";
    let scenario = parse(text).unwrap();
    assert_eq!(parse(&scenario.to_toml()).unwrap(), scenario);
}
