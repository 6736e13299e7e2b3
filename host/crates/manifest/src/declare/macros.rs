//! The two macros by which blocks and words are declared.

/// A field's name as a key: `max_record` is `max-record`.
#[expect(
    clippy::indexing_slicing,
    reason = "const functions have no iterators; the compiler runs it, and would stop"
)]
pub const fn kebab<const N: usize>(name: &str) -> [u8; N] {
    let mut key = [0; N];
    let mut i = 0;
    while i < N {
        let byte = name.as_bytes()[i];
        key[i] = if byte == b'_' { b'-' } else { byte };
        i += 1;
    }
    key
}

/// Declares a block of a manifest: a type whose fields are its keys.
///
/// ```text
/// section! {
///     /// What it is.
///     pub struct JsonlSource("JsonlSource"): "the JSON lines source", "jsonl: { path: sales.jsonl }" {
///         /// What the key means: for the schema, the manual and whoever uses the field.
///         max_record: usize => default "8MiB", Size(1..=256 << 20);
///     }
///     hints { "max-field" => "write `max-record:`, the bytes of an object", }
/// }
/// ```
///
/// The texts in its head are its name in the JSON Schema, what messages call it, and an example. A
/// key is called like its field, with dashes, unless `= "key"` behind it says otherwise. Behind the
/// arrow stand when it has to be there, its [`Kind`] and, where the kind has none, an example:
///
/// - `needed`: without it there is no block;
/// - `asked`: the same for whoever writes it, but the field is an `Option`, and the rest is read;
/// - `default "8MiB"`: what holds without it;
/// - `open "8MiB"`: the same, but the field is an `Option`, and somebody else sees to it;
/// - `optional`, `optional "in words"`: it may be missing;
/// - `empty`: the same, and the field has its type's `Default` then.
///
/// `..server: Server;` takes in the keys of another block. `rules { … }` is JSON Schema beyond the
/// keys. `check function[mode, keys];` compares keys with each other, whether or not the rest of the
/// block is right; `settle Model: function;` makes of a block what others see.
#[macro_export]
macro_rules! section {
    (@read needed; $key:ident, $reader:ident, $block:ident) => { $key.needed($reader, $block) };
    (@read asked; $key:ident, $reader:ident, $block:ident) => { $key.needed($reader, $block) };
    (@read default $text:literal; $key:ident, $reader:ident, $block:ident) => {
        $key.or($text, $reader, $block)
    };
    (@read $mode:ident $($text:literal)?; $key:ident, $reader:ident, $block:ident) => {
        $key.optional($reader, $block)
    };
    (@keep needed $value:ident) => { $crate::declare::Take::take($value?) };
    (@keep default $value:ident) => { $crate::declare::Take::take($value?) };
    (@keep empty $value:ident) => { $value.map($crate::declare::Take::take).unwrap_or_default() };
    (@keep $mode:ident $value:ident) => { $value.map($crate::declare::Take::take) };
    (@is_needed needed) => { true };
    (@is_needed asked) => { true };
    (@is_needed $mode:ident) => { false };
    (@default default $text:literal) => { Some($text) };
    (@default open $text:literal) => { Some($text) };
    (@default $mode:ident $($text:literal)?) => { None };
    (@otherwise optional $text:literal) => { Some($text) };
    (@otherwise $mode:ident $($text:literal)?) => { None };
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => {{
        const NAME: &str = stringify!($field);
        const BYTES: [u8; NAME.len()] = $crate::declare::kebab(NAME);
        const KEY: &str = match std::str::from_utf8(&BYTES) {
            Ok(key) => key,
            Err(_) => panic!("a key in ASCII"),
        };
        KEY
    }};
    (@settle) => {
        type Model = Self;

        fn settle(
            self,
            _: &mut $crate::declare::Reader<'_>,
            _: &$crate::declare::Block<'_>,
        ) -> Option<Self> {
            Some(self)
        }
    };
    (@settle $model:ty, $settle:path) => {
        type Model = $model;

        fn settle(
            self,
            reader: &mut $crate::declare::Reader<'_>,
            block: &$crate::declare::Block<'_>,
        ) -> Option<$model> {
            $settle(self, reader, block)
        }
    };
    (
        $(#[doc = $docs:literal])+
        $(#[derive($($derive:ident),+)])?
        $vis:vis struct $name:ident($title:literal): $what:literal, $example:literal {
            $(..$flat:ident: $flat_type:ty;)*
            $(
                $(#[doc = $field_docs:literal])+
                $field:ident $(= $key:literal)?: $type:ty
                    => $mode:ident $($text:literal)?, $kind:expr $(, $field_example:literal)?;
            )*
        }
        $(hints { $($wrong:literal => $help:literal,)* })?
        $(rules { $($rules:tt)* })?
        $(check $check:path[$($checked:ident),*];)*
        $(settle $model:ty: $settle:path;)?
    ) => {
        $(#[doc = $docs])+
        #[derive(Debug, Clone, PartialEq $(, $($derive),+)?)]
        $vis struct $name {
            $(
                #[doc = concat!("The keys of [`", stringify!($flat_type), "`].")]
                $vis $flat: $flat_type,
            )*
            $(
                $(#[doc = $field_docs])+
                $vis $field: $type,
            )*
        }

        impl $crate::declare::Section for $name {
            const NAME: &'static str = $title;
            const WHAT: &'static str = $what;
            const EXAMPLE: &'static str = $example;
            const DOCS: &'static str = concat!($($docs, "\n"),+);

            fn hints() -> Vec<(&'static str, &'static str)> {
                #[allow(unused_mut, reason = "most blocks take in no other")]
                let mut hints: Vec<(&'static str, &'static str)> =
                    vec![$($(($wrong, $help)),*)?];
                $(hints.extend(<$flat_type as $crate::declare::Section>::hints());)*
                hints
            }

            fn fields() -> Vec<$crate::declare::Field> {
                #[allow(unused_mut, reason = "most blocks take in no other")]
                let mut fields: Vec<$crate::declare::Field> = Vec::new();
                $(fields.extend(<$flat_type as $crate::declare::Section>::fields());)*
                fields.extend([$($crate::declare::Field {
                    key: $crate::section!(@key $field $($key)?),
                    docs: concat!($($field_docs, "\n"),+),
                    needed: $crate::section!(@is_needed $mode),
                    default: $crate::section!(@default $mode $($text)?),
                    otherwise: $crate::section!(@otherwise $mode $($text)?),
                    kind: Box::new($kind),
                },)*]);
                fields
            }

            fn rules() -> $crate::declare::Value {
                $crate::declare::json!({ $($($rules)*)? })
            }

            fn of(
                reader: &mut $crate::declare::Reader<'_>,
                block: &$crate::declare::Block<'_>,
            ) -> Option<Self> {
                $(let $flat = <$flat_type as $crate::declare::Section>::of(reader, block);)*
                $(
                    let $field = $crate::declare::Key {
                        key: $crate::section!(@key $field $($key)?),
                        example: concat!("" $(, $field_example)?),
                        kind: $kind,
                    };
                    let $field = $crate::section!(@read $mode $($text)?; $field, reader, block);
                )*
                $($check(reader, block, $($checked.as_ref().map(|key| &key.value)),*);)*
                Some($name {
                    $($flat: $flat?,)*
                    $($field: $crate::section!(@keep $mode $field),)*
                })
            }

            $crate::section!(@settle $($model, $settle)?);
        }
    };
}

/// Declares an enum whose values a manifest names by words.
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $docs:literal])+
        $vis:vis enum $name:ident {
            $($(#[doc = $word_docs:literal])+ $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[doc = $docs])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[doc = $word_docs])+ $variant,)+
        }

        impl $crate::declare::Words for $name {
            const NAME: &'static str = stringify!($name);
            const ALL: &'static [(&'static str, Self, &'static str)] =
                &[$(($word, $name::$variant, concat!($($word_docs, "\n"),+))),+];
        }
    };
}
