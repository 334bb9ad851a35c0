//! The values of keys that nobody gave and that follow from others.

use std::path::Path;

use figment::value::{Dict, Value};

use crate::conf::limits::size;
use crate::conf::schema::{Role, SectionType};
use crate::conf::{Limits, Settings};

/// What the settings say to such keys, in one section.
#[derive(Clone, Copy)]
pub(super) struct Computed<'s> {
    settings: &'s Settings,
    /// Those that hold in this section.
    limits: &'s Limits,
    /// The `<limits>` at the top sets `max-frame-size`, which then holds everywhere.
    frame_size_is_set: bool,
}

impl<'s> Computed<'s> {
    /// At the top of the conf, whose values are `root`.
    pub(super) fn new(settings: &'s Settings, root: &Dict) -> Self {
        let limits = root.get("limits").and_then(Value::as_dict);
        let frame_size_is_set = limits.is_some_and(|limits| limits.contains_key("max-frame-size"));
        Self { settings, limits: &settings.limits, frame_size_is_set }
    }

    /// Inside the section of that type with that place among its kind.
    pub(super) fn inside(self, kind: &SectionType, index: usize) -> Self {
        match self.settings.websockets.get(index).filter(|_| kind.name == "websocket") {
            Some(websocket) => Self { limits: &websocket.limits, ..self },
            None => self,
        }
    }

    /// The value of `key`, if it follows from others here.
    pub(super) fn value(
        self,
        kind: &SectionType,
        role: Role,
        key: &str,
        dict: &Dict,
    ) -> Option<String> {
        let settings = self.settings;
        match (kind.name, key) {
            ("", "instancehome") => Some(path(&settings.instance_home)),
            ("", "clienthome") => Some(path(&settings.client_home)),
            ("", "plugin-path") => settings.plugin_path.first().map(|first| path(first)),
            ("admin", "socket-name") => settings.admin.as_ref().map(|admin| path(&admin.socket)),
            ("limits", "max-frame-size") => {
                // An endpoint that says nothing to both has what holds at the top.
                let is_own = dict.contains_key("max-message-size") && !self.frame_size_is_set;
                let follows = role != Role::Override || is_own;
                follows.then(|| size(self.limits.frame_bytes_max))
            }
            _ => None,
        }
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
