use super::*;
use crate::report::chart::{Axis, Chart, LineChart, Point, Series};

const HOSTILE: &str = "</style></svg><script>alert(\"1\" & '2')</script>";

fn chart(title: &str) -> Chart {
    let points = vec![Point::new(1.0, 2.0), Point::new(2.0, 3.0)];
    let series = vec![Series { name: title.into(), points }];
    Chart::Lines(LineChart { title: title.into(), x: Axis::new(title), y: Axis::new(title), series })
}

fn page(text: &str) -> Page {
    let table = Table {
        caption: text.into(),
        columns: vec![Column::new(text, text), Column::new("speed", "")],
        rows: vec![
            vec![Cell::text(text), Cell::number("1,000".into(), 1000.0).with_detail(text.into())],
            vec![Cell::text("b").toned(Tone::Warning), Cell::number("-".into(), f64::NAN)],
        ],
    };
    let image = Image { png: vec![1, 2, 3], width: 84, caption: text.into(), description: text.into() };
    let parts = vec![
        Part::Heading(text.into()),
        Part::Text(text.into()),
        Part::Facts(vec![(text.into(), text.into())]),
        Part::Notes(vec![text.into()]),
        Part::Charts(vec![chart(text), chart("second")]),
        Part::Table(table),
        Part::Images(vec![image]),
    ];
    let sections =
        vec![Section { heading: text.into(), parts }, Section { heading: "empty".into(), parts: vec![] }];
    let heroes = vec![Hero::new(text, text.into(), text.into()).toned(Tone::Good)];
    Page { title: text.into(), subtitle: text.into(), heroes, sections }
}

#[test]
fn a_page_shows_all_its_parts() {
    let html = page("words").to_html();
    for expected in [
        "<title>words</title>",
        "<h1>words</h1>",
        "<h2 id=\"heading-0\">words</h2>",
        "<h3>words</h3>",
        "<dt>words</dt><dd>words</dd>",
        "<div><dt>words</dt><dd>words</dd><dd class=\"good\">words</dd></div>",
        "<li>words</li>",
        "<body data-charts=\"2\">",
        "<td>words</td><td class=\"number\" data-value=\"1000\">1,000 <small>words</small></td>",
        "<td class=\"warning\">b</td><td class=\"number\">-</td>",
        "<img src=\"data:image/png;base64,AQID\" width=\"84\" alt=\"words\">",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    assert_eq!(html.matches("<svg role=\"group\" aria-label=").count(), 2);
    assert_eq!(html.matches("<svg class=\"phone\" role=\"group\" aria-label=").count(), 2);
    assert!(!html.contains("empty"), "a section without parts is left out");
}

#[test]
fn no_text_can_leave_its_place() {
    let (hostile, plain) = (page(HOSTILE).to_html(), page("words").to_html());
    for tag in ["<script", "</script", "</style", "</svg", "<svg"] {
        assert_eq!(hostile.matches(tag).count(), plain.matches(tag).count(), "{tag}");
    }
    assert!(hostile.contains("&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)"));
}

#[test]
fn a_page_loads_nothing() {
    let html = page("words").to_html();
    let addresses = html.replace("http://www.w3.org/2000/svg", "");
    for sign in ["http:", "https:", "src=\"/", "@import", "url("] {
        assert!(!addresses.contains(sign), "{sign}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_dark_page_turns_its_charts_dark() {
    let html = page("words").to_html();
    let dark = html.split("prefers-color-scheme: dark").nth(2).unwrap();
    assert!(dark.contains(".chart svg [stroke=\"#0072B2\"] { stroke: #4aa8e8; }"));
}
