//! What of a request can be judged without the books ("Statuses"): the rest is a question for the clerk.

use std::net::IpAddr;

use crate::chapp::desk::Question;
use crate::chapp::name::Name;
use crate::chapp::wire::Status;
use crate::chapp::wire::request::Request;

/// Who a request comes from.
pub(super) struct Asker<'a> {
    /// Where the connection comes from.
    pub(super) address: IpAddr,
    /// The name that it has.
    pub(super) name: Option<&'a Name>,
}

impl Asker<'_> {
    /// The ID of a request, and what the clerk is to be asked, or what is wrong with it; none: nothing comes
    /// of it.
    pub(super) fn put(&self, request: Request<'_>) -> Option<(u64, Result<Question, Status>)> {
        Some(match request {
            Request::Response => return None,
            Request::Connect { id, username } => (id, self.connect(username)),
            Request::Introduce { id, from } => (id, self.introduce(from)),
            Request::Post { id, from, to, message } => (id, self.post(id, from, to, message)),
            Request::Goodbye { id, from } => (id, self.goodbye(from)),
        })
    }

    fn connect(&self, username: Option<&str>) -> Result<Question, Status> {
        // What is no name is on file for nobody.
        let username = username.map(Name::parse).transpose().map_err(|_| Status::ClientNotFound)?;
        Ok(Question::Connect { address: self.address, username })
    }

    fn introduce(&self, from: &str) -> Result<Question, Status> {
        let name = Name::parse(from).map_err(|_| Status::InvalidUsername)?;
        Ok(Question::Introduce { address: self.address, name })
    }

    fn post(&self, id: u64, from: &str, to: &str, message: &str) -> Result<Question, Status> {
        let from = self.sender(from)?;
        let to = Name::parse(to).map_err(|_| Status::InvalidToUser)?;
        Ok(Question::Post { address: self.address, from, to, id, message: message.into() })
    }

    fn goodbye(&self, from: &str) -> Result<Question, Status> {
        Ok(Question::Goodbye { name: self.sender(from)? })
    }

    /// The name of the connection, if it has one and that is what the request says that it is.
    fn sender(&self, from: &str) -> Result<Name, Status> {
        let name = self.name.ok_or(Status::NotIntroduced)?;
        if name.as_str() == from { Ok(name.clone()) } else { Err(Status::InvalidFromUser) }
    }
}
