//! Gateways with heartbeat defects.

use std::collections::BTreeMap;

use scenarios::frame::RawFrame;
use sim::boundary::Passed;
use tungstenite::protocol::frame::coding::Control;

use super::Mutant;
use super::connection::user;
use super::wire::{Change, SharedState, down, is_control, nothing, up, wire};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/every-second-ping",
        requirement: "HB-1",
        about: "The interval is twice what is configured.",
        boundary: || {
            wire(|_| {
                let mut count = 0;
                Change::default().down(move |frame| {
                    if !is_control(&frame, Control::Ping) {
                        return down([frame]);
                    }
                    count += 1;
                    let answer = RawFrame::control(Control::Pong, frame.payload.clone());
                    if count % 2 == 0 { down([frame]) } else { up([answer]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/pings-the-newest-of-a-user",
        requirement: "HB-1",
        about: "The timer is kept by user: another connection of the same user takes it over.",
        boundary: || {
            let newest = SharedState::<BTreeMap<String, usize>>::new();
            wire(move |number| {
                let (newest, own) = (newest.clone(), SharedState::<String>::new());
                let (seen, owner) = (newest.clone(), own.clone());
                Change::default()
                    .request(move |head| {
                        let user = user(&head);
                        newest.with(|newest| newest.insert(user.clone(), number));
                        own.with(|own| *own = user);
                        head
                    })
                    .down(move |frame| {
                        let user = owner.with(|own| own.clone());
                        let is_older =
                            seen.with(|newest| newest.get(&user).is_some_and(|newest| *newest > number));
                        if !is_older || !is_control(&frame, Control::Ping) {
                            return down([frame]);
                        }
                        up([RawFrame::control(Control::Pong, frame.payload)])
                    })
            })
        },
    },
    Mutant {
        id: "gateway/the-silent-live-for-ever",
        requirement: "HB-2",
        about: "Nobody looks whether pings are answered.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    let answered = is_control(&frame, Control::Ping);
                    let answer = answered.then(|| RawFrame::control(Control::Pong, frame.payload.clone()));
                    Passed { up: answer.into_iter().collect(), down: vec![frame], end: false }
                })
            })
        },
    },
    Mutant {
        id: "gateway/one-answer-is-enough",
        requirement: "HB-2",
        about: "The timer of the first ping is stopped by its pong, and no other is set.",
        boundary: || {
            wire(|_| {
                let answered = SharedState::<bool>::new();
                let hears = answered.clone();
                Change::default()
                    .up(move |frame| {
                        hears.with(|answered| *answered |= is_control(&frame, Control::Pong));
                        up([frame])
                    })
                    .down(move |frame| {
                        let is_kept =
                            is_control(&frame, Control::Ping) && answered.with(|answered| *answered);
                        let answer = is_kept.then(|| RawFrame::control(Control::Pong, frame.payload.clone()));
                        Passed { up: answer.into_iter().collect(), down: vec![frame], end: false }
                    })
            })
        },
    },
    Mutant {
        id: "gateway/answers-are-not-heard",
        requirement: "HB-3",
        about: "Pongs are not counted as signs of life.",
        boundary: || {
            wire(|_| {
                Change::default()
                    .up(|frame| if is_control(&frame, Control::Pong) { nothing() } else { up([frame]) })
            })
        },
    },
];
