//! A conf on disk, loaded.

use std::path::PathBuf;

use switchboard::conf::{
    ConfErrors, EndpointSettings, PluginSettings, Settings, WebSocketSettings, load,
};

/// A directory with conf files, gone at the end of the test.
pub(crate) struct Instance(tempfile::TempDir);

impl Instance {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let instance = Self(tempfile::tempdir().expect("a directory"));
        instance.write("www/index.html", "hello");
        for (name, text) in files {
            instance.write(name, text);
        }
        instance
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }

    pub(crate) fn load(
        &self,
        variables: &[(&str, &str)],
        overrides: &[&str],
    ) -> Result<Settings, ConfErrors> {
        let environment = variables.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).into()).collect();
        load(&self.path("zope.conf"), environment, &overrides)
    }

    /// `text` with the directory cut from every path.
    pub(crate) fn cut(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    pub(crate) fn errors(&self, variables: &[(&str, &str)], overrides: &[&str]) -> Vec<String> {
        match self.load(variables, overrides) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(|e| self.cut(&e.to_string())).collect(),
        }
    }
}

pub(crate) const LISTENER: &str = "<listener main>\n  address 0\n</listener>\n";

pub(crate) fn good(text: &str) -> Settings {
    let instance = Instance::new(&[("zope.conf", text)]);
    instance.load(&[], &[]).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

pub(crate) fn plugin(websocket: &WebSocketSettings) -> &PluginSettings {
    let EndpointSettings::Plugin(plugin) = &websocket.endpoint else { panic!("a plugin") };
    plugin
}
