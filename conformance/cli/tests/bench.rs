//! `gatecheck bench` as its user runs it: on the reference gateway, and on a small gateway of this test that can lose events.

mod bench_gateway;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use gatecheck_load::run::Ending;
use gatecheck_load::{Measure, Run};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use bench_gateway::SmallGateway;

const GATECHECK: &str = env!("CARGO_BIN_EXE_gatecheck");
/// Longest time for one run: hosts are busy.
const PATIENCE: Duration = Duration::from_secs(120);

fn gatecheck(arguments: &[&str]) -> Command {
    let mut command = Command::new(GATECHECK);
    command.arg("bench").args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command.current_dir(std::env::temp_dir());
    command
}

async fn bench(arguments: &[&str]) -> Output {
    let ended = tokio::time::timeout(PATIENCE, gatecheck(arguments).output()).await;
    ended.expect("it ends").expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit code and the result.
async fn result(arguments: &[&str]) -> (Option<i32>, Run) {
    let output = bench(&[arguments, &["--format", "json"]].concat()).await;
    let run = Run::from_json(&text(&output.stdout));
    (output.status.code(), run.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr))))
}

/// The exit code and what is said, however the lines are broken.
async fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = bench(arguments).await;
    let said = text(&output.stderr);
    let words = said.split_whitespace().filter(|word| *word != "│");
    (output.status.code(), words.collect::<Vec<_>>().join(" "))
}

/// A folder of this test; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gatecheck-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder of the test");
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The reference gateway carries a burst whole: every event to every client, once; and the document is as its schema says.
#[tokio::test(flavor = "multi_thread")]
async fn the_reference_loses_nothing() {
    let (code, run) = result(&["burst", "--reference", "--clients", "40", "--events", "150"]).await;
    assert_eq!((code, run.ending), (Some(0), Ending::Complete), "{:?}", run.ledger);
    let ledger = run.ledger;
    assert_eq!((ledger.events, ledger.owed, ledger.delivered), (150, 6000, 6000), "{ledger:?}");
    let wrong = [ledger.lost, ledger.duplicated, ledger.disordered, ledger.misdirected, ledger.cut];
    assert_eq!(wrong, [0; 5], "{ledger:?}");
    assert_eq!(run.histogram.iter().map(|bucket| bucket.1).sum::<u64>(), 6000);
    assert_eq!(run.series.iter().map(|second| second.delivered).sum::<u64>(), 6000);
    assert!(run.measures[&Measure::P99] >= run.measures[&Measure::P50]);
    #[cfg(target_os = "linux")]
    assert!(run.measures[&Measure::CpuPerDelivery] > 0.0 && run.measures[&Measure::MemoryPeak] > 1000.0);
    let schema: Value = serde_json::from_str(include_str!("../../schemas/bench.schema.json")).unwrap();
    assert_eq!(schema, Run::schema(), "gatecheck schema bench > conformance/schemas/bench.schema.json");
    let document: Value = serde_json::from_str(&run.to_json()).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&document));
}

/// Everything at once, clients that come and go included, is accounted for to the last delivery.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_come_and_go_are_accounted_for() {
    let mixed = ["mixed", "--reference", "--clients", "40", "--duration", "4s", "--threads", "3"];
    let (code, run) = result(&[&mixed[..], &["--threshold", "lost == 0"]].concat()).await;
    let ledger = run.ledger;
    assert_eq!(run.generator.threads, 3);
    assert_eq!((code, ledger.lost, ledger.duplicated, ledger.misdirected), (Some(0), 0, 0, 0), "{ledger:?}");
    assert!(ledger.events == 200 && ledger.delivered > 1000, "{ledger:?}");
}

/// Clients that are all cut at once come back, and connections without events have their price.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_measured_without_events() {
    let (code, run) = result(&["connect", "--reference", "--clients", "60"]).await;
    assert_eq!(code, Some(0));
    assert!(run.measures[&Measure::SignInsPerSecond] > 1.0 && run.measures[&Measure::ReturnTime] > 0.0);
    assert!(!run.measures.contains_key(&Measure::Lost), "there are no events");
    let (code, run) = result(&["idle", "--reference", "--clients", "60", "--duration", "1s"]).await;
    assert_eq!((code, run.clients), (Some(0), 60));
}

/// A fast gateway that loses events, or sends them twice, fails with their number; losses are counted in the second in which they
/// were due.
#[tokio::test(flavor = "multi_thread")]
async fn losses_and_copies_are_counted() {
    let gateway =
        SmallGateway::start(|number| if number % 10 == 3 { 0 } else { 1 + usize::from(number == 8) }).await;
    let arguments = [&["burst", "--clients", "20", "--events", "100"], &gateway.arguments()[..]].concat();
    let (code, run) = result(&arguments).await;
    let ledger = run.ledger;
    assert_eq!(
        (code, ledger.lost, ledger.delivered, ledger.duplicated),
        (Some(1), 200, 1800, 20),
        "{ledger:?}"
    );
    assert_eq!(run.measures[&Measure::Lost], 200.0);
    assert_eq!((run.series[0].offered, run.series[0].lost), (2000, 200));
    let broken: Vec<_> = run.broken().map(|outcome| outcome.threshold.as_str()).collect();
    assert_eq!(broken, ["lost == 0", "duplicated == 0"]);
    let output = bench(&arguments).await;
    assert!(
        text(&output.stdout).contains("broken: `lost == 0`, `duplicated == 0`"),
        "{}",
        text(&output.stdout)
    );
}

/// A gateway that serves no one who has not said something first: clients send what `[[dialect.opening]]` says, and without it none
/// gets in.
#[tokio::test(flavor = "multi_thread")]
async fn clients_open_as_the_dialect_says() {
    let gateway = SmallGateway::start_that_waits(["40{}", r#"40{"sid":"s1"}"#]).await;
    let folder = Folder::new("opening");
    let profile = folder.0.join("gatecheck.toml");
    let arguments = |opening: &str| {
        let [_, url, _, secret, ..] = gateway.arguments()[..] else { panic!("it is attached to") };
        let text = format!(
            "[gateway]\nattach = \"{url}\"\njwt_secret = \"{secret}\"\n[dialect]\nwelcome = false\n{opening}"
        );
        std::fs::write(&profile, text).expect("a profile");
        let path: &'static str = Box::leak(profile.display().to_string().into_boxed_str());
        let broker = gateway.arguments()[5];
        vec!["burst", "--clients", "5", "--events", "10", "--broker", broker, "-c", path]
    };
    let (code, run) =
        result(&arguments("[[dialect.opening]]\nsend = '40{}'\nanswer = '40{\"sid\":\"{id}\"}'\n")).await;
    assert_eq!((code, run.ledger.lost, run.ledger.delivered), (Some(0), 0, 50), "{:?}", run.ledger);
    let (code, said) = refusal(&arguments("")).await;
    assert_eq!(code, Some(4), "{said}");
}

/// The look before the cases finds out what such a gateway waits for, where that is a known protocol's.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_opening_is_found() {
    let gateway = SmallGateway::start_that_waits(["40", r#"40{"sid":"s1"}"#]).await;
    let mut command = Command::new(GATECHECK);
    let told = command.arg("gateway").args(gateway.arguments()).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, told).await.expect("it ends").expect("it starts");
    let said = text(&output.stderr);
    for part in ["waits for a first message, as in Socket.IO", "[[dialect.opening]]", "send = '40'"] {
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(part), "{part}: {said}");
    }
    assert_eq!(output.status.code(), Some(4), "{said}");
}

/// Thresholds of the command line are held instead of the workload's; a broken one is 1, and a mistake 2.
#[tokio::test(flavor = "multi_thread")]
async fn thresholds_decide() {
    let gateway = SmallGateway::start(|_| 1).await;
    let small = ["burst", "--clients", "5", "--events", "10"];
    let given = |bounds: &[&'static str]| {
        let bounds = bounds.iter().flat_map(|bound| ["--threshold", bound]);
        small.iter().copied().chain(gateway.arguments()).chain(bounds).collect::<Vec<_>>()
    };
    let (code, run) = result(&given(&["lost == 0", "bytes_per_delivery < 100B"])).await;
    assert_eq!(code, Some(1));
    assert_eq!(
        run.broken().map(|outcome| outcome.threshold.clone()).collect::<Vec<_>>(),
        ["bytes_per_delivery < 100B"]
    );
    // It was attached, so that its memory is not known: that is no pass.
    assert_eq!(result(&given(&["memory_peak < 1GiB"])).await.0, Some(1));
    assert_eq!(result(&given(&["lost == 0", "bytes_per_delivery < 10KiB"])).await.0, Some(0));
    for (bound, says) in [("p98 < 1ms", "there is no measure `p98`"), ("p99 < 1KiB", "p99 has no unit `KiB`")]
    {
        let (code, said) = refusal(&given(&[bound])).await;
        assert!(code == Some(2) && said.contains(says), "{said}");
    }
}

/// What cannot be run is one clear error before anything starts.
#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_refused() {
    let folder = Folder::new("mistakes");
    let profile = "[gateway]\ncommand = [\"false\"]\n[[event]]\nfor = \"everybody\"\ntype = \"tick\"\n";
    std::fs::write(folder.file("gatecheck.toml"), profile).unwrap();
    std::fs::write(folder.file("mine.toml"), "clients = 1\nspeed = 9\n[idle]\nduration = \"1s\"\n").unwrap();
    let (profile, mine) = (folder.file("gatecheck.toml"), folder.file("mine.toml"));
    for (arguments, code, says) in [
        (vec!["rooms", "-c", &profile], 2, "has events for `owner`, and the profile declares none"),
        (vec!["paced", "-c", &profile], 4, "the gateway ended before it was ready"),
        (vec!["nothing", "--reference"], 2, "there is no workload `nothing`"),
        (vec![&mine, "--reference"], 2, "unknown field `speed`"),
        (vec!["burst", "--reference", "--rate", "5/s"], 2, "`--rate` means nothing to this workload"),
        (vec!["burst", "--reference", "--broker", "none"], 2, "without a broker no events reach the gateway"),
        (vec!["burst", "--reference", "--shard", "1/2"], 2, "--start-at"),
        (vec!["--print", "bursts"], 2, "there is no built-in workload `bursts`"),
        (vec!["merge", &mine], 2, "no result of `gatecheck bench`"),
        (vec![], 2, "which workload?"),
    ] {
        let (ended, said) = refusal(&arguments).await;
        assert!(ended == Some(code) && said.contains(says), "{arguments:?}: {ended:?} {said}");
    }
    assert!(std::fs::read_to_string(Path::new(&mine)).is_ok());
}

/// Two processes make one load: their ledgers and histograms add up to the whole.
#[tokio::test(flavor = "multi_thread")]
async fn two_parts_are_one_load() {
    let gateway = SmallGateway::start(|number| usize::from(number != 7)).await;
    let folder = Folder::new("parts");
    let start = bench_gateway::in_seconds(12);
    let part = |part: &'static str, file: &str| {
        let arguments = [
            "paced",
            "--clients",
            "9",
            "--rate",
            "40/s",
            "--duration",
            "2s",
            "--shard",
            part,
            "--start-at",
            &start,
            "--save",
            file,
        ];
        gatecheck(&[&arguments[..], &gateway.arguments()[..]].concat()).output()
    };
    let (first, second) = (folder.file("1.json"), folder.file("2.json"));
    let (one, two) = tokio::join!(part("1/2", &first), part("2/2", &second));
    let (one, two) = (one.unwrap(), two.unwrap());
    let said = text(&one.stderr) + &text(&two.stderr);
    assert_eq!((one.status.code(), two.status.code()), (Some(1), Some(1)), "{said}");
    let (code, whole) = result(&["merge", &second, &first]).await;
    let ledger = whole.ledger;
    assert_eq!((code, whole.clients, ledger.events), (Some(1), 9, 80), "{ledger:?} {said}");
    assert_eq!((ledger.owed, ledger.delivered, ledger.lost), (720, 711, 9), "{ledger:?} {said}");
    assert_eq!(whole.histogram.iter().map(|bucket| bucket.1).sum::<u64>(), 711);
    let (code, said) = refusal(&["merge", &first]).await;
    assert!(code == Some(2) && said.contains("part 2 of 2 is missing"), "{said}");
}

/// Ctrl-C ends a run, prints what was measured until then, and leaves no gateway behind.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_summed_up() {
    let arguments = ["paced", "--reference", "--clients", "10", "--duration", "10m", "--format", "json"];
    let mut process =
        gatecheck(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut progress = process.stderr.take().expect("it is piped");
    let mut said = String::new();
    while !said.contains("deliveries/s") {
        let mut bytes = [0; 256];
        let read =
            tokio::time::timeout(PATIENCE, progress.read(&mut bytes)).await.expect("it goes on").unwrap();
        assert!(read > 0, "{said}");
        said += &text(&bytes[..read]);
    }
    let id = rustix::process::Pid::from_raw(process.id().expect("it runs").cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = tokio::time::timeout(PATIENCE, process.wait_with_output()).await.expect("it ends").unwrap();
    assert_eq!(output.status.code(), Some(130));
    let run = Run::from_json(&text(&output.stdout)).unwrap();
    assert_eq!((run.ending, run.ledger.lost), (Ending::Interrupted, 0), "{:?}", run.ledger);
    assert!(run.ledger.delivered > 0 && run.ledger.events < 60_000, "{:?}", run.ledger);
}
