use protocol::Dialect;

use super::*;
use crate::library::Library;
use crate::pages::PagePaths;
use crate::scenario::tests::{GOOD, bindings, parse};
use crate::stats::StatsPlaces;

/// CONN-9: a page lists the rooms that a profile names; what those of a user or of everybody are called, it may not say.
#[test]
fn pages_list_the_rooms_that_are_named() {
    let page = "answers = { path = \"/stats\", json = { connections = { total = 2 }, rooms = { broadcast = 2, \"catalog:changed\" = 1, \"user:{alice}\" = 1 } } } }";
    let text = GOOD.replacen("receives = \"subscribed\" }", page, 1);
    let event_names: std::collections::BTreeMap<_, _> =
        [("catalog:changed".to_owned(), "ticker.eur".to_owned())].into();
    let of = |seed_rooms| {
        let bindings = Bindings { seed_rooms, event_names: event_names.clone(), ..bindings() };
        parse(&text).unwrap().bind(&bindings).expectations[0].patterns()[0].to_string()
    };
    let usual = of(true);
    assert!(usual.contains(r#""broadcast":2"#) && usual.contains(r#""ticker.eur":1"#), "{usual}");
    assert_eq!(
        of(false),
        r#"alice gets /stats that says {"connections":{"total":2},"rooms":{"ticker.eur":1}}"#
    );
}

/// CONN-9 was blamed on a gateway that counts the message by which its clients sign in, and on pages whose figures stand elsewhere.
#[test]
fn pages_are_expected_as_the_gateway_has_them() {
    let library = Library::builtin().unwrap();
    let find = |id: &str| library.iter().find(|case| case.id.0 == id).unwrap();
    let expected = |id: &str, bindings: &Bindings| {
        let bound = find(id).bind(bindings);
        let patterns = bound.expectations.iter().flat_map(|expectation| expectation.patterns());
        patterns.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let count = "gateway/connections/pages-count";
    let by_message = Bindings { dialect: Dialect::builtin("first-message").unwrap(), ..bindings() };
    let elsewhere = |places: [(usize, Option<&str>); 2]| {
        let places = places.map(|(figure, place)| (figure, place.map(str::to_owned)));
        Bindings { stats: StatsPlaces::new(places).unwrap(), ..bindings() }
    };
    let of = |bindings: &Bindings| expected(count, bindings);
    assert!(of(&bindings()).contains(r#""in":2"#) && !of(&bindings()).contains(r#""in":3"#));
    assert!(
        of(&by_message).contains(r#""in":2"#) && of(&by_message).contains(r#""in":3"#),
        "{}",
        of(&by_message)
    );
    assert!(of(&elsewhere([(4, Some("/received")), (3, None)])).contains(r#"{"received":2}"#));
    let fewer = expected("gateway/connections/pages-follow", &elsewhere([(3, None), (5, None)]));
    assert!(fewer.contains(r#""total":1"#) && !fewer.contains("{}"), "{fewer}");
    let other_page = expected("gateway/bridge/no-broker", &elsewhere([(3, None), (5, None)]));
    assert_eq!(other_page, expected("gateway/bridge/no-broker", &bindings()));
}

fn bound(id: &str, bindings: &Bindings) -> String {
    let library = Library::builtin().unwrap();
    library.iter().find(|scenario| scenario.id.0 == id).unwrap().bind(bindings).to_toml()
}

/// Pages are asked for by the names that a gateway has for them, and those that it does not have are not.
#[test]
fn pages_are_called_as_declared() {
    let called = PagePaths::new([(0, Some("/live".to_owned())), (1, None)]).unwrap();
    let bindings = Bindings { pages: called, ..bindings() };
    let text = bound("gateway/connections/pages", &bindings);
    assert!(
        text.contains("get = \"/live\"") && text.contains("path = \"/live\"") && text.contains("/stats"),
        "{text}"
    );
    assert!(!text.contains("/healthz") && !text.contains("/readyz"), "{text}");
    let text = bound("gateway/bridge/no-broker", &bindings);
    assert!(text.contains("/live") && !text.contains("/readyz") && !text.contains("order"), "{text}");
    assert!(PagePaths::new([(0, Some("live".to_owned()))]).unwrap_err().contains("`health`: `live`"));
}

/// What a gateway has no page for, or no figure, is not played; until then the case stands as if it had.
#[test]
fn a_case_about_pages_that_are_not_there_is_not_played() {
    let library = Library::builtin().unwrap();
    let no_pages = PagePaths::new((0..PAGES.len()).map(|page| (page, None))).unwrap();
    let no_figures = StatsPlaces::new((0..6).map(|figure| (figure, None))).unwrap();
    let without_pages = Bindings { pages: no_pages, ..bindings() };
    let without_figures = Bindings { stats: no_figures, ..bindings() };
    let not_played = |bindings: &Bindings| -> Vec<String> {
        let lacking = library.iter().filter(|scenario| scenario.lacks_pages(bindings).is_some());
        let ids = lacking.map(|scenario| scenario.id.0.clone()).collect();
        for scenario in library.iter() {
            scenario.bind(bindings);
        }
        ids
    };
    let counts = [
        "churn-is-not-counted",
        "ended-connections-are-not-counted",
        "pages-count",
        "pages-follow",
        "pages-list-rooms",
    ]
    .map(|case| format!("gateway/connections/{case}"));
    assert_eq!(not_played(&without_figures), counts);
    let mut all = counts.to_vec();
    all.insert(2, "gateway/connections/pages".to_owned());
    assert_eq!(not_played(&without_pages), all);
    assert_eq!(not_played(&bindings()), [""; 0]);
}
