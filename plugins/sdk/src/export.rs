//! `export!`, which turns a plugin type into a component of one world. It does nothing outside
//! WebAssembly, so that a plugin's logic can be tested natively without a host.

/// Exports a type as the plugin that this crate is: `export!(validator T)`, `export!(masker T)` or
/// `export!(transformer T)`, once, where `T` implements the trait of that name.
///
/// On targets other than `wasm32` it only checks that `T` implements the trait.
#[macro_export]
macro_rules! export {
    (validator $plugin:ty) => {
        $crate::__export!(
            $plugin,
            OpenValidator,
            VALIDATOR,
            validator,
            __export_glovebox_plugin_validator_0_1_0_cabi
        );
    };
    (masker $plugin:ty) => {
        $crate::__export!(
            $plugin,
            OpenMasker,
            MASKER,
            masker,
            __export_glovebox_plugin_masker_0_1_0_cabi
        );
    };
    (transformer $plugin:ty) => {
        $crate::__export!(
            $plugin,
            OpenTransformer,
            TRANSFORMER,
            transformer,
            __export_glovebox_plugin_transformer_0_1_0_cabi
        );
    };
}

/// The part of `export!` that is the same for the three worlds: the functions of the interface
/// `plugin`, those of the world's own interface, and the world's type for the linker.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $open:ident, $world:ident, $interface:ident, $functions:ident) => {
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::$open<$plugin>;

            #[cfg(not(target_arch = "wasm32"))]
            const _: Option<Exported> = None;

            #[cfg(target_arch = "wasm32")]
            $crate::__export_glovebox_plugin_plugin_0_1_0_cabi!(
                Exported with_types_in $crate::bindings::exports::glovebox::plugin::plugin
            );
            #[cfg(target_arch = "wasm32")]
            $crate::$functions!(
                Exported with_types_in $crate::bindings::exports::glovebox::plugin::$interface
            );
            #[cfg(target_arch = "wasm32")]
            #[doc(hidden)]
            #[unsafe(link_section = concat!("component-type:glovebox:", stringify!($interface)))]
            static WORLD: [u8; $crate::bindings::$world.len()] = $crate::bindings::$world;
        };
    };
}
