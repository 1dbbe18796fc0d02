//! The sequential model: what each call may do, as atomic steps.
//!
//! A connect over older clients is a commit and an eviction of each (D), and so is an alias over an older
//! one; a disconnect by client id is a lookup and a disconnect of what it found; a close sets its mark,
//! ends each client, and is over (E); what an iteration has to show is in `walk`. Everything else is one
//! step.

use tandem_registry::{AliasErrorKind, ConnectErrorKind, Policy};

use super::history::{Answer, Call, Event, Seen, Tag, Value};
use super::walk::Walks;

/// The settings of the registry that a history is of.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub policy: Policy,
    /// Places for the clients of the history: those of others are left out.
    pub limit: Option<usize>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    pub tag: Tag,
    id: u8,
    node: u8,
    version: u8,
    pub stream: Option<Value>,
}

impl Client {
    fn seen(&self) -> Seen {
        Seen { tag: self.tag, version: self.version, stream: self.stream }
    }
}

/// What a close has come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
enum Closing {
    #[default]
    Open,
    /// Connects may be refused.
    Begun,
    /// All are, and nobody is live.
    Over,
}

/// Live clients, and aliases by owner and name, both in the order of their commits; and what is under way.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct State {
    clients: Vec<Client>,
    aliases: Vec<(Tag, u8)>,
    closing: Closing,
    walks: Walks,
}

/// How far one call is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Phase {
    #[default]
    Called,
    /// A connect or an alias that has committed, and how many clients it has evicted.
    Committed(u8),
    /// A disconnect by client id that has found its client.
    Found(Tag),
    Returned,
}

type Steps = Vec<(State, Phase)>;

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
        self.aliases.iter().rev().find(|alias| alias.1 == name).map(|alias| alias.0)
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

    /// Clients that keep their places: the others' are their evictors'.
    fn staying(&self) -> usize {
        let clients = self.clients.iter().enumerate();
        let staying = clients.filter(|(at, older)| {
            let mut newer = self.clients[at + 1..].iter();
            !newer.any(|newer| newer.id == older.id || newer.node == older.node)
        });
        staying.count()
    }

    /// Takes the name from every alias.
    fn drop_aliases(&mut self, name: u8) {
        self.aliases.retain(|alias| alias.1 != name);
    }

    /// Takes the name from every alias that is older than the owner's.
    fn drop_older_aliases(&mut self, owner: Tag, name: u8) {
        let its = self.aliases.iter().rposition(|&alias| alias == (owner, name)).unwrap_or(0);
        let mut at = 0;
        self.aliases.retain(|alias| {
            at += 1;
            at > its || alias.1 != name
        });
    }

    /// The client is ended, if it is live and displaces no client any more. Aliases that it or one of its
    /// own displaces go first.
    fn without(&self, tag: Tag) -> Option<(Seen, Self)> {
        let client = self.find(tag)?;
        if self.older(tag).next().is_some() {
            return None;
        }
        let mut state = self.clone();
        state.clients.retain(|client| client.tag != tag);
        state.drop_aliases(client.node);
        for &(owner, name) in &self.aliases {
            if owner == tag && self.alias(name) == Some(tag) {
                state.drop_aliases(name);
            }
        }
        state.aliases.retain(|alias| alias.0 != tag);
        state.walks.has_ended(tag);
        Some((client.seen(), state))
    }

    /// Whether a call with that answer changes nothing, whatever there is when it takes effect.
    pub fn is_look(event: &Event) -> bool {
        use Call::*;
        match event.call {
            Route(_) | ById(_) | ByNode(_) | ByKey(_) | KeyById(_) | KeyByNode(_) | Lives(_)
            | Contains(_) | IsClosed | Flush => true,
            Connect { .. } => matches!(event.answer, Answer::Refused(_)),
            AddAlias(..) => matches!(event.answer, Answer::Alias(Err(_))),
            DisconnectKey(_) | Sweep(_) => event.answer == Answer::Ended(None),
            Attach(..) | Detach(..) | Update(..) | RemoveAlias(..) => {
                event.answer == Answer::Done(false)
            }
            // These end a client by and by, or change what an iteration has to show.
            Disconnect { .. } | Close | Shut | Walk { .. } | Visit(_) | WalkEnds => false,
        }
    }

    /// Every next step of a thread's call that is at `phase` and will answer what the event says.
    pub fn steps(&self, thread: usize, event: &Event, phase: Phase, rules: Rules) -> Steps {
        let mut steps = self.effects(thread, event, phase, rules);
        if event.optional && phase == Phase::Called {
            steps.push((self.clone(), Phase::Returned));
        }
        steps
    }

    fn effects(&self, thread: usize, event: &Event, phase: Phase, rules: Rules) -> Steps {
        let (call, answer) = (event.call, event.answer);
        let is = |its: Answer| answer == Answer::Unknown || answer == its;
        let stay = |right: bool| if right { vec![(self.clone(), Phase::Returned)] } else { vec![] };
        let become_ = |change: &dyn Fn(&mut Self)| {
            let mut state = self.clone();
            change(&mut state);
            vec![(state, Phase::Returned)]
        };
        let found = |client: Option<&Client>| stay(is(Answer::Found(client.map(Client::seen))));
        let names = |client: Option<&Client>| stay(is(Answer::Names(client.map(|c| c.tag))));
        match (call, phase) {
            (Call::Connect { .. }, _) => self.connect(event, phase, rules),
            (Call::Disconnect { id }, Phase::Called) => match self.by_id(id) {
                Some(client) => vec![(self.clone(), Phase::Found(client.tag))],
                None => stay(is(Answer::Ended(None))),
            },
            (Call::DisconnectKey(tag) | Call::Sweep(tag), Phase::Called)
            | (_, Phase::Found(tag)) => match self.without(tag) {
                Some((seen, state)) if is(Answer::Ended(Some(seen))) => {
                    vec![(state, Phase::Returned)]
                }
                Some(_) => vec![],
                None => stay(self.find(tag).is_none() && is(Answer::Ended(None))),
            },
            (Call::Close, _) => become_(&|state| state.closing = state.closing.max(Closing::Begun)),
            (Call::Shut, _) if self.clients.is_empty() => {
                become_(&|state| state.closing = Closing::Over)
            }
            (Call::Attach(tag, value), _) => match self.find(tag) {
                Some(_) if is(Answer::Done(true)) => self.with_stream(tag, Some(value)),
                client => stay(client.is_none() && is(Answer::Done(false))),
            },
            (Call::Detach(tag, value), _) => {
                let is_current = self.find(tag).is_some_and(|client| client.stream == Some(value));
                if is_current && is(Answer::Done(true)) {
                    return self.with_stream(tag, None);
                }
                stay(!is_current && is(Answer::Done(false)))
            }
            (Call::Update(tag, version), _) => match self.find(tag) {
                Some(_) if is(Answer::Done(true)) => become_(&|state| {
                    let mut clients = state.clients.iter_mut();
                    clients.find(|client| client.tag == tag).expect("seen above").version = version;
                }),
                client => stay(client.is_none() && is(Answer::Done(false))),
            },
            (Call::AddAlias(owner, name), _) => self.add_alias(owner, name, answer, phase, rules),
            (Call::RemoveAlias(owner, name), _) => {
                let has = self.find(owner).is_some() && self.aliases.contains(&(owner, name));
                if has && is(Answer::Done(true)) {
                    // A newer one's own evictions come first.
                    let is_newest = self.alias(name) == Some(owner);
                    return become_(&|state| match is_newest {
                        true => state.drop_aliases(name),
                        false => state.aliases.retain(|alias| *alias != (owner, name)),
                    });
                }
                stay(!has && is(Answer::Done(false)))
            }
            (Call::Route(name), _) => {
                stay(is(Answer::Routed(self.by_node(name).and_then(|client| client.stream))))
            }
            (Call::ById(id), _) => found(self.by_id(id)),
            (Call::ByNode(name), _) => found(self.by_node(name)),
            (Call::ByKey(tag), _) => found(self.find(tag)),
            (Call::KeyById(id), _) => names(self.by_id(id)),
            (Call::KeyByNode(name), _) => names(self.by_node(name)),
            (Call::Contains(id), _) => stay(is(Answer::Done(self.by_id(id).is_some()))),
            (Call::Lives(tag), _) => stay(is(Answer::Done(self.find(tag).is_some()))),
            (Call::IsClosed, _) => match self.closing {
                Closing::Open => stay(is(Answer::Done(false))),
                Closing::Begun => stay(true),
                Closing::Over => stay(is(Answer::Done(true))),
            },
            (Call::Flush, _) => stay(true),
            (Call::Walk { streams }, _) => {
                become_(&|state| state.walks.begin(thread, streams, &self.clients))
            }
            (Call::Visit(tag), _) => {
                let right = match answer {
                    Answer::Found(seen) => self.find(tag).map(Client::seen) == seen,
                    Answer::Routed(value) => self.find(tag).and_then(|c| c.stream) == value,
                    _ => true,
                };
                let mut walks = self.walks.clone();
                if !right || !walks.visit(thread, tag) {
                    return vec![];
                }
                become_(&|state| state.walks = walks.clone())
            }
            (Call::WalkEnds, _) => match self.walks.end(thread) {
                Some(walks) => become_(&|state| state.walks = walks.clone()),
                None => vec![],
            },
            (Call::DisconnectKey(_) | Call::Disconnect { .. } | Call::Sweep(_) | Call::Shut, _) => {
                vec![]
            }
        }
    }

    fn connect(&self, event: &Event, phase: Phase, rules: Rules) -> Steps {
        let Call::Connect { tag, id, node, stream } = event.call else {
            return vec![];
        };
        let stay = |right: bool| if right { vec![(self.clone(), Phase::Returned)] } else { vec![] };
        let Phase::Committed(evicted) = phase else {
            let (id_taken, node_taken) = (self.by_id(id).is_some(), self.by_node(node).is_some());
            let is_reject = rules.policy == Policy::Reject;
            if let Answer::Refused(why) = event.answer {
                return stay(match why {
                    ConnectErrorKind::IdTaken => is_reject && id_taken,
                    ConnectErrorKind::NodeTaken => is_reject && node_taken,
                    ConnectErrorKind::Closed => self.closing != Closing::Open,
                    ConnectErrorKind::Full => {
                        // A conflict outranks a full registry, and a takeover needs no place (E).
                        let by_alias = node_taken && self.with_node_id(node).is_none();
                        let conflict = id_taken || node_taken && (is_reject || !by_alias);
                        let holds = |&&tag: &&Tag| self.find(tag).is_none();
                        let held = self.clients.len() + event.holders.iter().filter(holds).count();
                        !conflict && rules.limit.is_some_and(|limit| held >= limit)
                    }
                    _ => false,
                });
            }
            if self.closing == Closing::Over || is_reject && (id_taken || node_taken) {
                return vec![];
            }
            let mut state = self.clone();
            state.clients.push(Client { tag, id, node, version: 0, stream });
            if rules.limit.is_some_and(|limit| state.staying() > limit) {
                return vec![];
            }
            return vec![(state, Phase::Committed(0))];
        };
        let mut older = self.older(tag).peekable();
        let (by_id, by_node) = match event.answer {
            Answer::Connected { by_id, by_node } => (Some(by_id), Some(by_node)),
            _ => (None, None),
        };
        // Should it have ended meanwhile, aliases of its name were seen to.
        let is_live = self.find(tag).is_some();
        if is_live && self.aliases.iter().any(|alias| alias.1 == node) {
            let mut state = self.clone();
            state.drop_aliases(node);
            let mut steps = vec![(state, phase)];
            steps.extend(self.evictions(older, event, id, evicted));
            return steps;
        }
        if older.peek().is_none() {
            let handed = by_id.into_iter().chain(by_node).flatten().count();
            return stay(by_id.is_none() || usize::from(evicted) == handed);
        }
        self.evictions(older, event, id, evicted)
    }

    fn evictions<'s>(
        &'s self,
        older: impl Iterator<Item = &'s Client>,
        event: &Event,
        id: u8,
        evicted: u8,
    ) -> Steps {
        let evictions = older.filter_map(|older| {
            let (seen, state) = self.without(older.tag)?;
            let right = match event.answer {
                Answer::Connected { by_id, .. } if older.id == id => by_id == Some(seen),
                Answer::Connected { by_node, .. } => by_node == Some(seen),
                _ => true,
            };
            right.then_some((state, Phase::Committed(evicted + 1)))
        });
        evictions.collect()
    }

    fn add_alias(&self, owner: Tag, name: u8, answer: Answer, phase: Phase, rules: Rules) -> Steps {
        if let Phase::Committed(_) = phase {
            let mut state = self.clone();
            state.drop_older_aliases(owner, name);
            return vec![(state, Phase::Returned)];
        }
        let live = self.find(owner).is_some();
        let node_id = self.with_node_id(name).is_some();
        let bearer = self.alias(name);
        let other = bearer.is_some_and(|bearer| bearer != owner);
        let is_taken = rules.policy == Policy::Reject && other;
        match answer {
            Answer::Alias(Err(why)) => {
                let right = match why {
                    AliasErrorKind::ClientGone => !live,
                    AliasErrorKind::NodeId => node_id,
                    AliasErrorKind::Taken => is_taken,
                    _ => false,
                };
                if right { vec![(self.clone(), Phase::Returned)] } else { vec![] }
            }
            _ if live && !node_id && !is_taken => {
                let mut state = self.clone();
                if bearer == Some(owner) {
                    return vec![(state, Phase::Returned)];
                }
                state.aliases.push((owner, name));
                vec![(state, Phase::Committed(0))]
            }
            _ => vec![],
        }
    }

    fn with_stream(&self, tag: Tag, stream: Option<Value>) -> Steps {
        let mut state = self.clone();
        let mut clients = state.clients.iter_mut();
        clients.find(|client| client.tag == tag).expect("its caller has found it").stream = stream;
        if stream.is_none() {
            state.walks.has_no_stream(tag);
        }
        vec![(state, Phase::Returned)]
    }
}
