//! Files below one directory, and no way out of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{Client, Home, Host, Response, conf};

/// A host that serves `public` at `/`, and a secret beside that.
fn start(prepare: impl FnOnce(&Home)) -> Host {
    let home = Home::new();
    home.write("secret.txt", b"secret");
    home.write("public/index.html", b"<!doctype html><p>hello");
    prepare(&home);
    let sections = "
        <http / >
          <static>
            path public
          </static>
        </http>";
    Host::start_in(home, &conf(sections))
}

fn get(host: &Host, path: &str) -> Response {
    Client::connect(&host.addr("main")).get(path)
}

fn get_with(host: &Host, path: &str, header: &str, value: &str) -> Response {
    let headers = format!("{header}: {value}\r\n");
    Client::connect(&host.addr("main")).request("GET", path, &headers)
}

#[test]
fn a_directory_is_answered_with_its_index() {
    let host = start(|home| drop(home.write("public/sub/index.html", b"below")));
    let response = get(&host, "/");
    assert_eq!((response.status, response.text().as_str()), (200, "<!doctype html><p>hello"));
    assert_eq!(get(&host, "/index.html").text(), "<!doctype html><p>hello");
    assert_eq!(get(&host, "/sub/").text(), "below");
    assert_eq!(get(&host, "/?query=of+the+page").status, 200);
}

#[test]
fn a_directory_without_its_slash_is_redirected() {
    let host = start(|home| {
        home.write("public/sub/index.html", b"below");
        home.write("public/a b/index.html", b"blank");
    });
    for (path, location) in [
        ("/sub", "/sub/"),
        ("/sub?a=b/c", "/sub/?a=b/c"),
        ("/a%20b", "/a%20b/"),
        // Two slashes would name another host.
        ("//sub", "/sub/"),
    ] {
        let response = get(&host, path);
        assert_eq!(response.status, 301, "{path}");
        assert_eq!(response.header("location"), Some(location), "{path}");
    }
}

#[test]
fn a_file_has_the_type_of_its_name() {
    let names = [
        ("page.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("code.js", "text/javascript; charset=utf-8"),
        ("data.json", "application/json"),
        ("image.svg", "image/svg+xml"),
        ("image.PNG", "image/png"),
        ("code.wasm", "application/wasm"),
        ("note.txt", "text/plain; charset=utf-8"),
        ("unheard.of", "application/octet-stream"),
        ("none", "application/octet-stream"),
    ];
    let host = start(|home| {
        for (name, _) in names {
            home.write(&format!("public/{name}"), b"{}");
        }
    });
    for (name, expected) in names {
        let response = get(&host, &format!("/{name}"));
        assert_eq!(response.header("content-type"), Some(expected), "{name}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert_eq!(response.text(), "{}", "{name}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let host = start(|_| {});
    let mut client = Client::connect(&host.addr("main"));
    let head = client.request("HEAD", "/", "");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), Some("23"));
    assert!(head.header("etag").is_some() && head.header("last-modified").is_some());
    // Whatever had followed would be read here.
    assert_eq!(client.get("/").text(), "<!doctype html><p>hello");
}

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let host = start(|_| {});
    let first = get(&host, "/");
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    for (header, value, status) in [
        ("If-None-Match", tag, 304),
        ("If-None-Match", &format!("\"other\", {tag}"), 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"other\"", 200),
        ("If-Modified-Since", date, 304),
        ("If-Modified-Since", "Tue, 31 Dec 2199 23:59:59 GMT", 304),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("If-Modified-Since", "yesterday", 200),
    ] {
        let response = get_with(&host, "/", header, value);
        assert_eq!(response.status, status, "{header}: {value}");
        assert_eq!(response.header("etag"), Some(tag));
        assert_eq!(response.body.is_empty(), status == 304);
    }
    // The tag goes before the date. RFC 9110, section 13.2.2.
    let both = format!("\"other\"\r\nIf-Modified-Since: {date}");
    assert_eq!(get_with(&host, "/", "If-None-Match", &both).status, 200);
    fs::write(host.dir().join("public/index.html"), "changed").unwrap();
    let changed = get_with(&host, "/", "If-None-Match", tag);
    assert_eq!((changed.status, changed.text().as_str()), (200, "changed"));
}

#[test]
fn the_conf_says_how_long_a_page_is_kept() {
    let home = Home::new();
    home.write("public/start.html", b"hello");
    let host = Host::start_in(
        home,
        &conf(
            "
        <http /pages>
          <static>
            path public
            index start.html
            cache-control max-age=60
          </static>
        </http>",
        ),
    );
    let response = get(&host, "/pages/");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(response.header("cache-control"), Some("max-age=60"));
    assert_eq!(get(&host, "/pages").status, 200);
    assert_eq!(get(&host, "/").status, 404);
}

#[test]
fn what_is_not_there_is_not_found() {
    let host = start(|home| {
        home.write("public/file.txt", b"a file");
        fs::create_dir(home.join("public/empty")).unwrap();
    });
    let long = format!("/{}", "x".repeat(300));
    for path in ["/nothing", "/sub/nothing", "/file.txt/", "/file.txt/x", "/empty/", &long] {
        assert_eq!(get(&host, path).status, 404, "{path}");
    }
    let file = host.dir().join("public/sub/nothing");
    host.wait_for_log(&format!("/sub/nothing: 404: {}: No such file", file.display()));
}

#[test]
fn files_are_only_read() {
    let host = start(|_| {});
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let response = Client::connect(&host.addr("main")).request(method, "/", "");
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn no_path_leads_out_of_the_root() {
    let host = start(|home| drop(home.write("public/sub/file.txt", b"inside")));
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/sub/../index.html",
        "/%2e%2e/secret.txt",
        "/.%2e/secret.txt",
        "/..%2fsecret.txt",
        "/sub%2f..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/sub/..;/../secret.txt",
        "//etc/passwd",
        "/%00/../secret.txt",
    ] {
        let response = get(&host, path);
        assert!([400, 404].contains(&response.status), "{path}: {}", response.status);
        assert!(!response.text().contains("secret\n"), "{path}");
    }
}

#[test]
fn no_link_leads_out_of_the_root() {
    let host = start(|home| {
        home.write("public/sub/file.txt", b"inside");
        let link = |to: &str, name: &str| symlink(to, home.join("public").join(name)).unwrap();
        link("sub/file.txt", "inside.txt");
        link("sub", "alias");
        link("../../public/sub/file.txt", "sub/round.txt");
        link(home.join("public/sub/file.txt").to_str().unwrap(), "absolute.txt");
        link("/etc/passwd", "passwd");
        link("../secret.txt", "relative.txt");
        link("..", "parent");
        link("/proc/self/cwd", "magic");
        link("loop", "loop");
        link("nowhere", "broken");
    });
    assert_eq!(get(&host, "/inside.txt").text(), "inside");
    assert_eq!(get(&host, "/alias/file.txt").text(), "inside");
    for path in [
        "/sub/round.txt",
        "/absolute.txt",
        "/passwd",
        "/relative.txt",
        "/parent",
        "/parent/",
        "/parent/secret.txt",
        "/magic/zope.conf",
        "/loop",
        "/broken",
    ] {
        assert_eq!(get(&host, path).status, 404, "{path}");
    }
}

#[test]
fn names_that_begin_with_a_dot_are_hidden() {
    let host = start(|home| {
        home.write("public/.htpasswd", b"hidden");
        home.write("public/.git/config", b"hidden");
        home.write("public/.well-known/security.txt", b"shown");
        home.write("public/.well-known/.hidden", b"hidden");
        home.write("public/..odd/file", b"hidden");
    });
    for path in
        ["/.htpasswd", "/%2ehtpasswd", "/.git/config", "/.well-known/.hidden", "/..odd/file"]
    {
        assert_eq!(get(&host, path).status, 404, "{path}");
    }
    assert_eq!(get(&host, "/.well-known/security.txt").text(), "shown");
}

#[test]
fn what_is_no_regular_file_is_not_served_and_blocks_nobody() {
    let host = start(|home| {
        let fifo = home.join("public/fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        drop(std::os::unix::net::UnixListener::bind(home.join("public/socket")).unwrap());
    });
    for _ in 0..20 {
        let response = get(&host, "/fifo");
        assert_eq!(response.status, 404);
    }
    assert_eq!(get(&host, "/socket").status, 404);
    assert_eq!(get(&host, "/").status, 200);
}

#[test]
fn a_big_file_comes_byte_for_byte() {
    let big: Vec<u8> = (0..20_000_000_u32).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
    let host = start(|home| drop(home.write("public/big.bin", &big)));
    let mut client = Client::connect(&host.addr("main"));
    for _ in 0..2 {
        let response = client.get("/big.bin");
        assert_eq!(response.header("content-length"), Some("20000000"));
        assert!(response.body == big, "bytes were changed on the way");
    }
    // Who leaves in the middle of it disturbs nobody.
    client.send_raw(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    drop(client);
    assert_eq!(get(&host, "/").status, 200);
}

#[test]
fn a_file_that_the_host_may_not_read_is_forbidden() {
    let host = start(|home| {
        let file = home.write("public/private.txt", b"private");
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    });
    // Root reads everything.
    let expected = if rustix::process::geteuid().is_root() { 200 } else { 403 };
    assert_eq!(get(&host, "/private.txt").status, expected);
}

#[test]
fn a_root_that_is_not_there_is_named() {
    let sections = "<http / >\n<static>\npath nowhere\n</static>\n</http>";
    let (status, log) = Host::fails(&conf(sections));
    assert_eq!(status.code(), Some(78));
    assert!(log.contains("zope.conf:8") && log.contains("there is no directory"), "{log}");
}

#[test]
fn a_websocket_and_files_share_a_prefix() {
    let home = Home::new();
    home.write("public/index.html", b"the page");
    let host = Host::start_in(
        home,
        &conf(
            "
        <websocket / >
          <plugin echo/>
        </websocket>
        <http / >
          <static>
            path public
          </static>
        </http>",
        ),
    );
    let mut client = Client::connect(&host.addr("main"));
    assert_eq!(client.get("/").text(), "the page");
    client.into_ws("/", &[]).echo("on the same connection");
}
