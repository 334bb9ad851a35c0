//! What compression costs a connection in memory, counted at the allocator.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use switchboard_websocket::deflate::{Agreed, Deflater, Engine, WindowBits};
use switchboard_websocket::{Decoder, Kind, Limits, Role};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONNECTIONS: usize = 40;
const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };

/// Heap bytes of each connection of a server, after 50 messages of 1 KB in each direction; and of
/// the engine that serves them all.
fn heap_of(agreed: &Agreed) -> (usize, usize) {
    let (mut wire, mut out) = (Vec::with_capacity(1 << 20), Vec::with_capacity(1 << 20));
    let mut client = (Deflater::new(Role::Client, agreed, 0), Engine::default());
    for number in 0..50 {
        let message = format!("message {number}: ").repeat(64);
        let mask = Some([1, 2, 3, 4]);
        client.0.write_message(&mut client.1, &mut wire, Kind::Text, message.as_bytes(), mask);
    }
    let region = Region::new(ALLOCATOR);
    let held = || region.change().bytes_allocated - region.change().bytes_deallocated;
    let mut engine = Engine::default();
    let mut connections = Vec::with_capacity(CONNECTIONS);
    let table = held();
    let mut engine_and_first = 0;
    for at in 0..CONNECTIONS {
        let mut decoder = Decoder::with_deflate(Role::Server, agreed);
        let mut deflater = Deflater::new(Role::Server, agreed, 0);
        let mut input = wire.clone();
        let mut at_byte = 0;
        while decoder
            .next_in(&mut engine, &LIMITS, &mut input, &mut at_byte)
            .expect("it is right")
            .is_some()
        {}
        for number in 0..50 {
            let message = format!("answer {number}: ").repeat(64);
            deflater.write_message(&mut engine, &mut out, Kind::Text, message.as_bytes(), None);
        }
        out.clear();
        drop(input);
        connections.push((decoder, deflater));
        if at == 0 {
            engine_and_first = held() - table;
        }
    }
    let each = (held() - table - engine_and_first) / (CONNECTIONS - 1);
    (each, engine_and_first - each)
}

/// Heap bytes of 10,000 decoders that were each sent only the header of a frame of 1 GiB.
fn heap_of_promises(decoder: impl Fn() -> Decoder, header: [u8; 14]) -> usize {
    let limits = Limits { message_bytes_max: 1 << 30, frame_bytes_max: 1 << 30 };
    let mut engine = Engine::default();
    let mut decoders: Vec<Decoder> = (0..10_000).map(|_| decoder()).collect();
    let region = Region::new(ALLOCATOR);
    for decoder in &mut decoders {
        let mut header = header;
        let event = decoder.next_in(&mut engine, &limits, &mut header, &mut 0);
        assert_eq!(event, Ok(None));
    }
    let change = region.change();
    change.bytes_allocated - change.bytes_deallocated
}

// One test: what others allocate at the same time would be counted.
#[test]
fn a_connection_costs_its_windows_and_no_more() {
    let promise = *b"\x82\xff\0\0\0\0\x40\0\0\0abcd";
    assert_eq!(heap_of_promises(|| Decoder::new(Role::Server), promise), 0);
    let mut compressed = promise;
    compressed[0] |= 0x40;
    let with_deflate = || Decoder::with_deflate(Role::Server, &Agreed::default());
    assert_eq!(heap_of_promises(with_deflate, compressed), 0);

    let bits = |bits| WindowBits::new(bits).expect("a size that there is");
    let alone = Agreed {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..Agreed::default()
    };
    let (shared, engine) = heap_of(&alone);
    println!("shared: {shared} bytes a connection, {engine} for the engine");
    assert_eq!(shared, 0);
    assert!(engine < 512 * 1024, "{engine}");

    let mut engine = Engine::default();
    let mut deflater = Deflater::new(Role::Server, &alone, 0);
    let mut frame = Vec::with_capacity(1 << 20);
    let large: Vec<u8> =
        (0..1_u32 << 20).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 27) as u8).collect();
    let region = Region::new(ALLOCATOR);
    deflater.write_message(&mut engine, &mut frame, Kind::Binary, &large, None);
    let kept = region.change().bytes_allocated - region.change().bytes_deallocated;
    assert!(kept < 512 * 1024, "{kept} after a large message of {} bytes", frame.len());

    for window in [9, 10, 12, 15] {
        let window = bits(window);
        let agreed = Agreed {
            server_max_window_bits: window,
            client_max_window_bits: window,
            ..Agreed::default()
        };
        let (dedicated, engine) = heap_of(&agreed);
        println!("dedicated, 2^{window}: {dedicated} bytes a connection, {engine} for the engine");
        assert!(dedicated <= 2 * window.bytes() + 256, "{dedicated} for 2^{window}");
        assert!(engine < 512 * 1024, "{engine}");
    }
    println!("a decoder is {} bytes, a deflater {}", size_of::<Decoder>(), size_of::<Deflater>());
    assert!(size_of::<Deflater>() <= 16);
}
