//! `%define`, `%include` and `%import`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::ErrorKind;
use crate::line::is_space;
use crate::parse::{At, INCLUDE_DEPTH_MAX, Reader};
use crate::tree::Import;

impl Reader<'_> {
    pub(crate) fn directive(&mut self, at: &At<'_>, name: &str, argument: &str) {
        match name {
            "define" | "include" | "import" if argument.is_empty() => {
                self.whole_line(at, ErrorKind::MissingArgument(name.into()));
            }
            "define" => self.define(at, argument),
            "include" => self.include(at, argument),
            "import" => self.import(at, argument),
            _ => self.whole_line(at, ErrorKind::UnknownDirective(name.into())),
        }
    }

    fn define(&mut self, at: &At<'_>, argument: &str) {
        let (name, raw) = argument.split_once(is_space).unwrap_or((argument, ""));
        let raw = raw.trim_start_matches(is_space);
        let loader = self.loader;
        let begin = at.begin();
        if let Err(kind) = self.defines.define(name, raw, begin, &|name| loader.variable(name)) {
            self.unless_expected(at, argument, kind);
            self.defines.incomplete = true;
        }
    }

    fn include(&mut self, at: &At<'_>, argument: &str) {
        let Some(target) = self.substituted(at, argument) else {
            self.defines.incomplete = true;
            return;
        };
        match self.included(at.file, &target) {
            Ok((path, bytes)) => self.bytes(path, &bytes),
            Err(kind) => {
                self.defines.incomplete = true;
                self.part(at, argument, kind);
            }
        }
    }

    fn included(&mut self, from: &Path, target: &str) -> Result<(Arc<Path>, Vec<u8>), ErrorKind> {
        let path = self.loader.resolve(from, target)?;
        if let Some(first) = self.files.iter().position(|open| **open == *path) {
            let round = self.files[first..].iter().map(|file| PathBuf::from(&**file));
            return Err(ErrorKind::IncludeCycle(round.chain([path]).collect()));
        }
        if self.files.len() > INCLUDE_DEPTH_MAX {
            return Err(ErrorKind::IncludeDepth(INCLUDE_DEPTH_MAX));
        }
        let bytes = self.load(&path)?;
        Ok((path.into(), bytes))
    }

    fn import(&mut self, at: &At<'_>, argument: &str) {
        let Some(package) = self.substituted(at, argument) else {
            return;
        };
        if package.split('.').any(str::is_empty) {
            return self.part(at, argument, ErrorKind::IllegalImport(package));
        }
        if self.imports.iter().all(|known| known.package != package) {
            self.imports.push(Import { package, at: at.begin() });
        }
    }
}
