//! The sequential model: what each call may do, as atomic steps.
//!
//! A connect over older clients is a commit and an eviction of each (D), a disconnect by client id a
//! lookup and a disconnect of what it found; everything else is one step.

use tandem_registry::{AliasErrorKind, ConnectErrorKind, Policy};

/// Names a connection: the info that it was connected with.
pub type Tag = u8;

/// A client as a caller sees it.
pub type Seen = (Tag, Option<u16>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Connect { tag: Tag, id: u8, node: u8, stream: Option<u16> },
    Disconnect(u8),
    DisconnectKey(Tag),
    Attach(Tag, u16),
    Detach(Tag, u16),
    AddAlias(Tag, u8),
    Route(u8),
    ById(u8),
    ByNode(u8),
    ByKey(Tag),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Connected { by_id: Option<Seen>, by_node: Option<Seen> },
    Refused(ConnectErrorKind),
    Ended(Option<Seen>),
    Done(bool),
    Alias(Result<(), AliasErrorKind>),
    Found(Option<Seen>),
    Routed(Option<u16>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Client {
    tag: Tag,
    id: u8,
    node: u8,
    stream: Option<u16>,
}

/// Live clients in the order of their commits, and aliases by owner and name.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct State {
    clients: Vec<Client>,
    aliases: Vec<(Tag, u8)>,
}

/// How far one call is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Phase {
    #[default]
    Called,
    /// A connect that has committed, and how many it has evicted.
    Committed(u8),
    /// A disconnect by client id that has found its client.
    Found(Tag),
    Returned,
}

impl State {
    fn find(&self, tag: Tag) -> Option<&Client> {
        self.clients.iter().find(|client| client.tag == tag)
    }

    fn by_id(&self, id: u8) -> Option<&Client> {
        self.clients.iter().rev().find(|client| client.id == id)
    }

    fn with_node_id(&self, node: u8) -> Option<&Client> {
        self.clients.iter().rev().find(|client| client.node == node)
    }

    fn alias(&self, name: u8) -> Option<Tag> {
        self.aliases.iter().find(|alias| alias.1 == name).map(|alias| alias.0)
    }

    /// A newcomer's node id is its own, whatever aliases there were.
    fn by_node(&self, name: u8) -> Option<&Client> {
        self.with_node_id(name).or_else(|| self.find(self.alias(name)?))
    }

    /// Older clients with a name of this one: it is between its commit and their eviction.
    fn older<'s>(&'s self, tag: Tag) -> impl Iterator<Item = &'s Client> + 's {
        let at = self.clients.iter().position(|client| client.tag == tag);
        let (older, rest) = self.clients.split_at(at.unwrap_or(0));
        let shares = |other: &&Client| {
            rest.first().is_some_and(|mine| mine.id == other.id || mine.node == other.node)
        };
        older.iter().filter(shares)
    }

    /// The client is ended, if it is live and displaces nobody any more.
    fn without(&self, tag: Tag) -> Option<(Seen, Self)> {
        let client = self.find(tag)?;
        if self.older(tag).next().is_some() {
            return None;
        }
        let seen = (tag, client.stream);
        let mut state = self.clone();
        state.clients.retain(|client| client.tag != tag);
        state.aliases.retain(|alias| alias.0 != tag);
        Some((seen, state))
    }

    /// Every next step of a call that is at `phase` and will answer `answer`.
    pub fn steps(
        &self,
        call: Call,
        answer: Answer,
        phase: Phase,
        policy: Policy,
    ) -> Vec<(Self, Phase)> {
        let stay = |right: bool| if right { vec![(self.clone(), Phase::Returned)] } else { vec![] };
        let found = |client: Option<&Client>| {
            stay(answer == Answer::Found(client.map(|client| (client.tag, client.stream))))
        };
        match (call, phase) {
            (Call::Connect { tag, id, node, stream }, Phase::Called) => {
                let (id_taken, node_taken) = (self.by_id(id), self.by_node(node));
                match answer {
                    Answer::Refused(ConnectErrorKind::IdTaken) => {
                        return stay(policy == Policy::Reject && id_taken.is_some());
                    }
                    Answer::Refused(ConnectErrorKind::NodeTaken) => {
                        return stay(policy == Policy::Reject && node_taken.is_some());
                    }
                    Answer::Refused(_) => return vec![],
                    _ => {}
                }
                let is_free = id_taken.is_none() && node_taken.is_none();
                if policy == Policy::Reject && !is_free {
                    return vec![];
                }
                let mut state = self.clone();
                state.aliases.retain(|alias| alias.1 != node);
                state.clients.push(Client { tag, id, node, stream });
                vec![(state, Phase::Committed(0))]
            }
            (Call::Connect { tag, id, .. }, Phase::Committed(evicted)) => {
                let Answer::Connected { by_id, by_node } = answer else {
                    return vec![];
                };
                let mut older = self.older(tag).peekable();
                if older.peek().is_none() {
                    let handed = by_id.is_some() as u8 + by_node.is_some() as u8;
                    return stay(evicted == handed);
                }
                let evictions = older.filter_map(|older| {
                    let place = if older.id == id { by_id } else { by_node };
                    let (seen, state) = self.without(older.tag)?;
                    (place == Some(seen)).then_some((state, Phase::Committed(evicted + 1)))
                });
                evictions.collect()
            }
            (Call::Disconnect(id), Phase::Called) => match self.by_id(id) {
                Some(client) => vec![(self.clone(), Phase::Found(client.tag))],
                None => stay(answer == Answer::Ended(None)),
            },
            (Call::DisconnectKey(tag), Phase::Called) | (_, Phase::Found(tag)) => {
                match self.without(tag) {
                    Some((seen, state)) if answer == Answer::Ended(Some(seen)) => {
                        vec![(state, Phase::Returned)]
                    }
                    Some(_) => vec![],
                    None => stay(self.find(tag).is_none() && answer == Answer::Ended(None)),
                }
            }
            (Call::Attach(tag, value), _) => match self.find(tag) {
                Some(_) if answer == Answer::Done(true) => self.with_stream(tag, Some(value)),
                client => stay(client.is_none() && answer == Answer::Done(false)),
            },
            (Call::Detach(tag, value), _) => {
                let is_current = self.find(tag).is_some_and(|client| client.stream == Some(value));
                match answer {
                    Answer::Done(true) if is_current => self.with_stream(tag, None),
                    _ => stay(!is_current && answer == Answer::Done(false)),
                }
            }
            (Call::AddAlias(owner, name), _) => {
                let live = self.find(owner).is_some();
                let node_id = self.with_node_id(name).is_some();
                let other = self.alias(name).is_some_and(|bearer| bearer != owner);
                match answer {
                    Answer::Alias(Err(AliasErrorKind::ClientGone)) => stay(!live),
                    Answer::Alias(Err(AliasErrorKind::NodeId)) => stay(node_id),
                    Answer::Alias(Err(AliasErrorKind::Taken)) => {
                        stay(policy == Policy::Reject && other)
                    }
                    Answer::Alias(Ok(())) if live && !node_id => {
                        if policy == Policy::Reject && other {
                            return vec![];
                        }
                        let mut state = self.clone();
                        state.aliases.retain(|alias| alias.1 != name);
                        state.aliases.push((owner, name));
                        state.aliases.sort_unstable();
                        vec![(state, Phase::Returned)]
                    }
                    _ => vec![],
                }
            }
            (Call::Route(name), _) => {
                let stream = self.by_node(name).and_then(|client| client.stream);
                stay(answer == Answer::Routed(stream))
            }
            (Call::ById(id), _) => found(self.by_id(id)),
            (Call::ByNode(name), _) => found(self.by_node(name)),
            (Call::ByKey(tag), _) => found(self.find(tag)),
            (Call::Connect { .. } | Call::DisconnectKey(_), _) | (Call::Disconnect(_), _) => vec![],
        }
    }

    fn with_stream(&self, tag: Tag, stream: Option<u16>) -> Vec<(Self, Phase)> {
        let mut state = self.clone();
        for client in &mut state.clients {
            if client.tag == tag {
                client.stream = stream;
            }
        }
        vec![(state, Phase::Returned)]
    }
}
