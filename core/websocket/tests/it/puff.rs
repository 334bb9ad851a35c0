//! A second reading of RFC 1951, slow and simple: what a deflate stream says, and how far back it
//! reaches. It shares nothing with the library that the crate uses.

/// What came out, behind the window, and the farthest that a copy reached back.
pub(crate) fn puff(mut window: Vec<u8>, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let before = window.len();
    let mut bits = Bits { bytes, at: 0 };
    let mut farthest = 0;
    // The end of a message is an empty block without its last four bytes.
    while bits.at + 3 <= 8 * bytes.len() {
        let _is_last = bits.take(1)?;
        match bits.take(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let rest = &bytes[bits.at / 8..];
                if rest.is_empty() {
                    return Some((window.split_off(before), farthest));
                }
                let len = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
                window.extend_from_slice(rest.get(4..4 + len)?);
                bits.at += 8 * (4 + len);
            }
            1 => {
                let lengths: Vec<u8> = (0..288)
                    .map(|s| {
                        [8, 9, 7, 8]
                            [[s > 143, s > 255, s > 279].map(usize::from).iter().sum::<usize>()]
                    })
                    .collect();
                copy(
                    &mut bits,
                    &Code::new(&lengths),
                    &Code::new(&[5; 30]),
                    &mut window,
                    &mut farthest,
                )?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                copy(&mut bits, &literals, &distances, &mut window, &mut farthest)?;
            }
            _ => return None,
        }
        if bits.at.div_ceil(8) == bytes.len() && bits.at.is_multiple_of(8) {
            break;
        }
    }
    Some((window.split_off(before), farthest))
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for i in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }
}

/// A Huffman code: how many codes there are of each length, and the symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().for_each(|len| counts[usize::from(*len)] += 1);
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|s| lengths[*s] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances, lengths) =
        (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    let mut of_lengths = [0; 19];
    for place in
        [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].iter().take(lengths)
    {
        of_lengths[*place] = bits.take(3)? as u8;
    }
    let code = Code::new(&of_lengths);
    let mut all: Vec<u8> = Vec::new();
    while all.len() < literals + distances {
        let (value, count) = match code.read(bits)? {
            16 => (*all.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            len => (len as u8, 1),
        };
        all.resize(all.len() + count, value);
    }
    Some((Code::new(&all[..literals]), Code::new(&all[literals..])))
}

fn copy(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    farthest: &mut usize,
) -> Option<()> {
    loop {
        match literals.read(bits)? {
            256 => return Some(()),
            literal @ 0..256 => out.push(literal as u8),
            symbol => {
                // Section 3.2.5: each four codes share a number of further bits.
                let len = match symbol - 257 {
                    code @ 0..8 => 3 + code,
                    28 => 258,
                    code => {
                        let extra = code / 4 - 1;
                        3 + ((4 + code % 4) << extra) + bits.take(extra)?
                    }
                };
                let distance = match distances.read(bits)? {
                    code @ 0..4 => 1 + code,
                    code => {
                        let extra = code / 2 - 1;
                        1 + ((2 + code % 2) << extra) + bits.take(extra)?
                    }
                };
                *farthest = distance.max(*farthest);
                for _ in 0..len {
                    out.push(*out.get(out.len().checked_sub(distance)?)?);
                }
            }
        }
    }
}
