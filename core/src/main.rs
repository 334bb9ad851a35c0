//! The program `switchboard`.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use switchboard::library;

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    match args.as_slice() {
        [subcommand, file] if subcommand == "plugin-probe" => library::probe_main(Path::new(file)),
        _ => {
            eprintln!("usage: switchboard plugin-probe FILE");
            ExitCode::from(64)
        }
    }
}
