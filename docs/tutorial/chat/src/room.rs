//! The room: who is there, by binding.

use crate::{GuestProxy, LocalRoom, NameTaken};
use peers_rpc::{Binding, Context, Error};
use std::collections::BTreeMap;

/// Guests and their names.
#[derive(Debug, Default)]
pub struct Room {
    guests: BTreeMap<Binding, String>,
}

impl LocalRoom for Room {
    fn join(&mut self, cx: &Context<'_, Self>, name: String) -> Result<Vec<String>, Error> {
        if self.guests.values().any(|taken| *taken == name) {
            return Err(NameTaken { name }.raise());
        }
        let present = self.guests.values().cloned().collect();
        self.tell_others(cx.caller(), &name, "(enters)");
        self.guests.insert(cx.caller().clone(), name);
        let guest = cx.caller().clone();
        cx.caller().endpoint().on_close(cx.on_any(move |room, _, _| room.left(&guest)));
        Ok(present)
    }

    fn say(&mut self, cx: &Context<'_, Self>, text: String) {
        if let Some(name) = self.guests.get(cx.caller()) {
            self.tell_others(cx.caller(), name, &text);
        }
    }
}

impl Room {
    fn left(&mut self, guest: &Binding) {
        if let Some(name) = self.guests.remove(guest) {
            self.tell_others(guest, &name, "(leaves)");
        }
    }

    /// A guest that cannot be told is about to leave: its `on_close` says so.
    fn tell_others(&self, speaker: &Binding, name: &str, text: &str) {
        for guest in self.guests.keys().filter(|guest| *guest != speaker) {
            let proxy: GuestProxy = guest.proxy();
            if let Err(error) = proxy.heard(name, text) {
                peers_rpc::warn(error);
            }
        }
    }
}
