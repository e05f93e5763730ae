//! Whether templates can be told apart, and have the parts that their messages need.

use serde_json::{Value, json};

use super::Frames;
use super::form::{CLIENT, Form, SAMPLE_REFERENCE, SERVER};
use crate::Timestamp;
use crate::dialect::template::{Part, Parts};
use crate::dialect::{Dialect, DialectError};

impl Frames {
    /// Every frame has the parts that its meaning needs, and is read as what it was written as.
    ///
    /// # Errors
    /// Names the first that is not.
    pub(in crate::dialect) fn check(&self, dialect: &Dialect) -> Result<(), DialectError> {
        if self.welcome.is_some() && dialect.welcome_type().is_none() {
            return Err(DialectError::NoWelcome);
        }
        CLIENT.into_iter().chain(SERVER).try_for_each(|form| self.check_parts(form))?;
        for (side, forms, side_is_gateway) in
            &[("a client", &CLIENT[..], false), ("a gateway", &SERVER[..], true)]
        {
            for form in *forms {
                if dialect.name(*form).is_none() && *form == Form::Welcome {
                    continue;
                }
                let frame = self.template(*form).write(&dialect.sample(*form));
                let pending = (*side_is_gateway).then(|| form.asked());
                match self.open(dialect, forms, &frame, pending.as_ref()) {
                    Some((found, _)) if found == *form => {}
                    found => {
                        let (key, form) = (self.key(*form), self.word(*form));
                        let read_as = found.map_or("none", |(found, _)| self.word(found));
                        let side = *side;
                        return Err(DialectError::Frame { key, form, read_as, side, frame });
                    }
                }
            }
        }
        Ok(())
    }

    fn check_parts(&self, form: Form) -> Result<(), DialectError> {
        let needed: &[&[Part]] = match form {
            Form::Ping | Form::Pong | Form::HeartbeatPing | Form::HeartbeatPong => &[],
            Form::Subscribe => &[&[Part::Room, Part::Payload]],
            // What was asked says what is left.
            Form::Unsubscribe => &[&[Part::Room, Part::Payload, Part::Subscription]],
            // What was asked says what is answered.
            Form::Subscribed | Form::Unsubscribed => &[&[Part::Room, Part::Payload, Part::Ref]],
            Form::Welcome => &[&[Part::User, Part::Payload]],
            Form::Error => &[&[Part::Code, Part::Payload]],
            Form::Event | Form::Other => &[&[Part::Type], &[Part::Payload]],
        };
        let template = self.template(form);
        if template.has(Part::Token) {
            let reason =
                "`{token}` stands in `dialect.sign_in.message`, and in no template of `dialect.frames`";
            return Err(DialectError::SignIn { reason });
        }
        if template.has(Part::Subscription) && !self.template(Form::Subscribe).has(Part::Ref) {
            return Err(DialectError::Unreferred { key: self.key(form) });
        }
        let lacking = needed.iter().find(|parts| !parts.iter().any(|part| template.has(*part)));
        lacking.map_or(Ok(()), |parts| {
            Err(DialectError::Lacks { key: self.key(form), parts: Part::either(parts) })
        })
    }
}

impl Dialect {
    /// The parts of one message of a form.
    fn sample(&self, form: Form) -> Parts {
        let kind = self.name(form).unwrap_or("a:type");
        let parts = Parts::default()
            .with(Part::Type, kind)
            .with(Part::Payload, json!({}))
            .with(Part::Room, "a:room")
            .with(Part::User, "a-user")
            .with(Part::Rooms, Vec::<Value>::new())
            .with(Part::Code, "a_code")
            .with(Part::Message, "a message");
        parts
            .with(Part::Timestamp, Timestamp::EPOCH.to_string())
            .with(Part::Id, "1")
            .with(Part::Ref, SAMPLE_REFERENCE)
            .with(Part::Subscription, SAMPLE_REFERENCE)
    }
}
