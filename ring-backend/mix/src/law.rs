//! Mu-law and A-law: the two companding laws of ITU-T G.711, as integers.

/// Decodes a mu-law octet (G.711 table 2), in units of 2^-31.
#[must_use]
pub const fn mu_to_linear(octet: u8) -> i32 {
    let code = !octet;
    let segment = (code >> 4) & 7;
    // In 16-bit units; 132 is the bias that makes every segment a power of two wide.
    let magnitude = (((((code & 15) as i32) << 3) + 132) << segment) - 132;
    (if code & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }) << 16
}

/// Encodes to the nearest mu-law octet.
#[must_use]
pub const fn linear_to_mu(sample: i32) -> u8 {
    let sample = sample >> 16;
    let (sign, magnitude) = if sample < 0 {
        (0x80, -sample)
    } else {
        (0, sample)
    };
    let biased = if magnitude > 32_635 {
        32_767
    } else {
        magnitude + 132
    };
    let segment = biased.ilog2() - 7;
    !(sign | ((segment as u8) << 4) | ((biased >> (segment + 3)) & 15) as u8)
}

/// Decodes an A-law octet (G.711 table 1), in units of 2^-31.
#[must_use]
pub const fn a_to_linear(octet: u8) -> i32 {
    let code = octet ^ 0x55;
    let segment = (code >> 4) & 7;
    let steps = ((code & 15) as i32) << 4;
    let magnitude = match segment {
        0 => steps + 8,
        _ => (steps + 0x108) << (segment - 1),
    };
    (if code & 0x80 != 0 {
        magnitude
    } else {
        -magnitude
    }) << 16
}

/// Encodes to the nearest A-law octet.
#[must_use]
pub const fn linear_to_a(sample: i32) -> u8 {
    let sample = sample >> 16;
    let (sign, magnitude) = if sample < 0 {
        (0, !sample)
    } else {
        (0x80, sample)
    };
    let steps = (magnitude >> 4) as u32;
    let code = if steps < 32 {
        steps
    } else {
        let top = steps.ilog2();
        ((top - 3) << 4) | ((steps >> (top - 4)) & 15)
    };
    (sign | code as u8) ^ 0x55
}
