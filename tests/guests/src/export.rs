//! `validator!`, `masker!` and `transformer!`, which make a component of a guest. Outside of WebAssembly
//! they make nothing, so that guests can be linted natively.

/// Exports a guest as a validator.
#[macro_export]
macro_rules! validator {
    ($act:ty) => {
        $crate::__plugin!($crate::OpenValidator<$act>);
        $crate::__world!(
            $crate::OpenValidator<$act>,
            VALIDATOR,
            validator,
            __export_glovebox_plugin_validator_0_1_0_cabi
        );
    };
}

/// Exports a guest as a masker.
#[macro_export]
macro_rules! masker {
    ($act:ty) => {
        $crate::__plugin!($crate::OpenMasker<$act>);
        $crate::__world!(
            $crate::OpenMasker<$act>,
            MASKER,
            masker,
            __export_glovebox_plugin_masker_0_1_0_cabi
        );
    };
}

/// Exports a guest as a transformer.
#[macro_export]
macro_rules! transformer {
    ($act:ty) => {
        $crate::__plugin!($crate::OpenTransformer<$act>);
        $crate::__world!(
            $crate::OpenTransformer<$act>,
            TRANSFORMER,
            transformer,
            __export_glovebox_plugin_transformer_0_1_0_cabi
        );
    };
}

/// The functions of the interface `plugin`.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin {
    ($open:ty) => {
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $open;
            #[cfg(target_arch = "wasm32")]
            $crate::__export_glovebox_plugin_plugin_0_1_0_cabi!(
                Exported with_types_in $crate::bindings::exports::glovebox::plugin::plugin
            );
            #[cfg(not(target_arch = "wasm32"))]
            const _: Option<Exported> = None;
        };
    };
}

/// The functions of a world's own interface, and the world's type for the linker.
#[doc(hidden)]
#[macro_export]
macro_rules! __world {
    ($open:ty, $world:ident, $interface:ident, $functions:ident) => {
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $open;
            #[cfg(target_arch = "wasm32")]
            $crate::$functions!(
                Exported with_types_in $crate::bindings::exports::glovebox::plugin::$interface
            );
            #[cfg(not(target_arch = "wasm32"))]
            const _: Option<Exported> = None;
            #[cfg(target_arch = "wasm32")]
            #[unsafe(link_section = concat!("component-type:glovebox:", stringify!($interface)))]
            static WORLD: [u8; $crate::bindings::$world.len()] = $crate::bindings::$world;
        };
    };
}
