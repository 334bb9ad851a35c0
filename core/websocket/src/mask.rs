//! The masking of section 5.3: each payload byte XOR one of four key bytes.
//! It hides nothing from anybody; it keeps scripts from choosing the bytes on the wire.

/// Masks `bytes`, or unmasks them: the operation is its own inverse.
///
/// `offset` is the place of `bytes[0]` in the payload of its frame, so that a payload may come in
/// pieces.
///
/// ```
/// use switchboard_websocket::apply_mask;
///
/// // The "Hello" of RFC 6455, section 5.7.
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let (first, second) = payload.split_at_mut(3);
/// apply_mask(first, [0x37, 0xfa, 0x21, 0x3d], 0);
/// apply_mask(second, [0x37, 0xfa, 0x21, 0x3d], 3);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    // What a server sends is not masked, which is the same as a mask of zeros.
    if mask == [0; 4] {
        return;
    }
    // Native order in and out, so the order of the machine does not matter.
    let key = u32::from_ne_bytes(rotated(mask, offset));
    let key = u64::from(key) << 32 | u64::from(key);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// The mask as the byte at `offset` sees it: its own key byte first.
#[inline]
pub(crate) fn rotated(mask: [u8; 4], offset: usize) -> [u8; 4] {
    // A number rotates in one instruction, a slice by copying. Of a little-endian number the
    // lowest byte is the first.
    u32::from_le_bytes(mask).rotate_right(8 * (offset % 4) as u32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

    /// Section 5.3 to the letter: octet i of the payload, XOR octet i modulo 4 of the key.
    fn masked_by_the_book(bytes: &[u8], offset: usize) -> Vec<u8> {
        bytes.iter().enumerate().map(|(i, byte)| byte ^ MASK[(offset + i) % 4]).collect()
    }

    #[test]
    fn every_length_and_offset_is_as_by_the_book() {
        let bytes: Vec<u8> = (0..70).collect();
        for len in 0..bytes.len() {
            for offset in 0..9 {
                let mut masked = bytes[..len].to_vec();
                apply_mask(&mut masked, MASK, offset);
                assert_eq!(masked, masked_by_the_book(&bytes[..len], offset), "{len} at {offset}");
            }
        }
    }

    #[test]
    fn masking_twice_changes_nothing() {
        let mut bytes = *b"the same again, please";
        apply_mask(&mut bytes, MASK, 3);
        apply_mask(&mut bytes, MASK, 3);
        assert_eq!(&bytes, b"the same again, please");
    }

    #[test]
    fn pieces_are_masked_as_the_whole() {
        let bytes: Vec<u8> = (0..40).collect();
        for cut in 0..bytes.len() {
            let mut masked = bytes.clone();
            let (first, second) = masked.split_at_mut(cut);
            apply_mask(first, MASK, 0);
            apply_mask(second, MASK, cut);
            assert_eq!(masked, masked_by_the_book(&bytes, 0), "cut at {cut}");
        }
    }

    #[test]
    fn a_mask_of_zeros_changes_nothing() {
        let mut bytes = *b"plain";
        apply_mask(&mut bytes, [0; 4], 1);
        assert_eq!(&bytes, b"plain");
    }
}
