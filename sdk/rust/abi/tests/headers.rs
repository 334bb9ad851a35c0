//! The headers alone, through the compilers of those who include them.

mod common;

const PLUGIN: &str = "
#include <switchboard/plugin.h>
static sb_status create(const sb_host *host, const sb_config *config, sb_plugin **out,
                        sb_sink *error) {
  (void)host, (void)config, (void)out, (void)error;
  return SB_HAS(host, extension) ? SB_OK : SB_E_UNSUPPORTED;
}
SB_PLUGIN(\"org.example.none\", \"1.0\", \"\", SB_ENTRY_NEVER_BLOCKS, create);
";

#[test]
fn the_headers_compile_as_every_c() {
    for standard in ["-std=c99", "-std=c11", "-std=c17"] {
        check("cc", standard, "c");
    }
}

#[test]
fn the_headers_compile_as_cpp17() {
    check("c++", "-std=c++17", "cpp");
}

fn check(compiler: &str, standard: &str, suffix: &str) {
    let sources = [
        ("plugin", "#include <switchboard/plugin.h>\n"),
        ("topics", "#include <switchboard/topics.h>\n"),
        ("twice", "#include <switchboard/topics.h>\n#include <switchboard/topics.h>\n"),
        ("entry", PLUGIN),
    ];
    for (name, source) in sources {
        // A translation unit that declares nothing is no C.
        let source = format!("{source}extern int something;\n");
        let file = format!("header-{name}{standard}.{suffix}");
        if let Some(text) = common::complaints(compiler, &[standard], &file, &source) {
            panic!("{compiler} {standard}, {name}:\n{text}");
        }
    }
}
