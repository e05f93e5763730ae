//! What becomes of a case under a declared design: the same case, another one of its name, or none.

use protocol::CloseCode;

use super::{ClientDesign, OnOpening, QueuePolicy, SignOfLife, attempts, ends};
use crate::scenario::{ClientAct, ClientAction, GatewayAct, OnDial, OnDials, Scenario, Script};
use crate::times::Times;

/// HTTP 403, which a scripted gateway can answer.
const FORBIDDEN: u16 = 403;
/// The case that has the gateway close in each way that is redialled.
const AFTER_A_CLEAN_CLOSE: &str = "client/backoff/after-a-clean-close";
/// Cases in which something arrives that is no answer, or comes too late for one.
const LATE_OR_OTHER_FRAMES: [&str; 2] = ["client/ping/late-pong", "client/network/one-way"];
/// What a close frame without a code counts as (RFC 6455 section 7.1.5).
const NO_CODE: CloseCode = CloseCode(1005);
/// The case that reads what is not configured.
const DEFAULTS: &str = "client/configuration/defaults";
/// The case that a client without a queue has a counterpart of.
const DURING_RECONNECTION: &str = "client/queue/during-reconnection";

impl Scenario {
    /// The case by which a client of the declared design is judged. A case about a gateway stays as it is, and so does every case where
    /// nothing is declared.
    ///
    /// # Errors
    /// Why it is not run.
    pub fn as_designed(&self, times: &Times) -> Result<Self, String> {
        let design = &times.design;
        let Script::Client(script) = &self.script else { return Ok(self.clone()) };
        if *design == ClientDesign::default() {
            return Ok(self.clone());
        }
        self.check_place(script, design)?;
        if design.sign_of_life == SignOfLife::AnyFrame && LATE_OR_OTHER_FRAMES.contains(&self.id.0.as_str()) {
            return Err(
                "has the gateway send after the ping; any frame is a sign of life, as declared".to_owned()
            );
        }
        let case = match self.counterpart(design)? {
            // Without a queue the counterpart is about what is sent into none.
            Some(case) if design.queue == QueuePolicy::None && case.id.0 == DURING_RECONNECTION => case,
            Some(case) => case.queued_as_declared(design)?.after_a_first_connection(times)?,
            None if self.id.0 == DEFAULTS => self.without_options(&design.replaced_options()),
            None => {
                let case = self.clone().with_whole_delays(design)?;
                let case = case.closing_as_declared(design)?.queued_as_declared(design)?;
                case.after_a_first_connection(times)?
            }
        };
        case.observed_as_declared(design)?.telling(times)
    }

    /// The case of the same name for a client of this design, where that is another one.
    fn counterpart(&self, design: &ClientDesign) -> Result<Option<Self>, String> {
        let usual = ClientDesign::default();
        let text = match self.id.0.as_str() {
            "client/dial/forbidden" if design.final_statuses.contains(&FORBIDDEN) => {
                include_str!("cases/refused-status.toml").to_owned()
            }
            "client/state/final-close" if design.final_codes != usual.final_codes => {
                ends::case(&design.final_codes)?
            }
            "client/queue/overflow" if design.queue == QueuePolicy::DropOldest => {
                include_str!("cases/drop-oldest.toml").to_owned()
            }
            "client/queue/overflow" if design.queue == QueuePolicy::DropNewest => {
                include_str!("cases/drop-newest.toml").to_owned()
            }
            DURING_RECONNECTION if design.queue == QueuePolicy::None => {
                include_str!("cases/no-queue.toml").to_owned()
            }
            "client/ping/only-a-pong-counts" if design.sign_of_life == SignOfLife::AnyFrame => {
                include_str!("cases/any-frame.toml").to_owned()
            }
            "client/queue/order-on-opening" if design.on_opening == OnOpening::SubscriptionsFirst => {
                include_str!("cases/subscriptions-first.toml").to_owned()
            }
            "client/queue/order-on-reopening" if design.on_opening == OnOpening::SubscriptionsFirst => {
                include_str!("cases/subscriptions-first-again.toml").to_owned()
            }
            id => match attempts::case(id, &design.backoff)? {
                Some(text) => text,
                None => return Ok(None),
            },
        };
        let case = Self::parse(self.id.clone(), &text);
        Ok(Some(case.unwrap_or_else(|error| panic!("{} has no sound counterpart: {error}", self.id))))
    }

    /// What is sent while there is no connection needs a queue that takes it.
    fn queued_as_declared(self, design: &ClientDesign) -> Result<Self, String> {
        let Script::Client(script) = &self.script else { return Ok(self) };
        let mut is_connected = false;
        for step in &script.steps {
            match &step.action {
                ClientAction::Wait(wait) if wait.pattern.is_connection() => is_connected = true,
                ClientAction::Gateway(
                    GatewayAct::Drop
                    | GatewayAct::DropAll
                    | GatewayAct::Close { .. }
                    | GatewayAct::CutAfter(_),
                )
                | ClientAction::Client(ClientAct::Disconnect | ClientAct::SetToken(_)) => {
                    is_connected = false;
                }
                ClientAction::Client(ClientAct::Send { .. })
                    if !is_connected && design.queue == QueuePolicy::None =>
                {
                    return Err("sends while there is no connection; the design has no queue".to_owned());
                }
                _ => {}
            }
        }
        Ok(self)
    }

    /// Where the gateway closes to have the client come back, it does so with a code that is redialled.
    fn closing_as_declared(&self, design: &ClientDesign) -> Result<Self, String> {
        let mut case = self.clone();
        let codes = &design.final_codes;
        let mut changed = false;
        let mut adapt = |code: &mut CloseCode| {
            if ends::is_final(codes, *code) && ends::is_redialled_by_default(*code) {
                *code = ends::redialled(codes).ok_or("every close code is final, as declared")?;
                changed = true;
            }
            Ok::<(), String>(())
        };
        let Script::Client(script) = &mut case.script else { return Ok(case) };
        if self.id.0 == AFTER_A_CLEAN_CLOSE && !ends::is_final(codes, CloseCode::NORMAL) {
            let first = script.steps.iter_mut().find_map(|step| match &mut step.action {
                ClientAction::Gateway(GatewayAct::Close { code, .. }) => Some(code),
                _ => None,
            });
            first.into_iter().for_each(|code| *code = Some(CloseCode::NORMAL));
        }
        let mut dials = vec![&mut script.gateway.on_dial];
        for step in &mut script.steps {
            match &mut step.action {
                ClientAction::Gateway(GatewayAct::Close { code: Some(code), .. }) => adapt(code)?,
                ClientAction::Gateway(GatewayAct::Close { code: code @ None, .. })
                    if ends::is_final(codes, NO_CODE) =>
                {
                    *code = Some(NO_CODE);
                    adapt(code.as_mut().ok_or("a code")?)?;
                }
                ClientAction::Gateway(GatewayAct::OnDial(on_dial)) => dials.push(on_dial),
                _ => {}
            }
        }
        for answer in dials.into_iter().flat_map(OnDials::answers_mut) {
            if let OnDial::AcceptThenClose(code) = answer {
                adapt(code)?;
            }
        }
        if changed {
            case.title.push_str(" (with codes that are redialled, as declared)");
        }
        Ok(case)
    }

    /// The case without what the design has no place for.
    fn telling(&self, times: &Times) -> Result<Self, String> {
        let mut case = self.clone();
        let mut why = None;
        case.expectations.retain(|expectation| {
            let lacks = times.design.lacks(&expectation.requirement).map(str::to_owned);
            let reason = lacks.or_else(|| expectation.cannot_tell(times));
            let keeps = reason.is_none();
            why = why.take().or(reason);
            keeps
        });
        match why {
            // Its waits alone would pass for evidence of what it no longer expects.
            Some(why) if case.expectations.is_empty() => Err(why),
            _ => Ok(case),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::Timing;

    use super::*;
    use crate::expect::Expectation;
    use crate::library::Library;

    fn times(design: &str) -> Times {
        let ms = Duration::from_millis;
        Times {
            slow_reader: Duration::ZERO,
            timing: Timing { reconnect_delay: ms(50), max_reconnect_delay: ms(400), ..Timing::default() },
            patience: ms(3000),
            slack: ms(60),
            fleet: 20,
            design: toml::from_str(design).unwrap(),
        }
    }

    /// The cases of a client that are not run under a design, each with the reason.
    fn not_run(design: &str) -> Vec<(String, String)> {
        let times = times(design);
        let library = Library::builtin().unwrap();
        let left_out =
            |scenario: &Scenario| Some((scenario.id.0.clone(), scenario.as_designed(&times).err()?));
        library.iter().filter_map(left_out).collect()
    }

    fn ids(left_out: &[(String, String)]) -> Vec<&str> {
        left_out.iter().map(|(id, _)| id.as_str()).collect()
    }

    /// Where nothing is declared, every case is what it is.
    #[test]
    fn nothing_declared_changes_nothing() {
        let times = times("");
        for scenario in Library::builtin().unwrap().iter() {
            assert_eq!(scenario.as_designed(&times).as_ref(), Ok(scenario));
        }
    }

    /// Unlimited attempts leave out what is about giving up; opening that begins the count again, what is about short lives.
    #[test]
    fn what_a_law_has_no_place_for_is_left_out() {
        let unlimited = not_run("backoff = { attempts = \"unlimited\" }");
        let giving_up = [
            "client/backoff/attempts-are-limited",
            "client/backoff/attempts-begin-anew",
            "client/backoff/short-lives-use-up-attempts",
            "client/listeners/connects-when-given-up",
            "client/listeners/failing-when-given-up",
            "client/state/connect-after-giving-up",
            "client/state/connect-after-its-last-attempt",
            "client/state/gives-up",
        ];
        assert_eq!(ids(&unlimited), giving_up);
        assert!(unlimited.iter().all(|(_, why)| why.contains("unlimited")), "{unlimited:?}");
        let on_open = not_run("backoff = { reset = \"open\" }");
        let short_lives =
            ["client/backoff/not-reset-by-a-short-life", "client/backoff/short-lives-use-up-attempts"];
        assert_eq!(ids(&on_open), short_lives);
        assert_eq!(
            ids(&not_run("backoff = { reset = \"open\", floor = \"1s\" }")),
            ["client/backoff/reset-by-success", "client/backoff/short-lives-use-up-attempts"]
        );
    }

    /// Each close that the design calls final has its place in one case, and no other case ends by it.
    #[test]
    fn final_codes_have_a_case() {
        let times = times("final_codes = [\"1000\", \"1001\", \"3000-4999\"]");
        let library = Library::builtin().unwrap();
        let find = |id: &str| library.iter().find(|scenario| scenario.id.0 == id).unwrap();
        let designed = |id: &str| find(id).as_designed(&times).unwrap();
        let closes = |case: &Scenario| -> Vec<String> {
            case.actions().into_iter().filter(|action| action.contains("close with")).collect()
        };
        let played: Vec<_> =
            ["1011", "1000", "1001", "3000", "4999"].map(|code| format!("gateway: close with {code}")).into();
        assert_eq!(closes(&designed("client/state/final-close")), played);
        assert_eq!(closes(&designed("client/queue/polite-cut")), ["gateway: close with 1011"]);
        assert_eq!(closes(&designed("client/state/expired-token")), ["gateway: close with 4401"], "STATE-8");
        let none = self::times("final_codes = []");
        assert!(find("client/state/final-close").as_designed(&none).unwrap_err().contains("no close code"));
        let all = self::times("final_codes = [\"1000-1005\", \"1007-4999\"]");
        assert!(
            find("client/state/other-closes").as_designed(&all).unwrap_err().contains("every close code")
        );
    }

    /// Without a queue, or without one before the first connection, what is sent too early has no case; a full queue has its own.
    #[test]
    fn a_queue_has_its_cases() {
        let none = not_run("queue = \"none\"");
        assert!(
            ids(&none).contains(&"client/queue/overflow")
                && ids(&none).contains(&"client/token/queue-survives")
        );
        assert!(!ids(&none).contains(&"client/queue/during-reconnection"), "that one has a counterpart");
        assert!(!ids(&none).contains(&"client/state/connect-and-lose"), "which sends nothing");
        assert_eq!(ids(&not_run("before_first_connection = false")), [""; 0], "an earlier connection breaks");
        let hasty = not_run("before_first_connection = false\nbackoff = { attempts = 2 }");
        assert!(ids(&hasty).contains(&"client/queue/offline-in-order"), "{hasty:?}");
        for policy in ["drop-oldest", "drop-newest"] {
            assert_eq!(ids(&not_run(&format!("queue = \"{policy}\""))), [""; 0]);
        }
    }

    /// What opening sends first has a case either way, and a listener that fails none where that is fatal.
    #[test]
    fn opening_and_listeners_have_their_cases() {
        assert_eq!(ids(&not_run("on_opening = \"subscriptions-first\"")), [""; 0]);
        let both = not_run("on_opening = \"subscriptions-first\"\nqueue = \"none\"");
        assert!(ids(&both).contains(&"client/queue/order-on-opening"), "it sends offline");
        assert_eq!(
            ids(&not_run("listeners = \"fatal\"")),
            [
                "client/listeners/failing-on-own-events",
                "client/listeners/failing-when-given-up",
                "client/reports/failing-listener",
                "client/subscriptions/listeners",
                "client/subscriptions/own-events",
            ]
        );
    }

    /// What looks at a missing status alone has no case; what looks at the wire as well has what is left.
    #[test]
    fn missing_statuses_leave_the_wire() {
        let library = Library::builtin().unwrap();
        let restart = library.iter().find(|scenario| scenario.id.0 == "client/state/restart").unwrap();
        let designed = restart.as_designed(&times("statuses = { error = false }")).unwrap();
        let order =
            designed.expectations.iter().find(|one| one.requirement.to_string() == "STATE-3").unwrap();
        let seen: Vec<_> =
            order.patterns().iter().filter_map(|pattern| pattern.status().map(str::to_owned)).collect();
        assert_eq!(seen, ["connected", "reconnecting", "connected"], "each is announced once");
        let no_error = not_run("statuses = { error = false }");
        assert_eq!(ids(&no_error), [""; 0], "nothing is about that one alone");
        let early: Vec<_> = ["asking", "dialling", "hanging"]
            .map(|when| format!("client/state/disconnect-while-{when}"))
            .into();
        let no_connecting = not_run("statuses = { connecting = false }");
        assert_eq!(ids(&no_connecting), early, "it has been `disconnected` all the time");
        let none = not_run("statuses = false");
        let left_out = ids(&none);
        for gone in ["client/state/closed-at-once-statuses", "client/queue/during-reconnection"] {
            assert!(left_out.contains(&gone), "{gone}: {none:?}");
        }
        for stays in
            ["client/backoff/reset-by-success", "client/state/connect-twice", "client/dial/token-in-query"]
        {
            assert!(!left_out.contains(&stays), "{stays}: {none:?}");
        }
        let times = times("statuses = false");
        let library = Library::builtin().unwrap();
        for case in library.iter().filter_map(|case| case.as_designed(&times).ok()) {
            let Script::Client(script) = &case.script else { continue };
            let waits = script.steps.iter().filter_map(|step| match &step.action {
                ClientAction::Wait(wait) => Some(&wait.pattern),
                _ => None,
            });
            let expected = case.expectations.iter().flat_map(Expectation::patterns);
            let at_a_status = waits.chain(expected).find(|pattern| pattern.status().is_some());
            assert_eq!(at_a_status, None, "{}", case.id);
        }
    }

    /// What is read by default is what no declared design replaces, and where any frame is a sign of life, events are one.
    #[test]
    fn defaults_and_signs_of_life_have_their_cases() {
        let library = Library::builtin().unwrap();
        let find = |id: &str| library.iter().find(|scenario| scenario.id.0 == id).unwrap();
        let unlimited = times("backoff = { attempts = \"unlimited\" }");
        let defaults = find(DEFAULTS);
        let designed = defaults.as_designed(&unlimited).unwrap();
        assert!(defaults.to_toml().contains("maxReconnectAttempts"));
        assert!(!designed.to_toml().contains("maxReconnectAttempts"), "{}", designed.to_toml());
        assert!(designed.to_toml().contains("maxReconnectDelay = 30000"), "{}", designed.to_toml());
        let any = "sign_of_life = \"any-frame\"";
        assert_eq!(ids(&not_run(any)), ["client/network/one-way", "client/ping/late-pong"]);
        let designed = find("client/ping/only-a-pong-counts").as_designed(&times(any)).unwrap();
        assert!(designed.title.contains("as declared"), "{}", designed.title);
    }

    /// A status that is final is no dial that is tried again.
    #[test]
    fn a_final_status_has_a_case() {
        let library = Library::builtin().unwrap();
        let forbidden = library.iter().find(|scenario| scenario.id.0 == "client/dial/forbidden").unwrap();
        let designed = forbidden.as_designed(&times("final_statuses = [403]")).unwrap();
        assert!(designed.title.contains("final, as declared"), "{}", designed.title);
        assert_eq!(designed.requirements(), forbidden.requirements());
    }

    /// Constant delays do not show a count, and a jitter window of a few milliseconds does not show a spread.
    #[test]
    fn what_cannot_be_told_is_left_out() {
        let constant = not_run("backoff = { factor = 1 }");
        let counting = ["client/backoff/not-reset-by-a-short-life", "client/backoff/reset-by-success"];
        assert_eq!(ids(&constant), counting);
        assert!(constant.iter().all(|(_, why)| why.contains("do not show the count")), "{constant:?}");
        let apart = not_run("backoff = { jitter = \"equal\", factor = 1.7 }");
        assert!(!ids(&apart).contains(&"client/backoff/reset-by-success"), "from 200 ms on, 50 ms at most");
        let narrow = not_run("backoff = { delays = [\"30ms\", \"1s\", \"2s\", \"3s\", \"4s\"] }");
        // The first delay is shorter than these configure, the later ones longer than a hundred redials bear.
        let configured = [
            "client/backoff/after-a-clean-close",
            "client/backoff/after-each-close",
            "client/backoff/fleet-spreads",
            "client/backoff/not-hurried-by-a-listener",
            "client/backoff/not-hurried-by-a-send",
            "client/backoff/not-hurried-by-a-subscription",
            "client/life/bounded",
            "client/life/hundred-reconnections",
            "client/life/slept-while-reconnecting",
            "client/state/old-delay",
            "client/state/token-while-waiting",
        ];
        assert_eq!(ids(&narrow), configured);
        assert!(
            narrow.iter().any(|(_, why)| why.contains("a hundred redials would take too long")),
            "{narrow:?}"
        );
        assert_eq!(
            ids(&not_run("backoff = { factor = 2, jitter = \"none\" }")),
            [""; 0],
            "BACKOFF-5 is claimed or not"
        );
        let few = not_run("backoff = { attempts = 3 }");
        assert!(ids(&few).contains(&"client/backoff/reset-by-success"), "{few:?}");
    }
}
