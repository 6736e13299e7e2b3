//! SHA-256 on whole vectors: lane l of every vector belongs to value l. The rounds and PBKDF2's
//! loop, written once for all widths; each width's file has the vector type `V` and its operations,
//! which must be in scope where the macro is used. No shuffles are needed: words are arranged in
//! vectors before the loop.

/// One round. The caller renames the words instead of moving them.
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $k:expr, $w:ident) => {
        let keyed = add($h, add($w, splat($k)));
        let chosen = choice($e, $f, $g);
        let sigma = big_sigma_1($e);
        $d = add(add(add($d, keyed), chosen), sigma);
        $h = add(
            add(add(add(keyed, chosen), sigma), majority($a, $b, $c)),
            big_sigma_0($a),
        );
    };
}

/// The message's next word, in place of the one sixteen before it.
macro_rules! schedule {
    ($w0:ident $w1:ident $w9:ident $w14:ident) => {
        $w0 = add(add($w0, small_sigma_0($w1)), add($w9, small_sigma_1($w14)));
    };
}

/// `run`, which does the iterations after the first in vectors with a feature.
// rustfmt moves the macros within to the right each time it is run.
#[rustfmt::skip]
macro_rules! wide {
    ($feature:literal, $lanes:literal) => {
        /// Iterations after the first.
        #[target_feature(enable = $feature)]
        pub(super) fn run(chains: &mut [super::chain::Chain; $lanes], iterations: u32) {
            let mut inner = [splat(0); 8];
            let (mut outer, mut last, mut sum) = (inner, inner, inner);
            for word in 0..8 {
                inner[word] = load(&std::array::from_fn(|l| chains[l].inner[word]));
                outer[word] = load(&std::array::from_fn(|l| chains[l].outer[word]));
                last[word] = load(&std::array::from_fn(|l| chains[l].last[word]));
                sum[word] = load(&std::array::from_fn(|l| chains[l].sum[word]));
            }
            let constants = std::hint::black_box(&super::chain::ROUND);
            for _ in 0..iterations {
                last = compress(&outer, &compress(&inner, &last, constants), constants);
                for word in 0..8 {
                    sum[word] = xor(sum[word], last[word]);
                }
            }
            for word in 0..8 {
                let (last, sum) = (store(last[word]), store(sum[word]));
                for (l, chain) in chains.iter_mut().enumerate() {
                    chain.last[word] = last[l];
                    chain.sum[word] = sum[l];
                }
            }
        }

        /// The states that follow when each lane's message is the other state with its padding.
        #[inline]
        #[target_feature(enable = $feature)]
        fn compress(from: &[V; 8], message: &[V; 8], constants: &[u32; 64]) -> [V; 8] {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *from;
            let [mut w0, mut w1, mut w2, mut w3, mut w4, mut w5, mut w6, mut w7] = *message;
            let mut w8 = splat(super::chain::END_MARK);
            let [mut w9, mut w10, mut w11, mut w12, mut w13, mut w14] = [splat(0); 6];
            let mut w15 = splat(super::chain::BITS);
            macro_rules! sixteen_rounds {
                ($at:literal) => {
                    round!(a b c d e f g h, constants[$at], w0);
                    round!(h a b c d e f g, constants[$at + 1], w1);
                    round!(g h a b c d e f, constants[$at + 2], w2);
                    round!(f g h a b c d e, constants[$at + 3], w3);
                    round!(e f g h a b c d, constants[$at + 4], w4);
                    round!(d e f g h a b c, constants[$at + 5], w5);
                    round!(c d e f g h a b, constants[$at + 6], w6);
                    round!(b c d e f g h a, constants[$at + 7], w7);
                    round!(a b c d e f g h, constants[$at + 8], w8);
                    round!(h a b c d e f g, constants[$at + 9], w9);
                    round!(g h a b c d e f, constants[$at + 10], w10);
                    round!(f g h a b c d e, constants[$at + 11], w11);
                    round!(e f g h a b c d, constants[$at + 12], w12);
                    round!(d e f g h a b c, constants[$at + 13], w13);
                    round!(c d e f g h a b, constants[$at + 14], w14);
                    round!(b c d e f g h a, constants[$at + 15], w15);
                };
            }
            macro_rules! sixteen_words {
                () => {
                    schedule!(w0 w1 w9 w14);
                    schedule!(w1 w2 w10 w15);
                    schedule!(w2 w3 w11 w0);
                    schedule!(w3 w4 w12 w1);
                    schedule!(w4 w5 w13 w2);
                    schedule!(w5 w6 w14 w3);
                    schedule!(w6 w7 w15 w4);
                    schedule!(w7 w8 w0 w5);
                    schedule!(w8 w9 w1 w6);
                    schedule!(w9 w10 w2 w7);
                    schedule!(w10 w11 w3 w8);
                    schedule!(w11 w12 w4 w9);
                    schedule!(w12 w13 w5 w10);
                    schedule!(w13 w14 w6 w11);
                    schedule!(w14 w15 w7 w12);
                    schedule!(w15 w0 w8 w13);
                };
            }
            sixteen_rounds!(0);
            sixteen_words!();
            sixteen_rounds!(16);
            sixteen_words!();
            sixteen_rounds!(32);
            sixteen_words!();
            sixteen_rounds!(48);
            [
                add(a, from[0]),
                add(b, from[1]),
                add(c, from[2]),
                add(d, from[3]),
                add(e, from[4]),
                add(f, from[5]),
                add(g, from[6]),
                add(h, from[7]),
            ]
        }
    };
}
