//! The layers of a conf, from the defaults up, put together and handed on.

use std::io;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use switchboard_zconfig::{FsLoader, Pos, Reader, Tree};

use super::complete::Completion;
use super::error::{ConfErrors, Faults};
use super::noted::Noted;
use super::overrides::VARIABLE_PREFIX;
use super::place::{Place, Places};
use super::provide::Walk;
use super::raw::RawConf;
use super::schema::{ROOT, Role};
use super::settle::{Settling, home_of};
use super::{Effective, Settings};

/// The directory beside the conf file whose `*.conf` are layers over it.
const DROP_INS: &str = "conf.d";

/// One layer, whose values carry their own tags already.
struct Layer(&'static str, Dict);

/// A conf that was found good.
struct Loaded {
    settings: Settings,
    /// All layers in one.
    figment: Figment,
    places: Places,
}

/// Reads `file`, what lies in `conf.d` beside it, the variables `SWITCHBOARD__SECTION__KEY` of
/// `environment` and the `-X` texts of `overrides`, each over what comes before.
///
/// # Errors
///
/// Everything that is wrong with any of them.
pub fn load(
    file: &Path,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<Settings, ConfErrors> {
    layers(file, environment, overrides).map(|loaded| loaded.settings)
}

/// Reads the same, for what every directive says and which layer says it.
///
/// # Errors
///
/// Everything that is wrong with any of them.
pub fn effective(
    file: &Path,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<Effective, ConfErrors> {
    let Loaded { settings, figment, places } = layers(file, environment, overrides)?;
    Ok(Effective::new(&values(&figment), &places, &settings))
}

fn layers(
    file: &Path,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<Loaded, ConfErrors> {
    let mut environment: Vec<_> = environment.collect();
    environment.sort();
    let loader = Noted::new(FsLoader::new(environment.iter().cloned()));
    let mut reader = Reader::new(&loader);
    let mut faults = Faults::default();
    let trees = read(file, &mut reader, &mut faults);
    let user_home = user_home(&environment);
    environment.retain(|(name, _)| name.starts_with(VARIABLE_PREFIX));
    let loaded = united(file, &trees, &environment, overrides, user_home, &mut faults);
    let mut loaded = faults.finish(reader.sources(), loaded)?;
    loaded.settings.conf_files = loader.into_files();
    Ok(loaded)
}

/// The home directory of whoever starts the host: by the variable, else as the system knows it.
fn user_home(environment: &[(String, String)]) -> Option<PathBuf> {
    let variable = environment.iter().find(|(name, value)| name == "HOME" && !value.is_empty());
    variable.map(|(_, value)| value.into()).or_else(std::env::home_dir)
}

/// The conf file and its drop-ins, in the order in which one stands over the other.
fn read(file: &Path, reader: &mut Reader<'_>, faults: &mut Faults) -> Vec<Tree> {
    let mut trees = vec![reader.read(file)];
    let directory = file.with_file_name(DROP_INS);
    match drop_ins(&directory) {
        Ok(files) => trees.extend(files.iter().map(|file| reader.read(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let at = Pos { file: directory.into(), line: 0, column: 0 };
            faults.at(&Place::File(at, 1), "", format!("cannot be read: {error}"));
        }
    }
    faults.syntax(file, reader);
    trees
}

fn drop_ins(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if path.extension().is_some_and(|extension| extension == "conf") && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn united(
    file: &Path,
    trees: &[Tree],
    environment: &[(String, String)],
    overrides: &[String],
    user_home: Option<PathBuf>,
    faults: &mut Faults,
) -> Option<Loaded> {
    let (mut places, mut warnings) = (Places::default(), Vec::new());
    let mut walk = Walk { faults, places: &mut places, warnings: &mut warnings };
    let mut figment = Figment::new();
    for tree in trees {
        figment = figment.merge(Layer("conf", walk.layer(tree)));
    }
    for (name, text) in environment {
        let layer = walk.variable(name, text, &values(&figment));
        figment = figment.merge(Layer("environment", layer));
    }
    if !overrides.is_empty() {
        for layer in walk.overrides(overrides, &values(&figment)) {
            figment = figment.merge(Layer("command line", layer));
        }
    }
    let whole = Place::File(Pos { file: file.into(), line: 0, column: 0 }, 1);
    let mut completion = Completion { faults, places: &places };
    let defaults = completion.defaults(&ROOT, Role::Part, &values(&figment), "", &whole);
    let figment = places.take_figment().merge(figment).join(Layer("built-in defaults", defaults));
    match figment.extract::<RawConf>() {
        Ok(raw) => {
            let home = home_of(file);
            let settling = Settling { faults, places: &places, file: whole, home, user_home };
            let settings = Settings { warnings, ..settling.settle(raw) };
            Some(Loaded { settings, figment, places })
        }
        // The schema and the structures that serde fills differ: no conf should get here.
        Err(found) => {
            for found in found {
                let source = found.metadata.as_ref().and_then(|metadata| metadata.source.as_ref());
                let place = source.map(ToString::to_string).unwrap_or_default();
                let message = format!("{place}: {}", found.kind);
                faults.at(&whole, &found.path.join(" "), message);
            }
            None
        }
    }
}

/// The values of all layers so far.
fn values(figment: &Figment) -> Dict {
    let mut profiles = figment.data().unwrap_or_default();
    profiles.remove(&Profile::Default).unwrap_or_default()
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.1.clone())]))
    }
}
