//! Streams and infos that replace earlier ones while their client lives (B).

use super::{Call, Tandem};
use crate::slots::{Address, Loose};
use crate::state::Word;
use crate::swing::Swung;

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Makes `stream` the client's stream and retires the one before. `Err`: the client is gone.
    pub(crate) fn attach(
        &self,
        client: Address,
        stream: Stream,
        call: &mut Call<'_>,
    ) -> Result<u64, Stream> {
        if !self.mark(client, Word::is_swung, Word::swung, call) {
            return Err(stream);
        }
        let Some(live) = self.live_at(client, &call.pin) else {
            return Err(stream);
        };
        let sequence = self.slots.next_stream(client.slot);
        match live.swing_stream(Some(Swung::new(sequence, stream)), |_| true, &call.pin) {
            Ok(old) => {
                if let Some(old) = old {
                    self.slots.retire_loose(old, &call.pin);
                }
                Ok(sequence)
            }
            Err(stream) => Err(stream.expect("what was passed comes back").value),
        }
    }

    /// Takes the client's stream if it is still the one of that sequence.
    pub(crate) fn detach(
        &self,
        client: Address,
        sequence: u64,
        call: &mut Call<'_>,
    ) -> Option<Loose<Stream>> {
        if !self.mark(client, Word::is_swung, Word::swung, call) {
            return None;
        }
        let live = self.live_at(client, &call.pin)?;
        let is_it = |current| current == Some(sequence);
        live.swing_stream(None, is_it, &call.pin).ok().flatten()
    }

    /// Makes `info` the client's info and retires the one before. `Err`: the client is gone.
    pub(crate) fn update(
        &self,
        client: Address,
        info: Info,
        call: &mut Call<'_>,
    ) -> Result<(), Info> {
        if !self.mark(client, Word::is_swung, Word::swung, call) {
            return Err(info);
        }
        let Some(live) = self.live_at(client, &call.pin) else {
            return Err(info);
        };
        match live.swing_info(Swung::new(0, info), &call.pin) {
            Ok(old) => {
                if let Some(old) = old {
                    self.slots.retire_loose(old, &call.pin);
                }
                Ok(())
            }
            Err(info) => Err(info.value),
        }
    }
}
