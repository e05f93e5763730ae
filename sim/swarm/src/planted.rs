//! Planted defects: what a team might really have got wrong, as small changes to what crosses the boundary of the machines. The swarm is
//! judged by them: each must be found, in the name of the requirement that it breaks or of one that follows from it.

mod client;
mod gateway;

use reference_gateway as of_gateway;
use reference_session as of_client;

use embedded_broker::Request;

use crate::defect::{Defect, DefectMaker};

/// One defect.
#[derive(Clone, Copy)]
pub struct Planted {
    /// Its name: the half of the pair that it is one of, and what that does.
    pub id: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
    /// What went wrong, in a sentence.
    pub about: &'static str,
    /// Makes it.
    pub make: DefectMaker,
}

/// Every defect, clients first.
pub fn all() -> Vec<Planted> {
    [client::PLANTED, gateway::PLANTED].into_iter().flatten().copied().collect()
}

/// The defect of this name.
pub fn named(id: &str) -> Option<Planted> {
    all().into_iter().find(|planted| planted.id == id)
}

type Change<T> = Option<Box<dyn FnMut(T) -> Vec<T>>>;

/// A defect made of closures. What has none passes.
#[derive(Default)]
struct Changes {
    session_input: Change<of_client::Input>,
    session_output: Change<of_client::Output>,
    gateway_input: Change<of_gateway::Input>,
    gateway_output: Change<of_gateway::Output>,
    broker_request: Change<Request>,
}

fn changed<T>(change: &mut Change<T>, value: T) -> Vec<T> {
    match change {
        Some(change) => change(value),
        None => vec![value],
    }
}

impl Defect for Changes {
    fn session_input(&mut self, _: of_client::Now, input: of_client::Input) -> Vec<of_client::Input> {
        changed(&mut self.session_input, input)
    }

    fn session_output(&mut self, _: of_client::Now, output: of_client::Output) -> Vec<of_client::Output> {
        changed(&mut self.session_output, output)
    }

    fn gateway_input(&mut self, _: of_gateway::Now, input: of_gateway::Input) -> Vec<of_gateway::Input> {
        changed(&mut self.gateway_input, input)
    }

    fn gateway_output(&mut self, _: of_gateway::Now, output: of_gateway::Output) -> Vec<of_gateway::Output> {
        changed(&mut self.gateway_output, output)
    }

    fn broker_request(&mut self, request: Request) -> Vec<Request> {
        changed(&mut self.broker_request, request)
    }
}

/// A client that hears other things than happen.
fn hears(change: impl FnMut(of_client::Input) -> Vec<of_client::Input> + 'static) -> Box<dyn Defect> {
    Box::new(Changes { session_input: Some(Box::new(change)), ..Changes::default() })
}

/// A client that does other things than it means to.
fn does(change: impl FnMut(of_client::Output) -> Vec<of_client::Output> + 'static) -> Box<dyn Defect> {
    Box::new(Changes { session_output: Some(Box::new(change)), ..Changes::default() })
}

/// A client that does both; `state` is shared.
fn lives<S: 'static>(
    state: S,
    hears: fn(&mut S, of_client::Input) -> Vec<of_client::Input>,
    does: fn(&mut S, of_client::Output) -> Vec<of_client::Output>,
) -> Box<dyn Defect> {
    let state = std::rc::Rc::new(std::cell::RefCell::new(state));
    let shared = state.clone();
    Box::new(Changes {
        session_input: Some(Box::new(move |input| hears(&mut state.borrow_mut(), input))),
        session_output: Some(Box::new(move |output| does(&mut shared.borrow_mut(), output))),
        ..Changes::default()
    })
}

/// A gateway that hears other things than happen.
fn gateway_hears(
    change: impl FnMut(of_gateway::Input) -> Vec<of_gateway::Input> + 'static,
) -> Box<dyn Defect> {
    Box::new(Changes { gateway_input: Some(Box::new(change)), ..Changes::default() })
}

/// A gateway that does other things than it means to.
fn gateway_does(
    change: impl FnMut(of_gateway::Output) -> Vec<of_gateway::Output> + 'static,
) -> Box<dyn Defect> {
    Box::new(Changes { gateway_output: Some(Box::new(change)), ..Changes::default() })
}

/// Whether this is the next of so many.
fn every(count: u32) -> impl FnMut() -> bool {
    let mut left = count;
    move || {
        left -= 1;
        let is_it = left == 0;
        if is_it {
            left = count;
        }
        is_it
    }
}
