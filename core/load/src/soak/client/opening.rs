//! Dialling, the handshakes, and how they are broken off.

use std::io;

use mio::Token;
use switchboard_websocket::deflate::Deflater;
use switchboard_websocket::handshake::{
    Request, Response, ResponseError, random_key_from, response_head_len,
};
use switchboard_websocket::{Decoder, Role};

use super::{Again, Client, Context, Fate, STEP, Stage};
use crate::dial::CONNECTIONS_PER_ADDRESS;
use crate::soak::wire::{Got, Wire};

const HEAD_BYTES_MAX: usize = 16 << 10;
/// More than the first message of TLS has.
const HELLO_BYTES_MAX: u64 = 600;
/// Connections that ended are remembered by the system for a minute, so one address would run out
/// of ports.
const ADDRESSES: u32 = 16;

impl Client {
    pub(in crate::soak) fn dial(&mut self, token: Token, ctx: &mut Context<'_>) {
        self.since = ctx.now;
        ctx.report.dialled += 1;
        let [usual, small] = &ctx.diallers[self.target];
        let dialler = if self.life.receive_buffer_is_small { small } else { usual };
        let address = self.slot.wrapping_add(self.life.number) % ADDRESSES;
        let socket = dialler.dial(address * CONNECTIONS_PER_ADDRESS);
        let tls = self.target(ctx).tls.as_ref();
        match socket.and_then(|socket| Wire::new(socket, tls, ctx.registry, token)) {
            Ok(wire) => {
                self.wire = Some(wire);
                self.stage = Stage::Dialling;
            }
            Err(error) => self.unopened(&error.to_string(), ctx),
        }
    }

    pub(super) fn dialled(&mut self, ctx: &mut Context<'_>) {
        let Some(wire) = &self.wire else { return };
        if let Err(error) = wire.outcome() {
            return self.unopened(&error.to_string(), ctx);
        }
        self.since = ctx.now;
        self.stage = Stage::Securing;
        if self.life.fate == Fate::ResetInTls {
            self.resets_at = Some(ctx.now + self.life.delay);
        }
    }

    pub(super) fn secure(&mut self, ctx: &mut Context<'_>) {
        let is_broken_off = self.life.fate == Fate::ResetInTls;
        let bytes_max = match is_broken_off {
            true => 1 + self.random.below(HELLO_BYTES_MAX) as usize,
            false => self.piece(),
        };
        let Some(wire) = &mut self.wire else { return };
        match wire.secure(bytes_max) {
            Ok(true) => self.secured(ctx),
            Ok(false) if wire.owes() && !is_broken_off => self.want(Again::At(ctx.now + STEP)),
            Ok(false) => {}
            Err(error) => self.unopened(&error.to_string(), ctx),
        }
    }

    fn secured(&mut self, ctx: &mut Context<'_>) {
        let target = self.target(ctx);
        ctx.report.secured += u64::from(target.tls.is_some());
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.random.next().to_ne_bytes());
        random[8..].copy_from_slice(&self.random.next().to_ne_bytes());
        self.key = random_key_from(random);
        self.offer = self.life.deflate;
        let authority = target.url.authority();
        let request = Request {
            deflate: self.offer,
            ..Request::new(&authority, &target.url.target, &self.key)
        };
        if let Err(error) = request.write(&mut self.out) {
            return self.unopened(&error.to_string(), ctx);
        }
        if self.life.fate == Fate::ResetInRequest {
            self.out.truncate(1 + self.random.below(self.out.len() as u64 - 1) as usize);
        }
        self.stage = Stage::Asking;
        self.ask(ctx);
    }

    pub(super) fn ask(&mut self, ctx: &mut Context<'_>) {
        self.flush(ctx);
        if self.life.fate.is_early() {
            if self.has_left() && self.resets_at.is_none() {
                self.resets_at = Some(ctx.now + self.life.delay);
            }
            return;
        }
        loop {
            let Some(wire) = &mut self.wire else { return };
            match wire.read(ctx.input) {
                Ok(Got::Bytes(count)) => self.head.extend_from_slice(&ctx.input[..count]),
                Ok(Got::Nothing) => return,
                Ok(Got::End) => return self.unopened("it ended before its answer", ctx),
                Err(error) => return self.unopened(&error.to_string(), ctx),
            }
            self.since = ctx.now;
            match self.judge() {
                Ok(None) => {}
                Ok(Some(rest)) => return self.opened(rest, ctx),
                Err(error) => return self.unopened(&error.to_string(), ctx),
            }
        }
    }

    /// What came behind a good answer.
    fn judge(&mut self) -> Result<Option<Vec<u8>>, ResponseError> {
        let Some(len) = response_head_len(&self.head, HEAD_BYTES_MAX)? else { return Ok(None) };
        let response = Response::parse(&self.head[..len])?;
        let agreed = match &self.offer {
            Some(offer) => response.check_deflate(&self.key, &[], offer)?.1,
            None => response.check(&self.key, &[]).map(|_| None)?,
        };
        if let Some(agreed) = agreed {
            self.decoder = Decoder::with_deflate(Role::Client, &agreed);
            // Some of the short ones go as they are, though both sides could compress them.
            let bytes_min = self.random.below(200) as u32;
            self.deflater = Some(Deflater::new(Role::Client, &agreed, bytes_min));
        }
        Ok(Some(self.head[len..].to_vec()))
    }

    fn opened(&mut self, mut rest: Vec<u8>, ctx: &mut Context<'_>) {
        let name = self.target(ctx).name.clone();
        *ctx.report.opened.entry(name).or_default() += 1;
        ctx.report.compressed += u64::from(self.deflater.is_some());
        self.stage = Stage::Open;
        self.head = Vec::new();
        self.rests_until = ctx.now;
        self.take(&mut rest, ctx);
        self.exchange(ctx);
    }

    /// It was to open, and did not.
    fn unopened(&mut self, why: &str, ctx: &mut Context<'_>) {
        let error = self.wire.as_ref().and_then(|wire| wire.outcome().err());
        let error: io::Result<()> = error.map_or(Ok(()), Err);
        let more = error.map_or_else(|error| format!(", {error}"), |()| String::new());
        self.fault(&format!("not opened: {why}"), &format!("{:?}{more}", self.stage), ctx);
        self.next_life(ctx);
    }
}
