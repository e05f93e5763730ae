//! What a planted defect may change: what crosses the boundary of the machines, as for the mutants of `sim::boundary`.

use reference_gateway as gateway;
use reference_session as session;

use embedded_broker::Request;

/// Changes what one client's machine, one gateway's machine, or its end of the broker takes in and puts out. By default nothing does.
///
/// One is made for each client and for each gateway.
pub trait Defect {
    /// What becomes of what happens to a client.
    fn session_input(&mut self, _now: session::Now, input: session::Input) -> Vec<session::Input> {
        vec![input]
    }

    /// What becomes of what a client does.
    fn session_output(&mut self, _now: session::Now, output: session::Output) -> Vec<session::Output> {
        vec![output]
    }

    /// What becomes of what happens to a gateway.
    fn gateway_input(&mut self, _now: gateway::Now, input: gateway::Input) -> Vec<gateway::Input> {
        vec![input]
    }

    /// What becomes of what a gateway does.
    fn gateway_output(&mut self, _now: gateway::Now, output: gateway::Output) -> Vec<gateway::Output> {
        vec![output]
    }

    /// What becomes of what a gateway asks its broker for.
    fn broker_request(&mut self, request: Request) -> Vec<Request> {
        vec![request]
    }
}

/// Makes a defect, anew for each client and each gateway.
pub type DefectMaker = fn() -> Box<dyn Defect>;
