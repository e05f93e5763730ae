use super::*;
use crate::sample;

/// Untrusted text is escaped everywhere: it never becomes an element, an attribute, or the end of one.
#[test]
fn data_never_becomes_markup() {
    let (report, about) = sample::run();
    let page = page(&report, &about);
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;").count() > 20);
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}') && !page.contains('\0'));
    let policy = page.split("Content-Security-Policy").nth(1).unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"));
}

/// Nothing is fetched: every address on the page is one of its own places, or data.
#[test]
fn the_page_is_one_file() {
    let (report, about) = sample::run();
    let page = page(&report, &about);
    for attribute in ["href=\"", "src=\""] {
        for address in page.split(attribute).skip(1) {
            assert!(address.starts_with('#') || address.starts_with("data:"), "{}", &address[..40]);
        }
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}

/// Every case and requirement can be linked to, and every link leads somewhere.
#[test]
fn links_lead_somewhere() {
    let (report, about) = sample::run();
    let page = page(&report, &about);
    for target in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
    }
}

/// A page that is long enough draws no more, and says so.
#[test]
fn the_page_is_bounded() {
    let (mut report, about) = sample::run();
    let case = report.cases.iter().find(|case| !case.trace.observations.is_empty()).unwrap().clone();
    let size = page(&report, &about).len();
    report.cases = (0..case::MAX_PAGE_BYTES / 4000)
        .map(|number| {
            let mut case = case.clone();
            case.id.0 = format!("gateway/many/{number:05}");
            case
        })
        .collect();
    let text = page(&report, &about);
    assert!(size < 200_000, "{size}");
    assert!(text.contains("Not drawn: the page is long enough."));
    assert!(text.len() < 3 * case::MAX_PAGE_BYTES, "{}", text.len());
}
